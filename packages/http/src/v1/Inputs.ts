/**
 * What a job waits for: inputs of clients, and what happens outside. Given once, never given back.
 */
import { isAutomationKind } from "@sotto/core/automation"
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
import { EXAMPLE_ID, EXAMPLE_JOB } from "./Examples.ts"
import { Anything, JobView, printTime, Time, viewOf } from "./JobView.ts"

const Given = Schema.Struct({ key: Schema.String, at: Time }).annotate({ identifier: "GivenInput" })

const InputList = Schema.Struct({
  inputs: Schema.Array(Given),
  /** The input that the job waits for now. */
  awaited: Schema.NullOr(Schema.Struct({ key: Schema.String, stage: Schema.String, until: Time }))
}).annotate({ identifier: "InputList" })

const Data = Schema.Struct({ data: Anything }).annotate({ identifier: "InputData" })

const changes = problems("unknown-job", "unknown-kind", "command-refused", "unavailable")

const list = HttpApiEndpoint.get("list", "/v1/jobs/:job/inputs", {
  params: { job: Schema.String },
  success: InputList,
  error: problems("unknown-job", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({ summary: "List the inputs of a job", description: "Which there are, not what they hold." })
  )
  .annotate(Operation, {
    audience: "job",
    example: {
      parameters: { job: EXAMPLE_ID },
      answer: { inputs: [{ key: "address", at: "2026-04-01T08:00:00.000Z" }], awaited: null }
    }
  })

const give = HttpApiEndpoint.put("give", "/v1/jobs/:job/inputs/:input", {
  params: { job: Schema.String, input: Schema.String },
  payload: Data,
  success: JobView,
  error: changes
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Give an input",
      description: "The first stays: giving one that is there is refused, unless the job rejected it and asked again."
    })
  )
  .annotate(Operation, {
    audience: "job",
    example: {
      parameters: { job: EXAMPLE_ID, input: "address" },
      body: { data: { city: "Bern" } },
      answer: EXAMPLE_JOB
    }
  })

const finish = HttpApiEndpoint.put("finishExternal", "/v1/jobs/:job/externals/:external", {
  params: { job: Schema.String, external: Schema.String },
  payload: Data,
  success: JobView,
  error: changes
})
  .annotateMerge(OpenApi.annotations({ summary: "Tell that what had to happen outside has happened" }))
  .annotate(Operation, {
    audience: "job",
    example: {
      parameters: { job: EXAMPLE_ID, external: "3ds-1" },
      body: { data: { outcome: "accepted" } },
      answer: EXAMPLE_JOB
    }
  })

export const Inputs = HttpApiGroup.make("inputs")
  .add(list, give, finish)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Inputs", description: "What jobs wait for." }))

export const layerInputsGroup = HttpApiBuilder.group(
  apiOf(Inputs),
  "inputs",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const journal = yield* Journal

    const shown = Effect.fnUntraced(function* (tenant: string, id: string) {
      return viewOf(yield* Effect.mapError(engine.get(tenant, id), problemOf))
    })

    /** What automations are given is sealed, and only their own interface has the key. */
    const unsealed = Effect.fnUntraced(function* (tenant: string, id: string) {
      const { row } = yield* Effect.mapError(journal.read(tenant, id), problemOf)
      if (isAutomationKind(row.kind)) {
        return yield* Effect.fail(problem("command-refused", "Give it by the interface of automations."))
      }
    })

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ params }) {
        const { tenant } = yield* Caller
        const { row } = yield* Effect.mapError(journal.read(tenant.name, params.job), problemOf)
        const { awaiting } = row
        return {
          inputs: row.inputs.map(({ key, at }) => ({ key, at: printTime(at) })),
          awaited:
            awaiting?._tag === "Input"
              ? { key: awaiting.key, stage: awaiting.stage, until: printTime(awaiting.until) }
              : null
        }
      }),
      give: Effect.fnUntraced(function* ({ params, payload }) {
        const { tenant } = yield* Caller
        yield* unsealed(tenant.name, params.job)
        yield* Effect.mapError(engine.giveInput(tenant.name, params.job, params.input, payload.data), problemOf)
        return yield* shown(tenant.name, params.job)
      }),
      finishExternal: Effect.fnUntraced(function* ({ params, payload }) {
        const { tenant } = yield* Caller
        yield* unsealed(tenant.name, params.job)
        yield* Effect.mapError(engine.finishExternal(tenant.name, params.job, params.external, payload.data), problemOf)
        return yield* shown(tenant.name, params.job)
      })
    })
  })
)
