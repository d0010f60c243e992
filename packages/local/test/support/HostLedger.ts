import {
  acceptRollback,
  emptyLedger,
  type Head,
  type Ledger,
  LEDGER_POLICY,
  type LedgerIdentity,
  type LedgerPolicy,
  purge,
  remainingOf,
  scopeOf,
  spend,
  type SpendRequest,
  viewOf
} from "@sotto/core/budget"
import type { PromisedBudgetLedger } from "@sotto/local"

/** A ledger with Promises over the pure transitions of core; `identity` is what it was stamped with. */
export class HostLedger implements PromisedBudgetLedger {
  readonly capabilities = { durable: false }
  readonly #policy: LedgerPolicy
  readonly #kept: { ledger: Ledger | undefined }
  constructor(kept: { ledger: Ledger | undefined }, policy: Partial<LedgerPolicy> = {}) {
    this.#kept = kept
    this.#policy = { ...LEDGER_POLICY, ...policy }
  }
  get #ledger(): Ledger {
    if (this.#kept.ledger === undefined) throw new Error("identity comes first")
    return this.#kept.ledger
  }
  #step<A>([next, answer]: readonly [Ledger, A]): A {
    this.#kept.ledger = next
    return answer
  }
  identity = async (made: LedgerIdentity) => (this.#kept.ledger ??= emptyLedger(made)).identity
  spend = async (request: SpendRequest) => this.#step(spend(this.#ledger, this.#policy, request, Date.now()))
  remaining: PromisedBudgetLedger["remaining"] = async (scope, units) =>
    remainingOf(viewOf(this.#ledger, scope), this.#policy, units)
  history: PromisedBudgetLedger["history"] = async (scope, after, limit) =>
    scopeOf(this.#ledger, scope).spends.slice(after, after + limit)
  units: PromisedBudgetLedger["units"] = async (scope, after, limit) =>
    [...scopeOf(this.#ledger, scope).units.values()]
      .filter(({ id }) => after === undefined || id > after)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .slice(0, limit)
  scopes = async () => [...this.#ledger.scopes.keys()].toSorted()
  purge = async (scope: string, beforeHour: number) => this.#step(purge(this.#ledger, scope, beforeHour))
  floor = async (scope: string) => scopeOf(this.#ledger, scope).floor
  acceptRollback = async (scope: string, lost: Head, reason: string) =>
    this.#step(acceptRollback(this.#ledger, scope, lost, reason, Date.now()))
  rollbacks = async (scope: string) => scopeOf(this.#ledger, scope).rollbacks
  head = async (scope: string) => viewOf(this.#ledger, scope).head
}
