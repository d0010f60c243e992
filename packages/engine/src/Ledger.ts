/**
 * Paying for a question, and the only way to the seed of its noise.
 *
 * The order is fixed here so that no caller can forget a step (spec: ledger §3, §7): the head kept beside the keys goes
 * into the spend, the charge is committed, the head is raised, the key under the receipt's id is compared with the one
 * that the ledger saw first, and only then is there a seed.
 */
import {
  type Exhausted,
  keyCheck,
  type NoiseKeyMismatch,
  type NotRolledBack,
  type Receipt,
  type RollbackAccepted,
  seedOf,
  type SpenderConflict,
  type SpendRequest,
  type TooManyUnits
} from "@sotto/core/budget"
import type { QuestionSeed } from "@sotto/core/noise"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import * as Effect from "effect/Effect"

/** A question with its price; keys and head are the ledger's business. */
export type Bill = Omit<SpendRequest, "noiseKeyId" | "kcv" | "known">

/** `charged: false` for a repeat (free) and for a question without units. */
export interface Paid {
  readonly _tag: "Paid"
  readonly charged: boolean
  readonly receipt: Receipt
  readonly seed: QuestionSeed
}

export type Refused = Exhausted | TooManyUnits | SpenderConflict | NoiseKeyMismatch

/**
 * Pays, or finds that it was paid, and derives the seed.
 *
 * Any failure may come after the charge: call again with the same bill, which is free then. `NoiseKeyMissing` and
 * `NoiseKeyMismatch` after a charge mean that this question cannot be noised again; its charge stays.
 */
export const pay = Effect.fn("pay")(function* (bill: Bill) {
  const ledger = yield* BudgetLedger
  const keys = yield* LedgerKeys
  const active = yield* keys.activeNoiseKey
  const known = yield* keys.head(bill.scope)
  const kcv = keyCheck(active.key.reveal())
  const answer = yield* ledger.spend({ ...bill, noiseKeyId: active.id, kcv, known })
  if (answer._tag !== "Charged" && answer._tag !== "Replayed" && answer._tag !== "Nothing") {
    return answer satisfies Refused
  }
  const { receipt } = answer
  // Also after a replay: the charge may have been committed by an attempt that died before this line.
  if (receipt.sequence !== undefined) yield* keys.raiseHead(bill.scope, yield* ledger.head(bill.scope))
  const held = (yield* keys.noiseKey(receipt.noiseKeyId)).key.reveal()
  if (keyCheck(held) !== receipt.kcv) {
    return { _tag: "NoiseKeyMismatch", noiseKeyId: receipt.noiseKeyId } satisfies Refused
  }
  const seed = seedOf(held, receipt.fingerprint)
  return { _tag: "Paid", charged: answer._tag === "Charged", receipt, seed } satisfies Paid
})

/**
 * An operator's acceptance that charges of a scope are lost: recorded in the ledger first, then the head beside the keys
 * is lowered. Interrupted in between, the ledger still refuses and the call can be repeated.
 *
 * `undefined` when no head is kept for the scope, so nothing can be known to be lost.
 */
export const acceptRollback = Effect.fn("acceptRollback")(function* (scope: string, reason: string) {
  const ledger = yield* BudgetLedger
  const keys = yield* LedgerKeys
  const lost = yield* keys.head(scope)
  if (lost === undefined) return undefined
  const answer: RollbackAccepted | NotRolledBack = yield* ledger.acceptRollback(scope, lost, reason)
  if (answer._tag === "RollbackAccepted") yield* keys.lowerHead(scope, lost, answer.head)
  return answer
})
