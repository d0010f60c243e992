/**
 * The server as one effect that answers requests, for any host: in process, as a web handler, or behind a listener.
 */
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { Entropy } from "@sotto/core/ports/Entropy"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { Records } from "@sotto/core/ports/Records"
import { Engine, type EngineServices } from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import { Authentication } from "./access/Authentication.ts"
import type { Tenants } from "./access/Tenants.ts"
import { Tokens } from "./access/Tokens.ts"
import { apiWith, layerGroups } from "./Api.ts"
import { Draining, layerDraining } from "./front/Draining.ts"
import { front, type FrontOptions } from "./front/Front.ts"
import { routesOf } from "./front/Routes.ts"
import type { Interface } from "./Interface.ts"
import { layerGuard } from "./Operation.ts"
import { Pages } from "./v1/System.ts"

export interface HttpOptions extends FrontOptions {
  /** Whether `/docs` shows the API to people; default true. Built when it is first looked at. */
  readonly docs?: boolean
  /** Whether `/metrics` tells Prometheus what is measured; default true. */
  readonly metrics?: boolean
}

export interface InterfaceOptions<R> {
  /** What is offered beside the aggregation API and the native one. */
  readonly interfaces?: ReadonlyArray<Interface<R>>
}

/** Who may ask, and who the tenants are. */
export type Access = Authentication | Tenants | Tokens

/** The whole server. */
export class Http extends Context.Service<
  Http,
  {
    /** Answers a request; never fails. */
    readonly answer: Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest | Scope>
    /** Nothing is asked of those who ask: only this machine may reach the server. */
    readonly anonymous: boolean
    /** Streams and long waits end; `/readyz` says that the server is about to stop. */
    readonly drain: Effect.Effect<void>
  }
>()("@sotto/http/Http") {}

type OwnServices = Layer.Services<typeof layerGroups>

/** Ids, keys and tokens are longer than the router expects of a segment. */
const LONGEST_SEGMENT = 2_000

export const layerHttp = <R = never>(
  options: HttpOptions & InterfaceOptions<R> = {}
): Layer.Layer<Http, never, EngineServices | Access | R> =>
  Layer.effect(
    Http,
    Effect.gen(function* () {
      const interfaces = options.interfaces ?? []
      const api = apiWith(interfaces.flatMap(({ groups }) => groups))
      const needed = Layer.succeedContext(yield* Effect.context<R>())
      const handlers = interfaces.reduce<typeof layerGroups>(
        // What is left of its needs are those of our own groups; the compiler cannot subtract from a type that it does not know.
        (all, { layer }) => Layer.merge(all, Layer.provide(layer, needed) as Layer.Layer<never, never, OwnServices>),
        layerGroups
      )
      const services = Context.pick(
        Engine,
        BlobStore,
        Records,
        Entropy,
        BudgetLedger,
        LedgerKeys,
        Aggregator,
        Tokens
      )(yield* Effect.context<EngineServices | Access>())
      const draining = yield* Draining
      const routes = HttpApiBuilder.layer(api).pipe(
        Layer.provide(handlers),
        Layer.provide(layerGuard),
        Layer.provide(Layer.effect(Pages, pagesOf(api, options))),
        Layer.provide(HttpServer.layerServices)
      )
      const router = yield* HttpRouter.toHttpEffect(routes).pipe(
        Effect.provideService(HttpRouter.RouterConfig, { maxParamLength: LONGEST_SEGMENT })
      )
      const answer = front(routesOf(api), options)(Effect.provideContext(router, services))
      return {
        answer: Effect.provideContext(answer, services),
        anonymous: (yield* Authentication).anonymous,
        drain: draining.begin
      }
    })
  ).pipe(Layer.provide(layerDraining))

/** Scripts and styles of the page are part of it; nothing is loaded from elsewhere. */
const DOCS_POLICY =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; " +
  "font-src data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'"

const pagesOf = Effect.fnUntraced(function* (
  api: ReturnType<typeof apiWith>,
  { docs = true, metrics = true }: HttpOptions
) {
  const page = yield* Effect.cached(
    Effect.scoped(
      Effect.flatMap(
        HttpRouter.toHttpEffect(HttpApiScalar.layer(api, { path: "/docs", scalar: { withDefaultFonts: false } })),
        (router) => router
      )
    ).pipe(
      // A router of its own: the one that serves is built already, and would be taken again.
      Effect.provideService(Layer.CurrentMemoMap, Layer.makeMemoMapUnsafe()),
      Effect.map(HttpServerResponse.setHeader("content-security-policy", DOCS_POLICY)),
      Effect.orDie
    )
  )
  return {
    document: yield* Effect.cached(Effect.sync((): unknown => OpenApi.fromApi(api))),
    docs: docs ? (page as Effect.Effect<HttpServerResponse.HttpServerResponse>) : undefined,
    metrics
  }
})

/** The front traces requests itself: without their addresses, which may hold tokens. */
export const layerOwnTraces: Layer.Layer<never> = Layer.succeed(HttpMiddleware.TracerDisabledWhen)(() => true)

export interface WebHandler {
  /** Never rejects, unless the layer could not be built. */
  readonly handler: (request: Request) => Promise<Response>
  /** Ends streams and long waits, and closes what the layer opened. */
  readonly dispose: () => Promise<void>
}

/** The server as a function of the web's own requests and responses, which every host has a way to mount. */
export const toWebHandler = <E>(layer: Layer.Layer<Http, E>): WebHandler => {
  let drain: Effect.Effect<void> = Effect.void
  const { handler, dispose } = HttpEffect.toWebHandlerLayerWith(Layer.merge(layer, layerOwnTraces), {
    toHandler: (context) =>
      Effect.sync(() => {
        const http = Context.get(context, Http)
        drain = http.drain
        return http.answer
      })
  })
  return {
    handler: (request) => handler(request),
    dispose: () =>
      Effect.runPromise(
        Effect.andThen(
          Effect.suspend(() => drain),
          Effect.promise(dispose)
        )
      )
  }
}
