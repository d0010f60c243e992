/**
 * What a job gave on its way.
 */
import { Engine, Journal } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { apiOf } from "../ApiOf.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"
import { EXAMPLE_ID } from "./Examples.ts"
import { Anything, printTime, Time } from "./JobView.ts"

const OutputList = Schema.Struct({
  outputs: Schema.Array(Schema.Struct({ key: Schema.String, at: Time }))
}).annotate({ identifier: "OutputList" })

const OutputData = Schema.Struct({ key: Schema.String, data: Anything }).annotate({ identifier: "OutputData" })

const list = HttpApiEndpoint.get("list", "/v1/jobs/:job/outputs", {
  params: { job: Schema.String },
  success: OutputList,
  error: problems("unknown-job", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "List the outputs of the present session" }))
  .annotate(Operation, {
    audience: "job",
    example: {
      parameters: { job: EXAMPLE_ID },
      answer: { outputs: [{ key: "offer", at: "2026-04-01T08:00:00.000Z" }] }
    }
  })

const get = HttpApiEndpoint.get("get", "/v1/jobs/:job/outputs/:output", {
  params: { job: Schema.String, output: Schema.String },
  query: { session: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThan(0))) },
  success: OutputData,
  error: problems("unknown-job", "unknown-output", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({ summary: "Get an output", description: "Of the present session, unless one is named." })
  )
  .annotate(Operation, {
    audience: "job",
    example: {
      parameters: { job: EXAMPLE_ID, output: "offer" },
      answer: { key: "offer", data: { price: 12 } }
    }
  })

export const Outputs = HttpApiGroup.make("outputs")
  .add(list, get)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Outputs", description: "What jobs give on their way." }))

export const layerOutputsGroup = HttpApiBuilder.group(
  apiOf(Outputs),
  "outputs",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const journal = yield* Journal
    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ params }) {
        const { tenant } = yield* Caller
        const { row } = yield* Effect.mapError(journal.read(tenant.name, params.job), problemOf)
        return { outputs: row.outputs.map(({ key, at }) => ({ key, at: printTime(at) })) }
      }),
      get: Effect.fnUntraced(function* ({ params, query }) {
        const { tenant } = yield* Caller
        const found = yield* Effect.mapError(
          engine.output(tenant.name, params.job, params.output, query.session),
          problemOf
        )
        return (
          found ??
          (yield* Effect.fail(problem("unknown-output", `The job has no output "${params.output}" in this session.`)))
        )
      })
    })
  })
)
