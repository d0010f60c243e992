import {
  acceptRollback,
  emptyLedger,
  type Ledger,
  LEDGER_POLICY,
  type LedgerPolicy,
  purge,
  remainingOf,
  scopeOf,
  spend,
  viewOf
} from "@sotto/core/budget"
import { BudgetLedger, ledgerRolledBack, requireIdentity } from "@sotto/core/ports/BudgetLedger"
import { identityOf } from "@sotto/core/ports/LedgerKeys"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** What outlives a layer: hand the same store to a second layer to see what a restart sees. */
export interface MemoryLedgerStore {
  ledger: Ledger | undefined
}

/** The ledger as a value that is replaced: the reference that all adapters are compared with. Time is Effect's clock. */
export const layerMemoryBudgetLedger = (
  options: { readonly store?: MemoryLedgerStore; readonly policy?: Partial<LedgerPolicy> } = {}
) =>
  Layer.effect(
    BudgetLedger,
    Effect.gen(function* () {
      const expected = yield* identityOf
      const policy = { ...LEDGER_POLICY, ...options.policy }
      const store = options.store ?? { ledger: undefined }
      yield* requireIdentity(store.ledger?.identity ?? expected, expected)
      const current = (): Ledger => store.ledger ?? emptyLedger(expected)
      // One synchronous step from reading to writing: nothing can come in between.
      const step = <A>(transition: (ledger: Ledger, now: number) => readonly [Ledger, A]): Effect.Effect<A> =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const [next, answer] = transition(current(), now)
          store.ledger = next
          return answer
        })

      return BudgetLedger.of({
        capabilities: { durable: false },
        spend: (request) =>
          Effect.flatMap(
            step((ledger, now) => spend(ledger, policy, request, now)),
            (answer) =>
              answer._tag === "RolledBack"
                ? Effect.fail(ledgerRolledBack(request.scope, answer.known, answer.head))
                : Effect.succeed(answer)
          ),
        remaining: (scope, units) => Effect.sync(() => remainingOf(viewOf(current(), scope), policy, units)),
        history: (scope, after, limit) =>
          Effect.sync(() => scopeOf(current(), scope).spends.slice(after, after + limit)),
        units: (scope, after, limit) =>
          Effect.sync(() =>
            [...scopeOf(current(), scope).units.values()]
              .filter(({ id }) => after === undefined || id > after)
              .toSorted((a, b) => (a.id < b.id ? -1 : 1))
              .slice(0, limit)
          ),
        scopes: Effect.sync(() => [...current().scopes.keys()].toSorted()),
        purge: (scope, beforeHour) => step((ledger) => purge(ledger, scope, beforeHour)),
        floor: (scope) => Effect.sync(() => scopeOf(current(), scope).floor),
        acceptRollback: (scope, lost, reason) =>
          step((ledger, now) => acceptRollback(ledger, scope, lost, reason, now)),
        rollbacks: (scope) => Effect.sync(() => scopeOf(current(), scope).rollbacks),
        head: (scope) => Effect.sync(() => viewOf(current(), scope).head)
      })
    })
  )
