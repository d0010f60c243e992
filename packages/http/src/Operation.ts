/**
 * What an operation declares beside its schemas, and what holds before it runs.
 *
 * Every operation says whom it is for. `Guard` finds out who asks, compares the two, and hands the operation its caller;
 * an operation that says nothing is for nobody.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import { HttpServerRequest, ParsedSearchParams } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Authentication } from "./access/Authentication.ts"
import { mayUse, type Principal, type Subject } from "./access/Principal.ts"
import { type Tenant, Tenants } from "./access/Tenants.ts"
import { ErrorForm, problemForm } from "./ErrorForm.ts"
import { preferred } from "./front/Accept.ts"
import { CurrentRequest } from "./front/CurrentRequest.ts"
import { fullBucket, takeToken, type TokenBucket } from "./front/TokenBucket.ts"
import { causeOf, type Problem, problem, problemOf } from "./Problem.ts"

/**
 * Whom an operation is for. `public`: everybody, strangers too. `tenant`: who may do everything of a tenant. `job`: they,
 * and who may do everything on the job in the path (`:job`). `either`: the same where the path does not name the job, and
 * the operation looks which one it is about. `link`: whoever holds a signed link. `operator`: a tenant
 * that is an operator.
 */
export type Audience = "public" | "tenant" | "job" | "either" | "link" | "operator"

/** One request and what it is answered, for the document; tested against the schemas. */
export interface Example {
  /** Values of path and query parameters and of headers. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly answer?: unknown
}

export interface OperationRules {
  readonly audience: Audience
  /**
   * The types of its answers, the one that is given when the client does not care first; JSON if absent. Empty: it answers
   * as it does, whatever the client accepts.
   */
  readonly produces?: ReadonlyArray<string>
  /** Its body is read as a stream, which it limits itself; the limit of the server does not count. */
  readonly streamsBody?: boolean
  /** Headers of its good answers, with what they say. */
  readonly headers?: Readonly<Record<string, string>>
  readonly example?: Example
}

export class Operation extends Context.Service<Operation, OperationRules>()("@sotto/http/Operation") {}

/** Annotates a group that takes keys bound to one model; all others refuse them. */
export class ForModels extends Context.Service<ForModels, true>()("@sotto/http/ForModels") {}

/** Who asks, for an operation. */
export class Caller extends Context.Service<
  Caller,
  {
    readonly principal: Principal
    readonly tenant: Tenant
    /** The type among those that the operation produces that the client likes best. */
    readonly wants: string
  }
>()("@sotto/http/Caller") {}

/** Runs before every operation of a group that has it; operations that are not public have a `Caller` then. */
export class Guard extends HttpApiMiddleware.Service<Guard, { provides: Caller }>()("@sotto/http/Guard") {}

const JSON_TYPES = ["application/json"]

export const layerGuard: Layer.Layer<Guard, never, Authentication | Tenants> = Layer.effect(
  Guard,
  Effect.gen(function* () {
    const authentication = yield* Authentication
    const tenants = yield* Tenants
    const buckets = new Map<string, TokenBucket>()

    /** Takes a token of the tenant; how long to wait if there is none. */
    const admitted = ({ name, limits }: Tenant, now: number): number | undefined => {
      const perMinute = limits.requestsPerMinute
      if (perMinute === null) return undefined
      const taken = takeToken(buckets.get(name) ?? fullBucket(perMinute, now), perMinute, now)
      buckets.set(name, taken.bucket)
      return taken._tag === "Empty" ? taken.retryMs : undefined
    }

    return Guard.of((operation, { endpoint, group }) =>
      Effect.gen(function* () {
        const current = yield* CurrentRequest
        const request = yield* HttpServerRequest
        const form = Context.getOrUndefined(group.annotations, ErrorForm) ?? problemForm
        current.route = endpoint.path
        current.form = form
        yield* Effect.annotateCurrentSpan("http.route", endpoint.path)
        const refuse = (said: Problem, headers: Readonly<Record<string, string>> = {}) =>
          Effect.succeed(HttpServerResponse.setHeaders(form.render(said, current.asked), headers))

        const rules = Context.getOrUndefined(endpoint.annotations, Operation)
        const produces = rules?.produces ?? JSON_TYPES
        const wants = produces.length === 0 ? "" : preferred(request.headers["accept"], produces)
        if (wants === undefined) {
          return yield* refuse(problem("not-acceptable", `Accept one of: ${produces.join(", ")}.`))
        }
        // Only operations for others ask for their caller.
        if (rules?.audience === "public")
          return yield* operation as Effect.Effect<HttpServerResponse.HttpServerResponse>

        const now = yield* Clock.currentTimeMillis
        const { token } = yield* ParsedSearchParams
        const { params } = yield* HttpRouter.RouteContext
        // Who reports from behind a gateway may have to show that something else.
        const report = rules?.audience === "either" ? request.headers["x-report-token"] : undefined
        const found = yield* authentication
          .authenticate(
            {
              authorization: secret(report === undefined ? request.headers["authorization"] : undefined),
              apiKey: secret(report ?? request.headers["x-api-key"]),
              link: secret(rules?.audience === "link" && typeof token === "string" ? token : undefined)
            },
            now
          )
          .pipe(
            Effect.flatMap((principal) =>
              Effect.map(tenants.find(principal.tenant), (tenant) => ({ principal, tenant }))
            ),
            Effect.result
          )
        if (found._tag === "Failure") {
          const said = problemOf(found.failure)
          return yield* refuse(said, said.status === 401 ? { "www-authenticate": CHALLENGE } : {})
        }
        const { principal, tenant } = found.success
        if (tenant === undefined) return yield* refuse(problem("forbidden", "Your tenant is not known here any more."))
        const retryMs = admitted(tenant, now)
        if (retryMs !== undefined) {
          const seconds = Math.max(1, Math.ceil(retryMs / 1000))
          return yield* refuse(problem("too-many-requests", `Wait ${seconds} s and try again.`), {
            "retry-after": String(seconds)
          })
        }
        const isElsewhere =
          principal.model !== undefined && Context.getOrUndefined(group.annotations, ForModels) === undefined
        const refusal = isElsewhere ? forOneModel : refusalOf(rules, principal, tenant, params["job"], now)
        if (refusal !== undefined) return yield* refuse(refusal)
        return yield* Effect.provideService(operation, Caller, { principal, tenant, wants })
      }).pipe(Effect.tapError(logged))
    )
  })
)

/** Clients are told that a store does not answer, operators why. */
const logged = (error: unknown): Effect.Effect<void> => {
  const cause = typeof error === "object" && error !== null ? causeOf(error) : undefined
  return cause === undefined ? Effect.void : storeLost(cause)
}

/** For operations that answer such a failure themselves. */
export const storeLost = (cause: string): Effect.Effect<void> => Effect.logError("A store does not answer.", cause)

/** RFC 9110 §11.6.1: what a stranger may try. */
const CHALLENGE = 'Bearer realm="sotto", Basic realm="sotto"'

const secret = (text: string | undefined): Redacted.Redacted | undefined =>
  text === undefined ? undefined : Redacted.make(text)

const refusalOf = (
  rules: OperationRules | undefined,
  principal: Principal,
  tenant: Tenant,
  job: string | undefined,
  now: number
): Problem | undefined => {
  const { scope } = principal
  switch (rules?.audience) {
    case "job": {
      const id = decoded(job ?? "")
      // One job's token says nothing of others, not even whether there are any.
      if (mayUse(principal, { _tag: "Job", id }, now)) return undefined
      return scope._tag === "Job" ? problem("unknown-job", `There is no job "${id}". Check the id.`) : notYours
    }
    case "either":
      return scope._tag === "Blob" ? notYours : undefined
    case "tenant":
      return mayUse(principal, TENANT, now) ? undefined : notYours
    case "operator":
      return mayUse(principal, TENANT, now) && tenant.operator ? undefined : forOperators
    case "link":
      return scope._tag === "Blob" && mayUse(principal, { _tag: "Blob", ref: scope.ref }, now) ? undefined : notYours
    default:
      return notYours
  }
}

const TENANT: Subject = { _tag: "Tenant" }

const notYours = problem("forbidden", "What you show is good for something else. Use a key of the tenant.")

const forOneModel = problem("forbidden", "This key is for on-demand jobs of one model. Use a key without a model here.")

const forOperators = problem("forbidden", "This is for operators of the server.")

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
