import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, play, serve } from "../support/Rig.ts"

const wanted = { url: "https://hooks.example.com/sotto", events: ["succeeded"] }

/** A server with one endpoint of the tenant. */
const made = Effect.fnUntraced(function* () {
  const { ask } = yield* serve({ webhooks: true })
  const answer = yield* ask("POST /v1/webhooks", { as: "acme", body: wanted })
  return { ask, answer, endpoint: yield* json(answer) }
})

describe("Webhooks", () => {
  it("are made with a secret that is told this once", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, answer, endpoint } = yield* made()
        expect([answer.status, answer.headers.get("location")]).toEqual([201, `/v1/webhooks/${endpoint.id}`])
        const { secret, ...rest } = endpoint
        expect(secret).toMatch(/^whsec_/)
        expect(rest).toMatchObject({ ...wanted, kinds: null, enabled: true, createdAt: "2026-01-01T00:00:00.000Z" })
        expect(yield* json(yield* ask(`GET /v1/webhooks/${endpoint.id}`, { as: "acme" }))).toEqual(rest)
        expect(yield* json(yield* ask("GET /v1/webhooks", { as: "acme" }))).toEqual({ endpoints: [rest] })
      })
    ))

  it("are changed, get new secrets, and go", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, endpoint } = yield* made()
        const path = `/v1/webhooks/${endpoint.id}`
        const changed = yield* ask(`PATCH ${path}`, { as: "acme", body: { enabled: false } })
        expect(yield* json(changed)).toMatchObject({ enabled: false, disabledBecause: "client", url: wanted.url })
        const rotated = yield* json(yield* ask(`POST ${path}/rotate`, { as: "acme", body: { keepMs: 1_000 } }))
        expect(rotated.secret).not.toBe(endpoint.secret)
        expect(rotated.secrets[1].validUntil).toBe("2026-01-01T00:00:01.000Z")
        expect((yield* ask(`DELETE ${path}`, { as: "acme" })).status).toBe(204)
        const gone = yield* ask(`GET ${path}`, { as: "acme" })
        expect([gone.status, (yield* json(gone)).type]).toEqual([404, "urn:sotto:problem:unknown-endpoint"])
      })
    ))

  it("log a test, which can be looked at and sent again", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, endpoint } = yield* made()
        const path = `/v1/webhooks/${endpoint.id}`
        const tested = yield* ask(`POST ${path}/test`, { as: "acme" })
        const delivery = yield* json(tested)
        expect([tested.status, delivery]).toEqual([202, expect.objectContaining({ type: "webhook.test", tries: 0 })])
        const log = yield* json(yield* ask(`GET ${path}/deliveries?limit=1`, { as: "acme" }))
        expect(log).toEqual({ deliveries: [delivery], next: null })
        const one = `${path}/deliveries/${delivery.id}`
        expect(yield* json(yield* ask(`GET ${one}`, { as: "acme" }))).toEqual(delivery)
        expect((yield* ask(`POST ${one}/redeliver`, { as: "acme" })).status).toBe(202)
        const unknown = yield* ask(`GET ${path}/deliveries/msg_0`, { as: "acme" })
        expect([unknown.status, (yield* json(unknown)).type]).toEqual([404, "urn:sotto:problem:unknown-delivery"])
      })
    ))

  it("refuse private addresses", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ webhooks: true })
        const answer = yield* ask("POST /v1/webhooks", { as: "acme", body: { url: "https://10.0.0.1/" } })
        expect([answer.status, (yield* json(answer)).type]).toEqual([422, "urn:sotto:problem:address-refused"])
      })
    ))

  it("are another tenant's business only to that tenant", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, endpoint } = yield* made()
        expect((yield* ask(`GET /v1/webhooks/${endpoint.id}`, { as: "other" })).status).toBe(404)
        expect(yield* json(yield* ask("GET /v1/webhooks", { as: "other" }))).toEqual({ endpoints: [] })
      })
    ))

  it("are answered 501 by a server that sends none", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("GET /v1/webhooks", { as: "acme" })
        expect([answer.status, (yield* json(answer)).type]).toEqual([501, "urn:sotto:problem:not-supported"])
      })
    ))
})
