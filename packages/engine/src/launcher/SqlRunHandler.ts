/**
 * Drives a launched run: aggregates, and reports like any driver (spec: launcher §2).
 *
 * Every report may be repeated, and a run whose worker died is driven again from its beginning; what it wrote is recognised.
 */
import {
  type Failure,
  type FailureCategory,
  isTerminal,
  type JobState,
  type PlainObject,
  type ReportedState
} from "@sotto/core/job"
import {
  type Configuration,
  isConfigurationRejected,
  launcherKind,
  launcherTime,
  parseConfiguration,
  sqlRunKind,
  type SqlRunParameters
} from "@sotto/core/launcher"
import type { BlobError, BlobStore } from "@sotto/core/ports/BlobStore"
import type { Records, RecordsUnavailable } from "@sotto/core/ports/Records"
import type { SqlEngine, SqlFailed } from "@sotto/core/ports/SqlEngine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { Engine } from "../Engine.ts"
import { handle, type JobContext, JobFailed, type KindHandler } from "../Handler.ts"
import { asWorker, pace } from "../Journal.ts"
import { aggregateBySql, type CollectionsPlace, type SqlAggregationResult, type SqlStage } from "./SqlAggregation.ts"
import { raiseWatermark, readWatermark } from "./Watermark.ts"

export interface SqlRunOptions {
  readonly placeOf: (tenant: string) => CollectionsPlace
  /** Names this machine in reports. */
  readonly hostname: string
}

/** The handler of `sqlRunKind`. */
export const sqlRunHandler = (options: SqlRunOptions): KindHandler<Engine | SqlEngine | BlobStore | Records> =>
  handle(sqlRunKind, (job) => drive(options, job))

type Run = JobContext<SqlRunParameters>

/** What came of the work; `failure` stands beside an error. */
interface Ending {
  readonly state: "finished" | "skipped" | "error"
  readonly result: PlainObject
  readonly failure: Failure | null
}

/** A driver that only works is silent; this often it says that it is still there. */
const HEARTBEAT = "1 minute"

/** Of a log so many events at once; what is behind them is followed. */
const MOST_EVENTS = 1_000

/** Of the runs that wait, so many are spoken for. */
const MOST_WAITING = 1_000

const drive = Effect.fnUntraced(function* (options: SqlRunOptions, job: Run) {
  const { jobId } = job.parameters
  const first = yield* tell(options, job, "starting")
  const past = yield* eventsOf(job)
  // Who was told to cancel and was lost since has not been told otherwise.
  const ending = yield* isOver(first) || past.some(({ state }) => isOver(state))
    ? Effect.succeed(first)
    : Effect.raceFirst(work(options, job), stopped(job, past.at(-1)?.seq ?? 0))
  const endTime = launcherTime(yield* Clock.currentTimeMillis)
  if (typeof ending === "string") {
    if (isTerminal(ending)) return yield* job.skip(`The run ${jobId} is over already.`)
    yield* tell(options, job, "cancelled", { endTime })
    return yield* job.skip("The run was cancelled.")
  }
  const { state, result, failure } = ending
  const now = yield* tell(options, job, state, { endTime, result }, failure)
  // Who was told to cancel, or was seen writing before it died, cannot skip any more.
  if (!isTerminal(now)) yield* tell(options, job, now === "Cancelling" ? "cancelled" : "finished", { endTime, result })
  if (failure !== null) return yield* new JobFailed({ ...failure, details: failure.details as never })
  return result as never
})

const isOver = (state: JobState): boolean => state === "Cancelling" || isTerminal(state)

/** What happened to the run before this driver began. */
const eventsOf = Effect.fnUntraced(function* ({ tenant, parameters: { jobId } }: Run) {
  const engine = yield* Engine
  return yield* Effect.orDie(asWorker(engine.events(tenant, jobId, 0, MOST_EVENTS)))
})

/** Waits until somebody else ends the run or wants it cancelled, and answers where it is then. */
const stopped = Effect.fnUntraced(function* ({ tenant, parameters: { jobId } }: Run, after: number) {
  const engine = yield* Engine
  const changes = engine.follow(tenant, jobId, after).pipe(Stream.filter(({ state }) => isOver(state)))
  yield* Effect.orDie(asWorker(Stream.runHead(changes)))
  const { job } = yield* Effect.orDie(asWorker(engine.get(tenant, jobId)))
  return job.state
})

/** Reports, and answers where the run is then: where it was, if the report came too late. */
const tell = Effect.fnUntraced(function* (
  { hostname }: SqlRunOptions,
  { tenant, parameters }: Run,
  state: ReportedState,
  fields: PlainObject = {},
  failure: Failure | null = null
) {
  const engine = yield* Engine
  const { jobId, jobConfig } = parameters
  const report = { state, fields: { hostname, ...fields }, failure }
  const first = { parameters: { jobConfig } }
  return yield* asWorker(engine.report({ kind: launcherKind.name, tenant, id: jobId, report, first })).pipe(
    Effect.map((run): JobState => run.state),
    Effect.catchTag("CommandRefused", (refused) => Effect.succeed(refused.state as JobState)),
    Effect.orDie
  )
})

const work = Effect.fnUntraced(function* (options: SqlRunOptions, job: Run) {
  const { jobId, jobConfig, launchedAt } = job.parameters
  const configuration = parseConfiguration(jobConfig as PlainObject)
  if (isConfigurationRejected(configuration)) {
    const said = configuration.faults.map(({ path, hint }) => `${path}: ${hint}`).join("; ")
    return broken(job, failureOf("InvalidConfiguration", "client", `Correct the configuration: ${said}.`))
  }
  yield* tell(options, job, "running", { startTime: launcherTime(yield* Clock.currentTimeMillis) })
  let stage: SqlStage = "staging"
  const writing = Latch.makeUnsafe(false)
  const speaking = Effect.all(
    [
      Effect.andThen(writing.await, tell(options, job, "finishing")),
      Effect.suspend(() => heartbeat(options, job, stage)).pipe(Effect.schedule(Schedule.spaced(HEARTBEAT)))
    ],
    { concurrency: "unbounded" }
  )
  return yield* Effect.gen(function* () {
    const done = yield* aggregateBySql({
      configuration,
      run: jobId,
      place: options.placeOf(job.tenant),
      lastReferenceTime: yield* patiently(readWatermark(job.tenant, configuration.id)),
      now: launchedAt,
      onProgress: (now, share) => {
        stage = now
        if (now === "writing") writing.openUnsafe()
        job.progress({ done: Math.round(share * 100), total: 100, phase: now })
      }
    })
    if (done._tag === "Written") {
      yield* patiently(raiseWatermark(job.tenant, configuration.id, done.times.referenceTime))
    }
    return endingOf(configuration, job, options, done)
  }).pipe(
    Effect.raceFirst(Effect.andThen(speaking, Effect.never)),
    Effect.catch((error) => failed(job, error))
  )
})

/** Speaks for the run, and for those of its tenant that nobody drives yet: they wait, and are not lost. */
const heartbeat = Effect.fnUntraced(function* (options: SqlRunOptions, job: Run, stage: SqlStage) {
  yield* tell(options, job, stage === "writing" ? "finishing" : "running")
  const engine = yield* Engine
  const { rows } = yield* asWorker(
    engine.list(job.tenant, { kinds: [sqlRunKind.name], states: ["Queued"] }, null, MOST_WAITING)
  )
  for (const { parameters } of rows) {
    const { jobId: id } = parameters as unknown as SqlRunParameters
    const report = { state: "starting", fields: {}, failure: null } as const
    // Keeps it where it is, or finds it again if it was given up; a run that was told to cancel refuses.
    yield* Effect.ignore(engine.report({ kind: launcherKind.name, tenant: job.tenant, id, report }))
  }
})

/** Workers wait for a store for as long as they have their lease. */
const patiently = <A, R>(effect: Effect.Effect<A, RecordsUnavailable, R>): Effect.Effect<A, never, R> =>
  Effect.orDie(Effect.retry(effect, pace))

/** The members are those of the vendor's driver (other systems A2); `reason` is ours. */
const endingOf = (
  { id }: Configuration,
  { parameters: { jobId } }: Run,
  { hostname }: SqlRunOptions,
  done: SqlAggregationResult
): Ending =>
  done._tag === "Skipped"
    ? {
        state: "skipped",
        result: { jobConfigId: id, jobRunId: jobId, state: "skipped", aggregated: 0, reason: done.reason },
        failure: null
      }
    : {
        state: "finished",
        result: {
          jobConfigId: id,
          jobRunId: jobId,
          aggrClass: "SQL",
          query: done.query,
          state: "finished",
          aggregated: done.aggregated,
          applicationId: `sotto-${jobId}`,
          podId: hostname,
          aggr_type_s: done.aggregationType
        },
        failure: null
      }

const failed = (job: Run, error: SqlFailed | BlobError): Effect.Effect<Ending, JobFailed<never>> => {
  const passing = error._tag === "BlobUnavailable" || (error._tag === "SqlFailed" && error.because === "unavailable")
  const ours = passing || (error._tag === "SqlFailed" && (error.because === "memory" || error.because === "crashed"))
  const code =
    error._tag === "SqlFailed" ? `Sql${error.because[0]?.toUpperCase()}${error.because.slice(1)}` : error._tag
  const failure = failureOf(code, ours ? "server" : "client", error.message)
  return passing && job.failures + 1 < sqlRunKind.retry.maxFailures
    ? Effect.fail(new JobFailed({ ...failure, details: null as never, retryable: true }))
    : Effect.succeed(broken(job, failure))
}

const failureOf = (code: string, category: FailureCategory, message: string): Failure => ({
  code,
  category,
  message,
  details: null,
  retryable: false
})

const broken = ({ parameters: { jobId, jobConfig } }: Run, failure: Failure): Ending => ({
  state: "error",
  result: {
    jobConfigId: typeof jobConfig["id"] === "string" ? jobConfig["id"] : "",
    jobRunId: jobId,
    state: "error",
    exception: { jobRunId: jobId, error: failure.code, message: failure.message }
  },
  failure
})
