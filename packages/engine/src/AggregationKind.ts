/**
 * The aggregation as a job: leased, tried again after a failure of ours, paid once.
 *
 * An attempt is a pure function of the job: its objects, its parameters, `asOf` (fixed at submission) and, as spender, its
 * id. So whichever worker finishes writes the same bytes for one charge (spec: ledger §7).
 */
import {
  errorCounts,
  internalError,
  isSuccess,
  jobCancelled,
  MAX_PREFIXES,
  parseParameters,
  domainUnreadable,
  reportsUnreadable,
  type ResultInfo,
  RETURN_CODES,
  type ReturnCode,
  retriesExhausted,
  invalidJob,
  noErrors,
  type Outcome
} from "@sotto/core/aggregation"
import { type Epsilon, MAX_EPSILON, printEpsilon } from "@sotto/core/budget"
import { fromMillis } from "@sotto/core/Instant"
import { type FailureCategory, type Job, type JobFile, JobKind } from "@sotto/core/job"
import type { Progress } from "@sotto/core/ports/Aggregator"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { aggregate, type AggregationResult, type Stage } from "./Aggregation.ts"
import { handle, type JobContext, JobFailed } from "./Handler.ts"
import { listObjects } from "./Objects.ts"
import { countBudgetRefusal, recordStage } from "./Telemetry.ts"

const L1 = 65_536

const text = Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("")))

/** The request of createJob as core reads it (`parseRequest`), and what only the native interface can say. */
const Parameters = Schema.Struct({
  jobRequestId: text,
  inputDataBucketName: Schema.NonEmptyString,
  inputDataBlobPrefix: text,
  inputDataBlobPrefixes: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([]))),
  outputDataBucketName: Schema.NonEmptyString,
  outputDataBlobPrefix: Schema.NonEmptyString,
  jobParameters: Schema.Record(Schema.String, Schema.String),
  postbackUrl: text,
  accountIdentity: text,
  /** In micro-ε; given, the charge is shared. */
  jobEpsilon: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: MAX_EPSILON }))),
  /** Milliseconds since 1970: when age is judged. Absent: when the job was submitted. */
  asOf: Schema.optionalKey(Schema.Int),
  /** Cut what one report contributes at 65 536. */
  bounded: Schema.optionalKey(Schema.Boolean)
}).check(
  Schema.makeFilter(({ inputDataBlobPrefix: one, inputDataBlobPrefixes: some }) =>
    (one === "") !== (some.length === 0) && some.length <= MAX_PREFIXES
      ? undefined
      : `give inputDataBlobPrefix or 1 to ${MAX_PREFIXES} inputDataBlobPrefixes`
  )
)

export type AggregationParameters = typeof Parameters.Type

const Files = Schema.Array(Schema.Struct({ bucket: Schema.String, key: Schema.String, rows: Schema.Int }))

/** What is told of an aggregation that ended, well or not. */
const Facts = Schema.Struct({
  returnCode: Schema.Literals(RETURN_CODES),
  returnMessage: Schema.String,
  errorCounts: Schema.Array(Schema.Struct({ category: Schema.String, count: Schema.Int, description: Schema.String })),
  /** Give it with the same request to ask the same question again. */
  asOf: Schema.Int,
  epsilon: Schema.String,
  question: Schema.optionalKey(Schema.Struct({ fingerprint: Schema.String, asOf: Schema.Int, reports: Schema.Int })),
  budget: Schema.Struct({
    use: Schema.Literals(["Charged", "Replayed", "Nothing", "Exhausted", "NotAsked", "Uncertain"]),
    chargedAt: Schema.optionalKey(Schema.Int),
    sequence: Schema.optionalKey(Schema.Int),
    /** How many units cannot pay, and the first of them. */
    shortUnits: Schema.optionalKey(Schema.Int),
    short: Schema.optionalKey(Schema.Array(Schema.Struct({ unit: Schema.String, remaining: Schema.String })))
  }),
  accuracy: Schema.optionalKey(
    Schema.Struct({
      stdDev: Schema.Finite,
      expectedAbsError: Schema.Finite,
      halfWidth: Schema.Struct({ p90: Schema.BigInt, p95: Schema.BigInt, p99: Schema.BigInt }),
      simultaneousHalfWidth95: Schema.optionalKey(Schema.BigInt)
    })
  ),
  /** Exact numbers about the input. No noise protects them. */
  unprotected: Schema.optionalKey(
    Schema.Struct({
      reports: Schema.Int,
      withErrors: Schema.Int,
      counted: Schema.Int,
      duplicates: Schema.Int,
      units: Schema.Int,
      buckets: Schema.Int
    })
  ),
  files: Schema.optionalKey(Schema.Struct({ summary: Files, debug: Files }))
})

export type AggregationFacts = typeof Facts.Type

const YEAR_MS = 365 * 86_400_000

/** Kept for a year, as the original does (spec: aggregation §2.1). Nothing is asked on the way, and a job is not reset: one job is one question. */
export const aggregationKind = JobKind.make({
  name: "aggregation",
  relation: "leased",
  parameters: Parameters,
  result: Facts,
  failure: Facts,
  retentionMs: YEAR_MS,
  without: {
    states: ["AwaitingInput", "AwaitingExternal", "Skipped"],
    events: ["InputGiven", "Reset", "OutputEmitted"]
  },
  outward: {
    states: {
      Queued: "RECEIVED",
      Starting: "IN_PROGRESS",
      Running: "IN_PROGRESS",
      Finishing: "IN_PROGRESS",
      Succeeded: "FINISHED",
      Failed: "FINISHED",
      Cancelled: "FINISHED"
    },
    // What was begun once stays in progress while it waits for the next try.
    refine: ({ state, epoch }) => (state === "Queued" && epoch > 0 ? "IN_PROGRESS" : undefined)
  },
  files: (job) => resultFiles(job)
})

/** The shards of the summary, then those of the debug summary, which have the same names in another folder. */
const resultFiles = ({ outcome }: Job): ReadonlyArray<JobFile> => {
  if (outcome?._tag !== "Succeeded") return []
  const decoded = aggregationKind.result.decode(outcome.result)
  const files = decoded._tag === "Coded" ? decoded.value.files : undefined
  const named = (prefix: string, shards: typeof Files.Type = []) =>
    shards.map(({ bucket, key }) => ({ name: prefix + key.slice(key.lastIndexOf("/") + 1), bucket, key }))
  return [...named("", files?.summary), ...named("debug-", files?.debug)]
}

export interface AggregationSettings {
  /** The site of an origin by the public suffix list; `undefined` when it has none. */
  readonly siteOf: (origin: string) => string | undefined
  /** The ledger scope that a tenant's questions are charged in; `default` for all unless told. */
  readonly scopeOf?: (tenant: string) => string
  readonly domainFormat?: "avro" | "text"
  /** Jobs without an output domain publish every key that the reports hold. */
  readonly domainOptional?: boolean
  /** Runs at every border of an attempt, which waits for it: for drills that end a process there. */
  readonly onStage?: (stage: Stage) => Effect.Effect<void>
}

/** The handler of `aggregationKind`. */
export const aggregationHandler = (settings: AggregationSettings) =>
  handle(aggregationKind, (job) => Effect.flatMap(attempt(settings, job), finish))

const attempt = Effect.fnUntraced(function* (settings: AggregationSettings, job: JobContext<AggregationParameters>) {
  const { siteOf, scopeOf = () => "default", domainFormat = "avro", domainOptional = false } = settings
  const { jobEpsilon, ...request } = job.parameters
  const asOf = request.asOf ?? job.createdAt
  const parameters = parseParameters({
    jobRequestId: request.jobRequestId,
    jobParameters: request.jobParameters,
    ...(jobEpsilon === undefined ? {} : { jobEpsilon: jobEpsilon as Epsilon }),
    domainOptional
  })
  if ("_tag" in parameters) return over(asOf, invalidJob(parameters.message))
  const { outputDomain, debugRun, epsilon, charge } = parameters

  const domainObjects =
    outputDomain === undefined
      ? undefined
      : yield* Effect.result(listObjects(outputDomain.bucketName, [outputDomain.blobPrefix]))
  if (domainObjects?._tag === "Failure") {
    return over(asOf, domainUnreadable(domainObjects.failure.message), passes(domainObjects.failure))
  }
  const bucket = request.inputDataBucketName
  const prefixes =
    request.inputDataBlobPrefixes.length > 0 ? request.inputDataBlobPrefixes : [request.inputDataBlobPrefix]
  const reports = yield* Effect.result(listObjects(bucket, prefixes))
  if (reports._tag === "Failure") return over(asOf, reportsUnreadable(reports.failure.message), passes(reports.failure))

  const onProgress = yield* progressTo(job)
  return yield* aggregate(
    {
      reports: { objects: reports.success, locations: prefixes.map((prefix) => `${bucket}/${prefix}`) },
      input: "encrypted",
      checks: "full",
      reporter: parameters.reporter,
      siteOf,
      filteringIds: parameters.filteringIds,
      bounded: request.bounded ?? false,
      asOf,
      errorThreshold: parameters.errorThreshold,
      inputReportCount: parameters.inputReportCount,
      ...(outputDomain === undefined || domainObjects === undefined
        ? {}
        : {
            domain: {
              format: domainFormat,
              objects: domainObjects.success,
              location: `${outputDomain.bucketName}/${outputDomain.blobPrefix}`,
              onProgress
            }
          }),
      output: {
        bucket: request.outputDataBucketName,
        names: { _tag: "Shards", prefix: request.outputDataBlobPrefix },
        debug: debugRun,
        reportKeys: outputDomain === undefined,
        onProgress
      },
      epsilon,
      l1: L1,
      release: debugRun
        ? { _tag: "Debug", noise: true }
        : { _tag: "Question", scope: scopeOf(job.tenant), charge, spender: job.id },
      exhausted: {
        bucket: request.outputDataBucketName,
        prefix: request.outputDataBlobPrefix,
        receivedAt: job.createdAt
      },
      onProgress
    },
    yield* stagesOf(job, settings.onStage)
  ).pipe(Effect.map((result) => ({ ...result, epsilon })))
})

type Attempt = AggregationResult & { readonly epsilon?: Epsilon }

/** An attempt that ended before anything was read. */
const over = (asOf: number, outcome: Outcome, retryable = false): Attempt => ({
  outcome,
  retryable,
  asOf,
  errors: noErrors,
  budget: { _tag: "NotAsked" }
})

const passes = ({ _tag }: { readonly _tag: string }): boolean => _tag === "BlobUnavailable"

const progressTo = Effect.fnUntraced(function* (job: JobContext<AggregationParameters>) {
  const clock = yield* Clock.clockWith(Effect.succeed)
  const startedAt = new Map<Progress["stage"], number>()
  return ({ stage, rows, bytes, totalBytes }: Progress): void => {
    const now = clock.currentTimeMillisUnsafe()
    const since = startedAt.get(stage) ?? now
    startedAt.set(stage, since)
    const seconds = (now - since) / 1000
    const perSecond = seconds > 0 ? bytes / seconds : 0
    job.progress({
      done: bytes,
      total: totalBytes,
      phase: stage,
      details: {
        rows,
        bytes,
        rowsPerSecond: seconds > 0 ? Math.round(rows / seconds) : null,
        secondsLeft: perSecond > 0 ? Math.ceil((totalBytes - bytes) / perSecond) : null
      }
    })
  }
})

/** Times the stages. From the domain on the job's own deadline no longer ends it: what is paid for is also written. */
const stagesOf = Effect.fnUntraced(function* (
  job: JobContext<AggregationParameters>,
  onStage: AggregationSettings["onStage"]
) {
  let since = yield* Clock.currentTimeMillis
  return (stage: Stage) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* recordStage(job.kind, stage, now - since)
      since = now
      if (stage === "prepared") yield* job.finishing
      if (onStage !== undefined) yield* onStage(stage)
    })
})

const finish = Effect.fnUntraced(function* (attempted: Attempt) {
  const { outcome, budget, retryable } = attempted
  if (budget._tag === "Exhausted") yield* countBudgetRefusal("exhausted")
  else if (outcome.code === "INPUT_CHANGED" || outcome.code === "PRIVACY_BUDGET_ERROR") {
    yield* countBudgetRefusal(outcome.code === "INPUT_CHANGED" ? "input-changed" : "error")
  }
  const facts = factsOf(attempted)
  if (isSuccess(outcome.code)) return facts
  return yield* new JobFailed({
    code: outcome.code,
    category: CATEGORIES[outcome.code] ?? "client",
    message: outcome.message,
    details: facts,
    retryable
  })
})

/** Whose fault; all others are the author's. */
const CATEGORIES: Partial<Record<ReturnCode, FailureCategory>> = {
  INTERNAL_ERROR: "server",
  PERMISSION_ERROR: "server",
  PRIVACY_BUDGET_ERROR: "server",
  RESULT_WRITE_ERROR: "external"
}

const MOST_SHORT = 100

const factsOf = (attempted: Attempt): AggregationFacts => {
  const { outcome, asOf, errors, question, budget, accuracy, unprotected, files, epsilon } = attempted
  return {
    returnCode: outcome.code,
    returnMessage: outcome.message,
    errorCounts: errorCounts(errors),
    asOf,
    epsilon: epsilon === undefined ? "" : printEpsilon(epsilon),
    ...(question === undefined ? {} : { question: { ...question, asOf } }),
    budget:
      budget._tag === "Exhausted"
        ? {
            use: budget._tag,
            shortUnits: budget.short.length,
            short: budget.short
              .slice(0, MOST_SHORT)
              .map(({ id, remaining }) => ({ unit: id, remaining: printEpsilon(remaining as Epsilon) }))
          }
        : budget._tag === "NotAsked" || budget._tag === "Uncertain"
          ? { use: budget._tag }
          : {
              use: budget._tag,
              chargedAt: budget.chargedAt,
              ...(budget.sequence === undefined ? {} : { sequence: budget.sequence })
            },
    ...(accuracy === undefined ? {} : { accuracy: shownAccuracy(accuracy) }),
    ...(unprotected === undefined
      ? {}
      : { unprotected: { reports: errors.total, withErrors: errors.withErrors, ...unprotected } }),
    ...(files === undefined ? {} : { files: { summary: shownFiles(files.summary), debug: shownFiles(files.debug) } })
  }
}

const shownFiles = (files: NonNullable<AggregationResult["files"]>["summary"]) =>
  files.map(({ bucket, key, rows }) => ({ bucket, key, rows }))

const shownAccuracy = (accuracy: NonNullable<AggregationResult["accuracy"]>) => {
  const { stdDev, expectedAbsError, halfWidth, simultaneousHalfWidth95: all } = accuracy
  return { stdDev, expectedAbsError, halfWidth, ...(all === undefined ? {} : { simultaneousHalfWidth95: all }) }
}

/** `returnCode` is empty while a job is between two tries. */
export interface JobResultInfo extends Omit<ResultInfo, "returnCode"> {
  readonly returnCode: ReturnCode | ""
}

/** The `result_info` of an aggregation job (spec: aggregation §1.4); `undefined` until something has ended. */
export const resultInfoOf = (job: Job): JobResultInfo | undefined => {
  const { outcome, lastFailure, dead, failures } = job
  const finishedAt = fromMillis(job.finishedAt ?? job.updatedAt)
  const told = (
    one: Outcome,
    counts: JobResultInfo["errorCounts"] = [],
    errorMessages: ReadonlyArray<string> = []
  ) => ({
    returnCode: one.code,
    returnMessage: one.message,
    errorCounts: counts,
    errorMessages,
    finishedAt
  })
  switch (outcome?._tag) {
    case "Succeeded":
      return toldFacts(aggregationKind.result.decode(outcome.result), told) ?? told(internalError())
    case "Cancelled":
      return told(jobCancelled)
    case "Failed": {
      const { details, message } = outcome.failure
      if (dead) return told(retriesExhausted(failures), [], [message])
      return toldFacts(aggregationKind.failure.decode(details), told) ?? told(internalError(message))
    }
    default:
      return lastFailure === null
        ? undefined
        : { returnCode: "", returnMessage: "", errorCounts: [], errorMessages: [lastFailure.message], finishedAt }
  }
}

const toldFacts = (
  decoded: ReturnType<typeof aggregationKind.result.decode>,
  told: (one: Outcome, counts: JobResultInfo["errorCounts"]) => JobResultInfo
): JobResultInfo | undefined =>
  decoded._tag === "Coded"
    ? told(
        { code: decoded.value.returnCode, message: decoded.value.returnMessage },
        decoded.value.errorCounts as JobResultInfo["errorCounts"]
      )
    : undefined
