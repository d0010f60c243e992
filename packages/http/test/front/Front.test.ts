import { JobStore, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Tracer from "effect/Tracer"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { json, play, serve, tenantOf, unlimited } from "../support/Rig.ts"

const submission = { kind: "notes", parameters: { text: "hello" } }

describe("Front", () => {
  it("answers an address that nothing is at with a problem", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("GET /nowhere")
        expect(answer.status).toBe(404)
        expect(answer.headers.get("content-type")).toBe("application/problem+json")
        expect(yield* json(answer)).toMatchObject({ type: "urn:sotto:problem:not-found", status: 404 })
      })
    ))

  it("says in Allow which methods an address takes", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("DELETE /v1/jobs")
        expect(answer.status).toBe(405)
        expect(answer.headers.get("allow")).toBe("GET, HEAD, OPTIONS, POST")
        expect(yield* json(answer)).toMatchObject({ type: "urn:sotto:problem:method-not-allowed" })
      })
    ))

  it("answers OPTIONS with what an address takes, and 404 where nothing is", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("OPTIONS /v1/jobs/some/cancel")
        expect([answer.status, answer.headers.get("allow")]).toEqual([204, "OPTIONS, POST"])
        expect((yield* ask("OPTIONS /nowhere")).status).toBe(404)
      })
    ))

  it("answers HEAD as GET without the body", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const [head, get] = [yield* ask("HEAD /healthz"), yield* ask("GET /healthz")]
        expect(head.status).toBe(200)
        expect(head.headers.get("content-length")).toBe(get.headers.get("content-length"))
        expect(yield* Effect.promise(() => head.text())).toBe("")
      })
    ))

  it("answers 406 to who accepts nothing that there is", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("GET /v1/jobs", { as: "acme", headers: { accept: "text/html" } })
        expect([answer.status, (yield* json(answer)).type]).toEqual([406, "urn:sotto:problem:not-acceptable"])
      })
    ))

  describe("request ids", () => {
    it("are taken over if they are sane, and made otherwise", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const idOf = Effect.fnUntraced(function* (sent?: string) {
            const headers = sent === undefined ? {} : { "x-request-id": sent }
            return (yield* ask("GET /nowhere", { headers })).headers.get("x-request-id")
          })
          expect(yield* idOf("abc-1.2:3_4")).toBe("abc-1.2:3_4")
          for (const odd of [undefined, "a b", "a".repeat(129), 'x"y', "<script>"]) {
            expect(yield* idOf(odd)).toMatch(/^[0-9a-f]{32}$/)
          }
          expect(yield* idOf()).not.toBe(yield* idOf())
        })
      ))
  })

  describe("bodies", () => {
    const large = { ...submission, parameters: "x".repeat(2_000) }

    it("that say that they are too large are refused", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve({ bodyLimit: 1_000 })
          const headers = { "content-length": "1001" }
          const answer = yield* ask("POST /v1/jobs", { as: "acme", headers, body: submission })
          expect([answer.status, (yield* json(answer)).type]).toEqual([413, "urn:sotto:problem:payload-too-large"])
        })
      ))

    it("that do not say their length are cut off when they are too large", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve({ bodyLimit: 1_000 })
          const answer = yield* ask("POST /v1/jobs", { as: "acme", body: large })
          expect([answer.status, (yield* json(answer)).type]).toEqual([413, "urn:sotto:problem:payload-too-large"])
          expect((yield* ask("POST /v1/jobs", { as: "acme", body: submission })).status).toBe(202)
        })
      ))

    it("may have a mebibyte unless told otherwise", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* serve()
          const sized = (bytes: number) => {
            const empty = JSON.stringify({ kind: "notes", parameters: "" }).length
            return JSON.stringify({ kind: "notes", parameters: "x".repeat(bytes - empty) })
          }
          const status = (bytes: number) =>
            Effect.map(ask("POST /v1/jobs", { as: "acme", body: sized(bytes) }), (answer) => answer.status)
          expect(yield* status(1_048_576)).toBe(202)
          expect(yield* status(1_048_577)).toBe(413)
        })
      ))
  })

  it("wears headers that keep browsers from doing anything with an answer but read it", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ https: true })
        for (const answer of [yield* ask("GET /healthz"), yield* ask("GET /nowhere"), yield* ask("GET /v1/jobs")]) {
          expect(Object.fromEntries(answer.headers)).toMatchObject({
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "strict-transport-security": "max-age=31536000"
          })
        }
      })
    ))

  it("lets pages of configured origins read answers, refusals too", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ cors: { origins: ["https://app.example.com"] } })
        const headers = { origin: "https://app.example.com" }
        for (const line of ["GET /healthz", "GET /nowhere", "GET /v1/jobs"]) {
          const answer = yield* ask(line, { headers })
          expect(answer.headers.get("access-control-allow-origin"), line).toBe("https://app.example.com")
        }
        const preflight = yield* ask("OPTIONS /v1/jobs", {
          headers: { ...headers, "access-control-request-method": "POST" }
        })
        expect(preflight.headers.get("access-control-allow-methods")).toBe("GET, HEAD, OPTIONS, POST")
      })
    ))

  describe("faults inside", () => {
    /** Serves with a store whose `list` fails as told. */
    const broken = (failure: Effect.Effect<never, JobStoreUnavailable>) =>
      serve({
        over: Layer.effect(
          JobStore,
          Effect.map(JobStore, (store) => ({ ...store, list: () => failure }))
        )
      })

    it("are answered 500 and tell nothing of themselves", () =>
      play(() =>
        Effect.gen(function* () {
          const { ask } = yield* broken(Effect.die(new Error("secret /var/lib/sotto.db")))
          const answer = yield* ask("GET /v1/jobs", { as: "acme" })
          const text = yield* Effect.promise(() => answer.text())
          expect([answer.status, JSON.parse(text).type]).toEqual([500, "urn:sotto:problem:internal"])
          expect(text).not.toContain("secret")
        })
      ))

    it("of a store that may be back are answered 503, with when to try again; the log learns why", () =>
      play(() =>
        Effect.gen(function* () {
          const told: Array<unknown> = []
          const { ask } = yield* broken(
            Effect.fail(new JobStoreUnavailable({ because: "full", message: "The disk of /var/lib is full." }))
          ).pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => void told.push(message))])))
          const answer = yield* ask("GET /v1/jobs", { as: "acme" })
          const text = yield* Effect.promise(() => answer.text())
          expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"])
          expect(JSON.parse(text).type).toBe("urn:sotto:problem:unavailable")
          expect(text).not.toContain("/var/lib")
          expect(told).toEqual([["A store does not answer.", "The disk of /var/lib is full."]])
          expect((yield* ask("GET /v1alpha/getJob?job_request_id=1", { as: "acme" })).status).toBe(500)
          expect(told).toHaveLength(2)
        })
      ))
  })

  it("refuses a tenant that asks too often until there is a token again", () =>
    play(() =>
      Effect.gen(function* () {
        const tenants = [tenantOf("acme", { limits: { ...unlimited, requestsPerMinute: 2 } }), tenantOf("other")]
        const { ask } = yield* serve({ tenants })
        const status = Effect.map(ask("GET /v1/jobs", { as: "acme" }), (answer) => answer.status)
        expect([yield* status, yield* status]).toEqual([200, 200])
        const refused = yield* ask("GET /v1/jobs", { as: "acme" })
        expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "30"])
        expect((yield* json(refused)).type).toBe("urn:sotto:problem:too-many-requests")
        expect((yield* ask("GET /v1/jobs", { as: "other" })).status).toBe(200)
        yield* TestClock.adjust("30 seconds")
        expect(yield* status).toBe(200)
      })
    ))

  it("tells neither spans nor logs where links lead and what is shown to it", () =>
    play(() =>
      Effect.gen(function* () {
        const told: Array<string> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            const attribute = span.attribute.bind(span)
            span.attribute = (key, value) => {
              told.push(`${key}=${String(value)}`)
              attribute(key, value)
            }
            told.push(options.name)
            return span
          }
        })
        const logger = Logger.make(({ message, cause }) => void told.push(JSON.stringify([message, String(cause)])))
        const { ask } = yield* serve().pipe(
          Effect.provideService(Tracer.Tracer, tracer),
          Effect.provide(Logger.layer([logger]))
        )
        yield* ask("GET /v1/blobs/file.txt?token=ZmFrZS10b2tlbg", { headers: { "x-api-key": "sesame" } })
        yield* ask("GET /v1/jobs", { as: "hunter2" })
        expect(told.join("\n")).toContain("/v1/blobs/:name")
        expect(told.join("\n")).not.toMatch(/ZmFrZS10b2tlbg|sesame|hunter2|file\.txt/)
      })
    ))
})
