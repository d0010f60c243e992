/** The launcher over HTTP: what answers at the addresses of `LauncherRuns`. */
import { parseInstant, toMillis } from "@sotto/core/Instant"
import type { Plain, PlainObject } from "@sotto/core/job"
import { isConfigurationId, type LauncherStatus, launcherTime, parseReport } from "@sotto/core/launcher"
import {
  type CommandRefused,
  Engine,
  Launcher,
  type LauncherRefused,
  type ScheduleView,
  type UnknownConfiguration,
  unknownJob
} from "@sotto/engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import { mayUse } from "../access/Principal.ts"
import { Tokens } from "../access/Tokens.ts"
import { requireRoom } from "../Admission.ts"
import { CurrentRequest } from "../front/CurrentRequest.ts"
import { Draining } from "../front/Draining.ts"
import { httpInterface } from "../Interface.ts"
import { Caller } from "../Operation.ts"
import { type KnownTag, type Problem, problem, problemOf } from "../Problem.ts"
import { LONGEST_WAIT } from "../v1/Prefer.ts"
import { LauncherRuns } from "./Endpoints.ts"
import { plainFault, plainForm } from "./PlainForm.ts"

/** How long a driver may report with the token of its run. */
const TOKEN_MS = 7 * 86_400_000

const DEFAULT_LIMIT = 100

/** The launcher for `layerHttp`. */
export const launcherInterface = () => httpInterface([LauncherRuns], layerLauncherRuns)

const layerLauncherRuns = HttpApiBuilder.group(
  HttpApi.make("sotto").add(LauncherRuns),
  "launcher",
  Effect.fnUntraced(function* (handlers) {
    const launcher = yield* Launcher
    const engine = yield* Engine
    const tokens = yield* Tokens
    const draining = yield* Draining

    const tenantName = Effect.map(Caller, ({ tenant }) => tenant.name)

    /** Makes room for a run, launches it, and tells the token with which its driver reports. */
    const launched = Effect.fnUntraced(function* <E>(
      launch: (tenant: string) => Effect.Effect<LauncherStatus, E>,
      wait = false
    ) {
      const { tenant } = yield* Caller
      yield* Effect.provideService(requireRoom(tenant), Engine, engine)
      const started = yield* launch(tenant.name)
      const id = started.jobId
      const until = (yield* Clock.currentTimeMillis) + TOKEN_MS
      const reportToken = Redacted.value(yield* tokens.jobToken({ tenant: tenant.name, id, until }))
      const shown = wait ? yield* ended(tenant.name, id) : started
      return HttpServerResponse.setHeader(respond({ ...shown, reportToken }), "x-report-token", reportToken)
    })

    /** The run when it has ended, when that takes too long, or when the server is about to stop. */
    const ended = (tenant: string, id: string) => {
      const now = launcher.status(tenant, id)
      return Effect.raceAllFirst([
        launcher.wait(tenant, id),
        Effect.delay(now, `${LONGEST_WAIT} seconds`),
        Effect.andThen(draining.begun, now)
      ])
    }

    /** Shows a run after a change of it; where that cannot be, the run as it is (spec: launcher §1). */
    const shown = (tenant: string, id: string, change: Effect.Effect<LauncherStatus, Trouble>) =>
      Effect.map(change, respond).pipe(
        Effect.catch((error): Effect.Effect<HttpServerResponse.HttpServerResponse, Trouble> =>
          isRefusal(error)
            ? Effect.map(launcher.status(tenant, id), (status) =>
                HttpServerResponse.jsonUnsafe({ ...status, ...plainFault(problemOf(error)) }, { status: 409 })
              )
            : Effect.fail(error)
        )
      )

    const watermarkOf = (tenant: string, configuration: string) =>
      Effect.map(launcher.watermarks.get(tenant, configuration), (at) =>
        respond({ referenceTime: at === undefined ? null : launcherTime(at) })
      )

    return handlers
      .handleRaw(
        "report",
        Effect.fnUntraced(function* ({ request }) {
          const { tenant, principal } = yield* Caller
          const told = parseReport(yield* bodyOf(request))
          if ("_tag" in told) {
            return yield* malformed(
              told.messages.map((message) => ({ path: message.split(":")[0] ?? "", hint: message }))
            )
          }
          const { jobId: id } = told
          // The token of one run says nothing of others, not even whether there are any.
          if (!mayUse(principal, { _tag: "Job", id }, yield* Clock.currentTimeMillis)) return yield* unknownJob(id)
          return yield* shown(tenant.name, id, launcher.report(tenant.name, told))
        }, answering)
      )
      .handleRaw(
        "list",
        Effect.fnUntraced(function* ({ query: { configuration, state, limit = DEFAULT_LIMIT } }) {
          const filter = {
            ...(configuration === undefined ? {} : { configuration }),
            ...(state === undefined ? {} : { states: state })
          }
          return respond(yield* launcher.list(yield* tenantName, filter, limit))
        }, answering)
      )
      .handleRaw(
        "status",
        Effect.fnUntraced(function* ({ params }) {
          return respond(yield* launcher.status(yield* tenantName, params.job))
        }, answering)
      )
      .handleRaw(
        "launch",
        Effect.fnUntraced(function* ({ request, query: { driver } }) {
          const jobConfig = yield* objectIn(request)
          return yield* launched((tenant) => launcher.launch(tenant, jobConfig, driver === undefined ? {} : { driver }))
        }, answering)
      )
      .handleRaw(
        "cancel",
        Effect.fnUntraced(function* ({ params }) {
          const { tenant, principal } = yield* Caller
          return yield* shown(tenant.name, params.job, launcher.cancel(tenant.name, params.job, principal.name))
        }, answering)
      )
      .handleRaw(
        "start",
        Effect.fnUntraced(function* ({ params, query }) {
          return yield* launched((tenant) => launcher.start(tenant, params.configuration), query.sync === "true")
        }, answering)
      )
      .handleRaw(
        "configurations",
        Effect.fnUntraced(function* () {
          return respond(yield* launcher.configurations.list(yield* tenantName))
        }, answering)
      )
      .handleRaw(
        "store",
        Effect.fnUntraced(function* ({ request }) {
          const jobConfig = yield* objectIn(request)
          yield* launcher.configurations.put(yield* tenantName, jobConfig)
          return respond(jobConfig)
        }, answering)
      )
      .handleRaw(
        "configuration",
        Effect.fnUntraced(function* ({ params }) {
          return respond(yield* launcher.configurations.get(yield* tenantName, params.configuration))
        }, answering)
      )
      .handleRaw(
        "forget",
        Effect.fnUntraced(function* ({ params }) {
          yield* launcher.configurations.remove(yield* tenantName, params.configuration)
          return HttpServerResponse.empty()
        }, answering)
      )
      .handleRaw(
        "watermark",
        Effect.fnUntraced(function* ({ params }) {
          return yield* watermarkOf(yield* tenantName, yield* named(params.configuration))
        }, answering)
      )
      .handleRaw(
        "setWatermark",
        Effect.fnUntraced(function* ({ params, request }) {
          const [tenant, configuration] = [yield* tenantName, yield* named(params.configuration)]
          const { referenceTime } = yield* objectIn(request)
          const at = typeof referenceTime === "string" ? parseInstant(referenceTime) : undefined
          if (referenceTime !== null && at === undefined) {
            return yield* malformed([
              { path: "referenceTime", hint: "write a time such as 2025-10-17T18:56:14.660Z, or null" }
            ])
          }
          yield* launcher.watermarks.set(tenant, configuration, at === undefined ? undefined : toMillis(at))
          return yield* watermarkOf(tenant, configuration)
        }, answering)
      )
      .handleRaw(
        "history",
        Effect.fnUntraced(function* ({ params, query: { limit = DEFAULT_LIMIT } }) {
          const configuration = yield* configurationIn(params.resource)
          return respond(yield* launcher.list(yield* tenantName, { configuration }, limit))
        }, answering)
      )
      .handleRaw(
        "schedule",
        Effect.fnUntraced(function* ({ params }) {
          const configuration = yield* configurationIn(params.resource)
          return respond(timetable(params.resource, yield* launcher.schedules.get(yield* tenantName, configuration)))
        }, answering)
      )
      .handleRaw(
        "setSchedule",
        Effect.fnUntraced(function* ({ params, request }) {
          const configuration = yield* configurationIn(params.resource)
          const wanted = yield* bodyOf(request)
          const kept = yield* launcher.schedules.put(yield* tenantName, configuration, wanted)
          return respond(timetable(params.resource, kept))
        }, answering)
      )
      .handleRaw(
        "act",
        Effect.fnUntraced(function* ({ params: { resource }, request }) {
          const { tenant, principal } = yield* Caller
          const configuration = yield* configurationIn(resource)
          const { action } = yield* objectIn(request)
          if (action !== "start" && action !== "stop") {
            return yield* malformed([{ path: "action", hint: "write start or stop" }])
          }
          if (action === "stop") {
            const jobIds = yield* launcher.stop(tenant.name, configuration, principal.name)
            return respond({ resource, action, accepted: jobIds.length > 0, jobIds })
          }
          yield* Effect.provideService(requireRoom(tenant), Engine, engine)
          const { jobId } = yield* launcher.start(tenant.name, configuration)
          return respond({ resource, action, accepted: true, jobIds: [jobId] })
        }, answering)
      )
  })
)

const isRefusal = (error: Trouble): error is CommandRefused => "_tag" in error && error._tag === "CommandRefused"

const respond = (body: unknown) => HttpServerResponse.jsonUnsafe(body)

/** What a client sent, read as JSON whatever it says that it is. */
const bodyOf = Effect.fnUntraced(function* (request: HttpServerRequest) {
  const text = yield* Effect.orDie(request.text)
  return yield* Effect.try({
    try: () => JSON.parse(text) as Plain,
    catch: () => problem("malformed-request", "Send a body of JSON.")
  })
})

const objectIn = Effect.fnUntraced(function* (request: HttpServerRequest) {
  const body = yield* bodyOf(request)
  return typeof body === "object" && body !== null && !Array.isArray(body)
    ? (body as PlainObject)
    : yield* Effect.fail(problem("malformed-request", "Send a JSON object."))
})

const malformed = (faults: LauncherRefused["faults"]) =>
  Effect.fail(
    problem("malformed-request", "Correct what details name and send it again.", { errors: errorsOf(faults) })
  )

const errorsOf = (faults: LauncherRefused["faults"]) =>
  faults.map(({ path, hint }) => ({ in: "body" as const, pointer: path, message: hint }))

const named = (configuration: string): Effect.Effect<string, Problem> =>
  isConfigurationId(configuration)
    ? Effect.succeed(configuration)
    : Effect.fail(problem("not-found", `"${configuration}" is the id of no configuration.`))

/** `spark:clicks` */
const configurationIn = (resource: string): Effect.Effect<string, Problem> =>
  resource.startsWith("spark:") && isConfigurationId(resource.slice(6))
    ? Effect.succeed(resource.slice(6))
    : Effect.fail(problem("not-found", `There is no "${resource}". Write spark: and the id of a configuration.`))

const timetable = (resource: string, { enabled, triggers, lastTime, nextTime }: ScheduleView) => ({
  resource,
  enabled,
  triggers,
  lastTime: lastTime === undefined ? null : launcherTime(lastTime),
  nextTime: nextTime === undefined ? null : launcherTime(nextTime)
})

type Trouble = Problem | LauncherRefused | UnknownConfiguration | { readonly _tag: KnownTag; readonly message: string }

const faultOf = (error: Trouble): Problem => {
  if (!("_tag" in error)) return error
  switch (error._tag) {
    case "LauncherRefused":
      return problem("malformed-request", error.message, { errors: errorsOf(error.faults) })
    case "UnknownConfiguration":
      return problem("not-found", error.message)
    default:
      return problemOf(error)
  }
}

/** Says what went wrong in the form of this interface. */
const answering = <E extends Trouble, R>(effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  effect.pipe(
    Effect.catch((error) => Effect.map(CurrentRequest, ({ asked }) => plainForm.render(faultOf(error), asked)))
  )
