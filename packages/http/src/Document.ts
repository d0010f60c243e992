/**
 * The document of the API (OpenAPI 3.1): what the declarations say, with what the front and the guard add to every
 * operation, so that no answer is undocumented.
 */
import type * as HttpApi from "effect/http-api/HttpApi"
import { reflect } from "effect/http-api/HttpApi"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Context from "effect/Context"
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { ErrorForm } from "./ErrorForm.ts"
import { type Audience, type Example, Operation } from "./Operation.ts"
import { PROBLEM_TYPE, type ProblemCode, PROBLEMS } from "./Problem.ts"

type Json = Record<string, unknown>

/** Problems that any operation of an audience may answer, whatever it declares. */
const common = (audience: Audience, method: string): ReadonlyArray<ProblemCode> => [
  ...(audience === "public" ? [] : (["unauthenticated", "forbidden", "too-many-requests", "unavailable"] as const)),
  ...(audience === "job" ? (["unknown-job"] as const) : []),
  ...(method === "GET" ? [] : (["payload-too-large", "unsupported-media-type"] as const)),
  "malformed-request",
  "not-acceptable",
  "internal"
]

const HEADERS = {
  "x-request-id": { description: "Names this answer in the server's log.", schema: { type: "string" } }
}

const RETRY_AFTER = {
  "retry-after": { description: "Seconds to wait before the next try.", schema: { type: "string" } }
}

/** Adds to the API's own document what its operations have in common. */
export const withDocument = <Id extends string, Groups extends HttpApiGroup.Constraint>(
  api: HttpApi.HttpApi<Id, Groups>
): HttpApi.HttpApi<Id, Groups> => api.annotate(OpenApi.Transform, (document) => completed(document, api))

const completed = <Groups extends HttpApiGroup.Constraint>(
  document: Json,
  api: HttpApi.HttpApi<string, Groups>
): Json => {
  const paths = document["paths"] as Record<string, Record<string, Json>>
  const schemas = (document["components"] as { schemas: Json }).schemas
  schemas["Problem"] = PROBLEM
  reflect(api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint, group }) => {
      const operation = paths[endpoint.path.replaceAll(/:(\w+)/g, "{$1}")]?.[endpoint.method.toLowerCase()]
      if (operation === undefined) return
      complete(operation, endpoint, Context.getOrUndefined(group.annotations, ErrorForm) === undefined)
    }
  })
  ;(document["components"] as Json)["securitySchemes"] = {
    bearer: { type: "http", scheme: "bearer", description: "An API key, or a token for one job." },
    basic: { type: "http", scheme: "basic", description: "An API key as user name; the password may be empty." },
    apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "An API key." }
  }
  return document
}

const complete = (operation: Json, endpoint: HttpApiEndpoint.Top, speaksProblems: boolean): void => {
  const rules = Context.getOrUndefined(endpoint.annotations, Operation)
  const audience = rules?.audience ?? "tenant"
  operation["security"] =
    audience === "public" || audience === "link" ? [] : [{ bearer: [] }, { basic: [] }, { apiKey: [] }]
  const responses = operation["responses"] as Record<string, Json>
  if (speaksProblems) {
    for (const code of common(audience, endpoint.method)) {
      const [status, title] = PROBLEMS[code]
      responses[status] ??= {
        description: title,
        content: { [PROBLEM_TYPE]: { schema: { $ref: "#/components/schemas/Problem" } } }
      }
    }
  }
  for (const [status, response] of Object.entries(responses)) {
    response["headers"] = {
      ...(response["headers"] as Json | undefined),
      ...HEADERS,
      ...(status < "400" ? described(rules?.headers ?? {}) : {}),
      ...(status === "429" || status === "503" ? RETRY_AFTER : {})
    }
  }
  // A body that may be `null` may as well be left out.
  const bodies = [...endpoint.payload.values()].flatMap(({ schemas }): ReadonlyArray<Schema.Top> => schemas)
  if (bodies.some(({ ast }) => SchemaAST.isNull(ast))) (operation["requestBody"] as Json)["required"] = false
  if (rules?.example !== undefined) exemplify(operation, rules.example)
}

const described = (headers: Readonly<Record<string, string>>): Json =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: "string" } }])
  )

/** Writes an example into request, parameters and the first good answer. */
const exemplify = (operation: Json, { parameters = {}, body, answer }: Example): void => {
  for (const parameter of operation["parameters"] as ReadonlyArray<Json>) {
    const value = parameters[parameter["name"] as string]
    if (value !== undefined) parameter["example"] = exampleOf(parameter["schema"] as Json, value)
  }
  const request = operation["requestBody"] as { readonly content: Record<string, Json> } | undefined
  for (const media of Object.values(request?.content ?? {})) if (body !== undefined) media["example"] = body
  const good = Object.entries(operation["responses"] as Record<string, Json>).find(([status]) => status < "300")?.[1]
  const json = (good?.["content"] as Record<string, Json> | undefined)?.["application/json"]
  if (json !== undefined && answer !== undefined) json["example"] = answer
}

/** Parameters travel as text; the document shows them as what their schema says they are. */
const exampleOf = (schema: Json, text: string): unknown =>
  schema["type"] === "integer" || schema["type"] === "number" ? Number(text) : text

const PROBLEM = {
  type: "object",
  description: "RFC 9457. Programs look at `type`; `detail` is for people and says what to do.",
  required: ["type", "title", "status", "detail"],
  properties: {
    type: { type: "string", enum: Object.keys(PROBLEMS).map((code) => `urn:sotto:problem:${code}`) },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["in", "pointer", "message"],
        properties: {
          in: { type: "string", enum: ["path", "query", "header", "body"] },
          pointer: { type: "string" },
          message: { type: "string" }
        }
      }
    },
    job: { type: "string" },
    state: { type: "string" },
    event: { type: "string" },
    reason: { type: "string" }
  }
}
