/**
 * Launches runs, hears of them, and keeps what they are launched from: configurations, schedules, watermarks.
 *
 * Everything is asked for a tenant; nothing of another tenant is ever seen.
 */
import { isTerminal, type Job, JOB_STATES, type Plain, type PlainObject } from "@sotto/core/job"
import {
  type Configuration,
  type ConfigurationFault,
  configurationOf,
  isConfigurationId,
  isConfigurationRejected,
  lastDue,
  launcherKind,
  type LauncherStatus,
  launcherStatus,
  type LaunchSchedule,
  nextDue,
  parseConfiguration,
  type ParsedReport,
  parseSchedule,
  runIdAt,
  runIdOf,
  sqlRunKind
} from "@sotto/core/launcher"
import { Entropy } from "@sotto/core/ports/Entropy"
import type { JobCursor, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { Records, type RecordsUnavailable } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Engine } from "../Engine.ts"
import { type CommandRefused, type UnknownJob, unknownJob } from "../Refusals.ts"
import { shelf } from "./Shelf.ts"
import { readWatermark, setWatermark } from "./Watermark.ts"

/** What was sent is not what can be launched, stored or reported; nothing was done. */
export class LauncherRefused extends Schema.TaggedError<LauncherRefused>()("LauncherRefused", {
  /** The members that are wrong, e.g. `parameters[1].value`; an empty path is the whole. */
  faults: Schema.Array(Schema.Struct({ path: Schema.String, hint: Schema.String })),
  message: Schema.String
}) {}

/** This tenant has stored no such configuration. */
export class UnknownConfiguration extends Schema.TaggedError<UnknownConfiguration>()("UnknownConfiguration", {
  configuration: Schema.String,
  message: Schema.String
}) {}

/** Who executes a run: a worker of ours, or somebody who reports over HTTP. */
export type RunDriver = "engine" | "outside"

export interface LaunchOptions {
  /** Default: the engine for an `aggregation`, somebody outside for everything else. */
  readonly driver?: RunDriver
  /** The name of the run, to launch it once whoever asks how often; made up if absent. */
  readonly id?: string
  /** The reference time of a configuration that names none, in milliseconds since 1970; now if absent. */
  readonly at?: number
}

export interface RunFilter {
  readonly configuration?: string
  readonly states?: ReadonlyArray<LauncherStatus["state"]>
}

/** A schedule as it is kept. Times are milliseconds since 1970. */
export interface ScheduleView extends LaunchSchedule {
  /** When a trigger launched last; `undefined` before the first time. */
  readonly lastTime: number | undefined
  readonly nextTime: number | undefined
}

export interface LauncherOptions {
  /** Whether there are workers with `sqlRunHandler`, here or elsewhere; default true. Without them all drivers are outside. */
  readonly runsSql?: boolean
  /** Stands in the status of a run until its driver names itself; default `launcher`. */
  readonly hostname?: string
  /** How often to look for triggers that are due; default 5 s. */
  readonly lookMs?: number
}

type Stored = RecordsUnavailable

export class Launcher extends Context.Service<
  Launcher,
  {
    /** Starts a run of a configuration and tells how it stands: `starting`. */
    launch(
      tenant: string,
      jobConfig: PlainObject,
      options?: LaunchOptions
    ): Effect.Effect<LauncherStatus, LauncherRefused | JobStoreUnavailable>

    /** The same for a stored configuration. */
    start(
      tenant: string,
      configuration: string,
      options?: LaunchOptions
    ): Effect.Effect<LauncherStatus, LauncherRefused | UnknownConfiguration | JobStoreUnavailable | Stored>

    /** What a driver tells (spec: launcher §1); the first report of an unknown run makes it. */
    report(
      tenant: string,
      report: ParsedReport
    ): Effect.Effect<LauncherStatus, LauncherRefused | CommandRefused | UnknownJob | JobStoreUnavailable>

    status(tenant: string, id: string): Effect.Effect<LauncherStatus, UnknownJob | JobStoreUnavailable>

    /** Waits until the run has ended. */
    wait(tenant: string, id: string): Effect.Effect<LauncherStatus, UnknownJob | JobStoreUnavailable>

    /** At most `limit` runs, newest first. */
    list(
      tenant: string,
      filter: RunFilter,
      limit: number
    ): Effect.Effect<ReadonlyArray<LauncherStatus>, JobStoreUnavailable>

    /** Asks the driver to end; a run that nobody drives yet ends at once. */
    cancel(
      tenant: string,
      id: string,
      by: string
    ): Effect.Effect<LauncherStatus, UnknownJob | CommandRefused | JobStoreUnavailable>

    /** Cancels every run of a configuration that can be; answers their names. */
    stop(
      tenant: string,
      configuration: string,
      by: string
    ): Effect.Effect<ReadonlyArray<string>, UnknownJob | JobStoreUnavailable>

    readonly configurations: {
      /** Makes or replaces the one with the same `id`. */
      put(tenant: string, jobConfig: PlainObject): Effect.Effect<void, LauncherRefused | Stored>
      get(tenant: string, id: string): Effect.Effect<PlainObject, UnknownConfiguration | Stored>
      /** By name. */
      list(tenant: string): Effect.Effect<ReadonlyArray<PlainObject>, Stored>
      /** Its schedule goes too; its runs and its watermark stay. */
      remove(tenant: string, id: string): Effect.Effect<void, UnknownConfiguration | Stored>
    }

    readonly watermarks: {
      /** Milliseconds since 1970; `undefined` if there is none. */
      get(tenant: string, configuration: string): Effect.Effect<number | undefined, Stored>
      /** `undefined` forgets it. */
      set(tenant: string, configuration: string, to: number | undefined): Effect.Effect<void, Stored>
    }

    readonly schedules: {
      get(tenant: string, configuration: string): Effect.Effect<ScheduleView, UnknownConfiguration | Stored>
      /** Times before now are past: nothing is made up for. */
      put(
        tenant: string,
        configuration: string,
        schedule: Plain
      ): Effect.Effect<ScheduleView, LauncherRefused | UnknownConfiguration | Stored>
    }

    /** Launches what is due by now. The layer does it every `lookMs`. */
    readonly look: Effect.Effect<void, Stored | JobStoreUnavailable>
  }
>()("@sotto/engine/Launcher") {}

interface StoredSchedule {
  readonly tenant: string
  readonly configuration: string
  readonly schedule: LaunchSchedule
  /** When it was set. */
  readonly from: number
  /** Times up to this one have been seen to. */
  readonly since: number
}

/** Schedules of all tenants lie together: who looks does not know tenants. */
const EVERYBODY = "launcher"

const MAX_PAGE = 1_000

/** The states in which a run can be told to end. */
const CANCELLABLE = ["starting", "running", "finishing"] as const

const STATES = new Map(
  JOB_STATES.map((state) => [launcherKind.outward.word({ state } as Job, { slotFree: false }), state])
)

const refused = (what: string, faults: ReadonlyArray<ConfigurationFault>): LauncherRefused =>
  new LauncherRefused({
    faults,
    message: `Correct ${what}: ${faults.map(({ path, hint }) => (path === "" ? hint : `${path}: ${hint}`)).join("; ")}.`
  })

const unknownConfiguration = (configuration: string): UnknownConfiguration =>
  new UnknownConfiguration({
    configuration,
    message: `There is no configuration "${configuration}". Store it first, or check its name.`
  })

const shown = (job: Job): LauncherStatus =>
  launcherStatus(job, launcherKind.outward.word(job, { slotFree: false }) as LauncherStatus["state"])

interface Checked {
  readonly id: string
  readonly concurrencyKey: string | null
}

/** A run replaces the whole object that it writes, so runs that write to one collection follow one another. */
const concurrencyKeyOf = ({ id, outputCollection }: Configuration): string =>
  outputCollection === undefined ? `configuration ${id}` : `collection ${outputCollection}`

const make = Effect.fn("Launcher.make")(function* (options: LauncherOptions) {
  const { runsSql = true, hostname = "launcher", lookMs = 5_000 } = options
  const engine = yield* Engine
  const entropy = yield* Entropy
  const records = yield* Records
  const stored = <A, E>(effect: Effect.Effect<A, E, Records>) => Effect.provideService(effect, Records, records)
  const configurations = shelf<PlainObject>("launcher-configurations")
  const schedules = shelf<StoredSchedule & PlainObject>("launcher-schedules")

  const read = Effect.fnUntraced(function* (tenant: string, id: string) {
    const { job } = yield* engine.get(tenant, id).pipe(Effect.catchTag("UnknownKind", () => unknownJob(id)))
    return job.kind === launcherKind.name ? job : yield* unknownJob(id)
  })

  const status = Effect.fn("Launcher.status")((tenant: string, id: string) => Effect.map(read(tenant, id), shown))

  const driverOf = ({ type = "aggregation" }: PlainObject, wanted: RunDriver | undefined): RunDriver =>
    wanted ?? (runsSql && type === "aggregation" ? "engine" : "outside")

  /** A configuration that its driver can run. */
  const checked = (jobConfig: PlainObject, driver: RunDriver): Effect.Effect<Checked, LauncherRefused> => {
    const id = typeof jobConfig["id"] === "string" ? jobConfig["id"] : ""
    const read = driver === "engine" ? parseConfiguration(jobConfig) : undefined
    const own =
      read === undefined
        ? isConfigurationId(id)
          ? []
          : [{ path: "id", hint: "at most 63 letters, digits, _ and -; a letter first, a letter or digit last" }]
        : isConfigurationRejected(read)
          ? read.faults
          : []
    const faults =
      driver === "engine" && !runsSql
        ? [...own, { path: "", hint: "this server runs no SQL; use a driver outside" }]
        : own
    if (faults.length > 0) return Effect.fail(refused("the configuration", faults))
    return Effect.succeed({
      id,
      concurrencyKey: read === undefined || isConfigurationRejected(read) ? null : concurrencyKeyOf(read)
    })
  }

  const launch = Effect.fn("Launcher.launch")(
    function* (tenant: string, jobConfig: PlainObject, { driver: wanted, id: given, at }: LaunchOptions = {}) {
      const driver = driverOf(jobConfig, wanted)
      const { id: configuration, concurrencyKey } = yield* checked(jobConfig, driver)
      const id = given ?? runIdOf(yield* entropy.bytes(16))
      if (driver === "engine") {
        const launchedAt = at ?? (yield* Clock.currentTimeMillis)
        const parameters = { jobId: id, jobConfig, launchedAt }
        yield* (
          engine
            .submit({ kind: sqlRunKind.name, tenant, key: id, concurrencyKey, parameters })
            // Launched before, from what the configuration was then.
            .pipe(Effect.catchTag("KeyTaken", () => Effect.void))
        )
      }
      const fields = { hostname, result: { jobConfigId: configuration, jobRunId: id } }
      const report = { state: "starting", fields, failure: null } as const
      const run = yield* (
        engine
          .report({ kind: launcherKind.name, tenant, id, report, first: { parameters: { jobConfig } } })
          // Its driver was faster.
          .pipe(Effect.catchTag("CommandRefused", () => read(tenant, id)))
      )
      return shown(run)
    },
    Effect.catchTags({
      InvalidSubmission: ({ message }) => refused("the launch", [{ path: "", hint: message }]),
      UnknownKind: Effect.die,
      UnknownJob: Effect.die
    })
  )

  const configurationAt = Effect.fnUntraced(function* (tenant: string, id: string) {
    const found = yield* stored(configurations.get(tenant, id))
    return found === undefined ? yield* unknownConfiguration(id) : found.value
  })

  const start = Effect.fn("Launcher.start")(function* (tenant: string, configuration: string, more?: LaunchOptions) {
    return yield* launch(tenant, yield* configurationAt(tenant, configuration), more)
  })

  const report = Effect.fn("Launcher.report")(
    function* (tenant: string, told: ParsedReport) {
      const { jobId: id, jobConfig = {} } = told
      const first = { parameters: { jobConfig } }
      return shown(yield* engine.report({ kind: launcherKind.name, tenant, id, report: told.report, first }))
    },
    Effect.catchTags({
      InvalidSubmission: ({ message }) => refused("the report", [{ path: "", hint: message }]),
      UnknownKind: Effect.die
    })
  )

  const list = Effect.fn("Launcher.list")(function* (
    tenant: string,
    { configuration, states }: RunFilter,
    limit: number
  ) {
    const wanted = states?.flatMap((word) => STATES.get(word) ?? [])
    const filter = { kinds: [launcherKind.name], ...(wanted === undefined ? {} : { states: wanted }) }
    const found: Array<Job> = []
    let after: JobCursor | null = null
    do {
      const page: { readonly rows: ReadonlyArray<Job>; readonly next: JobCursor | null } = yield* engine.list(
        tenant,
        filter,
        after,
        configuration === undefined ? Math.min(limit - found.length, MAX_PAGE) : MAX_PAGE
      )
      found.push(...page.rows.filter((run) => configuration === undefined || configurationOf(run) === configuration))
      after = page.next
    } while (after !== null && found.length < limit)
    return found.slice(0, limit).map(shown)
  })

  const cancel = Effect.fn("Launcher.cancel")(
    function* (tenant: string, id: string, by: string) {
      yield* read(tenant, id)
      const run = yield* engine.cancel(tenant, id, by)
      const { rows } = yield* engine.list(tenant, { kinds: [sqlRunKind.name], key: id }, null, 1)
      const [driver] = rows
      // One that works hears of it by itself.
      if (driver === undefined || !(driver.state === "Queued" || isTerminal(driver.state))) return shown(run)
      if (driver.state === "Queued")
        yield* Effect.catchTag(engine.cancel(tenant, driver.id, by), "CommandRefused", () => Effect.void)
      const confirmed = { state: "cancelled", fields: {}, failure: null } as const
      return shown(yield* engine.report({ kind: launcherKind.name, tenant, id, report: confirmed }))
    },
    Effect.catchTags({ InvalidSubmission: Effect.die, UnknownKind: Effect.die })
  )

  const stop = Effect.fn("Launcher.stop")(function* (tenant: string, configuration: string, by: string) {
    const runs = yield* list(tenant, { configuration, states: CANCELLABLE }, Infinity)
    const ended = yield* Effect.forEach(runs, ({ jobId }) =>
      Effect.as(cancel(tenant, jobId, by), [jobId]).pipe(
        // It ended by itself meanwhile.
        Effect.catchTag("CommandRefused", () => Effect.succeed([]))
      )
    )
    return ended.flat()
  })

  const keyOf = (tenant: string, configuration: string) => `${encodeURIComponent(tenant)}/${configuration}`

  const view = ({ schedule, from, since }: StoredSchedule, now: number): ScheduleView => ({
    ...schedule,
    lastTime: since > from ? since : undefined,
    nextTime: nextDue(schedule, { from, now })
  })

  const putSchedule = Effect.fn("Launcher.schedules.put")(function* (
    tenant: string,
    configuration: string,
    value: Plain
  ) {
    const schedule = parseSchedule(value)
    if ("_tag" in schedule) return yield* refused("the schedule", schedule.faults)
    yield* configurationAt(tenant, configuration)
    const now = yield* Clock.currentTimeMillis
    const entry: StoredSchedule = { tenant, configuration, schedule, from: now, since: now }
    yield* stored(schedules.put(EVERYBODY, keyOf(tenant, configuration), entry as never, "any")).pipe(
      Effect.catchTag("RecordTooLarge", ({ message }) => refused("the schedule", [{ path: "", hint: message }]))
    )
    return view(entry, now)
  })

  const look = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    for (const { key, version, value } of yield* stored(schedules.all(EVERYBODY))) {
      const { tenant, configuration, schedule, from, since } = value as unknown as StoredSchedule
      const at = lastDue(schedule, { from, since, now })
      if (at === undefined) continue
      yield* start(tenant, configuration, { id: runIdAt(tenant, configuration, at), at }).pipe(
        Effect.catchTags({
          LauncherRefused: ({ message }) =>
            Effect.logWarning(`A trigger of ${configuration} launched nothing.`, message),
          UnknownConfiguration: ({ message }) => Effect.logWarning(`A trigger launched nothing.`, message)
        })
      )
      // Somebody else may have been here; then what he wrote stands.
      yield* stored(schedules.put(EVERYBODY, key, { ...value, since: at } as never, version)).pipe(
        Effect.catchTag("RecordTooLarge", Effect.die)
      )
    }
  }).pipe(Effect.withSpan("Launcher.look"))

  yield* look.pipe(
    // What is not launched now is due at the next look.
    Effect.catchCause((cause) => Effect.logError("Triggers could not be looked at.", cause)),
    Effect.repeat(Schedule.spaced(lookMs)),
    Effect.forkScoped
  )

  return Launcher.of({
    launch,
    start,
    report,
    status,
    wait: Effect.fn("Launcher.wait")(function* (tenant: string, id: string) {
      yield* read(tenant, id)
      return shown(yield* engine.wait(tenant, id))
    }),
    list,
    cancel,
    stop,
    configurations: {
      put: Effect.fn("Launcher.configurations.put")(function* (tenant: string, jobConfig: PlainObject) {
        const { id } = yield* checked(jobConfig, driverOf(jobConfig, undefined))
        yield* stored(configurations.put(tenant, id, jobConfig, "any")).pipe(
          Effect.catchTag("RecordTooLarge", ({ message }) =>
            refused("the configuration", [{ path: "", hint: message }])
          )
        )
      }),
      get: configurationAt,
      list: (tenant) => Effect.map(stored(configurations.all(tenant)), (found) => found.map(({ value }) => value)),
      remove: Effect.fn("Launcher.configurations.remove")(function* (tenant: string, id: string) {
        yield* stored(schedules.remove(EVERYBODY, keyOf(tenant, id)))
        if (!(yield* stored(configurations.remove(tenant, id)))) return yield* unknownConfiguration(id)
      })
    },
    watermarks: {
      get: (tenant, configuration) => stored(readWatermark(tenant, configuration)),
      set: (tenant, configuration, to) => stored(setWatermark(tenant, configuration, to))
    },
    schedules: {
      get: Effect.fn("Launcher.schedules.get")(function* (tenant: string, configuration: string) {
        yield* configurationAt(tenant, configuration)
        const found = yield* stored(schedules.get(EVERYBODY, keyOf(tenant, configuration)))
        return found === undefined
          ? { enabled: true, triggers: [], lastTime: undefined, nextTime: undefined }
          : view(found.value as unknown as StoredSchedule, yield* Clock.currentTimeMillis)
      }),
      put: putSchedule
    },
    look
  })
})

/** The launcher over the engine, whose kinds must have `launcherKind`, and `sqlRunKind` unless it runs no SQL. */
export const layerLauncher = (
  options: LauncherOptions = {}
): Layer.Layer<Launcher, never, Engine | Entropy | Records> => Layer.effect(Launcher, make(options))
