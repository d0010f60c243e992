/**
 * A whole server over stores in memory: real keys, tokens and tenants, a real data plane, and everything that it says.
 *
 * Two tenants that have nothing in common, and jobs of the first in many states.
 */
import { inspect } from "node:util"
import { layerAggregator } from "@sotto/aggregator"
import { JobKind } from "@sotto/core/job"
import { launcherKind, sqlRunKind } from "@sotto/core/launcher"
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { Records, RecordsUnavailable } from "@sotto/core/ports/Records"
import type { RecordFormat } from "@sotto/core/ports/RecordFormat"
import type { QuestionSeed } from "@sotto/core/noise"
import {
  aggregationHandler,
  automationHandler,
  type Automations,
  type AutomationService,
  Engine,
  type EngineServices,
  FileFetcher,
  handle,
  JobFailed,
  type KindHandler,
  kindsOfServices,
  layerAutomations,
  layerJobs,
  layerLauncher,
  layerOnDemand,
  layerOutsideWork,
  layerPersonalData,
  type Launcher,
  type OnDemand,
  onDemandHandler,
  type OutsideWork,
  type PersonalData
} from "@sotto/engine"
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
import { layerRecordFormat } from "@sotto/tabular"
import { layerAddressGuard, layerDeliverer, layerWebhooks, type OutgoingMessage, Sender } from "@sotto/webhooks"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import { AS_OF, container, domainFile, KEYS, put, report } from "../../../aggregator/test/Harness.ts"
import { createApiKey } from "../../src/access/ApiKeys.ts"
import { layerApiKeys } from "../../src/access/OwnAuthentication.ts"
import { DEFAULT_TENANT, layerTenants, type Tenant } from "../../src/access/Tenants.ts"
import { layerTokens } from "../../src/access/Tokens.ts"
import { AggregationRules } from "../../src/AggregationRules.ts"
import { automationInterface } from "../../src/automation/AutomationInterface.ts"
import { type Access, Http, layerHttp, layerOwnTraces } from "../../src/Http.ts"
import type { Interface } from "../../src/Interface.ts"
import { launcherInterface } from "../../src/launcher/LauncherInterface.ts"
import { onDemandInterface } from "../../src/ondemand/OnDemandInterface.ts"
import { pythagoras } from "../ondemand/Rig.ts"

export { AS_OF }

const tenant = (name: string, more: Partial<Tenant>): Tenant => ({
  ...DEFAULT_TENANT,
  name,
  ledgerScope: name,
  operator: false,
  ...more
})

const TENANTS = [
  tenant("acme", { sites: ["https://example.com"], buckets: ["data"] }),
  tenant("other", { sites: ["https://other.org"], buckets: ["elsewhere"] }),
  tenant("admin", { sites: [], buckets: [], operator: true })
]

const Text = Schema.Struct({ text: Schema.String })

const INTERVIEW = JobKind.make({
  name: "interview",
  relation: "leased",
  parameters: Text,
  result: Schema.Json,
  failure: Schema.Json
})

/** Emits what it was told, and waits for an answer; or fails in one of two ways. */
const interview = handle(INTERVIEW, (job) =>
  Effect.gen(function* () {
    const { text } = job.parameters
    if (text.startsWith("fail")) {
      const said = { code: "Refused", category: "client", message: `acme-failure ${text}`, details: null } as const
      return yield* Effect.fail(new JobFailed({ ...said, retryable: false }))
    }
    if (text.startsWith("die")) return yield* Effect.die(new Error(text))
    yield* job.emit("offer", { text })
    return (yield* job.input("address")) as never
  })
)

/** Emits an offer and sends its client to the bank, from where nobody comes back. */
const PURCHASE: AutomationService = {
  _tag: "Inside",
  id: "0b5e1f0c-1b5a-4c58-9d2e-9a1f5f0a7c11",
  name: "Purchase",
  domainId: "Generic",
  tags: [],
  version: "1.0.0",
  inputs: {},
  script: Effect.fnUntraced(function* (job) {
    yield* job.output("offer", { text: "acme-offer" })
    yield* job.challenge("https://bank.acme.test/challenge")
    return null
  })
}

/** Everything that the process told about itself. */
export interface Told {
  readonly logs: Array<string>
  readonly spans: Array<Tracer.NativeSpan>
  /** Seeds of noise, hexadecimal. */
  readonly seeds: Array<string>
  /** What was sent to the receivers of webhooks. */
  readonly sent: Array<OutgoingMessage>
  /** Set by a test: the store of keys does not answer. */
  broken: boolean
}

const shown = (value: unknown): string => inspect(value, { depth: 12, maxArrayLength: null, maxStringLength: null })

const layerListening = ({ logs, spans }: Told) =>
  Layer.mergeAll(
    Logger.layer([
      Logger.make(({ message, cause, logLevel, fiber }) => {
        const annotations = fiber.getRef(References.CurrentLogAnnotations)
        logs.push(shown({ logLevel, message, annotations }), Cause.pretty(cause))
      })
    ]),
    Layer.succeed(References.MinimumLogLevel, "All"),
    Layer.succeed(
      Tracer.Tracer,
      Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
    )
  )

/** All that spans carry, as a collector would get it. */
export const printSpans = (spans: Told["spans"]): string =>
  shown(
    spans.map(({ name, attributes, events, links, status }) => ({
      name,
      attributes: [...attributes],
      events,
      links: links.length,
      end: status._tag === "Ended" && status.exit._tag === "Failure" ? Cause.pretty(status.exit.cause) : status._tag
    }))
  )

/** The data plane, whose seeds are noted. */
const layerWatchedAggregator = ({ seeds }: Told) =>
  Layer.effect(
    Aggregator,
    Effect.map(Aggregator, (real) =>
      Aggregator.of({
        ...real,
        release: (sums, prepared, noising) => {
          if (noising._tag !== "None") seeds.push(Buffer.from(noising.seed as QuestionSeed).toString("hex"))
          return real.release(sums, prepared, noising)
        }
      })
    )
  ).pipe(Layer.provide(layerAggregator({ lanes: 1 })), Layer.provide(KEYS))

/** Webhooks to receivers that take everything. */
const layerSending = ({ sent }: Told) =>
  Layer.merge(
    layerDeliverer().pipe(
      Layer.provide(
        Layer.succeed(Sender, {
          send: (message) =>
            Effect.sync(() => {
              sent.push(message)
              return { _tag: "Answered", status: 200, retryAfter: null } as const
            })
        })
      )
    ),
    layerWebhooks.pipe(Layer.provide(layerAddressGuard({ resolve: () => Promise.resolve(["192.0.2.1"]) })))
  )

const REPORTS = Array.from({ length: 20 }, (_, n) => report(n, [[BigInt(n % 4), 100 + n]]))

const unavailable = new RecordsUnavailable({ because: "io", message: "The test took the records away." })

/** Records that are taken away while `told.broken`. */
const layerRecords = (told: Told) =>
  Layer.effect(
    Records,
    Effect.map(Records, (real) => {
      const unless = <A, E>(call: Effect.Effect<A, E>) =>
        Effect.suspend((): Effect.Effect<A, E | RecordsUnavailable> => (told.broken ? Effect.fail(unavailable) : call))
      return Records.of({
        capabilities: real.capabilities,
        get: (id) => unless(real.get(id)),
        put: (request) => unless(real.put(request)),
        delete: (id, version) => unless(real.delete(id, version)),
        scan: (place, after, limit) => unless(real.scan(place, after, limit))
      })
    })
  ).pipe(Layer.provide(layerMemoryRecords()))

const layerPorts = Layer.mergeAll(
  layerMemoryJobStore(),
  layerMemoryJobQueue(),
  layerMemoryBlobStore({ buckets: ["data", "elsewhere", "models"] }),
  layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS)))
).pipe(Layer.provideMerge(layerSeededEntropy(1)), Layer.orDie)

export interface Asked {
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The first tenant's things. */
export interface Things {
  readonly jobs: {
    readonly aggregation: string
    readonly waiting: string
    readonly failed: string
    readonly dead: string
    readonly onDemand: string
    readonly launched: string
    readonly automation: string
  }
  /** Of the configuration that is stored, of which another tenant may have one of the same name. */
  readonly configuration: string
  readonly challenge: string
  /** What the automation was given. */
  readonly personal: string
  readonly file: string
  readonly question: string
  readonly endpoint: string
  /** The second tenant's only thing. */
  readonly otherEndpoint: string
  readonly delivery: string
  readonly webhookSecret: string
}

const AGGREGATION = {
  input_data_bucket_name: "data",
  input_data_blob_prefix: "in/",
  output_data_bucket_name: "data",
  output_data_blob_prefix: "out/acme-summary.avro",
  job_parameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "data",
    output_domain_blob_prefix: "domain/"
  }
}

export const createJobBody = (id: string, more: object = {}) => ({ job_request_id: id, ...AGGREGATION, ...more })

/** A submission of an on-demand job. */
const FORM = [
  "--b",
  'content-disposition: form-data; name="data"',
  "",
  '{"name": "acme sides", "mimeType": "text/csv"}',
  "--b",
  'content-disposition: form-data; name="file"; filename="acme.csv"',
  "",
  "x,y\n3,4\n",
  "--b--",
  ""
].join("\r\n")

/** Opens the house: a key for each tenant, and a way to ask. */
const open = Effect.fnUntraced(function* (told: Told) {
  const rules = { siteOf, scopeOf: (name: string) => name }
  const offer = { models: [pythagoras], place: { bucket: "models" } }
  const automations = { services: [PURCHASE] }
  const interfaces: ReadonlyArray<Interface<Access | OnDemand | Launcher | Automations | OutsideWork>> = [
    onDemandInterface(),
    launcherInterface(),
    automationInterface()
  ]
  const handlers: ReadonlyArray<KindHandler<EngineServices | RecordFormat | PersonalData>> = [
    aggregationHandler(rules),
    interview,
    onDemandHandler(offer),
    automationHandler(automations)
  ]
  const kinds = [launcherKind, sqlRunKind, ...kindsOfServices(automations.services)]
  const layer = layerHttp({ interfaces }).pipe(
    Layer.provideMerge(layerOnDemand(offer)),
    Layer.provideMerge(layerLauncher()),
    Layer.provideMerge(Layer.merge(layerAutomations(automations), layerOutsideWork(automations))),
    Layer.provideMerge(layerApiKeys()),
    Layer.provideMerge(Layer.merge(layerTenants(TENANTS), layerTokens)),
    Layer.provideMerge(layerJobs({ handlers, kinds })),
    Layer.provideMerge(Layer.merge(layerPersonalData(), Layer.mock(FileFetcher)({}))),
    Layer.provideMerge(layerSending(told)),
    Layer.provideMerge(layerWatchedAggregator(told)),
    Layer.provideMerge(Layer.mergeAll(layerPorts, layerRecords(told), layerRecordFormat())),
    Layer.merge(layerOwnTraces),
    Layer.merge(Layer.succeed(AggregationRules, { siteOf, domainOptional: false }))
  )
  const context = yield* Layer.build(Layer.fresh(layer))
  const http = Context.get(context, Http)
  const handler = HttpEffect.toWebHandlerWith<never, HttpServerRequest | Scope.Scope>(
    Context.merge(yield* Effect.context<never>(), context)
  )(http.answer)
  const ask = (line: string, { key, headers = {}, body }: Asked = {}): Effect.Effect<Answer> => {
    const [method = "", path = ""] = line.split(" ")
    return Effect.promise(async () => {
      const response = await handler(
        new Request(`http://sotto.test${path}`, {
          method,
          headers: {
            ...(key === undefined ? {} : { "x-api-key": key }),
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...headers
          },
          ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
        })
      )
      return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
    })
  }
  const keyOf = (name: string) =>
    Effect.map(createApiKey({ tenant: name, name: `${name} key`, expires: null }), ({ text }) => Redacted.value(text))
  const [acme, other, admin] = yield* Effect.provideContext(
    Effect.all([keyOf("acme"), keyOf("other"), keyOf("admin")]),
    context
  )
  return { ask, context, engine: Context.get(context, Engine), told, keys: { acme, other, admin } }
})

export type House = Effect.Success<ReturnType<typeof open>>

/** What an answer of JSON says. */
// oxlint-disable-next-line typescript/no-explicit-any
export const read = ({ body }: Pick<Answer, "body">): any => JSON.parse(body)

/** Things of the first tenant: jobs that ended well, wait, failed and are dead, a run, and what they are about. */
const furnish = Effect.fnUntraced(function* ({ ask, context, engine, keys }: House) {
  yield* Effect.provideContext(
    put({ "in/1.avro": container(REPORTS), "domain/1.avro": domainFile([0n, 1n, 2n, 9n]) }),
    context
  )
  const hooked = (name: "acme" | "other") =>
    Effect.map(
      ask("POST /v1/webhooks", {
        key: keys[name],
        body: { url: `https://${name}.test/hook`, description: `${name}'s` }
      }),
      read
    )
  const endpoint = yield* hooked("acme")
  const otherEndpoint: string = (yield* hooked("other")).id
  const created = yield* ask("POST /v1alpha/createJob", { key: keys.acme, body: createJobBody("acme-request") })
  if (created.status !== 202) throw new Error(`createJob answered ${created.body}`)
  const submit = (text: string, more: object = {}) =>
    Effect.map(
      ask("POST /v1/jobs", {
        key: keys.acme,
        headers: { "idempotency-key": `"acme-${text}"` },
        body: { kind: "interview", name: `acme ${text}`, parameters: { text }, ...more }
      }),
      (answer): string => read(answer).id
    )
  const waiting = yield* submit("acme-offer")
  const failed = yield* submit("fail acme")
  const dead = yield* submit("die acme", { retry: { maxFailures: 1 } })
  const onDemand: string = read(
    yield* ask("POST /api/v1/jobs", {
      key: keys.acme,
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: FORM
    })
  ).data.id
  const configuration = "nightly"
  const launch = { type: "spark", id: configuration, inputCollection: "acme_signals" }
  yield* ask("POST /api/spark/configurations", { key: keys.acme, body: launch })
  yield* ask(`PUT /api/jobs/spark:${configuration}/schedule`, { key: keys.acme, body: [] })
  const launched: string = read(yield* ask(`POST /api/spark/jobs/${configuration}`, { key: keys.acme })).jobId
  const personal = "acme-street 17"
  const automation: string = read(
    yield* ask("POST /automation/jobs", {
      key: keys.acme,
      body: { category: "test", serviceId: PURCHASE.id, input: { address: personal } }
    })
  ).id
  const listed = yield* ask("GET /v1/jobs?kind=aggregation", { key: keys.acme })
  const aggregation: string = read(listed).jobs[0].id
  const done = yield* engine.wait("acme", aggregation)
  if (done.state !== "Succeeded") throw new Error(`the aggregation ended ${JSON.stringify(done.outcome)}`)
  yield* engine.wait("acme", failed)
  yield* engine.wait("acme", dead)
  yield* engine.follow("acme", automation, 0).pipe(
    Stream.filter(({ state }) => state === "AwaitingExternal"),
    Stream.runHead
  )
  const challenge: string = read(yield* ask(`GET /automation/jobs/${automation}`, { key: keys.acme })).activeTdsId
  for (let n = 0; n < 8; n++) yield* TestClock.adjust("500 millis")
  const sent = read(yield* ask(`GET /v1/webhooks/${endpoint.id}/deliveries`, { key: keys.acme }))
  const result = read(yield* ask(`GET /v1/jobs/${aggregation}/result`, { key: keys.acme }))
  const budget = read(yield* ask("GET /v1/budget/questions", { key: keys.acme }))
  return {
    jobs: { aggregation, waiting, failed, dead, onDemand, launched, automation },
    configuration,
    challenge,
    personal,
    file: result.files[0].name,
    question: budget.questions[0].fingerprint,
    endpoint: endpoint.id,
    otherEndpoint,
    delivery: sent.deliveries[0].id,
    webhookSecret: endpoint.secret
  }
})

/** Runs a test in a house of its own, at the time when the reports are due, by a clock that only the test moves. */
export const visit = <A>(
  test: (house: House, things: Things) => Effect.Effect<A, unknown, Scope.Scope>
): Promise<A> => {
  const told: Told = { logs: [], spans: [], seeds: [], sent: [], broken: false }
  return Effect.runPromise(
    Effect.gen(function* () {
      yield* TestClock.setTime(AS_OF)
      const house = yield* open(told)
      return yield* test(house, yield* furnish(house))
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(TestClock.layer(), layerListening(told)))) as Effect.Effect<A>
  )
}
