/** Answers and refusals as clients of the automation interface read them (other systems A3). */
import { callError, type CallError, type CallErrorName, callErrorName } from "@sotto/core/automation"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { ErrorForm } from "../ErrorForm.ts"
import type { Problem } from "../Problem.ts"

export const respond = (body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(body, { status })

export const respondError = (error: CallError): HttpServerResponse.HttpServerResponse => {
  const response = respond(error, error.details.status)
  return error.details.status === 413 ? HttpServerResponse.setHeader(response, "connection", "close") : response
}

/** What the server says of its own accord. */
export const ofProblem = ({ type, status, detail, errors = [] }: Problem): CallError => {
  const name = type === "urn:sotto:problem:unknown-job" ? "RecordNotFoundError" : nameOfStatus(status)
  const messages = errors.map((one) => `${one.in} ${one.pointer.slice(1)}: ${one.message}`)
  return callError(name, detail, messages.length === 0 ? undefined : messages)
}

const nameOfStatus = (status: number): CallErrorName =>
  status === 404 ? "RouteNotFoundError" : status === 422 ? "ValidationError" : callErrorName(status)

/** For all that lies below a prefix. */
export const callForm = (prefix: string): ErrorForm["Service"] => ({
  owns: (path) => path === prefix || path.startsWith(`${prefix}/`),
  render: (problem) => respondError(ofProblem(problem))
})

/** Errors of the packages below, by their tags. Messages of those that are not named here stay inside. */
const NAMES: Readonly<Record<string, CallErrorName>> = {
  UnknownJob: "RecordNotFoundError",
  UnknownService: "RecordNotFoundError",
  UnknownChallenge: "RecordNotFoundError",
  InputRefused: "ValidationError",
  InvalidSubmission: "ValidationError",
  ScriptFailed: "ValidationError",
  LeaseEnded: "LeaseLostError",
  CommandRefused: "JobStateError",
  OtpRefused: "AccessForbidden",
  DataTooLarge: "PayloadTooLargeError"
}

export interface Refused {
  readonly _tag: string
  readonly message: string
  readonly messages?: ReadonlyArray<string>
  readonly reason?: string
}

const refusalOf = ({ _tag, message, messages, reason }: Refused): CallError => {
  // The first input with a key stays (other systems A3).
  if (_tag === "CommandRefused" && reason === "not inputKnown") return callError("RecordNotUniqueError", TWICE)
  const name = NAMES[_tag]
  return name === undefined
    ? callError("ServiceUnavailableError", "This cannot be answered now. Try again in a moment.")
    : callError(name, message, messages)
}

const TWICE = "An input with this key was given before. Reset the job to give another."

export const fails = (name: CallErrorName, message: string, messages?: ReadonlyArray<string>) =>
  Effect.fail(callError(name, message, messages))

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * The body, whatever its type says, if it is JSON; an empty one is an object without members: clients send the type of
 * JSON with nothing behind it.
 */
export const bodyOf = <A>(request: HttpServerRequest, schema: Schema.Codec<A, unknown>): Effect.Effect<A, CallError> =>
  Effect.gen(function* () {
    const text = yield* Effect.orDie(request.text)
    const type = request.headers["content-type"] ?? "application/json"
    if (text !== "" && !/^application\/([\w.+-]+\+)?json *(;|$)/i.test(type)) {
      return yield* fails("UnsupportedMediaTypeError", "Send the body as application/json.")
    }
    const value = yield* Effect.try({
      try: (): unknown => (text.trim() === "" ? {} : JSON.parse(text)),
      catch: () => callError("ValidationError", "The body is no JSON.", ["body: write JSON"])
    })
    return yield* Schema.decodeUnknownEffect(schema)(value, { errors: "all" }).pipe(
      Effect.catch(({ issue }) => {
        const messages = format(issue).issues.map(
          ({ path = [], message }) => `${path.map(String).join(".") || "body"}: ${message}`
        )
        return fails("ValidationError", "Correct what `details.messages` names.", messages)
      })
    )
  })

/** Answers what `effect` gives, or how it was refused. */
export const answering = <E extends CallError | Refused, R>(
  effect: Effect.Effect<unknown, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.match(effect, {
    onSuccess: (body) => (HttpServerResponse.isHttpServerResponse(body) ? body : respond(body)),
    onFailure: (error) => respondError("object" in error ? error : refusalOf(error))
  })
