import * as Context from "effect/Context"
import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { apiWith } from "../../src/Api.ts"
import { LauncherRuns } from "../../src/launcher/Endpoints.ts"
import { plainForm } from "../../src/launcher/PlainForm.ts"
import { Operation } from "../../src/Operation.ts"

const endpoints: Array<HttpApiEndpoint.Top> = []
HttpApi.reflect(HttpApi.make("sotto").add(LauncherRuns), {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => void endpoints.push(endpoint)
})

// oxlint-disable-next-line typescript/no-explicit-any
const document: any = JSON.parse(JSON.stringify(OpenApi.fromApi(apiWith([LauncherRuns]))))

const accepted = (schemas: ReadonlyArray<Schema.Top>, value: unknown): boolean =>
  schemas.some((schema) =>
    Result.isSuccess(
      Schema.decodeUnknownResult(schema as Schema.Codec<unknown>, { onExcessProperty: "error" })(value) as never
    )
  )

describe.each(endpoints.map((endpoint) => [endpoint.identifier, endpoint] as const))("launcher.%s", (_, endpoint) => {
  const rules = Context.getOrUndefined(endpoint.annotations, Operation)
  const operation = document.paths[endpoint.path.replaceAll(/:(\w+)/g, "{$1}")]?.[endpoint.method.toLowerCase()]

  it("is in the document with a summary, and says whom it is for", () => {
    expect(operation.summary).toMatch(/^[A-Z].*[^.]$/)
    expect(rules?.audience).toMatch(/^(tenant|job|either)$/)
  })

  it("has examples that its schemas accept", () => {
    const { body, answer, parameters = {} } = rules?.example ?? {}
    const payloads = [...endpoint.payload.values()].flatMap(({ schemas }): ReadonlyArray<Schema.Top> => schemas)
    expect(payloads.length > 0).toBe(body !== undefined)
    if (payloads.length > 0) expect(accepted(payloads, body)).toBe(true)
    if (answer !== undefined) expect(accepted([...endpoint.success], answer)).toBe(true)
    const named = [...endpoint.path.matchAll(/:(\w+)/g)].map((match) => match[1])
    expect(Object.keys(parameters)).toEqual(named)
  })

  it("describes its errors as plain objects", () => {
    for (const status of ["400", "401", "403", "429", "500", "503"]) {
      const { schema } = operation.responses[status].content["application/json"]
      expect(Object.keys(schema.properties), status).toEqual(["message", "code", "details"])
    }
  })

  it("is at an address whose errors are plain", () => expect(plainForm.owns(endpoint.path)).toBe(true))
})

describe("The launcher's form of errors", () => {
  it.each(["/v1/jobs", "/api/v1/jobs", "/api", "/job-launchers", "/api/sparkling"])("is not that of %s", (path) =>
    expect(plainForm.owns(path)).toBe(false)
  )
})
