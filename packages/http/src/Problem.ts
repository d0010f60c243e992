/**
 * What is answered instead of what was asked for: RFC 9457 problems with types that stay.
 *
 * A problem is plain data. `PROBLEMS` is the one table of types; the errors of core, engine and access become problems
 * here and nowhere else, so that the same fault is answered alike by every operation.
 */
import * as Schema from "effect/Schema"

/** Type, status and title; the last part of the type is the code. */
export const PROBLEMS = {
  "malformed-request": [400, "The request cannot be read"],
  "malformed-idempotency-key": [400, "The Idempotency-Key cannot be read"],
  "malformed-cursor": [400, "The cursor cannot be read"],
  unauthenticated: [401, "Say who you are"],
  forbidden: [403, "You may not do this"],
  "not-found": [404, "Nothing is at this address"],
  "unknown-job": [404, "No such job"],
  "unknown-kind": [404, "No such kind of job"],
  "unknown-file": [404, "No such file"],
  "unknown-output": [404, "No such output"],
  "unknown-endpoint": [404, "No such endpoint of webhooks"],
  "unknown-delivery": [404, "No such delivery"],
  "method-not-allowed": [405, "This address does not take this method"],
  "not-acceptable": [406, "There is no answer in a form that you accept"],
  "request-timeout": [408, "The request did not come in time"],
  "request-in-progress": [409, "The first request with this Idempotency-Key is still being answered"],
  "command-refused": [409, "The job is where this cannot be done"],
  "no-result": [409, "The job has no result"],
  "too-many-endpoints": [409, "Too many endpoints of webhooks"],
  "precondition-failed": [412, "The job is not as you have it"],
  "payload-too-large": [413, "The body is too large"],
  "unsupported-media-type": [415, "The body is of a type that is not read here"],
  "range-not-satisfiable": [416, "The file has no such range"],
  "invalid-submission": [422, "This cannot be submitted"],
  "address-refused": [422, "Nothing is sent to this address"],
  "key-taken": [422, "The Idempotency-Key was used for another request"],
  "too-many-requests": [429, "Too many requests"],
  "too-many-jobs": [429, "Too many jobs that are not over"],
  "too-many-streams": [429, "Too many streams of events are open"],
  "headers-too-large": [431, "The head of the request is too large"],
  internal: [500, "Something went wrong here"],
  "not-supported": [501, "This server cannot do this"],
  unavailable: [503, "This cannot be answered now"]
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>

export type ProblemCode = keyof typeof PROBLEMS

type StatusOf<Code extends ProblemCode> = (typeof PROBLEMS)[Code][0]

/** One fault in a request; `pointer` is a JSON pointer into the named part. */
export interface RequestFault {
  readonly in: "path" | "query" | "header" | "body"
  readonly pointer: string
  readonly message: string
}

/** What some problems say beside what all say. */
export interface ProblemDetails {
  readonly errors?: ReadonlyArray<RequestFault>
  /** The job that is meant, when it is not the one in the address. */
  readonly job?: string
  /** Where the job is, and what was tried. */
  readonly state?: string
  readonly event?: string
  readonly reason?: string
}

/** Plain data. The header `x-request-id` of the answer names the occurrence. */
export interface Problem<Code extends ProblemCode = ProblemCode> extends ProblemDetails {
  readonly type: `urn:sotto:problem:${Code}`
  readonly title: string
  readonly status: StatusOf<Code>
  /** A sentence that says what to do. */
  readonly detail: string
}

export const problem = <Code extends ProblemCode>(
  code: Code,
  detail: string,
  details: ProblemDetails = {}
): Problem<Code> => {
  const [status, title] = PROBLEMS[code]
  return { type: `urn:sotto:problem:${code}`, title, status, detail, ...details } as Problem<Code>
}

export const PROBLEM_TYPE = "application/problem+json"

const Fault = Schema.Struct({
  in: Schema.Literals(["path", "query", "header", "body"]),
  pointer: Schema.String,
  message: Schema.String
})

const DETAILS = {
  errors: Schema.optionalKey(Schema.Array(Fault)),
  job: Schema.optionalKey(Schema.String),
  state: Schema.optionalKey(Schema.String),
  event: Schema.optionalKey(Schema.String),
  reason: Schema.optionalKey(Schema.String)
}

const schemaOf = <Code extends ProblemCode>(code: Code): Schema.Codec<Problem<Code>> => {
  const [status, title] = PROBLEMS[code]
  return Schema.Struct({
    type: Schema.Literal(`urn:sotto:problem:${code}`),
    title: Schema.Literal(title),
    status: Schema.Literal(status),
    detail: Schema.String,
    ...DETAILS
  }).annotate({
    identifier: `problem.${code}`,
    description: title,
    httpApiStatus: status,
    "~httpApiEncoding": { _tag: "Json", contentType: PROBLEM_TYPE }
  }) as unknown as Schema.Codec<Problem<Code>>
}

const SCHEMAS = Object.fromEntries(
  (Object.keys(PROBLEMS) as ReadonlyArray<ProblemCode>).map((code) => [code, schemaOf(code)])
) as { readonly [Code in ProblemCode]: Schema.Codec<Problem<Code>> }

/** The schemas of problems that an operation may answer. */
export const problems = <const Codes extends ReadonlyArray<ProblemCode>>(
  ...codes: Codes
): ReadonlyArray<Schema.Codec<Problem<Codes[number]>>> =>
  codes.map((code) => SCHEMAS[code] as unknown as Schema.Codec<Problem<Codes[number]>>)

/** The errors of the packages below and what they are outwardly. Their messages are made for those who ask. */
const CODES = {
  UnknownJob: "unknown-job",
  UnknownKind: "unknown-kind",
  InvalidSubmission: "invalid-submission",
  KeyTaken: "key-taken",
  CommandRefused: "command-refused",
  JobStoreUnavailable: "unavailable",
  RecordsUnavailable: "unavailable",
  LedgerUnavailable: "unavailable",
  LedgerRolledBack: "unavailable",
  AccessUnavailable: "unavailable",
  BlobNotFound: "unknown-file",
  BlobDenied: "unknown-file",
  BlobChanged: "precondition-failed",
  BlobUnavailable: "unavailable",
  UnknownEndpoint: "unknown-endpoint",
  UnknownDelivery: "unknown-delivery",
  TooManyEndpoints: "too-many-endpoints",
  AddressRefused: "address-refused",
  Unauthenticated: "unauthenticated",
  Forbidden: "forbidden"
} as const satisfies Readonly<Record<string, ProblemCode>>

export type KnownTag = keyof typeof CODES

interface Known<Tag extends KnownTag> {
  readonly _tag: Tag
  readonly message: string
}

/** What a store that cannot answer says about itself is for operators: paths and causes stay inside. */
const UNAVAILABLE = "The server cannot reach what it keeps. Try again in a moment."

/** Told to the log beside the problem that is told to the client. */
const causes = new WeakMap<object, string>()

/** What a store said for itself when it did not answer; `undefined` for every other problem. */
export const causeOf = (problem: object): string | undefined => causes.get(problem)

/** The problem of an error of the packages below. */
export const problemOf = <Tag extends KnownTag>(error: Known<Tag>): Problem<(typeof CODES)[Tag]> => {
  const code = CODES[error._tag]
  const own = error as Known<KnownTag> & Partial<Record<"id" | "state" | "event" | "reason", string>>
  const detail =
    code === "unavailable" ? UNAVAILABLE : code === "unknown-file" ? "There is no such file any more." : error.message
  const said = problem(code, detail, {
    ...(own._tag === "KeyTaken" && own.id !== undefined ? { job: own.id } : {}),
    ...(own._tag === "CommandRefused"
      ? { state: own.state ?? "", event: own.event ?? "", reason: own.reason ?? "" }
      : {})
  })
  // Who asks could not be found out: the log was told where that was noticed.
  if (code === "unavailable" && own._tag !== "AccessUnavailable") causes.set(said, error.message)
  return said as Problem<(typeof CODES)[Tag]>
}
