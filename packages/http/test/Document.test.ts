import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { Api } from "../src/Api.ts"
import { Operation } from "../src/Operation.ts"
import { PROBLEMS } from "../src/Problem.ts"
import { json, play, serve } from "./support/Rig.ts"

interface Declared {
  readonly id: string
  readonly endpoint: HttpApiEndpoint.Top
  readonly group: string
}

const declared: Array<Declared> = []
HttpApi.reflect(Api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint, group }) =>
    void declared.push({ id: `${group.identifier}.${endpoint.identifier}`, endpoint, group: group.identifier })
})

// oxlint-disable-next-line typescript/no-explicit-any
const document: any = JSON.parse(JSON.stringify(OpenApi.fromApi(Api)))

const operationOf = ({ endpoint }: Declared) =>
  document.paths[endpoint.path.replaceAll(/:(\w+)/g, "{$1}")]?.[endpoint.method.toLowerCase()]

/** Every `$ref` below a part of the document. */
const refsIn = (part: unknown): ReadonlyArray<string> =>
  typeof part !== "object" || part === null
    ? []
    : Object.entries(part).flatMap(([name, value]) => (name === "$ref" ? [String(value)] : refsIn(value)))

const payloadsOf = ({ payload }: HttpApiEndpoint.Top): ReadonlyArray<Schema.Top> =>
  [...payload.values()].flatMap(({ schemas }): ReadonlyArray<Schema.Top> => schemas)

const isAccepted = (schemas: ReadonlyArray<Schema.Top>, value: unknown): boolean =>
  schemas.some((schema) =>
    Result.isSuccess(
      Schema.decodeUnknownResult(schema as Schema.Codec<unknown>, { onExcessProperty: "error" })(value) as never
    )
  )

describe("Document", () => {
  it("is what the server gives at /openapi.json, in OpenAPI 3.1", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("GET /openapi.json")
        expect(answer.headers.get("content-type")).toBe("application/json")
        expect(yield* json(answer)).toEqual(document)
        expect(document.openapi).toMatch(/^3\.1\./)
      })
    ))

  it("finds everything that it refers to", () => {
    for (const ref of refsIn(document)) {
      expect(ref).toMatch(/^#\/components\/schemas\//)
      expect(document.components.schemas, ref).toHaveProperty([
        ref.slice("#/components/schemas/".length).replaceAll("~1", "/")
      ])
    }
  })

  it("gives every operation a name of its own", () => {
    const ids = declared.map((one) => operationOf(one)?.operationId)
    expect(new Set(ids).size).toBe(declared.length)
  })

  describe.each(declared)("$id", (one) => {
    const rules = Context.getOrUndefined(one.endpoint.annotations, Operation)
    const operation = operationOf(one)

    it("is listed with a summary, and says whom it is for", () => {
      expect(operation.summary).toMatch(/^[A-Z].*[^.]$/)
      expect(rules?.audience).toBeDefined()
      expect(operation.security.length > 0).toBe(!["public", "link"].includes(rules?.audience ?? ""))
    })

    it("names the parameters of its path", () => {
      const named = [...one.endpoint.path.matchAll(/:(\w+)/g)].map((match) => match[1])
      const listed = operation.parameters.filter((parameter: { in: string }) => parameter.in === "path")
      expect(listed.map((parameter: { name: string }) => parameter.name)).toEqual(named)
    })

    it("describes every answer, errors with a body", () => {
      const statuses = Object.keys(operation.responses)
      expect(statuses.some((status) => status < "400")).toBe(true)
      expect(statuses).toContain("500")
      for (const [status, response] of Object.entries<{ description: string; content?: object; headers: object }>(
        operation.responses
      )) {
        expect(response.description, status).not.toBe("")
        if (status >= "400") expect(response.content, status).toBeDefined()
        expect(response.headers).toHaveProperty("x-request-id")
        if (status === "429" || status === "503") expect(response.headers).toHaveProperty("retry-after")
      }
    })

    it("has examples that its schemas accept", () => {
      const { body, answer, parameters = {} } = rules?.example ?? {}
      const names = operation.parameters.map((parameter: { name: string }) => parameter.name)
      for (const name of Object.keys(parameters)) expect(names).toContain(name)
      if (one.endpoint.payload.size > 0) {
        expect(body, "an example of the body").toBeDefined()
        expect(isAccepted(payloadsOf(one.endpoint), body)).toBe(true)
        expect(operation.requestBody.content["application/json"].example).toEqual(body)
      }
      if (answer !== undefined) {
        expect(isAccepted([...one.endpoint.success], answer)).toBe(true)
      }
      for (const parameter of operation.parameters as ReadonlyArray<{
        required: boolean
        in: string
        example?: unknown
      }>) {
        if (parameter.required && parameter.in === "path" && one.group !== "v1alpha") {
          expect(parameter.example, "an example of every part of the path").toBeDefined()
        }
      }
    })
  })

  it("names the headers that tell where to go on", () => {
    const headersOf = (path: string, method: string, status: number) =>
      Object.keys(document.paths[path][method].responses[status].headers)
    expect(headersOf("/v1/jobs", "post", 202)).toEqual(expect.arrayContaining(["location", "etag", "retry-after"]))
    expect(headersOf("/v1/jobs", "get", 200)).toContain("link")
    expect(headersOf("/v1/jobs/{job}/result/{file}", "get", 303)).toContain("location")
    expect(headersOf("/v1/blobs/{name}", "get", 206)).toContain("content-range")
    expect(headersOf("/v1/jobs", "post", 422)).not.toContain("location")
  })

  it("lists every type of problem", () => {
    expect(document.components.schemas.Problem.properties.type.enum).toEqual(
      Object.keys(PROBLEMS).map((code) => `urn:sotto:problem:${code}`)
    )
  })
})
