import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  conditionsOf,
  deadEnds,
  eventsOf,
  faultsOf,
  type Machine,
  reachable,
  restrict,
  type Row,
  statesOf,
  step
} from "../../src/machine/Machine.ts"

type AnyRow = Row<string, string, string>
type AnyMachine = Machine<string, string, string>

const states = ["a", "b", "c", "d", "e"]
const state = fc.constantFrom(...states)
const condition = fc.constantFrom("g", "not g", "h", "not h")
const row: fc.Arbitrary<AnyRow> = fc
  .record({
    from: state,
    on: fc.constantFrom("x", "y"),
    to: state,
    guard: fc.option(fc.array(condition, { maxLength: 2 }))
  })
  .map(({ guard, ...rest }) => (guard === null ? rest : { ...rest, guard }))
const machine: fc.Arbitrary<AnyMachine> = fc.record({
  start: fc.constant("a"),
  terminal: fc.uniqueArray(fc.constantFrom("d", "e"), { minLength: 1 }),
  rows: fc.array(row, { minLength: 1, maxLength: 12 })
})

/** Whether `to` can be reached, by trying every path as long as there are states. */
const leads = ({ rows }: AnyMachine, from: string, to: string, steps = states.length): boolean =>
  from === to ||
  (steps > 0 && rows.some((row) => row.from === from && leads({ rows } as AnyMachine, row.to, to, steps - 1)))

const light: AnyMachine = {
  start: "off",
  terminal: ["gone"],
  rows: [
    { from: "off", on: "press", to: "on", guard: "power" },
    { from: "off", on: "press", to: "off", guard: "not power", same: true },
    { from: "on", on: "press", to: "off" },
    { from: "on", on: "break", to: "gone", guard: ["power", "not safe"] }
  ]
}

describe("Machine", () => {
  it("reaches what a path leads to", () => {
    fc.assert(
      fc.property(machine, (m) => {
        expect([...reachable(m)].sort()).toEqual(states.filter((to) => leads(m, m.start, to)).sort())
      })
    )
  })

  it("is dead where no path leads to an end", () => {
    fc.assert(
      fc.property(machine, (m) => {
        expect(deadEnds(m)).toEqual(statesOf(m).filter((from) => !m.terminal.some((to) => leads(m, from, to))))
      })
    )
  })

  it("applies at most one row, whatever the guards say, unless it is ambiguous", () => {
    fc.assert(
      fc.property(machine, fc.boolean(), fc.boolean(), (m, g, h) => {
        fc.pre(!faultsOf(m).some(({ _tag }) => _tag === "Ambiguous"))
        const open = (one: AnyRow) =>
          conditionsOf(one).every((c) => (c === "g" ? g : c === "not g" ? !g : c === "h" ? h : !h))
        for (const from of statesOf(m)) {
          for (const on of eventsOf(m)) {
            const applying = m.rows.filter((one) => one.from === from && one.on === on && open(one))
            expect(applying.length).toBeLessThanOrEqual(1)
            const stepped = step(m, from, on, (guard) => (guard === "g" ? g : h))
            expect(stepped._tag === "Stepped" ? [stepped.row] : []).toEqual(applying)
          }
        }
      })
    )
  })

  it("restricts to a sound machine or says what would be wrong", () => {
    fc.assert(
      fc.property(machine, fc.func(fc.boolean()), (m, keep) => {
        const kept = restrict(m, (one) => keep(one))
        if ("faults" in kept) expect(kept.faults.length).toBeGreaterThan(0)
        else {
          expect(faultsOf(kept)).toEqual([])
          expect(kept.rows).toEqual(m.rows.filter((one) => keep(one)))
          for (const end of kept.terminal) expect(reachable(kept)).toContain(end)
        }
      })
    )
  })

  it("says which condition failed, and that a step is not listed", () => {
    expect(step(light, "off", "press", () => true)).toMatchObject({ _tag: "Stepped", row: { to: "on" } })
    expect(step(light, "off", "press", () => false)).toMatchObject({ _tag: "Stepped", row: { same: true } })
    expect(step(light, "on", "break", () => true)).toEqual({
      _tag: "Refused",
      state: "on",
      event: "break",
      reason: "not safe"
    })
    expect(step(light, "on", "break", () => false)).toMatchObject({ reason: "power" })
    const two: AnyMachine = {
      start: "a",
      terminal: ["d"],
      rows: [
        { from: "a", on: "x", to: "d", guard: "g" },
        { from: "a", on: "x", to: "a", guard: ["not g", "h"] }
      ]
    }
    expect(step(two, "a", "x", () => false)).toMatchObject({ _tag: "Refused", reason: "g" })
    expect(step(light, "gone", "press", () => true)).toMatchObject({ _tag: "Refused", reason: "notListed" })
  })

  it("refuses two rows that may apply at once", () => {
    const twice = (guard?: string, other?: string): AnyMachine => ({
      start: "a",
      terminal: ["d"],
      rows: [
        { from: "a", on: "x", to: "d", ...(guard === undefined ? {} : { guard }) },
        { from: "a", on: "x", to: "d", ...(other === undefined ? {} : { guard: other }) }
      ]
    })
    for (const m of [
      twice(),
      twice("g"),
      twice(undefined, "g"),
      twice("g", "g"),
      twice("g", "h"),
      twice("g", "not h")
    ]) {
      expect(faultsOf(m)).toMatchObject([{ _tag: "Ambiguous", state: "a", event: "x", hint: expect.any(String) }])
    }
    expect(faultsOf(twice("g", "not g"))).toEqual([])
    expect(faultsOf(twice("not g", "g"))).toEqual([])
  })

  it("refuses restrictions that cut a state off or leave it without an end", () => {
    expect(faultsOf(light)).toEqual([])
    expect(restrict(light, ({ on }) => on !== "break")).toMatchObject({
      faults: [
        { _tag: "DeadEnd", state: "off" },
        { _tag: "DeadEnd", state: "on" }
      ]
    })
    expect(restrict(light, ({ from, same }) => from !== "off" || same === true)).toMatchObject({
      faults: [
        { _tag: "Unreachable", state: "on" },
        { _tag: "Unreachable", state: "gone" },
        { _tag: "DeadEnd", state: "off" }
      ]
    })
    expect(restrict(light, () => false)).toMatchObject({ faults: [{ _tag: "DeadEnd", state: "off" }] })
  })

  it("refuses a row that says nothing happens and moves", () => {
    const moving: AnyMachine = { start: "a", terminal: ["d"], rows: [{ from: "a", on: "x", to: "d", same: true }] }
    expect(faultsOf(moving)).toMatchObject([{ _tag: "SameMoves", state: "a", event: "x" }])
  })
})
