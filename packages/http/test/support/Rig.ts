/** A server in process over stores in memory, with a clock that only the test moves. */
import type { Plain } from "@sotto/core/job"
import { JobKind } from "@sotto/core/job"
import { Aggregator, AggregatorCrashed, type Sums } from "@sotto/core/ports/Aggregator"
import type { BlobStore } from "@sotto/core/ports/BlobStore"
import type { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import type { Entropy } from "@sotto/core/ports/Entropy"
import type { JobQueue } from "@sotto/core/ports/JobQueue"
import type { JobStore } from "@sotto/core/ports/JobStore"
import type { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import type { Records } from "@sotto/core/ports/Records"
import { type AnyJobKind, Engine, type EngineServices, type KindHandler, layerEngine, layerWorker } from "@sotto/engine"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords,
  layerSeededEntropy
} from "@sotto/memory"
import { layerAddressGuard, layerWebhooks } from "@sotto/webhooks"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { Authentication, Unauthenticated } from "../../src/access/Authentication.ts"
import type { Principal } from "../../src/access/Principal.ts"
import { type Tenant, Tenants } from "../../src/access/Tenants.ts"
import { Tokens } from "../../src/access/Tokens.ts"
import {
  type Access,
  Http,
  type HttpOptions,
  type InterfaceOptions,
  layerHttp,
  layerOwnTraces
} from "../../src/Http.ts"

/** Where every test starts. */
const START = Date.UTC(2026, 0, 1)

const Anything = Schema.Json as Schema.Codec<Plain, unknown>

/** A kind whose parameters, results and failures are anything. */
export const kindOf = (name: string, more: object = {}) =>
  JobKind.make({ name, relation: "leased", parameters: Anything, result: Anything, failure: Anything, ...more })

export const NOTES = kindOf("notes")

type Ports = JobStore | JobQueue | Records | Entropy | BlobStore | BudgetLedger | LedgerKeys | Aggregator

const memory = (sums: ServeOptions["sums"]): Layer.Layer<Ports> =>
  Layer.mergeAll(
    layerMemoryJobStore(),
    layerMemoryRecords(),
    layerMemoryJobQueue(),
    layerMemoryBlobStore({ buckets: ["data"] }),
    layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
    Layer.mock(Aggregator)({
      sum: () =>
        sums === "endless"
          ? Effect.never
          : sums === undefined
            ? Effect.fail(new AggregatorCrashed({ message: "There are none." }))
            : Effect.succeed(sums)
    })
  ).pipe(Layer.provideMerge(layerSeededEntropy(1)), Layer.orDie)

export const unlimited: Tenant["limits"] = { requestsPerMinute: null, jobs: null, streams: null }

export const tenantOf = (name: string, more: Partial<Tenant> = {}): Tenant => ({
  name,
  sites: "any",
  buckets: "any",
  ledgerScope: "default",
  operator: false,
  limits: unlimited,
  ...more
})

/** The key of a tenant is its name; `name/job` is a token for one job. */
const layerAccess = (tenants: ReadonlyArray<Tenant>): Layer.Layer<Access> =>
  Layer.mergeAll(
    Layer.succeed(Authentication, {
      anonymous: false,
      authenticate: ({ authorization, link }) => {
        const shown = Redacted.value(authorization ?? link ?? Redacted.make(""))
        const principal = link === undefined ? readKey(shown.replace(/^Bearer /, ""), tenants) : readLink(shown)
        return principal === undefined
          ? Effect.fail(new Unauthenticated({ message: "Show a key." }))
          : Effect.succeed(principal)
      }
    }),
    Layer.succeed(Tenants, { find: (name) => Effect.succeed(tenants.find((tenant) => tenant.name === name)) }),
    Layer.succeed(Tokens, {
      jobToken: ({ tenant, id }) => Effect.succeed(Redacted.make(`${tenant}/${id}`)),
      accessToken: ({ tenant }) => Effect.succeed(Redacted.make(tenant)),
      linkToken: ({ tenant, ref, until }) =>
        Effect.succeed(Redacted.make(Buffer.from(JSON.stringify({ tenant, ref, until })).toString("base64url"))),
      read: () => Effect.succeed(undefined)
    })
  )

const readKey = (key: string, tenants: ReadonlyArray<Tenant>): Principal | undefined => {
  const [name = "", job] = key.split("/")
  if (!tenants.some((tenant) => tenant.name === name)) return undefined
  return { tenant: name, name: `key of ${name}`, scope: job === undefined ? { _tag: "All" } : { _tag: "Job", id: job } }
}

const readLink = (token: string): Principal | undefined => {
  try {
    const { tenant, ref, until } = JSON.parse(Buffer.from(token, "base64url").toString())
    return { tenant, name: "link", scope: { _tag: "Blob", ref, until } }
  } catch {
    return undefined
  }
}

export interface ServeOptions extends HttpOptions, InterfaceOptions<never> {
  readonly tenants?: ReadonlyArray<Tenant>
  readonly kinds?: ReadonlyArray<AnyJobKind>
  readonly handlers?: ReadonlyArray<KindHandler>
  /** Whether it has endpoints of webhooks. */
  readonly webhooks?: boolean
  /** What reports sum to; without it none can be read, `endless`: they have no end. */
  readonly sums?: Sums | "endless"
  /** Put over the store of jobs. */
  readonly over?: Layer.Layer<JobStore, never, JobStore>
}

export interface Ask {
  readonly as?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON, unless it is a text. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** Starts a server; `ask("GET /v1/jobs", { as: "acme" })` asks it. */
export const serve = Effect.fnUntraced(function* (options: ServeOptions = {}) {
  const { tenants = [tenantOf("acme"), tenantOf("other"), tenantOf("admin", { operator: true })] } = options
  const { kinds = [NOTES], handlers = [] } = options
  const all = [...new Set([...kinds, ...handlers.map(({ kind }) => kind)])]
  const engine = layerEngine({ kinds: all })
  const worker = handlers.length === 0 ? Layer.empty : layerWorker({ handlers })
  const services: Layer.Layer<EngineServices | Ports> = worker.pipe(
    Layer.provideMerge(engine),
    Layer.provideMerge(options.over ?? Layer.empty),
    Layer.provideMerge(Layer.fresh(memory(options.sums)))
  )
  const context = yield* Layer.build(
    layerHttp(options).pipe(
      Layer.provideMerge(layerAccess(tenants)),
      Layer.provide(options.webhooks === true ? layerWebhooks.pipe(Layer.provide(layerAddressGuard())) : Layer.empty),
      Layer.provideMerge(services),
      Layer.merge(layerOwnTraces)
    )
  )
  const http = Context.get(context, Http)
  const handler = HttpEffect.toWebHandlerWith<never, HttpServerRequest | Scope.Scope>(
    Context.merge(yield* Effect.context<never>(), context) as Context.Context<never>
  )(http.answer)
  const ask = (line: string, { as, headers = {}, body, signal }: Ask = {}): Effect.Effect<Response> => {
    const [method = "", path = ""] = line.split(" ")
    const request = new Request(`http://sotto.test${path}`, {
      method,
      headers: {
        ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal })
    })
    return Effect.promise(() => handler(request))
  }
  return { ask, context, http, engine: Context.get(context, Engine) }
})

export type Served = Effect.Success<ReturnType<typeof serve>>

/** The body of an answer, read as JSON. */
// oxlint-disable-next-line typescript/no-explicit-any
export const json = (response: Response): Effect.Effect<any> => Effect.promise(() => response.json())

/** Runs a test on a clock of its own, which starts in 2026 and stands still unless `adjust` moves it. */
export const play = <A>(test: () => Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.andThen(TestClock.setTime(START), test()).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(TestClock.layer(), Logger.layer([])))
    ) as Effect.Effect<A>
  )
