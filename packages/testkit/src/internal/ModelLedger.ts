import {
  acceptRollback,
  emptyLedger,
  type Ledger,
  LEDGER_POLICY,
  ledgerIdentity,
  type LedgerPolicy,
  purge,
  remainingOf,
  type RolledBack,
  scopeOf,
  spend,
  type SpendAnswer,
  type SpendRequest,
  viewOf
} from "@sotto/core/budget"
import { BudgetLedger, ledgerRolledBack } from "@sotto/core/ports/BudgetLedger"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LEDGER_TEST_KEYS, LedgerLab } from "../LedgerLab.ts"

/** The transitions of a ledger, to be replaced one by one by wrong ones. */
export interface Transitions {
  readonly spend: (
    ledger: Ledger,
    policy: LedgerPolicy,
    request: SpendRequest
  ) => readonly [Ledger, SpendAnswer | RolledBack]
  readonly purge: (ledger: Ledger, scope: string, beforeHour: number) => readonly [Ledger, number]
  /** Lets other fibers in between reading and writing. */
  readonly torn: boolean
}

export const rightTransitions: Transitions = {
  spend: (ledger, policy, request) => spend(ledger, policy, request, NOW),
  purge,
  torn: false
}

export const emptyTestLedger = (): Ledger =>
  emptyLedger(ledgerIdentity(LEDGER_TEST_KEYS.ledgerId, LEDGER_TEST_KEYS.fingerprintKey))

/** The pure ledger behind the port, with `wrong` in place of the transitions it names. */
export const layerModelLedger = (wrong: Partial<Transitions> = {}): Layer.Layer<BudgetLedger | LedgerLab> =>
  Layer.unwrap(
    Effect.sync(() => {
      const cell = { ledger: emptyTestLedger() }
      const transitions = { ...rightTransitions, ...wrong }
      const open = (policy: Partial<LedgerPolicy>) => service(cell, { ...LEDGER_POLICY, ...policy }, transitions)
      return Layer.mergeAll(
        Layer.succeed(BudgetLedger, open({})),
        Layer.succeed(LedgerLab, LedgerLab.of({ reopen: (policy) => Effect.sync(() => open(policy)) }))
      )
    })
  )

const NOW = 1_700_000_000_000

const service = (cell: { ledger: Ledger }, policy: LedgerPolicy, transitions: Transitions): BudgetLedger["Service"] => {
  const step = <A>(transition: (ledger: Ledger) => readonly [Ledger, A]): Effect.Effect<A> =>
    Effect.gen(function* () {
      const [next, answer] = transition(cell.ledger)
      if (transitions.torn) yield* Effect.yieldNow
      cell.ledger = next
      return answer
    })
  const read = <A>(body: (ledger: Ledger) => A): Effect.Effect<A> => Effect.sync(() => body(cell.ledger))
  return BudgetLedger.of({
    capabilities: { durable: false },
    spend: (request) =>
      Effect.flatMap(
        step((ledger) => transitions.spend(ledger, policy, request)),
        (answer) =>
          answer._tag === "RolledBack"
            ? Effect.fail(ledgerRolledBack(request.scope, answer.known, answer.head))
            : Effect.succeed(answer)
      ),
    remaining: (scope, units) => read((ledger) => remainingOf(viewOf(ledger, scope), policy, units)),
    history: (scope, after, limit) => read((ledger) => scopeOf(ledger, scope).spends.slice(after, after + limit)),
    units: (scope, after, limit) =>
      read((ledger) =>
        [...scopeOf(ledger, scope).units.values()]
          .filter(({ id }) => after === undefined || id > after)
          .toSorted((a, b) => (a.id < b.id ? -1 : 1))
          .slice(0, limit)
      ),
    scopes: read((ledger) => [...ledger.scopes.keys()].toSorted()),
    purge: (scope, beforeHour) => step((ledger) => transitions.purge(ledger, scope, beforeHour)),
    floor: (scope) => read((ledger) => scopeOf(ledger, scope).floor),
    acceptRollback: (scope, lost, reason) => step((ledger) => acceptRollback(ledger, scope, lost, reason, NOW)),
    rollbacks: (scope) => read((ledger) => scopeOf(ledger, scope).rollbacks),
    head: (scope) => read((ledger) => viewOf(ledger, scope).head)
  })
}
