import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Schema from "effect/Schema"
import { expect, it } from "vitest"
import { apiOf } from "../src/ApiOf.ts"
import { httpInterface } from "../src/Interface.ts"
import { Caller, Guard, Operation } from "../src/Operation.ts"
import { json, play, serve } from "./support/Rig.ts"

const Greetings = HttpApiGroup.make("greetings")
  .add(
    HttpApiEndpoint.get("greet", "/greetings", { success: Schema.String }).annotate(Operation, { audience: "tenant" })
  )
  .middleware(Guard)

const greetings = httpInterface(
  [Greetings],
  HttpApiBuilder.group(apiOf(Greetings), "greetings", (handlers) =>
    handlers.handle("greet", () => Effect.map(Caller, ({ tenant }) => `Hello, ${tenant.name}`))
  )
)

it("offers an interface where it is configured, behind the same guard and in the same document", () =>
  play(() =>
    Effect.gen(function* () {
      const { ask } = yield* serve({ interfaces: [greetings] })
      expect(yield* json(yield* ask("GET /greetings", { as: "acme" }))).toBe("Hello, acme")
      expect((yield* ask("GET /greetings")).status).toBe(401)
      expect((yield* ask("PUT /greetings", { as: "acme" })).headers.get("allow")).toBe("GET, HEAD, OPTIONS")
      expect((yield* json(yield* ask("GET /openapi.json"))).paths).toHaveProperty("/greetings")
      expect((yield* ask("GET /v1/jobs", { as: "acme" })).status).toBe(200)
    })
  ))

it("has nothing at its addresses where it is not", () =>
  play(() =>
    Effect.gen(function* () {
      const { ask } = yield* serve()
      expect((yield* ask("GET /greetings", { as: "acme" })).status).toBe(404)
      expect((yield* json(yield* ask("GET /openapi.json"))).paths).not.toHaveProperty("/greetings")
    })
  ))
