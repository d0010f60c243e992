import type { ProtoJson } from "@sotto/core/aggregation"
import { fromMillis, printInstant } from "@sotto/core/Instant"
import type { Job, Millis } from "@sotto/core/job"
import { aggregationKind, type AggregationParameters, Engine, resultInfoOf } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { storeLost } from "../Operation.ts"
import { type Attempts, attemptsAt } from "./Attempts.ts"
import { answer, databaseFailed, type FlatAnswer, invalidArgument, notFound } from "./FlatAnswer.ts"

/**
 * Tells of the tenant's job that a query names (spec: aggregation §1.4); `query` is what stands behind the `?`, still
 * encoded.
 */
export const getJob = Effect.fn("v1alpha.getJob")(
  function* (query: string, tenant: string) {
    const id = jobRequestId(query)
    if (id === undefined) {
      return invalidArgument(
        "ARGUMENT_MISSING",
        "Missing required query parameters: [job_request_id] must be specified"
      )
    }
    if (id.trim() === "") {
      return invalidArgument("VALIDATION_FAILED", "Required query parameter 'job_request_id' must not be empty")
    }
    const engine = yield* Engine
    const { rows } = yield* engine.list(tenant, { kinds: [aggregationKind.name], key: id }, null, 1)
    const [job] = rows
    if (job === undefined) return unknownJob(id)
    const parameters = aggregationKind.parameters.decode(job.parameters)
    // Parameters are read when a job is submitted, so these were written by another version.
    if (parameters._tag === "NotCoded") return yield* Effect.die(new Error(parameters.message))
    const attempts = yield* attemptsAt(job)
    return answer(200, shownJob(job, parameters.value, attempts))
  },
  (effect, query): Effect.Effect<FlatAnswer, never, Engine> =>
    Effect.catchTags(effect, {
      JobStoreUnavailable: ({ message }) => Effect.as(storeLost(message), databaseFailed),
      // Purged between the two reads.
      UnknownJob: () => Effect.succeed(unknownJob(jobRequestId(query) ?? ""))
    })
)

const unknownJob = (id: string): FlatAnswer =>
  notFound("JOB_NOT_FOUND", `Job with job_request_id '${id}' could not be found`)

/** The last of several, as the original's gateway has it. No id holds a blank, so a plus sign means itself. */
const jobRequestId = (query: string): string | undefined =>
  new URLSearchParams(query.replaceAll("+", "%2B")).getAll("job_request_id").at(-1)

const time = (millis: Millis): string => printInstant(fromMillis(millis))

/** The members of the answer, in their order. */
const shownJob = (job: Job, parameters: AggregationParameters, { pickedUpAt, failed }: Attempts): ProtoJson => ({
  job_status: aggregationKind.outward.word(job, { slotFree: false }),
  request_received_at: time(job.createdAt),
  // A name that was given to an ended job is no news to this interface.
  request_updated_at: time(job.finishedAt ?? job.updatedAt),
  job_request_id: job.key ?? parameters.jobRequestId,
  input_data_blob_prefix: parameters.inputDataBlobPrefix,
  input_data_bucket_name: parameters.inputDataBucketName,
  output_data_blob_prefix: parameters.outputDataBlobPrefix,
  output_data_bucket_name: parameters.outputDataBucketName,
  postback_url: parameters.postbackUrl,
  result_info: shownResult(job, failed),
  job_parameters: parameters.jobParameters,
  request_processing_started_at: pickedUpAt === undefined ? undefined : time(pickedUpAt),
  input_data_blob_prefixes: parameters.inputDataBlobPrefixes
})

/** Messages of all attempts that failed unexpectedly; between two attempts, the end of the last one. */
const shownResult = (job: Job, failed: Attempts["failed"]): ProtoJson | undefined => {
  const info = resultInfoOf(job)
  if (info === undefined) return undefined
  const lastFailedAt = failed.at(-1)?.at
  return {
    return_code: info.returnCode,
    return_message: info.returnMessage,
    error_summary: {
      error_counts: info.errorCounts.map(({ category, count, description }): ProtoJson => ({
        category,
        count,
        description
      })),
      error_messages: info.errorMessages.length === 0 ? [] : failed.map(({ message }) => message)
    },
    finished_at:
      job.finishedAt === null && lastFailedAt !== undefined ? time(lastFailedAt) : printInstant(info.finishedAt)
  }
}
