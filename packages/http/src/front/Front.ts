/**
 * What holds for every answer: an id, security headers, a limit for bodies, and a body that says what went wrong.
 *
 * The router and the operations behind it may fail in their own ways; nothing leaves here without a body in the form of
 * the interface that was addressed, and nothing of what happened inside leaves at all.
 */
import type { Entropy } from "@sotto/core/ports/Entropy"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ByteSize from "effect/ByteSize"
import * as Headers from "effect/http/Headers"
import type { Scope } from "effect/Scope"
import { HttpApiPayloadTooLarge, HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import { isHttpServerError } from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Option from "effect/Option"
import * as SchemaIssue from "effect/SchemaIssue"
import { holdsSecret } from "../access/Address.ts"
import { type Problem, problem, type RequestFault } from "../Problem.ts"
import { corsHeaders, type CorsOptions, preflightHeaders } from "./Cors.ts"
import { CurrentRequest, type RequestNotes } from "./CurrentRequest.ts"
import { requestId } from "./RequestId.ts"
import type { Routes } from "./Routes.ts"
import { countRequest } from "./Telemetry.ts"

export interface FrontOptions {
  /** The largest body in bytes; default 1 MiB. */
  readonly bodyLimit?: number
  readonly cors?: CorsOptions
  /** Answers are only ever seen over https, which browsers are then told to insist on. */
  readonly https?: boolean
}

const MIB = 1024 * 1024

type Answering<E> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, HttpServerRequest | Scope>

/** Puts everything that holds for every answer around the router. */
export const front =
  (routes: Routes, options: FrontOptions) =>
  <E>(
    router: Answering<E>
  ): Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest | Scope | Entropy> =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest
      const path = pathOf(request.url)
      const current: RequestNotes = {
        id: yield* requestId(request.headers["x-request-id"]),
        at: yield* Clock.currentTimeMillis,
        asked: { method: request.method, path },
        route: undefined,
        form: routes.formAt(path)
      }
      const answer = yield* answered(router, request, path, routes, options).pipe(
        Effect.catchCause((cause) => refused(cause, path, routes)),
        Effect.map((response) => withBody(response, path, current, routes)),
        Effect.provideService(CurrentRequest, current),
        Effect.annotateLogs({ requestId: current.id }),
        Effect.withSpan(`http ${request.method}`, {
          kind: "server",
          attributes: { "http.request.method": request.method, "http.request.id": current.id },
          ...Option.match(HttpTraceContext.fromHeaders(request.headers), {
            onNone: () => ({}),
            onSome: (parent) => ({ parent })
          })
        })
      )
      yield* countRequest({
        route: current.route ?? "none",
        method: request.method,
        status: answer.status,
        millis: (yield* Clock.currentTimeMillis) - current.at
      })
      return dressed(answer, current, corsHeaders(options.cors, request.headers), options)
    })

/** Without the query, and without the host that a proxy's form of a request may carry. */
const pathOf = (url: string): string => (url.split(/[?#]/, 1)[0] ?? "") || "/"

const answered = <E>(
  router: Answering<E>,
  request: HttpServerRequest,
  path: string,
  routes: Routes,
  { bodyLimit = MIB, cors }: FrontOptions
): Answering<E | Problem> => {
  if (request.method === "OPTIONS") {
    const methods = path === "*" ? ["GET", "HEAD", "OPTIONS", "POST"] : routes.methodsAt(path)
    if (methods.length === 0) return Effect.fail(nothingAt(path))
    return Effect.succeed(
      HttpServerResponse.empty({
        status: 204,
        headers: { allow: methods.join(", "), ...preflightHeaders(cors, request.headers, methods) }
      })
    )
  }
  if (holdsSecret(request.url)) return Effect.fail(exposed)
  if (routes.streamsBody(request.method, path)) return router
  // A body that says that it is too large is not waited for; one that lies is cut off while it is read.
  if (Number(request.headers["content-length"] ?? 0) > bodyLimit) return Effect.fail(tooLarge)
  return Effect.provideService(router, HttpIncomingMessage.MaxBodySize, ByteSize.fromInputUnsafe(bodyLimit))
}

const nothingAt = (path: string): Problem =>
  problem("not-found", `Nothing is at ${path.slice(0, 200)}. See /openapi.json for all addresses.`)

const exposed: Problem = problem(
  "malformed-request",
  "The address holds a key or a token. Send it as a header, and replace it: addresses are kept on the way."
)

const tooLarge: Problem = problem("payload-too-large", "Send a smaller body.")

/** The answer to a failure that no operation foresaw. */
const refused = <E>(cause: Cause.Cause<E | Problem>, path: string, routes: Routes) =>
  Effect.gen(function* () {
    // Who went away gets no answer; a server that stops answers what it can.
    if (Cause.hasInterruptsOnly(cause)) return yield* Effect.interrupt
    const { form, asked } = yield* CurrentRequest
    for (const reason of cause.reasons) {
      const error: unknown = reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined
      if (HttpServerResponse.isHttpServerResponse(error)) return error
      const known = knownProblem(error, path, routes)
      if (known === undefined) continue
      return HttpServerResponse.setHeaders(form.render(known, asked), headersOf(known, path, routes))
    }
    yield* Effect.logError("A request failed in an unforeseen way.", cause)
    return form.render(internal, asked)
  })

const internal: Problem = problem(
  "internal",
  "The fault is on our side. Name the x-request-id of this answer when you report it."
)

const knownProblem = (error: unknown, path: string, routes: Routes): Problem | undefined => {
  if (isHttpServerError(error)) {
    const { reason } = error
    if (reason._tag === "RouteNotFound") return atAddress(path, routes)
    if (reason._tag !== "RequestParseError") return undefined
    return reason.reason === "BodyTooLarge" ? tooLarge : problem("malformed-request", "The body could not be read.")
  }
  if (HttpApiPayloadTooLarge.is(error)) return tooLarge
  if (HttpApiSchemaError.is(error)) {
    const part = PARTS[error.kind]
    if (part === undefined) return undefined
    const errors = faultsOf(part, error.cause.issue)
    return problem("malformed-request", "Correct what `errors` names and send it again.", { errors })
  }
  return isProblem(error) ? error : undefined
}

const PARTS: Partial<Record<HttpApiSchemaError["kind"], RequestFault["in"]>> = {
  Params: "path",
  Query: "query",
  Headers: "header",
  Payload: "body"
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

const MOST_FAULTS = 20

const faultsOf = (part: RequestFault["in"], issue: SchemaIssue.Issue): ReadonlyArray<RequestFault> =>
  format(issue)
    .issues.slice(0, MOST_FAULTS)
    .map(({ path = [], message }) => ({ in: part, pointer: path.map(pointer).join(""), message }))

/** RFC 6901 §3. */
const pointer = (segment: PropertyKey | { readonly key: PropertyKey }): string =>
  `/${String(typeof segment === "object" ? segment.key : segment)
    .replaceAll("~", "~0")
    .replaceAll("/", "~1")}`

const isProblem = (error: unknown): error is Problem =>
  typeof error === "object" &&
  error !== null &&
  "type" in error &&
  typeof error.type === "string" &&
  error.type.startsWith("urn:sotto:problem:")

const atAddress = (path: string, routes: Routes): Problem => {
  const methods = routes.methodsAt(path)
  return methods.length === 0 ? nothingAt(path) : problem("method-not-allowed", `Use one of: ${methods.join(", ")}.`)
}

const headersOf = ({ status }: Problem, path: string, routes: Routes): Readonly<Record<string, string>> =>
  // RFC 9110 §15.5.6: a 405 says what would have been taken.
  status === 405 ? { allow: routes.methodsAt(path).join(", ") } : status === 413 ? { connection: "close" } : {}

/** A refusal of the framework that comes without a body, or with a plain text, is said in the form of the interface. */
const withBody = (
  response: HttpServerResponse.HttpServerResponse,
  path: string,
  { form, asked }: RequestNotes,
  routes: Routes
): HttpServerResponse.HttpServerResponse => {
  const { status, body } = response
  if (status < 400 || !(body._tag === "Empty" || body.contentType?.startsWith("text/plain") === true)) return response
  const said = BARE[status] ?? (status < 500 ? BARE[400] : internal) ?? internal
  // Type and length are those of the body that is replaced.
  const kept = Headers.removeMany(response.headers, ["content-type", "content-length"])
  return HttpServerResponse.setHeaders(form.render(said, asked), { ...kept, ...headersOf(said, path, routes) })
}

const BARE: Readonly<Record<number, Problem>> = {
  400: problem("malformed-request", "The request could not be read."),
  413: tooLarge,
  415: problem("unsupported-media-type", "Send the body as application/json.")
}

/** An answer that holds nothing but what is told of it: no sniffing, no frames, no scripts, no copies on the way. */
const SECURITY = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store"
}

/** Seconds, where nobody knows better: what there is too much of goes slower than a store comes back. */
const RETRY_AFTER: Readonly<Record<number, string>> = { 429: "5", 503: "1" }

const dressed = (
  response: HttpServerResponse.HttpServerResponse,
  { id }: RequestNotes,
  cors: Readonly<Record<string, string>>,
  { https = false }: FrontOptions
): HttpServerResponse.HttpServerResponse => {
  const { headers, status } = response
  const vary = [headers["vary"], cors["vary"]].filter((one) => one !== undefined).join(", ")
  const defaults = {
    ...SECURITY,
    ...(https ? { "strict-transport-security": "max-age=31536000" } : {}),
    ...(RETRY_AFTER[status] === undefined ? {} : { "retry-after": RETRY_AFTER[status] })
  }
  const own = Object.fromEntries(Object.entries(defaults).filter(([name]) => !Headers.has(headers, name)))
  return HttpServerResponse.setHeaders(response, {
    ...own,
    ...cors,
    ...(vary === "" ? {} : { vary }),
    "x-request-id": id
  })
}
