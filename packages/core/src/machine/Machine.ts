/**
 * A state machine as data: rows `{ from, on, to, guard? }` and nothing else. What no row lists is refused.
 *
 * Guards are names; whoever steps the machine says which of them hold. `not` before a name is its opposite, and two rows
 * for one state and event must contradict each other in a guard, so that at most one of them can ever apply.
 */

/** A guard that must hold, or must not. */
export type Condition<Guard extends string> = Guard | `not ${Guard}`

/** `same`: a repetition or a matter of course; it is accepted and nothing happens, so `to` is `from`. */
export interface Row<State extends string, Event extends string, Guard extends string> {
  readonly from: State
  readonly on: Event
  readonly to: State
  readonly guard?: Condition<Guard> | ReadonlyArray<Condition<Guard>>
  readonly same?: true
}

/** `start` is what there is before the first event, drawn as a dot. Terminal states are left only by rows that say so. */
export interface Machine<State extends string, Event extends string, Guard extends string> {
  readonly start: State
  readonly terminal: ReadonlyArray<State>
  readonly rows: ReadonlyArray<Row<State, Event, Guard>>
}

/** Why rows are no sound machine; `hint` says what to do. */
export type MachineFault =
  | { readonly _tag: "Ambiguous"; readonly state: string; readonly event: string; readonly hint: string }
  | { readonly _tag: "Unreachable"; readonly state: string; readonly hint: string }
  | { readonly _tag: "DeadEnd"; readonly state: string; readonly hint: string }
  | { readonly _tag: "SameMoves"; readonly state: string; readonly event: string; readonly hint: string }

export interface MachineRejected {
  readonly _tag: "MachineRejected"
  readonly faults: ReadonlyArray<MachineFault>
}

export type Step<State extends string, Event extends string, Guard extends string> =
  | { readonly _tag: "Stepped"; readonly row: Row<State, Event, Guard> }
  | {
      readonly _tag: "Refused"
      readonly state: State
      readonly event: Event
      /** The first condition that failed; `notListed` when no row has this state and event. */
      readonly reason: Condition<Guard> | "notListed"
    }

/** The conditions of a row, as a list. */
export const conditionsOf = <G extends string>(row: Row<string, string, G>): ReadonlyArray<Condition<G>> =>
  row.guard === undefined ? [] : typeof row.guard === "string" ? [row.guard] : row.guard

/** Every state that occurs, in the order of its first row. */
export const statesOf = <S extends string>(machine: Machine<S, string, string>): ReadonlyArray<S> => [
  ...new Set(machine.rows.flatMap(({ from, to }) => [from, to]))
]

/** Every event that occurs, in the order of its first row. */
export const eventsOf = <E extends string>(machine: Machine<string, E, string>): ReadonlyArray<E> => [
  ...new Set(machine.rows.map(({ on }) => on))
]

/** The row that applies, or why none does. `holds` is asked for guards by their plain name. */
export const step = <S extends string, E extends string, G extends string>(
  machine: Machine<S, E, G>,
  state: S,
  event: E,
  holds: (guard: G) => boolean
): Step<S, E, G> => {
  let reason: Condition<G> | "notListed" = "notListed"
  for (const row of machine.rows) {
    if (row.from !== state || row.on !== event) continue
    const failed = conditionsOf(row).find((condition) => !meets(condition, holds))
    if (failed === undefined) return { _tag: "Stepped", row }
    if (reason === "notListed") reason = failed
  }
  return { _tag: "Refused", state, event, reason }
}

/** The states that some sequence of rows leads to, `start` included. Guards count as open. */
export const reachable = <S extends string>(machine: Machine<S, string, string>): ReadonlySet<S> =>
  closure([machine.start], (state) => machine.rows.filter(({ from }) => from === state).map(({ to }) => to))

/** The states from which no sequence of rows leads to a terminal state. */
export const deadEnds = <S extends string>(machine: Machine<S, string, string>): ReadonlyArray<S> => {
  const alive = closure(machine.terminal, (state) =>
    machine.rows.filter(({ to }) => to === state).map(({ from }) => from)
  )
  return statesOf(machine).filter((state) => !alive.has(state))
}

/** Everything that is wrong with a machine; empty for a sound one. */
export const faultsOf = (machine: Machine<string, string, string>): ReadonlyArray<MachineFault> => {
  const { rows } = machine
  const reached = reachable(machine)
  const ambiguous = rows.filter((row, i) =>
    rows.some((other, j) => j < i && other.from === row.from && other.on === row.on && !disjoint(row, other))
  )
  return [
    ...ambiguous.map(({ from, on }) => ({
      _tag: "Ambiguous" as const,
      state: from,
      event: on,
      hint: `two rows for ${on} in ${from} may apply at once: give them guards that contradict each other`
    })),
    ...rows
      .filter(({ from, to, same }) => same === true && from !== to)
      .map(({ from, on }) => ({
        _tag: "SameMoves" as const,
        state: from,
        event: on,
        hint: `the row for ${on} in ${from} says that nothing happens but leads elsewhere`
      })),
    ...statesOf(machine)
      .filter((state) => !reached.has(state))
      .map((state) => ({
        _tag: "Unreachable" as const,
        state,
        hint: `no way leads from ${machine.start} to ${state}: add one or leave out the rows of ${state}`
      })),
    ...deadEnds(machine).map((state) => ({
      _tag: "DeadEnd" as const,
      state,
      hint: `no way leads from ${state} to a terminal state: add one or leave out the rows of ${state}`
    }))
  ]
}

/** The machine with only the rows that `keep` wants; refused unless what is left is sound. */
export const restrict = <S extends string, E extends string, G extends string>(
  machine: Machine<S, E, G>,
  keep: (row: Row<S, E, G>) => boolean
): Machine<S, E, G> | MachineRejected => {
  const rows = machine.rows.filter(keep)
  const left = new Set(rows.flatMap(({ from, to }) => [from, to]))
  const kept = { start: machine.start, terminal: machine.terminal.filter((state) => left.has(state)), rows }
  // Without any row there is no state to complain of, and yet no way to anywhere.
  const faults = faultsOf({ ...kept, rows: rows.length > 0 ? rows : [loop(machine.start)] })
  return faults.length === 0 ? kept : { _tag: "MachineRejected", faults }
}

const loop = (state: string): Row<string, string, string> => ({ from: state, on: "", to: state })

const meets = <G extends string>(condition: Condition<G>, holds: (guard: G) => boolean): boolean =>
  condition.startsWith("not ") ? !holds(condition.slice(4) as G) : holds(condition as G)

const disjoint = (a: Row<string, string, string>, b: Row<string, string, string>): boolean =>
  conditionsOf(a).some((one) => conditionsOf(b).some((other) => one === `not ${other}` || other === `not ${one}`))

const closure = <S>(from: ReadonlyArray<S>, next: (state: S) => ReadonlyArray<S>): ReadonlySet<S> => {
  const seen = new Set(from)
  for (const state of seen) for (const one of next(state)) seen.add(one)
  return seen
}
