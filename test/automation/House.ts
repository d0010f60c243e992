/** Servers with automations over one SQLite file, on sockets of this machine, with real keys and tokens. */
import type { Records } from "@sotto/core/ports/Records"
import { Aggregator, AggregatorCrashed } from "@sotto/core/ports/Aggregator"
import {
  automationHandler,
  type AutomationService,
  type Automations,
  type Engine,
  kindsOfServices,
  layerAutomations,
  layerJobs,
  layerOutsideWork,
  layerPersonalData
} from "@sotto/engine"
import { layerSystemEntropy } from "@sotto/fs"
import {
  automationInterface,
  createApiKey,
  DEFAULT_TENANT,
  layerApiKeys,
  layerHttp,
  layerOwnTraces,
  layerTenants,
  layerTokens,
  type Tenant
} from "@sotto/http"
import { layerListener, Listener } from "@sotto/http/node"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryLedgerKeys
} from "@sotto/memory"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import { layerAddressGuard, layerGuardedFiles } from "@sotto/webhooks"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"

const tenantOf = (name: string, more: Partial<Tenant> = {}): Tenant => ({
  ...DEFAULT_TENANT,
  name,
  operator: false,
  ...more
})

const TENANTS = [tenantOf("acme"), tenantOf("other"), tenantOf("kitchen", { operator: true })]

export interface HouseOptions {
  readonly file: string
  readonly services: ReadonlyArray<AutomationService>
  /** Whether it runs scripts; yes unless told. */
  readonly works?: boolean
}

export interface House {
  readonly url: string
  readonly services: Context.Context<Engine | Automations | Records>
  /** All that was logged and traced. */
  readonly told: Array<string>
  /** A new key of a tenant. */
  readonly key: (tenant: string) => Promise<string>
  readonly close: () => Promise<void>
}

const layerTold = (told: Array<string>) => {
  const note = (value: unknown) => void told.push(inspect(value, { depth: 10, maxStringLength: null }))
  return Layer.mergeAll(
    Logger.layer([
      Logger.make(({ message, cause }) => {
        note(message)
        told.push(Cause.pretty(cause))
      })
    ]),
    Layer.succeed(References.MinimumLogLevel, "All"),
    Layer.succeed(
      Tracer.Tracer,
      Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          const end = span.end.bind(span)
          span.end = (...given) => {
            end(...given)
            // What a span succeeded with is not told to anybody.
            const failed = given[1]._tag === "Failure" ? Cause.pretty(given[1].cause) : ""
            note([span.name, [...span.attributes], span.events, failed])
          }
          return span
        }
      })
    )
  )
}

export const open = async ({ file, services, works = true }: HouseOptions): Promise<House> => {
  const told: Array<string> = []
  const ports = Layer.mergeAll(
    layerSqliteJobStore({ file }),
    layerSqliteRecords({ file }),
    layerMemoryJobQueue(),
    layerMemoryBlobStore({ buckets: ["data"] }),
    layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
    Layer.mock(Aggregator)({ sum: () => Effect.fail(new AggregatorCrashed({ message: "There are none." })) })
  ).pipe(Layer.provideMerge(layerSystemEntropy))
  const handler = automationHandler({ services })
  const kinds = kindsOfServices(services)
  const jobs = layerJobs({
    handlers: works ? [handler] : [],
    kinds: works ? kinds : [handler.kind, ...kinds],
    sweepMs: 200,
    lease: { leaseMs: 1_200, renewMs: 400 }
  })
  const files = layerGuardedFiles().pipe(Layer.provide(layerAddressGuard({ allow: ["127.0.0.1/32"] })))
  const engine = Layer.merge(layerAutomations({ services }), layerOutsideWork({ services })).pipe(
    Layer.provideMerge(jobs),
    Layer.provideMerge(Layer.merge(layerPersonalData(), files)),
    Layer.provideMerge(ports)
  )
  const access = layerApiKeys().pipe(Layer.provideMerge(Layer.merge(layerTenants(TENANTS), layerTokens)))
  const listening = layerListener({ port: 0, drainMs: 100 }).pipe(
    Layer.provide(layerHttp({ interfaces: [automationInterface()], cors: { origins: ["https://app.example"] } })),
    Layer.provideMerge(access),
    Layer.provideMerge(engine),
    Layer.provideMerge(Layer.merge(layerOwnTraces, layerTold(told)))
  )
  const runtime = ManagedRuntime.make(listening)
  const context = await runtime.context()
  return {
    url: Context.get(context, Listener).url,
    services: context,
    told,
    key: (tenant) =>
      runtime.runPromise(
        Effect.map(createApiKey({ tenant, name: `key of ${tenant}`, expires: null }), ({ text }) =>
          Redacted.value(text)
        )
      ),
    close: () => runtime.dispose()
  }
}

export const basic = (user: string): string => `Basic ${Buffer.from(`${user}:`).toString("base64")}`
