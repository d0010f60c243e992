/**
 * What an aggregation would cost now, before it is submitted. Reads the reports, charges nothing, decides nothing.
 */
import { parseParameters } from "@sotto/core/aggregation"
import { type Epsilon, printEpsilon } from "@sotto/core/budget"
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { adviseBudget, aggregationKind, listObjects } from "@sotto/engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Tenant } from "../access/Tenants.ts"
import { AggregationRules } from "../AggregationRules.ts"

/** ε as a decimal text; nothing left is `0`. */
export const printRemaining = (micro: number): string => (micro === 0 ? "0" : printEpsilon(micro as Epsilon))

export const BudgetAdvice = Schema.Struct({
  /** `free`: it was asked before, or costs nothing. `enough`: every unit can pay. `short`: it would be refused. */
  use: Schema.Literals(["free", "enough", "short", "unknown"]),
  /** Why it is not known. */
  because: Schema.NullOr(Schema.String),
  reports: Schema.Int,
  units: Schema.Int,
  shortUnits: Schema.Int,
  /** The first of the units that could not pay. */
  short: Schema.Array(Schema.Struct({ unit: Schema.String, origin: Schema.String, remaining: Schema.String }))
}).annotate({ identifier: "BudgetAdvice" })

const MOST_SHORT = 100

/** All reports are read and opened for an advice; who has more than this time allows asks on the command line. */
const LONGEST_LOOK = "60 seconds"

const CONTRIBUTIONS = 65_536

const unknown = (because: string): typeof BudgetAdvice.Type => ({
  use: "unknown",
  because,
  reports: 0,
  units: 0,
  shortUnits: 0,
  short: []
})

/** Said when others are being advised: reading all reports is work that workers want to do too. */
export const BUSY = unknown("The reports of others are being looked at. Try again in a moment.")

/** The advice for the parameters of an aggregation; `null` for those that cannot be read. */
export const advise = Effect.fn("v1.advise")(function* (tenant: Tenant, parameters: unknown) {
  const read = aggregationKind.parameters.decode(parameters)
  if (read._tag === "NotCoded") return null
  const { siteOf, domainOptional } = yield* AggregationRules
  const { jobEpsilon, bounded = false, asOf: given, ...request } = read.value
  const told = parseParameters({
    jobRequestId: request.jobRequestId,
    jobParameters: request.jobParameters,
    ...(jobEpsilon === undefined ? {} : { jobEpsilon: jobEpsilon as Epsilon }),
    domainOptional
  })
  if ("_tag" in told) return null
  const { debugRun, reporter, filteringIds, epsilon, charge } = told
  if (debugRun) return { ...unknown(""), use: "free", because: null } as const
  const asOf = given ?? (yield* Clock.currentTimeMillis)
  const looked = Effect.gen(function* () {
    const aggregator = yield* Aggregator
    const keys = yield* LedgerKeys
    const prefixes =
      request.inputDataBlobPrefixes.length > 0 ? request.inputDataBlobPrefixes : [request.inputDataBlobPrefix]
    const sums = yield* aggregator.sum(
      yield* listObjects(request.inputDataBucketName, prefixes),
      {
        input: "encrypted",
        checks: "full",
        reporter,
        siteOf,
        filteringIds,
        ...(bounded ? { perReport: CONTRIBUTIONS } : {}),
        debugRun: false,
        fingerprintKey: yield* keys.fingerprintKey
      },
      asOf
    )
    const { asked, short } = yield* adviseBudget({
      scope: tenant.ledgerScope,
      sums,
      bounded,
      epsilon,
      l1: CONTRIBUTIONS,
      filteringIds: filteringIds.ids,
      charge
    })
    return {
      use: asked === undefined && sums.unitCount > 0 ? (short.length > 0 ? "short" : "enough") : "free",
      because: null,
      reports: sums.sum.reports,
      units: sums.unitCount,
      shortUnits: short.length,
      short: short
        .slice(0, MOST_SHORT)
        .map(({ id, remaining, use }) => ({ unit: id, origin: use.origin, remaining: printRemaining(remaining) }))
    } as const
  })
  return yield* Effect.scoped(looked).pipe(
    Effect.timeoutOrElse({
      duration: LONGEST_LOOK,
      orElse: () => Effect.succeed(unknown("There are too many reports to look at now: use sotto budget check."))
    }),
    Effect.catch(() => Effect.succeed(unknown("The reports could not be read. Check bucket, prefix and keys.")))
  )
})
