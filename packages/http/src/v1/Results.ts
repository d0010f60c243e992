/**
 * What came of a job: its result, and the files that hold it.
 */
import { Engine, Journal } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import { apiOf } from "../ApiOf.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"
import { EXAMPLE_ID } from "./Examples.ts"
import { linkTo } from "./FileLink.ts"
import { Anything } from "./JobView.ts"
import { jobPath } from "./Jobs.ts"

const Result = Schema.Struct({
  result: Anything,
  /** The files that hold the result, the most wanted first; `href` leads to a link that needs no credential. */
  files: Schema.Array(Schema.Struct({ name: Schema.String, href: Schema.String }))
}).annotate({ identifier: "JobResult" })

const get = HttpApiEndpoint.get("get", "/v1/jobs/:job/result", {
  params: { job: Schema.String },
  success: Result,
  error: problems("unknown-job", "unknown-kind", "no-result", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({ summary: "Get the result of a job", description: "409 until it has succeeded." })
  )
  .annotate(Operation, {
    audience: "job",
    example: {
      parameters: { job: EXAMPLE_ID },
      answer: {
        result: { returnCode: "SUCCESS" },
        files: [{ name: "summary-1-of-1.avro", href: `/v1/jobs/${EXAMPLE_ID}/result/summary-1-of-1.avro` }]
      }
    }
  })

const file = HttpApiEndpoint.get("file", "/v1/jobs/:job/result/:file", {
  params: { job: Schema.String, file: Schema.String },
  success: HttpApiSchema.Empty(303),
  error: problems("unknown-job", "unknown-kind", "unknown-file", "precondition-failed", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Get a file of a result",
      description: "Leads (303) to a link that needs no credential and is good for five minutes."
    })
  )
  .annotate(Operation, {
    audience: "job",
    produces: [],
    headers: { location: "The link to follow." },
    example: { parameters: { job: EXAMPLE_ID, file: "summary-1-of-1.avro" } }
  })

export const Results = HttpApiGroup.make("results")
  .add(get, file)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Results", description: "What came of jobs." }))

export const layerResultsGroup = HttpApiBuilder.group(
  apiOf(Results),
  "results",
  Effect.fnUntraced(function* (handlers) {
    const journal = yield* Journal
    const engine = yield* Engine

    const filesOf = Effect.fnUntraced(function* (tenant: string, id: string) {
      const { job } = yield* engine.get(tenant, id)
      const kind = yield* journal.kind(job.kind)
      return { job, files: kind.files(job) }
    })

    return handlers.handleAll({
      get: Effect.fnUntraced(function* ({ params }) {
        const { tenant } = yield* Caller
        const { job, files } = yield* Effect.mapError(filesOf(tenant.name, params.job), problemOf)
        const { outcome, state } = job
        if (outcome?._tag !== "Succeeded") {
          const detail =
            outcome === null
              ? "The job has not ended. Wait for it with Prefer: wait=n, or follow its events."
              : `The job ended without one (${state}). The job itself says why.`
          return yield* Effect.fail(problem("no-result", detail, { state }))
        }
        return {
          result: outcome.result,
          files: files.map(({ name }) => ({
            name,
            href: `${jobPath(job.id)}/result/${encodeURIComponent(name)}`
          }))
        }
      }),
      file: Effect.fnUntraced(function* ({ params }) {
        const { tenant } = yield* Caller
        const { files } = yield* Effect.mapError(filesOf(tenant.name, params.job), problemOf)
        const found = files.find(({ name }) => name === params.file)
        if (found === undefined) {
          return yield* Effect.fail(problem("unknown-file", "The job has no such file. Its result lists them."))
        }
        const { bucket, key, name } = found
        const location = yield* Effect.mapError(linkTo(tenant.name, { bucket, key }, name), problemOf)
        return HttpServerResponse.empty({ status: 303, headers: { location } })
      })
    })
  })
)
