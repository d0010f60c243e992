/**
 * One aggregation from its listed objects to its written files, in the only order that loses no budget
 * (spec: ledger §7): reports → error threshold → domain read, output place tried → pay → seed → noise → write.
 */
import {
  domainUnreadable,
  earlyErrorLimit,
  emptyDomain,
  type ErrorCounts,
  exceededThreshold,
  exceedsThreshold,
  exhaustedReportPlace,
  type FilteringIds,
  inputChanged,
  internalError,
  invalidJob,
  noDomainShards,
  noErrors,
  noReportShards,
  type Outcome,
  type Percentage,
  permissionError,
  printExhaustedReport,
  privacyBudgetError,
  type Reporter,
  reportsUnreadable,
  resultWriteError,
  success,
  successWithErrors,
  tooManyUnits,
  unsupportedReportVersion
} from "@sotto/core/aggregation"
import {
  type Charge,
  type Epsilon,
  type Fingerprint,
  fingerprint as fingerprintOf,
  printEpsilon,
  sumsName,
  type UnitRemaining
} from "@sotto/core/budget"
import { utf8 } from "@sotto/core/Bytes"
import { fromMillis } from "@sotto/core/Instant"
import { type Accuracy, accuracy, freshSeed, SEED_BYTES } from "@sotto/core/noise"
import {
  Aggregator,
  type Files,
  type Noising,
  type OnProgress,
  type Output,
  type OutputDomain,
  type PrepareError,
  type ReleaseError,
  type SumError,
  type Sums,
  type UnitUse
} from "@sotto/core/ports/Aggregator"
import { type BlobInfo, type BlobRef, BlobStore } from "@sotto/core/ports/BlobStore"
import { Entropy } from "@sotto/core/ports/Entropy"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import * as Effect from "effect/Effect"
import { pay } from "./Ledger.ts"

/**
 * What is published and what it costs.
 *
 * - `Question`: paid for from a ledger; the same question gives the same bytes for ever.
 * - `Unpaid`: fresh noise each time and no ledger; the files say so.
 * - `Debug`: counts debug reports only, writes exact sums beside the noise (or none); not private, never charged.
 * - `Exact`: no noise at all, for cleartext input.
 */
export type Release =
  | { readonly _tag: "Question"; readonly scope: string; readonly charge: Charge; readonly spender: string }
  | { readonly _tag: "Unpaid" }
  | { readonly _tag: "Debug"; readonly noise: boolean }
  | { readonly _tag: "Exact" }

export interface AggregationRequest {
  /** Sorted and distinct, as `listObjects` answers; `location` is how messages name them. */
  readonly reports: { readonly objects: ReadonlyArray<BlobInfo>; readonly locations: ReadonlyArray<string> }
  readonly input: "encrypted" | "cleartext"
  readonly checks: "full" | "reduced"
  readonly reporter: Reporter
  readonly siteOf: (origin: string) => string | undefined
  readonly filteringIds: FilteringIds
  /** Cut what one report contributes at 65 536. */
  readonly bounded: boolean
  /** When age is judged, milliseconds since 1970; the same for every attempt. */
  readonly asOf: number
  readonly errorThreshold: Percentage
  readonly inputReportCount?: bigint | undefined
  /** Absent only where `output.reportKeys` publishes what the reports hold. */
  readonly domain?: OutputDomain | undefined
  readonly output: Output
  readonly epsilon: Epsilon
  readonly l1: number
  readonly release: Release
  /** Where the file about an exhausted budget goes (spec: aggregation §9.3); without it none is written. */
  readonly exhausted?: { readonly bucket: string; readonly prefix: string; readonly receivedAt: number } | undefined
  readonly onProgress?: OnProgress | undefined
}

/**
 * The borders between the steps. Before `paying` nothing is charged; after `paid` a failure costs nothing to repeat; who
 * is stopped in between cannot tell, and asks again: a question is charged once.
 */
export type Stage = "started" | "summed" | "prepared" | "paying" | "paid" | "written"

/** What happened to the budget. `Uncertain`: paying failed half-way; asking again is charged at most once. */
export type BudgetUse =
  | { readonly _tag: "Charged" | "Replayed" | "Nothing"; readonly chargedAt: number; readonly sequence?: number }
  | { readonly _tag: "Exhausted"; readonly short: ReadonlyArray<ShortUnit> }
  | { readonly _tag: "NotAsked" }
  | { readonly _tag: "Uncertain" }

/** A unit that could not pay, with the public facts of the first report that has it. */
export interface ShortUnit extends UnitRemaining {
  readonly use: UnitUse
}

export interface AggregationResult {
  readonly outcome: Outcome
  /** Of a failure: whether the same request may end otherwise at another time, with nothing changed by its author. */
  readonly retryable: boolean
  readonly asOf: number
  readonly errors: ErrorCounts
  /** Exact numbers about the input. They are not protected by noise. */
  readonly unprotected?: {
    readonly counted: number
    readonly duplicates: number
    readonly units: number
    readonly buckets: number
  }
  readonly question?: { readonly fingerprint: Fingerprint; readonly reports: number }
  readonly budget: BudgetUse
  readonly accuracy?: Accuracy
  readonly files?: Files
}

/** A known way to fail, on its way out of the steps. */
class Ended extends Error {
  readonly _tag = "Ended"
  readonly outcome: Outcome
  readonly retryable: boolean
  constructor(outcome: Outcome, retryable = false) {
    super(outcome.message)
    this.outcome = outcome
    this.retryable = retryable
  }
}

const ended = (outcome: Outcome) => Effect.fail(new Ended(outcome))

/**
 * Runs the aggregation. Every foreseen failure is a result with its return code; `budget` tells whether the question is
 * paid for, in which case the same request gives the same bytes for free.
 */
export const aggregate = Effect.fn("aggregate")(function* (
  request: AggregationRequest,
  onStage: (stage: Stage) => Effect.Effect<void> = () => Effect.void
) {
  // Filled in step by step, so that a failure tells everything that was learnt before it.
  const facts: { -readonly [K in keyof AggregationResult]: AggregationResult[K] } = {
    outcome: success,
    retryable: false,
    asOf: request.asOf,
    errors: noErrors,
    budget: { _tag: "NotAsked" }
  }
  const steps = Effect.gen(function* () {
    const aggregator = yield* Aggregator
    const { domain, reports, release } = request
    if (release._tag === "Exact" && request.input === "encrypted") {
      return yield* ended(invalidJob("Exact sums of encrypted reports are published by debug runs only."))
    }
    if (domain?.objects.length === 0) return yield* ended(noDomainShards(domain.location))
    if (reports.objects.length === 0) return yield* ended(noReportShards(reports.locations))
    yield* onStage("started")

    const keys = release._tag === "Question" ? yield* LedgerKeys : undefined
    const fingerprintKey =
      keys === undefined ? undefined : yield* keys.fingerprintKey.pipe(Effect.mapError(budgetError))
    const errorLimit = earlyErrorLimit(request.errorThreshold, request.inputReportCount)
    const sums = yield* aggregator
      .sum(
        reports.objects,
        {
          input: request.input,
          checks: request.checks,
          reporter: request.reporter,
          siteOf: request.siteOf,
          filteringIds: request.filteringIds,
          debugRun: release._tag === "Debug",
          ...(request.bounded ? { perReport: 65_536 } : {}),
          ...(errorLimit === undefined ? {} : { errorLimit }),
          ...(fingerprintKey === undefined ? {} : { fingerprintKey }),
          ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress })
        },
        request.asOf
      )
      .pipe(
        Effect.tapError((error) =>
          Effect.sync(() => void (error._tag === "TooManyErrors" && (facts.errors = error.errors)))
        ),
        Effect.mapError((error) => new Ended(sumFailed(error), error._tag === "KeyUnavailable" || mayPass(error)))
      )
    facts.errors = sums.errors
    facts.unprotected = {
      counted: sums.sum.reports,
      duplicates: sums.duplicates,
      units: sums.unitCount,
      buckets: sums.buckets
    }
    yield* onStage("summed")
    if (exceedsThreshold(sums.errors, request.errorThreshold)) return yield* ended(exceededThreshold)

    const prepared = yield* aggregator
      .prepare(domain, request.output)
      .pipe(Effect.mapError((error) => new Ended(prepareFailed(error, domain), mayPass(error))))
    yield* onStage("prepared")

    const noising = yield* noisingOf(request, sums, fingerprintKey?.reveal(), facts, onStage)
    if (facts.budget._tag !== "NotAsked") yield* onStage("paid")
    if (noising._tag !== "None")
      facts.accuracy = accuracy({ epsilon: noising.epsilon, l1: noising.l1, keys: Math.max(1, prepared.domainKeys) })
    facts.files = yield* aggregator
      .release(sums, prepared, noising)
      .pipe(Effect.mapError((error) => new Ended(releaseFailed(error), mayPass(error))))
    yield* onStage("written")
    return sums.errors.withErrors === 0 ? success : successWithErrors
  })
  const outcome = yield* Effect.scoped(steps).pipe(
    Effect.catchTag("Ended", (end) => {
      facts.retryable = end.retryable
      return Effect.succeed(end.outcome)
    })
  )
  return { ...facts, outcome } satisfies AggregationResult
})

/** The noise of the release; for a question it is paid for here, and nowhere else. */
const noisingOf = Effect.fn("noisingOf")(function* (
  request: AggregationRequest,
  sums: Sums,
  fingerprintKey: Uint8Array | undefined,
  facts: { -readonly [K in keyof AggregationResult]: AggregationResult[K] },
  onStage: (stage: Stage) => Effect.Effect<void>
) {
  const { epsilon, l1, release } = request
  if (release._tag === "Exact" || (release._tag === "Debug" && !release.noise))
    return { _tag: "None" } satisfies Noising
  if (release._tag !== "Question" || fingerprintKey === undefined) {
    const entropy = yield* Entropy
    const seed = freshSeed(yield* entropy.bytes(SEED_BYTES))
    return { _tag: "Fresh", seed, epsilon, l1, debugRun: release._tag === "Debug" } satisfies Noising
  }
  const { scope, charge, spender } = release
  const question = fingerprintOf(fingerprintKey, {
    scope,
    sums: sumsName(request.bounded),
    epsilon,
    l1,
    filteringIds: request.filteringIds.ids,
    reports: sums.sum
  })
  facts.question = { fingerprint: question, reports: sums.sum.reports }
  // More units than the port lists are more than a charge may have; the ledger never sees a cut list.
  if (sums.unitCount > sums.units.length) return yield* ended(tooManyUnits(sums.unitCount, sums.units.length))
  yield* onStage("paying")
  facts.budget = { _tag: "Uncertain" }
  const answer = yield* pay({
    scope,
    spender,
    fingerprint: question,
    charge,
    epsilon,
    reports: sums.sum.reports,
    units: sums.units,
    asOf: request.asOf
  }).pipe(
    // The one failure that refuses before anything is charged; the others may come after the charge.
    Effect.tapErrorTag("LedgerRolledBack", () => Effect.sync(() => void (facts.budget = { _tag: "NotAsked" }))),
    Effect.mapError(budgetError)
  )
  switch (answer._tag) {
    case "Paid": {
      const { chargedAt, sequence } = answer.receipt
      const tag = answer.charged ? "Charged" : sequence === undefined ? "Nothing" : "Replayed"
      facts.budget = { _tag: tag, chargedAt, ...(sequence === undefined ? {} : { sequence }) }
      return { _tag: "Question", seed: answer.seed, epsilon, l1 } satisfies Noising
    }
    case "Exhausted": {
      const uses = new Map(sums.units.map((use) => [use.id, use]))
      const short = answer.units.flatMap((unit) => {
        const use = uses.get(unit.id)
        return use === undefined ? [] : [{ ...unit, use }]
      })
      facts.budget = { _tag: "Exhausted", short }
      return yield* ended(yield* reportExhausted(request, short))
    }
    case "TooManyUnits":
      facts.budget = { _tag: "NotAsked" }
      return yield* ended(tooManyUnits(answer.units, answer.limit))
    case "SpenderConflict":
      facts.budget = { _tag: "NotAsked" }
      return yield* ended(inputChanged)
    case "NoiseKeyMismatch":
      return yield* ended(
        privacyBudgetError(
          `NoiseKeyMismatch: the noise key "${answer.noiseKeyId}" is not the one that this ledger knows under that id. Restore the ledger keys that belong to it.`
        )
      )
  }
})

/** Writes the file about the units that are short; the outcome names it if it is there (spec: aggregation §9.3). */
const reportExhausted = Effect.fn("reportExhausted")(function* (
  request: AggregationRequest,
  short: ReadonlyArray<ShortUnit>
) {
  const unnamed: Outcome = {
    code: "PRIVACY_BUDGET_EXHAUSTED",
    message: `Insufficient privacy budget for one or more aggregatable reports: ${short.length} of the budget units cannot pay ε = ${printEpsilon(request.epsilon)}. Nothing was charged.`
  }
  if (request.exhausted === undefined) return unnamed
  const { bucket, prefix, receivedAt } = request.exhausted
  const place = exhaustedReportPlace(bucket, prefix, fromMillis(receivedAt))
  const text = printExhaustedReport(short.map(({ use }) => ({ filteringId: use.filteringId, sharedInfo: use.source })))
  const blobs = yield* BlobStore
  const ref: BlobRef = { bucket, key: place.key }
  // A refusal stays a refusal when its file cannot be written.
  return yield* blobs
    .write(ref, utf8(text), { mode: "replace" })
    .pipe(Effect.match({ onSuccess: () => place.outcome, onFailure: () => unnamed }))
})

const budgetError = (error: { readonly _tag: string; readonly message: string }): Ended =>
  new Ended(
    privacyBudgetError(`${error._tag}: ${error.message}`),
    error._tag === "LedgerUnavailable" || error._tag === "LedgerKeysUnavailable"
  )

/**
 * A full disk may have room tomorrow and a store that did not answer may be back; what was paid for then costs nothing.
 * What is cut, corrupt or another object than the one that was listed stays so.
 */
const mayPass = (error: { readonly _tag: string; readonly mayPass?: boolean }): boolean =>
  error.mayPass ?? (error._tag === "OutputUnwritable" || error._tag === "AggregatorCrashed")

const sumFailed = (error: SumError): Outcome => {
  switch (error._tag) {
    case "InputUnreadable":
      return reportsUnreadable(error.message)
    case "ReportVersionUnsupported":
      return unsupportedReportVersion(error.version)
    case "TooManyErrors":
      return exceededThreshold
    case "KeyDenied":
      return permissionError(error.message)
    case "KeyUnavailable":
    case "AggregatorCrashed":
      return internalError(error.message)
  }
}

const prepareFailed = (error: PrepareError, domain: OutputDomain | undefined): Outcome => {
  switch (error._tag) {
    case "DomainUnreadable":
      return error.reason === "missing"
        ? noDomainShards(domain?.location ?? "")
        : error.reason === "empty"
          ? emptyDomain(domain?.location ?? "")
          : error.reason === "keyTooLong"
            ? invalidJob(error.message)
            : domainUnreadable(error.message)
    case "OutputUnwritable":
      return resultWriteError(error.message)
    case "AggregatorCrashed":
      return internalError(error.message)
  }
}

const releaseFailed = (error: ReleaseError): Outcome =>
  error._tag === "OutputUnwritable" ? resultWriteError(error.message) : internalError(error.message)
