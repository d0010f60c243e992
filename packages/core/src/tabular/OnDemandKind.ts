/**
 * On-demand model jobs: a file in, a file out, paid by groups of records.
 *
 * A job ends as `success`, as `error` if the data or the model is at fault, or as `fail` if we are (spec: ondemand §6).
 */
import * as Schema from "effect/Schema"
import type { Job } from "../job/Job.ts"
import { type JobFile, JobKind } from "../job/Kind.ts"

const File = Schema.Struct({
  bucket: Schema.String,
  key: Schema.String,
  bytes: Schema.Int,
  mime: Schema.String,
  /** For whoever saves it. */
  name: Schema.String
})

/** A file that a job wrote. */
export type WrittenFile = typeof File.Type

const Entry = Schema.Struct({
  source: Schema.String,
  destination: Schema.String,
  defaultValue: Schema.NullOr(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean]))
})

const Parameters = Schema.Struct({
  model: Schema.String,
  /** The version that the submission came to. */
  version: Schema.String,
  file: Schema.Struct({ bucket: Schema.String, key: Schema.String, bytes: Schema.Int, etag: Schema.String }),
  inputFileName: Schema.String,
  inputMime: Schema.String,
  mapping: Schema.Array(Entry),
  outputMapping: Schema.Array(Entry),
  billing: Schema.Struct({
    recordCount: Schema.Int,
    groupSize: Schema.Int,
    recordGroupCount: Schema.Int,
    groupPrice: Schema.Int,
    billedUsage: Schema.Int
  }),
  /** Who pays: the id of the API key; `null` if nobody said. */
  submittedBy: Schema.NullOr(Schema.String),
  /** What was asked, file and all, in 64 hexadecimal digits: equal for equal requests. */
  fingerprint: Schema.String
})

export type OnDemandParameters = typeof Parameters.Type

const Result = Schema.Struct({
  file: File,
  /** Names the records that failed; `null` if none did. */
  errors: Schema.NullOr(File),
  succeeded: Schema.Int,
  failed: Schema.Int
})

export type OnDemandResult = typeof Result.Type

const Failure = Schema.Struct({ errors: Schema.NullOr(File), failed: Schema.Int })

export type OnDemandFailure = typeof Failure.Type

const QUARTER_MS = 92 * 86_400_000

/** Kept for a quarter after its end, so that usage can be totalled. Nothing is asked on the way. */
export const onDemandKind = JobKind.make({
  name: "on-demand",
  relation: "leased",
  parameters: Parameters,
  result: Result,
  failure: Failure,
  retentionMs: QUARTER_MS,
  without: {
    states: ["AwaitingInput", "AwaitingExternal", "Skipped"],
    events: ["InputGiven", "Reset", "OutputEmitted"]
  },
  outward: {
    states: {
      Queued: "incomplete",
      Starting: "incomplete",
      Running: "incomplete",
      Finishing: "incomplete",
      Succeeded: "success",
      Failed: "error",
      Cancelled: "fail"
    },
    refine: ({ outcome }) => (outcome?._tag === "Failed" && outcome.failure.category === "server" ? "fail" : undefined)
  },
  files: (job) => filesOf(job).map(({ name, bucket, key }): JobFile => ({ name, bucket, key }))
})

/** What the job was submitted with; `undefined` for a job of another kind. */
export const parametersOf = ({ kind, parameters }: Job): OnDemandParameters | undefined => {
  const read = kind === onDemandKind.name ? onDemandKind.parameters.decode(parameters) : undefined
  return read?._tag === "Coded" ? read.value : undefined
}

/** What the job came to; `undefined` unless it succeeded. */
export const resultOf = ({ outcome }: Job): OnDemandResult | undefined => {
  const read = outcome?._tag === "Succeeded" ? onDemandKind.result.decode(outcome.result) : undefined
  return read?._tag === "Coded" ? read.value : undefined
}

/** The result, then the file of errors. */
export const filesOf = (job: Job): ReadonlyArray<WrittenFile> => {
  const { outcome } = job
  const result = resultOf(job)
  const failure = outcome?._tag === "Failed" ? onDemandKind.failure.decode(outcome.failure.details) : undefined
  const errors = result?.errors ?? (failure?._tag === "Coded" ? failure.value.errors : null)
  return [...(result === undefined ? [] : [result.file]), ...(errors === null ? [] : [errors])]
}
