import { type ProtoJson, printProtoJson } from "@sotto/core/aggregation"

/** An answer of v1alpha, ready to be sent. */
export interface FlatAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The codes that the original has, and three of ours, from the same list (spec: aggregation §1.5). */
const CODES = {
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  INTERNAL: 13,
  UNAUTHENTICATED: 16
} as const

export const answer = (status: number, body: ProtoJson, headers: FlatAnswer["headers"] = {}): FlatAnswer => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: printProtoJson(body)
})

const fault =
  (status: number, code: keyof typeof CODES) =>
  (reason: string, message: string, headers?: FlatAnswer["headers"]): FlatAnswer =>
    answer(status, { code: CODES[code], message, details: [{ reason, domain: "", metadata: {} }] }, headers)

export const invalidArgument = fault(400, "INVALID_ARGUMENT")
export const notFound = fault(404, "NOT_FOUND")
export const alreadyExists = fault(409, "ALREADY_EXISTS")
const tooLarge = fault(413, "INVALID_ARGUMENT")
const denied = fault(403, "PERMISSION_DENIED")
const unauthenticatedFault = fault(401, "UNAUTHENTICATED")
const internal = fault(500, "INTERNAL")
const unknown = fault(500, "UNKNOWN")

export const permissionDenied = (message: string): FlatAnswer => denied("PERMISSION_DENIED", message)

/** `challenge` is the value of `WWW-Authenticate`. */
export const unauthenticated = (message: string, challenge: string): FlatAnswer =>
  unauthenticatedFault("UNAUTHENTICATED", message, { "www-authenticate": challenge })

/** The store did not answer. Whether a job was made is found out by asking again. */
export const databaseFailed: FlatAnswer = internal("SERVER_ERROR", "Internal error occurred when reaching the DB")

export const unexpected: FlatAnswer = unknown("SERVER_ERROR", "An unknown error occurred")

export const bodyTooLarge = (limit: number): FlatAnswer =>
  tooLarge("REQUEST_TOO_LARGE", `The request body is larger than ${limit} bytes. Send a smaller one.`)

export const wrongMethod = (method: string, allowed: string): FlatAnswer =>
  invalidArgument("INVALID_HTTP_METHOD", `Unsupported HTTP method: '${method}'`, { allow: allowed })

export const wrongPath = (path: string): FlatAnswer =>
  notFound("INVALID_URL_PATH_OR_VARIABLE", `Request handler for URL path not found: '${path}'`)
