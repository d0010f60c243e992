/**
 * What kinds of jobs the server runs: what they take, what they give, where their jobs can be.
 */
import { JOB_STATES, type PlainCodec } from "@sotto/core/job"
import { statesOf, toMermaid } from "@sotto/core/machine"
import { type AnyJobKind, Engine, Journal } from "@sotto/engine"
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
import { problemOf, problems } from "../Problem.ts"
import { State } from "./JobView.ts"

const JsonSchema = Schema.Record(Schema.String, Schema.Json)

const KindView = Schema.Struct({
  name: Schema.String,
  relation: Schema.Literals(["leased", "reported"]),
  /** Where its jobs can be. */
  states: Schema.Array(State),
  /** Every word that is ever said or accepted. */
  words: Schema.Array(Schema.String),
  /** No worker claims its jobs until it is resumed. */
  paused: Schema.Boolean,
  deadlineMs: Schema.NullOr(Schema.Int),
  retentionMs: Schema.Int,
  retry: Schema.Struct({
    maxFailures: Schema.Int,
    firstMs: Schema.Int,
    factor: Schema.Finite,
    capMs: Schema.Int
  }),
  /** JSON Schemas of what a submission takes, and of what comes of a job. */
  parameters: JsonSchema,
  result: JsonSchema,
  failure: JsonSchema
}).annotate({ identifier: "Kind" })

const KindList = Schema.Struct({ kinds: Schema.Array(KindView) }).annotate({ identifier: "KindList" })

const EXAMPLE: typeof KindView.Type = {
  name: "thumbnail",
  relation: "leased",
  states: ["Queued", "Starting", "Running", "Succeeded", "Failed"],
  words: ["Queued", "Starting", "Running", "Succeeded", "Failed"],
  paused: false,
  deadlineMs: null,
  retentionMs: 1_209_600_000,
  retry: { maxFailures: 5, firstMs: 1_000, factor: 4, capMs: 300_000 },
  parameters: { type: "object" },
  result: { type: "object" },
  failure: { type: "null" }
}

const path = { kind: Schema.String }

const MERMAID = "text/vnd.mermaid"

const list = HttpApiEndpoint.get("list", "/v1/kinds", { success: KindList, error: problems("unavailable") })
  .annotateMerge(OpenApi.annotations({ summary: "List the kinds of jobs" }))
  .annotate(Operation, { audience: "tenant", example: { answer: { kinds: [EXAMPLE] } } })

const get = HttpApiEndpoint.get("get", "/v1/kinds/:kind", {
  params: path,
  success: KindView,
  error: problems("unknown-kind", "unavailable")
})
  .annotateMerge(OpenApi.annotations({ summary: "Look at a kind of jobs" }))
  .annotate(Operation, { audience: "tenant", example: { parameters: { kind: "thumbnail" }, answer: EXAMPLE } })

const diagram = HttpApiEndpoint.get("diagram", "/v1/kinds/:kind/diagram", {
  params: path,
  success: Schema.String.pipe(HttpApiSchema.asText({ contentType: MERMAID })),
  error: problems("unknown-kind")
})
  .annotateMerge(OpenApi.annotations({ summary: "Draw the states of a kind", description: "A Mermaid state diagram." }))
  .annotate(Operation, {
    audience: "tenant",
    produces: [MERMAID, "text/plain"],
    example: { parameters: { kind: "thumbnail" } }
  })

const pause = HttpApiEndpoint.post("pause", "/v1/kinds/:kind/pause", {
  params: path,
  success: HttpApiSchema.NoContent,
  error: problems("unknown-kind", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Let no worker claim jobs of a kind",
      description: "Jobs that run go on. For operators."
    })
  )
  .annotate(Operation, { audience: "operator", example: { parameters: { kind: "thumbnail" } } })

const resume = HttpApiEndpoint.post("resume", "/v1/kinds/:kind/resume", {
  params: path,
  success: HttpApiSchema.NoContent,
  error: problems("unknown-kind", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({ summary: "Let workers claim jobs of a kind again", description: "For operators." })
  )
  .annotate(Operation, { audience: "operator", example: { parameters: { kind: "thumbnail" } } })

export const Kinds = HttpApiGroup.make("kinds")
  .add(list, get, diagram, pause, resume)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Kinds", description: "What kinds of jobs there are." }))

/** The JSON Schema of what travels; empty for a schema that JSON Schema cannot tell. */
const schemaOf = ({ schema }: PlainCodec<unknown>): typeof JsonSchema.Type => {
  try {
    const { schema: root, definitions } = Schema.toJsonSchemaDocument(Schema.toCodecJson(schema))
    return JSON.parse(
      JSON.stringify({ ...root, ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }) })
    )
  } catch {
    return {}
  }
}

const shown = (kind: AnyJobKind): Omit<typeof KindView.Type, "paused"> => {
  const used = statesOf(kind.lifecycle)
  return {
    name: kind.name,
    relation: kind.relation,
    states: JOB_STATES.filter((state) => used.includes(state)),
    words: kind.outward.words,
    deadlineMs: kind.times.deadlineMs,
    retentionMs: kind.times.retentionMs,
    retry: kind.retry,
    parameters: schemaOf(kind.parameters),
    result: schemaOf(kind.result),
    failure: schemaOf(kind.failure)
  }
}

export const layerKindsGroup = HttpApiBuilder.group(
  apiOf(Kinds),
  "kinds",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const journal = yield* Journal
    // Kinds are constants of the program: their schemas are written once.
    const views = yield* Effect.cached(
      Effect.sync(() => new Map(journal.kinds.map((kind) => [kind.name, shown(kind)])))
    )
    const known = (name: string) => Effect.mapError(journal.kind(name), problemOf)
    const paused = Effect.mapError(engine.paused, problemOf)
    return handlers.handleAll({
      list: Effect.fnUntraced(function* () {
        const stopped = yield* paused
        return { kinds: [...(yield* views).values()].map((view) => ({ ...view, paused: stopped.has(view.name) })) }
      }),
      get: Effect.fnUntraced(function* ({ params }) {
        const { name } = yield* known(params.kind)
        const view = (yield* views).get(name) as Omit<typeof KindView.Type, "paused">
        return { ...view, paused: (yield* paused).has(name) }
      }),
      diagram: Effect.fnUntraced(function* ({ params }) {
        const { lifecycle } = yield* known(params.kind)
        const { wants } = yield* Caller
        return HttpServerResponse.text(toMermaid(lifecycle), { contentType: `${wants}; charset=utf-8` })
      }),
      pause: Effect.fnUntraced(function* ({ params }) {
        const { principal } = yield* Caller
        yield* Effect.mapError(engine.pause(params.kind, principal.name), problemOf)
      }),
      resume: ({ params }) => Effect.mapError(engine.resume(params.kind), problemOf)
    })
  })
)
