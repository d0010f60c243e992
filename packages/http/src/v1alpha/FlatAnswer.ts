import { type ProtoJson, printProtoJson } from "@sotto/core/aggregation"

/** An answer of v1alpha, ready to be sent as `application/json`. */
export interface FlatAnswer {
  readonly status: number
  readonly body: string
}

/** The original's codes and, from the list that they come from, ours (spec: aggregation §1.5). */
const CODES = {
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16
} as const

export const answer = (status: number, body: ProtoJson): FlatAnswer => ({ status, body: printProtoJson(body) })

const fault =
  (status: number, code: keyof typeof CODES) =>
  (reason: string, message: string): FlatAnswer =>
    answer(status, { code: CODES[code], message, details: [{ reason, domain: "", metadata: {} }] })

/** The same with the code's own name as its reason. */
const plain =
  (status: number, code: keyof typeof CODES) =>
  (message: string): FlatAnswer =>
    fault(status, code)(code, message)

export const invalidArgument = fault(400, "INVALID_ARGUMENT")
export const notFound = fault(404, "NOT_FOUND")
export const alreadyExists = fault(409, "ALREADY_EXISTS")
export const bodyTooLarge = (message: string) => fault(413, "INVALID_ARGUMENT")("REQUEST_TOO_LARGE", message)

export const unauthenticated = plain(401, "UNAUTHENTICATED")
export const permissionDenied = plain(403, "PERMISSION_DENIED")
export const exhausted = plain(429, "RESOURCE_EXHAUSTED")
export const unavailable = plain(503, "UNAVAILABLE")

/** The store did not answer. Whether a job was made is found out by asking again. */
export const databaseFailed = fault(500, "INTERNAL")("SERVER_ERROR", "Internal error occurred when reaching the DB")

export const unexpected = fault(500, "UNKNOWN")("SERVER_ERROR", "An unknown error occurred")
