/** Servers on sockets of this machine for the tests of the aggregation API, and a client that sees every byte. */
import { request as httpRequest } from "node:http"
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import {
  type AggregationFacts,
  aggregationKind,
  Engine,
  type EngineServices,
  handle,
  JobFailed,
  layerEngine,
  layerJobs
} from "@sotto/engine"
import {
  AggregationRules,
  DEFAULT_TENANT,
  knownApiKey,
  layerAnonymous,
  layerApiKeys,
  layerHttp,
  layerTenants,
  layerTokens,
  type Tenant
} from "@sotto/http"
import { layerListener, Listener } from "@sotto/http/node"
import { siteOf } from "@sotto/local"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords,
  layerSeededEntropy
} from "@sotto/memory"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"

export interface Sent {
  readonly method: string
  /** As it is put on the wire. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface Received {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

export interface Server {
  readonly url: string
  send(sent: Sent): Promise<Received>
  /** Cancels a job through the engine, as the native API does. */
  cancel(tenant: string, jobRequestId: string): Promise<void>
  stop(): Promise<void>
}

/** One request over a connection of its own. */
const sendTo =
  (port: number): Server["send"] =>
  ({ method, path, headers = {}, body }) =>
    new Promise((resolve, reject) => {
      const request = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
        const chunks: Array<Buffer> = []
        response
          .on("data", (chunk: Buffer) => chunks.push(chunk))
          .on("error", reject)
          .on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString("utf8")
            })
          )
      })
      request.on("error", reject).end(body)
    })

export interface ServeOptions {
  /** The tenants; everybody is the one of the server if absent. The key of a tenant is `keyOf` its name. */
  readonly tenants?: ReadonlyArray<Tenant>
  readonly domainOptional?: boolean
}

export const tenant = (name: string, more: Partial<Tenant> = {}): Tenant => ({
  ...DEFAULT_TENANT,
  name,
  operator: false,
  ...more
})

/** An API key that follows from the tenant's name. */
export const keyOf = (name: string): string => {
  const hex = Buffer.from(name.padEnd(8, "-").slice(0, 8)).toString("hex")
  return `sotto_${hex}_${hex.repeat(4)}`
}

const knownKeys = (tenants: ReadonlyArray<Tenant>) =>
  tenants.map(({ name }) => {
    const key = knownApiKey(Redacted.make(keyOf(name)), { tenant: name, name: "test", expires: null })
    if (key === undefined) throw new Error(`${keyOf(name)} is not spelled like a key`)
    return key
  })

/** A server over services that are there. */
export const serve = async <E>(
  services: Layer.Layer<EngineServices, E>,
  options: ServeOptions = {}
): Promise<Server> => {
  const { tenants, domainOptional = false } = options
  const authentication = tenants === undefined ? layerAnonymous : layerApiKeys({ keys: knownKeys(tenants) })
  const access = authentication.pipe(Layer.provideMerge(Layer.merge(layerTenants(tenants), layerTokens)))
  const runtime = ManagedRuntime.make(
    layerListener({ port: 0 }).pipe(
      Layer.provide(layerHttp()),
      Layer.provide(access),
      Layer.provideMerge(services),
      Layer.provide(Layer.succeed(AggregationRules, { siteOf, domainOptional })),
      Layer.provide(Logger.layer([]))
    )
  )
  const context = await runtime.context()
  const { port, url } = Context.get(context, Listener)
  const engine = Context.get(context, Engine)
  return {
    url,
    send: sendTo(port),
    cancel: (tenant, key) =>
      runtime.runPromise(
        Effect.gen(function* () {
          const { rows } = yield* engine.list(tenant, { key }, null, 1)
          if (rows[0] === undefined) throw new Error(`there is no job ${key}`)
          yield* engine.cancel(tenant, rows[0].id, "test")
        })
      ),
    stop: () => runtime.dispose()
  }
}

/** Ports in memory, with an empty bucket `data`. */
export const memory = () =>
  Layer.mergeAll(
    layerMemoryJobStore(),
    layerMemoryRecords(),
    layerMemoryJobQueue(),
    layerMemoryBlobStore({ buckets: ["data"] }),
    layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
    Layer.mock(Aggregator)({})
  ).pipe(Layer.provideMerge(layerSeededEntropy(1)))

/** Takes jobs and never runs them. */
export const serveIdle = (options?: ServeOptions): Promise<Server> =>
  serve(layerEngine({ kinds: [aggregationKind] }).pipe(Layer.provideMerge(Layer.fresh(memory()))), options)

/** An engine that is broken: the job `defect` ends every call in an unforeseen way, the store knows no others. */
export const serveBroken = (): Promise<Server> =>
  serve(
    Layer.effect(
      Engine,
      Effect.map(Engine, (engine) => {
        const away = new JobStoreUnavailable({ because: "io", message: "The test took the store away." })
        const broken = (key: string | null | undefined) =>
          key === "defect" ? Effect.die(new Error("a secret of the server")) : Effect.fail(away)
        return Engine.of({ ...engine, submit: ({ key }) => broken(key), list: (_, { key }) => broken(key) })
      })
    ).pipe(Layer.provideMerge(layerEngine({ kinds: [aggregationKind] })), Layer.provideMerge(Layer.fresh(memory())))
  )

const FACTS: AggregationFacts = {
  returnCode: "SUCCESS_WITH_ERRORS",
  returnMessage: "Aggregation job successfully processed but some reports have errors.",
  errorCounts: [
    { category: "DECRYPTION_ERROR", count: 3, description: "It's unreadable." },
    { category: "NUM_REPORTS_WITH_ERRORS", count: 3, description: "All." }
  ],
  asOf: 0,
  epsilon: "10",
  budget: { use: "NotAsked" }
}

/** Does what the job's parameter `script` says: `hold` never ends, `falter` fails once unexpectedly. */
export const scripted = handle(aggregationKind, ({ parameters, failures }) => {
  const script = parameters.jobParameters["script"]
  if (script === "hold") return Effect.never
  if (script === "falter" && failures === 0) {
    return Effect.fail(
      new JobFailed<AggregationFacts>({
        code: "RESULT_WRITE_ERROR",
        category: "external",
        message: "The disk is full.",
        details: { ...FACTS, returnCode: "RESULT_WRITE_ERROR" },
        retryable: true
      })
    )
  }
  return Effect.succeed(FACTS)
})

/** Runs jobs by the script that they bring. */
export const serveScripted = (options?: ServeOptions): Promise<Server> =>
  serve(layerJobs({ handlers: [scripted] }).pipe(Layer.provideMerge(Layer.fresh(memory()))), options)
