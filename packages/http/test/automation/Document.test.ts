import * as HttpApi from "effect/http-api/HttpApi"
import type * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Context from "effect/Context"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { apiWith } from "../../src/Api.ts"
import { automationInterface } from "../../src/automation/AutomationInterface.ts"
import { Operation } from "../../src/Operation.ts"

const api = apiWith(automationInterface({ prefix: "/robots" }).groups)

const declared: Array<HttpApiEndpoint.Top> = []
HttpApi.reflect(api, {
  onGroup: () => {},
  onEndpoint: ({ endpoint }) => void (endpoint.path.startsWith("/robots/") && declared.push(endpoint))
})

// oxlint-disable-next-line typescript/no-explicit-any
const document: any = JSON.parse(JSON.stringify(OpenApi.fromApi(api)))

const accepts = (schemas: ReadonlyArray<Schema.Top>, value: unknown): boolean =>
  schemas.some((schema) =>
    Result.isSuccess(
      Schema.decodeUnknownResult(schema as Schema.Codec<unknown>, { onExcessProperty: "error" })(value) as never
    )
  )

describe("The document of automations", () => {
  it("lies at the prefix that was told", () => expect(declared.length).toBeGreaterThan(25))

  it.each(declared.map((one) => [`${one.method} ${one.path}`, one] as const))("tells of %s", (_, endpoint) => {
    const operation = document.paths[endpoint.path.replaceAll(/:(\w+)/g, "{$1}")][endpoint.method.toLowerCase()]
    const rules = Context.getOrUndefined(endpoint.annotations, Operation)
    expect(operation.summary).toMatch(/^[A-Z].*[^.]$/)
    expect(rules?.audience).toBeDefined()
    expect(operation.security.length > 0).toBe(rules?.audience !== "public")
    const named = operation.parameters.map(({ name }: { name: string }) => name)
    for (const name of Object.keys(rules?.example?.parameters ?? {})) expect(named).toContain(name)
    expect(accepts([...endpoint.success], rules?.example?.answer), "the example of the answer").toBe(true)
    for (const { schemas } of endpoint.payload.values()) {
      if (endpoint.method === "POST") expect(accepts(schemas, rules?.example?.body), "that of the body").toBe(true)
    }
    for (const status of ["400", "401", "404", "409", "500"]) expect(operation.responses).toHaveProperty(status)
  })
})
