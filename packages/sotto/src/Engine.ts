/** The engine for hosts that write Promises: jobs in, results and events out, adapters of their own if they like. */
import { mkdirSync } from "node:fs"
import { join, resolve } from "node:path"
import { layerAggregator } from "@sotto/aggregator"
import type { Awaiting, Job, JobEvent, LeasePolicy, OutputData, Plain } from "@sotto/core/job"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import type { RecordFormat } from "@sotto/core/ports/RecordFormat"
import type { JobCursor, JobFilter, JobPage, JobTally } from "@sotto/core/ports/JobStore"
import {
  aggregationHandler,
  automationHandler,
  type AutomationService,
  Engine,
  type EngineServices,
  type JobView,
  type KindHandler,
  kindsOfServices,
  layerAutomations,
  layerFilesRetention,
  layerJobs,
  layerOnDemand,
  layerOutsideWork,
  layerPersonalData,
  type Model,
  OnDemand,
  onDemandHandler,
  type PersonalData,
  type ReportRequest,
  type ResetOptions,
  serviceFaults,
  SERVICES,
  type SubmitRequest
} from "@sotto/engine"
import { layerFileLedgerKeys, layerFsBlobStore, layerFsKeyRing, layerSystemEntropy } from "@sotto/fs"
import {
  layerPromisedBlobStore,
  layerPromisedBudgetLedger,
  layerPromisedJobQueue,
  layerPromisedJobStore,
  layerPromisedKeyRing,
  layerPromisedLedgerKeys,
  layerPromisedRecords,
  makeKeys,
  type PromisedBlobStore,
  type PromisedBudgetLedger,
  type PromisedJobQueue,
  type PromisedJobStore,
  type PromisedKeyRing,
  type PromisedLedgerKeys,
  type PromisedRecords,
  siteOf
} from "@sotto/local"
import { layerRecordFormat } from "@sotto/tabular"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteBudgetLedger, layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import { layerAddressGuard, layerGuardedFiles } from "@sotto/webhooks"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import { aborted, problemOf, valueOf } from "./Border.ts"
import { type ModelJobs, modelJobs } from "./Model.ts"
import { type DefinedKind, handlerOf, isDefinedKind } from "./Kind.ts"
import { isLog, layerLog, type Log, LOG_LEVELS } from "./Log.ts"
import { SottoError } from "./SottoError.ts"

/**
 * Where things are and who keeps them. What is not given is kept on files in `folder`; of the options `store`, `records`
 * and `ledger` each takes a part of `sotto.db` elsewhere, and with all three there is no such file.
 */
export interface EngineOptions {
  /**
   * Holds `sotto.db` (jobs, records and the budget ledger), `keys.json`, `ledger-keys.json` and a folder for each bucket; made with
   * all it needs on first use. Keep copies of `ledger-keys.json` apart from copies of `sotto.db`.
   */
  readonly folder: string
  readonly store?: PromisedJobStore
  readonly blobs?: PromisedBlobStore
  /** Private keys that open reports. */
  readonly keys?: PromisedKeyRing
  readonly ledgerKeys?: PromisedLedgerKeys
  /** Who paid for which question. Its promises are those that privacy rests on: hold it against the laws of the port. */
  readonly ledger?: PromisedBudgetLedger
  /** What the engine remembers beside jobs, such as which kinds are paused. */
  readonly records?: PromisedRecords
  /** Wakes workers of other processes; without it they look once a second. */
  readonly queue?: PromisedJobQueue
  /** Kinds beside `aggregation`. */
  readonly kinds?: ReadonlyArray<DefinedKind>
  /** Models for on-demand jobs, whose files are in the bucket `models`. */
  readonly models?: ReadonlyArray<Model>
  /** Services of automations, which `mount` of `@sotto/http` offers to their clients. */
  readonly services?: ReadonlyArray<AutomationService>
  /** Bucket names of the file store and their folders, relative to `folder`; default `reports`, `domains`, `output`. */
  readonly buckets?: Readonly<Record<string, string>>
  /** Jobs at a time in this process; default 4. 0: this process submits and looks, others work. */
  readonly concurrency?: number
  /** How often to look for leases that are over, timers and jobs that nobody was told of; 2 000 unless told. */
  readonly sweepMs?: number
  /** How long this process leases jobs and how often it renews, in place of what kinds say (12 s, 4 s unless told). */
  readonly lease?: Partial<LeasePolicy>
  /** Threads that open reports; default: one for each core. */
  readonly lanes?: number
  /** The least level of what goes to stderr (`info` unless told), or who is given every entry. */
  readonly log?: Log
}

export interface CallOptions {
  /** Whose jobs; default `default`. Nobody sees jobs of another tenant. */
  readonly tenant?: string
  /** Gives up waiting; what was written stays written. */
  readonly signal?: AbortSignal
}

export interface Submit extends Omit<SubmitRequest, "kind" | "parameters" | "tenant"> {}

/** Every method throws `SottoError`; `code` is the tag of what was wrong, e.g. `UnknownJob`, `KeyTaken`, `CommandRefused`. */
export interface SottoEngine extends AsyncDisposable {
  /** With the key of an earlier submission and the same parameters, `created` is false and `job` is that job. */
  submit(
    kind: string,
    parameters: unknown,
    options?: Submit & CallOptions
  ): Promise<{ readonly job: Job; readonly created: boolean }>
  get(id: string, options?: CallOptions): Promise<JobView>
  /** One page; give its `next` as `after` for the page that follows. */
  list(
    filter?: JobFilter,
    options?: CallOptions & { readonly after?: JobCursor; readonly limit?: number }
  ): Promise<JobPage>
  tally(options?: CallOptions): Promise<ReadonlyArray<JobTally>>
  /** The events behind number `after`, those that are there and those to come, until the job ends. */
  events(id: string, options?: CallOptions & { readonly after?: number }): AsyncIterable<JobEvent>
  /**
   * What the job asks for, from now on and each question once, for as long as it waits for the answer; until it ends. Who
   * reads `events` from the start sees questions too that were answered long ago.
   */
  questions(id: string, options?: CallOptions): AsyncIterable<Question>
  /** Waits until the job has ended. */
  wait(id: string, options?: CallOptions): Promise<Job>
  /** An output of the present session. */
  output(id: string, key: string, options?: CallOptions): Promise<OutputData | undefined>
  giveInput(id: string, key: string, data: Plain, options?: CallOptions): Promise<Job>
  finishExternal(id: string, external: string, data: Plain, options?: CallOptions): Promise<Job>
  cancel(id: string, options?: CallOptions & { readonly by?: string; readonly reason?: string }): Promise<Job>
  reset(id: string, options?: CallOptions & Partial<ResetOptions>): Promise<Job>
  redrive(id: string, options?: CallOptions & { readonly by?: string }): Promise<Job>
  rename(id: string, name: string | null, options?: CallOptions): Promise<Job>
  /** What an outside driver tells of its run. */
  report(request: ReportRequest, options?: Pick<CallOptions, "signal">): Promise<Job>
  /** On-demand jobs. */
  readonly models: ModelJobs
  /** No worker claims jobs of this kind until it is resumed. */
  pause(kind: string, by?: string): Promise<void>
  resume(kind: string): Promise<void>
  /** Hands running jobs back without a failure and closes everything; calls that still wait then throw `Closed`. */
  close(): Promise<void>
  /** For packages that work on the same engine, such as an HTTP server. */
  readonly [SERVICES]: unknown
}

/** An input that a job waits for: `key` names it for `giveInput`. */
export type Question = Omit<Extract<Awaiting, { readonly _tag: "Input" }>, "_tag">

/** Where files of on-demand jobs are, relative to the folder. */
const MODEL_BUCKETS = { models: "models" }

const PLACE = { bucket: "models" }

const BUCKETS = { reports: "reports", domains: "domains", output: "output" }

/** What a program in JavaScript may get wrong. */
const demandOptions = (options: EngineOptions | undefined): EngineOptions => {
  if (typeof options?.folder !== "string" || options.folder === "") {
    throw new SottoError("InvalidArgument", 'Give the engine a folder: createEngine({ folder: "data" }).')
  }
  const { kinds = [], models = [], services = [], log } = options
  if (!Array.isArray(kinds) || !kinds.every(isDefinedKind)) {
    throw new SottoError("InvalidArgument", "kinds is a list of what defineKind gave.")
  }
  if (!Array.isArray(models)) {
    throw new SottoError("InvalidArgument", "models is a list of what defineModel gave.")
  }
  if (!Array.isArray(services)) {
    throw new SottoError("InvalidArgument", "services is a list of what defineService gave.")
  }
  const faults = serviceFaults(services)
  if (faults.length > 0) throw new SottoError("InvalidArgument", `Correct the services: ${faults.join("; ")}.`)
  if (!isLog(log)) {
    throw new SottoError("InvalidArgument", `log is a function, or one of ${LOG_LEVELS.join(", ")}.`)
  }
  return options
}

const makeFolder = (folder: string): void => {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    const { message } = problemOf(cause)
    throw new SottoError(
      "FolderUnavailable",
      `The folder ${folder} cannot be made. Correct its permissions or give another one. (${message})`,
      { cause }
    )
  }
}

const layersOf = (options: EngineOptions) => {
  const { models = [], services = [] } = options
  const folder = resolve(options.folder)
  const file = join(folder, "sotto.db")
  const files = { keys: join(folder, "keys.json"), ledgerKeys: join(folder, "ledger-keys.json") }
  const buckets = Object.fromEntries(
    Object.entries({ ...(models.length === 0 ? {} : MODEL_BUCKETS), ...(options.buckets ?? BUCKETS) }).map(
      ([name, place]) => [name, resolve(folder, place)]
    )
  )
  const {
    store,
    blobs,
    keys,
    ledgerKeys,
    ledger,
    records,
    queue,
    kinds = [],
    concurrency = 4,
    lanes,
    sweepMs,
    lease
  } = options
  const made = {
    ...(keys === undefined ? { keys: files.keys } : {}),
    ...(ledgerKeys === undefined ? { ledgerKeys: files.ledgerKeys } : {})
  }
  makeFolder(folder)
  if (blobs === undefined) for (const place of Object.values(buckets)) makeFolder(place)

  const blobStore = blobs === undefined ? layerFsBlobStore({ buckets }) : layerPromisedBlobStore(blobs)
  const aggregator = layerAggregator(lanes === undefined ? {} : { lanes }).pipe(
    Layer.provide(keys === undefined ? layerFsKeyRing({ path: files.keys }) : layerPromisedKeyRing(keys)),
    Layer.provideMerge(blobStore)
  )
  const budget = (ledger === undefined ? layerSqliteBudgetLedger({ file }) : layerPromisedBudgetLedger(ledger)).pipe(
    Layer.provideMerge(
      ledgerKeys === undefined ? layerFileLedgerKeys(files.ledgerKeys) : layerPromisedLedgerKeys(ledgerKeys)
    )
  )
  const ports = Layer.mergeAll(
    store === undefined ? layerSqliteJobStore({ file }) : layerPromisedJobStore(store),
    records === undefined ? layerSqliteRecords({ file }) : layerPromisedRecords(records),
    queue === undefined ? layerMemoryJobQueue() : layerPromisedJobQueue(queue)
  )
  const handlers: ReadonlyArray<KindHandler<EngineServices | RecordFormat | PersonalData>> = [
    aggregationHandler({ siteOf }),
    ...kinds.map(handlerOf),
    ...(models.length === 0 ? [] : [onDemandHandler({ models, place: PLACE })]),
    ...(services.length === 0 ? [] : [automationHandler({ services })])
  ]
  // What workers outside do.
  const known = kindsOfServices(services)
  const times = { ...(sweepMs === undefined ? {} : { sweepMs }), ...(lease === undefined ? {} : { lease }) }
  const jobs =
    concurrency === 0
      ? layerJobs({ handlers: [], kinds: [...handlers.map(({ kind }) => kind), ...known], ...times })
      : layerJobs({ handlers, kinds: known, concurrency, ...times })
  const retention = models.length > 0 && concurrency > 0 ? layerFilesRetention({ place: PLACE }) : Layer.empty
  const automations = Layer.merge(layerAutomations({ services }), layerOutsideWork({ services }))
  return Layer.mergeAll(layerOnDemand({ models, place: PLACE }), automations, retention).pipe(
    Layer.provideMerge(jobs),
    Layer.provideMerge(layerPersonalData()),
    Layer.provideMerge(layerGuardedFiles().pipe(Layer.provide(layerAddressGuard()))),
    Layer.provideMerge(Layer.mergeAll(aggregator, budget, ports, layerRecordFormat())),
    // One after another: the ledger and the keys that it belongs to are made before either is opened.
    (all) => Layer.unwrap(Effect.as(makeKeys(made), all)),
    Layer.provideMerge(Layer.merge(layerSystemEntropy, layerLog(options.log)))
  )
}

const soundLayersOf = (options: EngineOptions) => {
  try {
    return layersOf(demandOptions(options))
  } catch (error) {
    throw problemOf(error)
  }
}

/** Opens everything and starts to work; rejects with a `SottoError` when something cannot be opened. */
export const createEngine = async (options: EngineOptions): Promise<SottoEngine> => {
  const runtime = ManagedRuntime.make(soundLayersOf(options))
  try {
    return facade(valueOf(await runtime.runPromiseExit(runtime.contextEffect)), () => runtime.dispose())
  } catch (error) {
    await runtime.dispose()
    throw error
  }
}

const facade = (services: Context.Context<EngineServices | OnDemand>, dispose: () => Promise<void>): SottoEngine => {
  const engine = Context.get(services, Engine)
  const run = Effect.runPromiseExitWith(services)
  let closed: Promise<void> | undefined
  /** Who still waits when everything is closed would wait for ever. */
  const over = Deferred.makeUnsafe<never, SottoError>()
  const close = (): Promise<void> =>
    (closed ??= dispose().finally(() => Deferred.doneUnsafe(over, Exit.fail(engineClosed()))))
  const problem = (error: unknown): SottoError => {
    const found = problemOf(error)
    return closed !== undefined && found.code === "Defect" ? engineClosed(found) : found
  }
  const call = async <A, E>(effect: Effect.Effect<A, E>, { signal }: CallOptions = {}): Promise<A> => {
    if (signal?.aborted === true) throw aborted(signal)
    if (Deferred.isDoneUnsafe(over)) throw engineClosed()
    const exit = await run(Effect.raceFirst(effect, Deferred.await(over)), signal === undefined ? {} : { signal })
    try {
      return valueOf(exit, signal)
    } catch (error) {
      throw problem(error)
    }
  }
  const of = ({ tenant = "default" }: CallOptions = {}): string => tenant
  const eventsOf: SottoEngine["events"] = async function* (id, options = {}) {
    const { signal, after = 0 } = options
    if (Deferred.isDoneUnsafe(over)) throw engineClosed()
    const events = Stream.interruptWhen(engine.follow(of(options), id, after), Deferred.await(over))
    const stopped = signal === undefined ? events : Stream.interruptWhen(events, untilAborted(signal))
    try {
      yield* Stream.toAsyncIterableWith(stopped, services)
    } catch (error) {
      throw problem(error)
    }
  }
  return {
    submit: (kind, parameters, options = {}) => {
      const { tenant: _, signal: __, ...submission } = options
      return call(engine.submit({ ...submission, tenant: of(options), kind, parameters }), options)
    },
    get: (id, options) => call(engine.get(of(options), id), options),
    list: async (filter = {}, options = {}) => {
      const { after = null, limit = 100 } = options
      demandPage(filter, after, limit)
      return call(engine.list(of(options), filter, after, limit), options)
    },
    tally: (options) => call(engine.tally(of(options)), options),
    events: eventsOf,
    async *questions(id, options) {
      for await (const event of eventsOf(id, options)) {
        if (event._tag !== "InputAsked") continue
        const { awaiting } = (await call(engine.get(of(options), id), options)).job
        if (awaiting?._tag !== "Input" || awaiting.key !== event.key || awaiting.until !== event.until) continue
        const { _tag, ...question } = awaiting
        yield question
      }
    },
    wait: (id, options) => call(engine.wait(of(options), id), options),
    output: (id, key, options) => call(engine.output(of(options), id, key), options),
    giveInput: (id, key, data, options) => call(engine.giveInput(of(options), id, key, data), options),
    finishExternal: (id, external, data, options) =>
      call(engine.finishExternal(of(options), id, external, data), options),
    cancel: (id, options = {}) => call(engine.cancel(of(options), id, options.by ?? HOST, options.reason), options),
    reset: (id, options = {}) => call(engine.reset(of(options), id, { ...options, by: options.by ?? HOST }), options),
    redrive: (id, options = {}) => call(engine.redrive(of(options), id, options.by ?? HOST), options),
    rename: (id, name, options) => call(engine.rename(of(options), id, name), options),
    report: (request, options) => call(engine.report(request), options),
    models: modelJobs(Context.get(services, OnDemand), Context.get(services, BlobStore), call),
    pause: (kind, by = HOST) => call(engine.pause(kind, by)),
    resume: (kind) => call(engine.resume(kind)),
    close,
    [Symbol.asyncDispose]: close,
    [SERVICES]: services
  }
}

const engineClosed = (cause?: unknown): SottoError =>
  new SottoError("Closed", "The engine was closed. Make another one with createEngine.", { cause })

const FILTERS: ReadonlySet<string> = new Set<keyof JobFilter>([
  "kinds",
  "states",
  "key",
  "dead",
  "createdFrom",
  "createdTo",
  "order"
])

/** A condition that nobody knows would be no condition, and the page would hold too much. */
const demandPage = (filter: JobFilter, after: JobCursor | null, limit: number): void => {
  const unknown = Object.keys(filter).filter((name) => !FILTERS.has(name))
  const faults = [
    ...unknown.map((name) => `there is no filter "${name}", use ${[...FILTERS].join(", ")}`),
    ...(Number.isInteger(limit) && limit >= 1 && limit <= 1000 ? [] : ["limit is a whole number from 1 to 1000"]),
    ...(after === null || (Number.isInteger(after.createdAt) && typeof after.id === "string")
      ? []
      : ["after is the `next` of the page before"])
  ]
  if (faults.length > 0) throw new SottoError("InvalidArgument", `Correct the call of list: ${faults.join("; ")}.`)
}

/** Who did it, in the log, when the host does not say. */
const HOST = "host"

const untilAborted = (signal: AbortSignal): Effect.Effect<never, ReturnType<typeof aborted>> =>
  Effect.callback((resume) => {
    const abort = () => resume(Effect.fail(aborted(signal)))
    if (signal.aborted) return abort()
    signal.addEventListener("abort", abort, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", abort))
  })
