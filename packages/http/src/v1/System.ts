/**
 * What machines ask of the server itself: is it alive, is it ready, what does it measure, what does it offer.
 */
import { Engine } from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Schema from "effect/Schema"
import { apiOf } from "../ApiOf.ts"
import { Draining } from "../front/Draining.ts"
import { Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"

/** The pages that are made from the whole API, given when it is known. */
export class Pages extends Context.Service<
  Pages,
  {
    /** The OpenAPI document. */
    readonly document: Effect.Effect<unknown>
    /** The page for people; `undefined` if the server has none. */
    readonly docs: Effect.Effect<HttpServerResponse.HttpServerResponse> | undefined
    /** Whether it tells Prometheus what it measures. */
    readonly metrics: boolean
  }
>()("@sotto/http/v1/Pages") {}

const Status = Schema.Struct({ status: Schema.Literal("ok") }).annotate({ identifier: "Status" })

const text = (contentType: string) => Schema.String.pipe(HttpApiSchema.asText({ contentType }))

const METRICS_TYPE = "text/plain; version=0.0.4"

const health = HttpApiEndpoint.get("health", "/healthz", { success: Status })
  .annotateMerge(OpenApi.annotations({ summary: "Is the process alive" }))
  .annotate(Operation, { audience: "public", example: { answer: { status: "ok" } } })

const ready = HttpApiEndpoint.get("ready", "/readyz", { success: Status, error: problems("unavailable") })
  .annotateMerge(
    OpenApi.annotations({
      summary: "Can it answer",
      description: "503 while the store is out of reach, and before it stops."
    })
  )
  .annotate(Operation, { audience: "public", example: { answer: { status: "ok" } } })

const metrics = HttpApiEndpoint.get("metrics", "/metrics", {
  success: text(METRICS_TYPE),
  error: problems("not-found")
})
  .annotateMerge(OpenApi.annotations({ summary: "What the process measures, for Prometheus" }))
  .annotate(Operation, { audience: "operator", produces: ["text/plain"] })

const document = HttpApiEndpoint.get("document", "/openapi.json", { success: Schema.Json })
  .annotateMerge(OpenApi.annotations({ summary: "This document" }))
  .annotate(Operation, { audience: "public" })

const docs = HttpApiEndpoint.get("docs", "/docs", { success: text("text/html"), error: problems("not-found") })
  .annotateMerge(OpenApi.annotations({ summary: "This document as a page" }))
  .annotate(Operation, { audience: "public", produces: ["text/html"] })

export const System = HttpApiGroup.make("system")
  .add(health, ready, metrics, document, docs)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Server", description: "The server itself." }))

const ok = { status: "ok" } as const

export const layerSystemGroup = HttpApiBuilder.group(
  apiOf(System),
  "system",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const draining = yield* Draining
    const pages = yield* Pages
    return handlers.handleAll({
      health: () => Effect.succeed(ok),
      ready: () =>
        Effect.gen(function* () {
          if (yield* draining.isDraining) {
            return yield* Effect.fail(problem("unavailable", "The server is about to stop. Ask another one."))
          }
          yield* Effect.mapError(engine.paused, problemOf)
          return ok
        }),
      metrics: () =>
        pages.metrics
          ? Effect.map(PrometheusMetrics.format(), (body) =>
              HttpServerResponse.text(body, { contentType: METRICS_TYPE })
            )
          : Effect.fail(problem("not-found", "This server tells Prometheus nothing.")),
      document: () => Effect.map(pages.document, (body) => HttpServerResponse.jsonUnsafe(body)),
      docs: () =>
        pages.docs ?? Effect.fail(problem("not-found", "This server has no page for people. See /openapi.json."))
    })
  })
)
