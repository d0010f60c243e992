/**
 * A job as the native interface shows it.
 *
 * What was given to a job (its inputs, and what came of things outside) is not given back: it may be what nobody but a
 * worker should see again.
 */
import { type Job, JOB_STATES, type Plain } from "@sotto/core/job"
import type { JobView as EngineView } from "@sotto/engine"
import * as Schema from "effect/Schema"

/** Whatever JSON can say. */
export const Anything = Schema.Json as unknown as Schema.Codec<Plain>

/** A moment, e.g. `2026-01-31T12:00:00.000Z`. */
export const Time = Schema.String.annotate({ format: "date-time" })

export const printTime = (millis: number): string => new Date(millis).toISOString()

const timeOr = (millis: number | null): string | null => (millis === null ? null : printTime(millis))

export const State = Schema.Literals(JOB_STATES).annotate({ identifier: "JobState" })

const Failure = Schema.Struct({
  code: Schema.String,
  category: Schema.Literals(["client", "server", "external"]),
  message: Schema.String,
  details: Anything,
  retryable: Schema.Boolean
}).annotate({ identifier: "JobFailure" })

const Awaiting = Schema.Union([
  Schema.Struct({
    input: Schema.String,
    stage: Schema.String,
    until: Time,
    /** The input was given before and is to be replaced. */
    rejected: Schema.Boolean
  }),
  Schema.Struct({ external: Schema.String, data: Anything, until: Time })
]).annotate({ identifier: "JobAwaiting" })

const Progress = Schema.Struct({
  done: Schema.Finite,
  total: Schema.NullOr(Schema.Finite),
  phase: Schema.NullOr(Schema.String),
  details: Anything
}).annotate({ identifier: "JobProgress" })

const SUMMARY = {
  id: Schema.String,
  kind: Schema.String,
  state: State,
  key: Schema.NullOr(Schema.String),
  name: Schema.NullOr(Schema.String),
  priority: Schema.Int,
  session: Schema.Int,
  failures: Schema.Int,
  dead: Schema.Boolean,
  createdAt: Time,
  startedAt: Schema.NullOr(Time),
  updatedAt: Time,
  finishedAt: Schema.NullOr(Time)
}

/** A job in a list. */
export const JobSummary = Schema.Struct(SUMMARY).annotate({ identifier: "JobSummary" })

export const JobView = Schema.Struct({
  ...SUMMARY,
  word: Schema.String,
  parameters: Anything,
  progress: Schema.NullOr(Progress),
  awaiting: Schema.NullOr(Awaiting),
  inputs: Schema.Array(Schema.String),
  outputs: Schema.Array(Schema.String),
  readyAt: Schema.NullOr(Time),
  deadline: Schema.NullOr(Time),
  result: Schema.optionalKey(Anything),
  failure: Schema.NullOr(Failure),
  reason: Schema.NullOr(Schema.String),
  retainUntil: Schema.NullOr(Time)
}).annotate({ identifier: "Job" })

export const summaryOf = (job: Job): typeof JobSummary.Type => ({
  id: job.id,
  kind: job.kind,
  state: job.state,
  key: job.key,
  name: job.name,
  priority: job.priority,
  session: job.session,
  failures: job.failures,
  dead: job.dead,
  createdAt: printTime(job.createdAt),
  startedAt: timeOr(job.startedAt),
  updatedAt: printTime(job.updatedAt),
  finishedAt: timeOr(job.finishedAt)
})

export const viewOf = ({ job, progress, word }: EngineView): typeof JobView.Type => ({
  ...summaryOf(job),
  word,
  parameters: job.parameters,
  progress,
  awaiting: awaitingOf(job),
  inputs: job.inputs.map(({ key }) => key),
  outputs: job.outputs.map(({ key }) => key),
  readyAt: timeOr(job.readyAt),
  deadline: timeOr(job.deadline),
  ...(job.outcome?._tag === "Succeeded" ? { result: job.outcome.result } : {}),
  // Between two tries it is the last failure that a client wants to know of.
  failure: job.outcome?._tag === "Failed" ? job.outcome.failure : job.outcome === null ? job.lastFailure : null,
  reason: job.outcome?._tag === "Cancelled" || job.outcome?._tag === "Skipped" ? job.outcome.reason : null,
  retainUntil: timeOr(job.retainUntil)
})

const awaitingOf = ({ awaiting }: Job): typeof Awaiting.Type | null => {
  if (awaiting === null) return null
  const until = printTime(awaiting.until)
  return awaiting._tag === "Input"
    ? { input: awaiting.key, stage: awaiting.stage, until, rejected: awaiting.rejected !== undefined }
    : { external: awaiting.id, data: awaiting.data, until }
}
