import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, play, serve } from "../support/Rig.ts"

describe("System", () => {
  it("is alive and ready, and says when it is about to stop", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, http } = yield* serve()
        for (const line of ["GET /healthz", "GET /readyz"]) {
          const answer = yield* ask(line)
          expect([answer.status, yield* json(answer)]).toEqual([200, { status: "ok" }])
        }
        yield* http.drain
        expect((yield* ask("GET /healthz")).status).toBe(200)
        expect((yield* ask("GET /readyz")).status).toBe(503)
      })
    ))

  it("tells operators what it measures", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        yield* ask("GET /v1/jobs", { as: "acme" })
        expect((yield* ask("GET /metrics", { as: "acme" })).status).toBe(403)
        const answer = yield* ask("GET /metrics", { as: "admin" })
        expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4")
        const text = yield* Effect.promise(() => answer.text())
        expect(text).toMatch(/^sotto_http_requests_total\{[^}]*route="\/v1\/jobs"[^}]*\} \d+$/m)
      })
    ))

  it("shows its interface to people, from nowhere but itself", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("GET /docs", { headers: { accept: "text/html" } })
        expect([answer.status, answer.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/html")])
        expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'")
        const page = yield* Effect.promise(() => answer.text())
        expect(page).toContain("/v1/jobs/{job}")
        expect(page).not.toMatch(/<script[^>]+src=/)
        const bare = yield* serve({ docs: false })
        expect((yield* bare.ask("GET /docs")).status).toBe(404)
      })
    ))
})
