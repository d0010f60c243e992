import {
  type Charge,
  type Epsilon,
  fingerprint as fingerprintOf,
  MAX_EPSILON,
  type Spend,
  sumsName
} from "@sotto/core/budget"
import type { Sums } from "@sotto/core/ports/Aggregator"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import * as Effect from "effect/Effect"
import type { ShortUnit } from "./Aggregation.ts"

/** What asking would cost now. Only a spend decides: others may ask in between. */
export interface BudgetAdvice {
  /** The question was paid for before: asking again is free. */
  readonly asked: Spend | undefined
  /** Units that could not pay; empty if the question could be asked. */
  readonly short: ReadonlyArray<ShortUnit>
}

const PAGE = 1000

/** Would a question over these sums be admitted? Charges nothing. */
export const adviseBudget = Effect.fn("adviseBudget")(function* (question: {
  readonly scope: string
  readonly sums: Sums
  readonly bounded: boolean
  readonly epsilon: Epsilon
  readonly l1: number
  readonly filteringIds: ReadonlyArray<bigint>
  readonly charge: Charge
}) {
  const ledger = yield* BudgetLedger
  const keys = yield* LedgerKeys
  const { scope, sums, bounded, epsilon, l1, filteringIds } = question
  const fingerprint = fingerprintOf((yield* keys.fingerprintKey).reveal(), {
    scope,
    sums: sumsName(bounded),
    epsilon,
    l1,
    filteringIds,
    reports: sums.sum
  })
  let asked: Spend | undefined
  for (let after = 0; ;) {
    const page = yield* ledger.history(scope, after, PAGE)
    asked = page.find((spend) => spend.fingerprint === fingerprint)
    const last = page.at(-1)
    if (asked !== undefined || last === undefined || page.length < PAGE) break
    after = last.sequence
  }
  const needed = question.charge === "exclusive" ? MAX_EPSILON : epsilon
  const uses = new Map(sums.units.map((use) => [use.id, use]))
  const short = (yield* ledger.remaining(scope, sums.units)).flatMap((unit) => {
    const use = uses.get(unit.id)
    return unit.remaining >= needed || use === undefined ? [] : [{ ...unit, use }]
  })
  return { asked, short: asked === undefined ? short : [] } satisfies BudgetAdvice
})
