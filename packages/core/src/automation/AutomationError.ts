/** Why an automation job failed, and why a call was refused, in the words of its interface (other systems A3). */
import type { Failure } from "../job/Failure.ts"
import type { Job } from "../job/Job.ts"
import type { Plain } from "../job/Plain.ts"

export interface JobError {
  readonly object: "job-error"
  readonly code: string
  readonly category: "client" | "server" | "website"
  readonly message: string
  readonly details?: Plain
}

/** Our words for what the clock causes, in those of the interface. */
const CODES: Readonly<Record<string, string>> = {
  ExternalTimeout: "TdsTimeout",
  WorkerLost: "ServerError",
  HandlerDefect: "ServerError"
}

const errorOfFailure = ({ code, category, message, details }: Failure): JobError => ({
  object: "job-error",
  code: CODES[code] ?? code,
  category: category === "external" ? "website" : category,
  message,
  ...(details === null ? {} : { details })
})

/** `null` for a job that has not failed. A cancelled one has, by its client. */
export const jobErrorOf = ({ outcome }: Job): JobError | null =>
  outcome?._tag === "Failed"
    ? errorOfFailure(outcome.failure)
    : outcome?._tag === "Cancelled"
      ? { object: "job-error", code: "JobCancelled", category: "client", message: outcome.reason ?? "" }
      : null

/** The body of every answer that is an error. */
export interface CallError {
  readonly object: "error"
  /** `badRequest`, `notFound`, … */
  readonly code: string
  /** `ValidationError`, `RecordNotUniqueError`, … */
  readonly name: string
  readonly message: string
  /** Clients take their details from here, so the status stands in them too. */
  readonly details: { readonly status: number; readonly messages?: ReadonlyArray<string> }
}

/** The refusals of the interface and their statuses. 401, 403, 429 and 502 to 504 would be tried again by its client. */
const REFUSALS = {
  ValidationError: [400, "badRequest"],
  AuthenticationError: [401, "unauthorized"],
  AccessForbidden: [403, "forbidden"],
  RecordNotFoundError: [404, "notFound"],
  RouteNotFoundError: [404, "notFound"],
  MethodNotAllowedError: [405, "methodNotAllowed"],
  NotAcceptableError: [406, "notAcceptable"],
  RecordNotUniqueError: [409, "conflict"],
  JobStateError: [409, "conflict"],
  LeaseLostError: [409, "conflict"],
  PayloadTooLargeError: [413, "payloadTooLarge"],
  UnsupportedMediaTypeError: [415, "unsupportedMediaType"],
  TooManyRequestsError: [429, "tooManyRequests"],
  ServerError: [500, "serverError"],
  ServiceUnavailableError: [503, "serviceUnavailable"]
} as const satisfies Readonly<Record<string, readonly [number, string]>>

export type CallErrorName = keyof typeof REFUSALS

export const callError = (name: CallErrorName, message: string, messages?: ReadonlyArray<string>): CallError => {
  const [status, code] = REFUSALS[name]
  return { object: "error", code, name, message, details: { status, ...(messages === undefined ? {} : { messages }) } }
}

/** The refusal that an answer with a status is, for faults that arise before a route is known. */
export const callErrorName = (status: number): CallErrorName =>
  (Object.keys(REFUSALS) as ReadonlyArray<CallErrorName>).find((name) => REFUSALS[name][0] === status) ??
  (status >= 500 ? "ServerError" : "ValidationError")
