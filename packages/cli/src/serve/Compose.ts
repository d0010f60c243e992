/** The layers of a server, put together as its configuration says. */
import { join, resolve } from "node:path"
import { layerAggregator } from "@sotto/aggregator"
import { parseInstant, toMillis } from "@sotto/core/Instant"
import type { RecordFormat } from "@sotto/core/ports/RecordFormat"
import type { SqlEngine } from "@sotto/core/ports/SqlEngine"
import {
  aggregationHandler,
  automationHandler,
  type Automations,
  type AutomationService,
  type EngineServices,
  type KindHandler,
  kindsOfServices,
  type Launcher,
  layerJobs,
  type Model,
  type OnDemand,
  onDemandHandler,
  type OutsideWork,
  type PersonalData
} from "@sotto/engine"
import { layerFileLedgerKeys, layerFsBlobStore, layerFsKeyRing, layerSystemEntropy } from "@sotto/fs"
import {
  type KnownApiKey,
  AggregationRules,
  type Authentication,
  automationInterface,
  knownApiKey,
  layerHttp,
  layerKeysIfAny,
  launcherInterface,
  layerTenants,
  layerTokens,
  onDemandInterface,
  type Tenant
} from "@sotto/http"
import { makeKeys, siteOf } from "@sotto/local"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteBudgetLedger, layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import { layerAddressGuard, layerDeliverer, layerHttpSender, layerWebhooks } from "@sotto/webhooks"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Otlp from "effect/observability/Otlp"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as Redacted from "effect/Redacted"
import { CommandError } from "../Failure.ts"
import { makeFolder } from "../Folders.ts"
import { pauseAt } from "../PauseAt.ts"
import { VERSION } from "../Version.ts"
import { layerPersonalDataOf } from "./Automation.ts"
import { launcherHandler, launcherKinds, type SqlEngineLayer } from "./Launcher.ts"
import { filesPlaceOf, layerFormats } from "./Models.ts"
import { readSecret, type ServerConfig, type Settings } from "./ServerConfig.ts"

/** Where things are, absolute. */
export interface Places {
  readonly store: string
  readonly keys: string
  readonly ledgerKeys: string
  readonly buckets: Readonly<Record<string, string>>
}

export const placesOf = ({ config, folder }: Settings): Places => ({
  store: resolve(folder, config.store.file),
  keys: resolve(folder, config.keys),
  ledgerKeys: resolve(folder, config.ledgerKeys),
  buckets: Object.fromEntries(Object.entries(bucketsOf(config)).map(([name, place]) => [name, resolve(folder, place)]))
})

/** Buckets that are for the server itself. */
const ownBuckets = ({ models, launcher }: ServerConfig): ReadonlyArray<string> =>
  [models, launcher].flatMap((one) => (one === undefined ? [] : [one.bucket]))

const bucketsOf = (config: ServerConfig): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(ownBuckets(config).map((name) => [name, name])),
  ...config.buckets
})

/** Files of on-demand jobs and collections are for nobody to name: with a bucket of them, "any" is every other one. */
const anyBucket = (config: ServerConfig): Tenant["buckets"] => {
  const own = ownBuckets(config)
  return own.length === 0 ? "any" : Object.keys(config.buckets).filter((name) => !own.includes(name))
}

export const tenantsOf = (config: ServerConfig): ReadonlyArray<Tenant> =>
  Object.entries(config.tenants).map(([name, { sites, buckets, ledgerScope, operator, limits }]): Tenant => {
    const { requestsPerMinute = null, jobs = null, streams = null } = limits
    return {
      name,
      sites: sites ?? "any",
      buckets: buckets ?? anyBucket(config),
      ledgerScope,
      operator,
      limits: { requestsPerMinute, jobs, streams }
    }
  })

/** The keys of the configuration; throws a sentence that names the first that is not one. */
export const apiKeysOf = ({ config, folder }: Settings): ReadonlyArray<KnownApiKey> =>
  config.apiKeys.map(({ tenant, name, model, id = "", hash = "", secret, expires: end }, i) => {
    const at = end === undefined ? undefined : parseInstant(end)
    const facts = {
      tenant,
      name,
      ...(model === undefined ? {} : { model }),
      expires: at === undefined ? null : toMillis(at)
    }
    if (secret === undefined) return { ...facts, id, hash, revoked: null }
    const place = `apiKeys[${i}].secret`
    const known = knownApiKey(Redacted.make(readSecret(secret, folder, place)), facts)
    if (known !== undefined) return known
    throw new CommandError(`${place}: what is there is no API key. \`sotto apikeys create\` makes one.`)
  })

/** Folders and keys that are not there yet. */
const makePlaces = ({ store, keys, ledgerKeys, buckets }: Places) =>
  Effect.andThen(
    Effect.try({
      try: () => {
        for (const folder of [join(store, ".."), join(keys, ".."), join(ledgerKeys, ".."), ...Object.values(buckets)])
          makeFolder(folder)
      },
      catch: (error) => error as CommandError
    }),
    makeKeys({ keys, ledgerKeys })
  )

/** What a process does beside what its settings say. */
export interface Running {
  readonly workers: boolean
  readonly models: ReadonlyArray<Model>
  readonly services: ReadonlyArray<AutomationService>
  /** With a launcher. */
  readonly sql: SqlEngineLayer | undefined
}

/** Engine and ports; with `workers`, what takes jobs and runs them too. */
export const layerEngineOf = (settings: Settings, { workers, models, services, sql }: Running) => {
  const { config } = settings
  const places = placesOf(settings)
  const { concurrency, lanes, domainOptional } = config.workers
  const scopes = new Map(tenantsOf(config).map(({ name, ledgerScope }) => [name, ledgerScope]))
  const handlers: ReadonlyArray<KindHandler<EngineServices | RecordFormat | PersonalData | SqlEngine>> = [
    aggregationHandler({
      siteOf,
      domainOptional,
      onStage: pauseAt,
      // A tenant that is configured no more keeps its jobs; they are charged where all are unless told.
      scopeOf: (tenant) => scopes.get(tenant) ?? "default"
    }),
    ...(models.length === 0 ? [] : [onDemandHandler({ models, place: filesPlaceOf(config) })]),
    ...(services.length === 0 ? [] : [automationHandler({ services })]),
    ...(config.launcher === undefined ? [] : [launcherHandler(config.launcher)])
  ]
  const file = places.store
  const dataPlanes = Layer.merge(
    layerAggregator(lanes === undefined ? {} : { lanes }).pipe(Layer.provide(layerFsKeyRing({ path: places.keys }))),
    sql ?? noSql
  ).pipe(Layer.provideMerge(layerFsBlobStore({ buckets: places.buckets })))
  const budget = layerSqliteBudgetLedger({ file }).pipe(Layer.provideMerge(layerFileLedgerKeys(places.ledgerKeys)))
  const ports = Layer.mergeAll(
    layerSqliteJobStore({ file }),
    layerSqliteRecords({ file }),
    layerMemoryJobQueue(),
    layerFormats
  )
  const kinds = [...handlers.map(({ kind }) => kind), ...kindsOfServices(services), ...launcherKinds(config)]
  const taken = handlers.filter(({ kind }) => (config.workers.kinds as ReadonlyArray<string>).includes(kind.name))
  return layerJobs({ handlers: workers ? taken : [], kinds, concurrency }).pipe(
    Layer.provideMerge(layerPersonalDataOf(settings)),
    Layer.provideMerge(Layer.mergeAll(dataPlanes, budget, ports)),
    // One after another: the ledger and the keys that it belongs to are made before either is opened.
    (all) => Layer.unwrap(Effect.as(makePlaces(places), all)),
    Layer.provideMerge(layerSystemEntropy)
  )
}

/** Without a launcher no handler asks for it. */
const noSql = Layer.empty as unknown as SqlEngineLayer

/** Who may ask. */
export const layerAccessOf = (settings: Settings) =>
  Layer.unwrap(Effect.sync(() => layerKeysIfAny({ keys: apiKeysOf(settings) }))).pipe(
    Layer.provideMerge(Layer.merge(layerTenants(tenantsOf(settings.config)), layerTokens))
  )

/** What the interfaces need that a server may offer. */
type Offered = OnDemand | Launcher | Authentication | Automations | OutsideWork

export const layerHttpOf = ({ config }: Settings) => {
  const { cors, docs, maxBodyBytes, publicUrl } = config.http
  const models =
    config.models &&
    onDemandInterface({ waitMs: config.models.waitMs, ...(publicUrl === undefined ? {} : { publicUrl }) })
  const automations = config.automation && automationInterface({ prefix: config.automation.prefix as `/${string}` })
  const launcher = config.launcher && launcherInterface()
  const offered = [models, automations, launcher].filter((one) => one !== undefined)
  return layerHttp<Offered>({
    interfaces: offered,
    docs,
    metrics: config.telemetry.prometheus,
    bodyLimit: maxBodyBytes,
    https: publicUrl?.startsWith("https:") === true,
    ...(cors.length === 0 ? {} : { cors: { origins: cors.includes("*") ? ("*" as const) : cors } })
  }).pipe(Layer.provide(Layer.succeed(AggregationRules, { siteOf, domainOptional: config.workers.domainOptional })))
}

/** Endpoints of webhooks, and what sends to them. Every process may deliver; none delivers what another is at. */
export const layerWebhooksOf = ({ config }: Settings) =>
  Layer.merge(layerWebhooks, layerDeliverer().pipe(Layer.provide(layerHttpSender()))).pipe(
    Layer.provide(layerAddressGuard({ allow: config.webhooks.allow }))
  )

/** Sends traces, metrics and logs to a collector, if one is configured. */
export const layerTelemetryOf = ({ config, folder }: Settings): Layer.Layer<never> => {
  const { otlp } = config.telemetry
  if (otlp === undefined) return Layer.empty
  const headers = Object.entries(otlp.headers).map(
    ([name, secret]) => [name, readSecret(secret, folder, `telemetry.otlp.headers.${name}`)] as const
  )
  return Otlp.layer({
    baseUrl: otlp.url,
    resource: { serviceName: "sotto", serviceVersion: VERSION },
    headers: Object.fromEntries(headers)
  }).pipe(Layer.provide(Layer.merge(FetchHttpClient.layer, OtlpSerialization.layerJson)))
}
