/** One server with all four interfaces: one document, one guard, and none of it where it is not offered. */
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import { describe, expect, it } from "vitest"
import { apiWith, Api } from "../../packages/http/src/Api.ts"
import { automationInterface, launcherInterface, onDemandInterface } from "../../packages/http/src/index.ts"
import { read, visit } from "../../packages/http/test/access/House.ts"
import { nameOf, operationsOf, requestOf } from "../../packages/http/test/access/Operations.ts"
import { json, play, serve } from "../../packages/http/test/support/Rig.ts"

/** `GET /v1/jobs/{job}` of every endpoint. */
const declaredIn = (api: typeof Api): ReadonlyArray<string> => {
  const found: Array<string> = []
  HttpApi.reflect(api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => void found.push(`${endpoint.method} ${endpoint.path.replaceAll(/:(\w+)/g, "{$1}")}`)
  })
  return found
}

const own = declaredIn(Api)
const all = declaredIn(
  apiWith([onDemandInterface(), launcherInterface(), automationInterface()].flatMap(({ groups }) => groups))
)
const further = all.filter((one) => !own.includes(one))

/** Open to strangers: what tells nothing of anybody, and what asks for a secret of its own. */
const OPEN = [
  "GET /docs",
  "GET /healthz",
  "GET /openapi.json",
  "GET /readyz",
  "GET /v1/blobs/{name}",
  "POST /automation/oauth2/token",
  "POST /automation/vault/data",
  "POST /automation/vault/pan"
]

const VALUES = {
  job: "j",
  challenge: "c",
  output: "o",
  service: "s",
  configuration: "nightly",
  resource: "spark:nightly"
}

describe("One server with all four interfaces", () => {
  it("has the routes of all of them in one document, each with a name of its own", () =>
    visit(({ ask }) =>
      Effect.gen(function* () {
        const document = read(yield* ask("GET /openapi.json"))
        expect(operationsOf(document).map(nameOf).toSorted()).toEqual(all.toSorted())
        const routes = ["/v1alpha/createJob", "/api/v1/jobs", "/job-launcher/launcher/status", "/automation/jobs"]
        for (const path of routes) expect(document.paths).toHaveProperty([path, "post"])
        const ids = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap((methods) =>
          Object.values(methods).map(({ operationId }) => operationId)
        )
        expect(ids).toHaveLength(all.length)
        expect(new Set(ids).size).toBe(ids.length)
      })
    ))

  it("answers strangers nothing but what is open, and those who show a wrong key nothing else", () =>
    visit(({ ask }) =>
      Effect.gen(function* () {
        const operations = operationsOf(read(yield* ask("GET /openapi.json")))
        expect(
          operations
            .filter(({ isOpen }) => isOpen)
            .map(nameOf)
            .toSorted()
        ).toEqual(OPEN)
        for (const operation of operations.filter(({ isOpen }) => !isOpen)) {
          const { line, asked } = requestOf(operation, VALUES)
          for (const shown of [{}, { key: "wrong" }]) {
            const { status, headers } = yield* ask(line, { ...asked, ...shown })
            expect([status, headers["www-authenticate"]], nameOf(operation)).toEqual([401, expect.any(String)])
          }
        }
        // What is open and yet about a tenant's things wants its own secret.
        for (const path of ["vault/pan", "vault/data"]) {
          const body = { otp: "guessed", pan: "4111111111111111", data: 1 }
          expect((yield* ask(`POST /automation/${path}`, { body })).status).toBe(403)
        }
        const form = { headers: { "content-type": "application/x-www-form-urlencoded" } }
        const body = "grant_type=client_credentials&client_id=0011223344556677&client_secret=guessed"
        expect((yield* ask("POST /automation/oauth2/token", { ...form, body })).status).toBe(401)
        expect((yield* ask("GET /v1/blobs/x")).status).toBe(401)
      })
    ))
})

it("A server without them has none of their routes", () =>
  play(() =>
    Effect.gen(function* () {
      expect(further.length).toBeGreaterThan(40)
      const { ask } = yield* serve()
      const { paths } = yield* json(yield* ask("GET /openapi.json"))
      for (const name of further) {
        const [method = "", path = ""] = name.split(" ")
        expect(paths).not.toHaveProperty([path])
        const line = `${method} ${path.replaceAll(/\{(\w+)\}/g, "x")}`
        expect((yield* ask(line, { as: "acme" })).status, name).toBe(404)
      }
    })
  ))
