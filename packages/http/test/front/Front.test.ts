import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, play, serve } from "../support/Rig.ts"

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

  it("is alive", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("GET /healthz")
        expect(answer.status).toBe(200)
        expect(yield* json(answer)).toEqual({ status: "ok" })
      })
    ))

  it("says in Allow which methods an address takes", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("POST /healthz")
        expect(answer.status).toBe(405)
        expect(answer.headers.get("allow")).toBe("GET, HEAD, OPTIONS")
        expect(yield* json(answer)).toMatchObject({ type: "urn:sotto:problem:method-not-allowed" })
      })
    ))
})
