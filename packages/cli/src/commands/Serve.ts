/** The server and its workers as processes. */
import { Authentication } from "@sotto/http"
import { isLoopback, layerListener, Listener } from "@sotto/http/node"
import { Worker } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { CommandError, Interrupted, UsageError } from "../Failure.ts"
import { run } from "../Run.ts"
import { withAccessLog } from "../serve/AccessLog.ts"
import { layerAccessOf, layerEngineOf, layerHttpOf, layerTelemetryOf, layerWebhooksOf } from "../serve/Compose.ts"
import { layerAutomationOf, loadServices } from "../serve/Automation.ts"
import { layerLauncherOf, loadSqlEngine } from "../serve/Launcher.ts"
import { layerOnDemandOf, loadModels } from "../serve/Models.ts"
import { withLocalOnly } from "../serve/LocalOnly.ts"
import { isReadable, layerLog } from "../serve/Log.ts"
import { checkSettings, planLines, planOf } from "../serve/Plan.ts"
import { type Settings, settingsOf } from "../serve/ServerConfig.ts"
import { bold, note, print, printJson } from "../Terminal.ts"

interface ConfigOptions {
  readonly config?: string
  readonly folder?: string
}

export interface ServeOptions extends ConfigOptions {
  readonly host?: string
  readonly port?: number
  readonly workers: boolean
  readonly checkConfig: boolean
  readonly json: boolean
}

const withFlags = (settings: Settings, { host, port }: Pick<ServeOptions, "host" | "port">): Settings => {
  if (port !== undefined && port > 65_535) throw new UsageError("--port: write a whole number from 0 to 65535.")
  const { config } = settings
  const flags = { ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) }
  return { ...settings, config: { ...config, http: { ...config.http, ...flags } } }
}

/** Strangers are let in on this machine only. */
const closedUnlessLocal = ({ config }: Settings) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { anonymous } = yield* Authentication
      if (!anonymous) return
      if (!isLoopback(config.http.host)) {
        return yield* Effect.fail(
          new CommandError(
            `Without API keys anybody may do anything, so the server listens on this machine only, not on ${config.http.host}. Make a key with \`sotto apikeys create\`, or leave --host and http.host out.`
          )
        )
      }
      if (!Object.hasOwn(config.tenants, "default")) {
        return yield* Effect.fail(
          new CommandError(
            `There are tenants (${Object.keys(config.tenants).join(", ")}) but no API keys, so nobody could ask. Make a key for each with \`sotto apikeys create\`.`
          )
        )
      }
    })
  )

/** Runs until a signal, which is how a server ends well: everything is handed back and closed when this returns. */
const untilStopped = async <E extends { readonly message: string }>(
  program: Effect.Effect<never, E>
): Promise<void> => {
  try {
    await run(program)
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
  }
}

/** Says what a process does, for people or in the log. */
const announce = ({ config }: Settings, what: string, facts: object) =>
  isReadable(config.log)
    ? Effect.sync(() => note(`${bold(what)}\n${planLines(facts)}`))
    : Effect.annotateLogs(Effect.logInfo(what), { ...facts })

/** Waits to be stopped. Workers hand jobs back while the server answers what it has begun. */
const untilSignal = Effect.gen(function* () {
  const worker = yield* Worker
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      const jobs = yield* worker.running
      yield* Effect.logInfo("Stopping. A second signal ends the process at once.").pipe(
        Effect.annotateLogs({ handingBack: jobs.length })
      )
      yield* Effect.forkDetach(worker.stop)
    })
  )
  return yield* Effect.never
})

/** Logged last, when all else is closed. */
const layerGoodbye = Layer.effectDiscard(Effect.addFinalizer(() => Effect.logInfo("Stopped.")))

export const serve = async (options: ServeOptions): Promise<void> => {
  const settings = withFlags(settingsOf(options), options)
  checkSettings(settings)
  const running = {
    workers: options.workers,
    models: await loadModels(settings),
    services: await loadServices(settings),
    sql: await loadSqlEngine(settings)
  }
  const plan = planOf(settings, running)
  if (options.checkConfig) return options.json ? printJson(plan) : print(planLines(plan))
  const { host, port, docs, publicUrl, cors } = settings.config.http
  const program = Effect.gen(function* () {
    const { url } = yield* Listener
    const { anonymous } = yield* Authentication
    const keys = anonymous ? "no API keys: anybody on this machine may do anything" : "asked for"
    yield* announce(settings, "Listening", {
      url,
      ...(publicUrl === undefined ? {} : { publicUrl }),
      ...(docs ? { docs: `${publicUrl ?? url}/docs` } : {}),
      apiKeys: keys,
      ...plan
    })
    return yield* untilSignal
  }).pipe(
    Effect.scoped,
    Effect.provide(
      layerListener({ host, port }).pipe(
        Layer.provide(layerHttpOf(settings).pipe(withLocalOnly(cors), withAccessLog)),
        Layer.provide(closedUnlessLocal(settings)),
        Layer.provideMerge(layerAccessOf(settings)),
        Layer.provideMerge(layerWebhooksOf(settings)),
        Layer.provideMerge(layerOnDemandOf(settings, running)),
        Layer.provideMerge(layerLauncherOf(settings)),
        Layer.provideMerge(layerAutomationOf(running)),
        Layer.provideMerge(layerEngineOf(settings, running)),
        Layer.provideMerge(layerProcessOf(settings))
      )
    )
  )
  await untilStopped(program)
}

export const worker = async (options: ConfigOptions): Promise<void> => {
  const settings = settingsOf(options)
  checkSettings(settings)
  const running = {
    workers: true,
    models: await loadModels(settings),
    services: await loadServices(settings),
    sql: await loadSqlEngine(settings)
  }
  const plan = planOf(settings, running)
  const program = Effect.andThen(announce(settings, "Working", plan), untilSignal).pipe(
    Effect.scoped,
    Effect.provide(
      layerWebhooksOf(settings).pipe(
        Layer.provideMerge(layerOnDemandOf(settings, running)),
        Layer.provideMerge(layerAutomationOf(running)),
        Layer.provideMerge(layerEngineOf(settings, running)),
        Layer.provideMerge(layerProcessOf(settings))
      )
    )
  )
  await untilStopped(program)
}

/** What every process of a server has beneath everything else. */
const layerProcessOf = (settings: Settings) =>
  layerGoodbye.pipe(Layer.provideMerge(layerTelemetryOf(settings)), Layer.provideMerge(layerLog(settings.config.log)))
