/** How the endpoints of the interface are declared: bodies and answers are read and written by their handlers. */
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as OpenApi from "effect/http-api/OpenApi"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import { type Audience, Operation } from "../Operation.ts"

/** Where an interface lies, e.g. `/automation`; empty for the root. */
export type Prefix = "" | `/${string}`

export interface Declaration<Params extends Schema.Struct.Fields> {
  readonly audience: Audience
  readonly summary: string
  readonly description?: string
  readonly params?: Params
  readonly query?: ReadonlyArray<string>
  readonly body?: Schema.Top
  readonly answer: Schema.Top
  readonly example: {
    readonly parameters?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly answer: unknown
  }
}

const Refusal = Schema.Struct({
  object: Schema.Literal("error"),
  code: Schema.String,
  name: Schema.String,
  message: Schema.String,
  details: Schema.Struct({ status: Schema.Int, messages: Schema.optionalKey(Schema.Array(Schema.String)) })
})

const STATUSES: Readonly<Record<number, string>> = {
  400: "Something in the request is wrong",
  401: "Say who you are",
  403: "You may not do this",
  404: "There is no such thing",
  409: "The job is where this cannot be done",
  413: "The body is too large",
  415: "The body is of a type that is not read here",
  429: "Too many requests",
  500: "Something went wrong here",
  503: "This cannot be answered now"
}

const REFUSALS = Object.entries(STATUSES).map(([status, description]) =>
  Refusal.annotate({ httpApiStatus: Number(status), description })
)

/** Read by the handlers from the address as it was sent, so that parameters may repeat and unknown ones are ignored. */
const withQuery = (names: ReadonlyArray<string>) =>
  OpenApi.annotations({
    transform: ({ parameters = [], ...operation }) => ({
      ...operation,
      parameters: [
        ...(parameters as ReadonlyArray<unknown>),
        ...names.map((name) => ({ name, in: "query", required: false, schema: { type: "string" } }))
      ]
    })
  })

const said = ({ summary, description }: Declaration<Schema.Struct.Fields>) =>
  OpenApi.annotations({ summary, ...(description === undefined ? {} : { description }) })

type Answered = Schema.Codec<unknown>

export const gets = <const Name extends string, Params extends Schema.Struct.Fields = {}>(
  name: Name,
  path: `/${string}`,
  declared: Declaration<Params>
) =>
  HttpApiEndpoint.get(name, path, {
    params: (declared.params ?? {}) as Params,
    success: declared.answer as Answered,
    error: REFUSALS
  })
    .annotateMerge(said(declared))
    .annotateMerge(withQuery(declared.query ?? []))
    .annotate(Operation, { audience: declared.audience, produces: [], example: declared.example })

export const posts = <const Name extends string, Params extends Schema.Struct.Fields = {}>(
  name: Name,
  path: `/${string}`,
  declared: Declaration<Params>
) =>
  HttpApiEndpoint.post(name, path, {
    params: (declared.params ?? {}) as Params,
    payload: (declared.body ?? Schema.Struct({})) as Answered,
    success: declared.answer as Answered,
    error: REFUSALS
  })
    .annotateMerge(said(declared))
    .annotateMerge(withQuery(declared.query ?? []))
    .annotate(Operation, { audience: declared.audience, produces: [], example: { body: {}, ...declared.example } })

/** What is behind the question mark. */
export const queryOf = ({ url }: HttpServerRequest): URLSearchParams => {
  const at = url.indexOf("?")
  return new URLSearchParams(at < 0 ? "" : url.slice(at + 1))
}
