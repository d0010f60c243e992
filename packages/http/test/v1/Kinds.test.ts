import { aggregationKind } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, NOTES, play, serve } from "../support/Rig.ts"

describe("Kinds", () => {
  it("are shown with their schemas and where their jobs can be", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ kinds: [NOTES, aggregationKind] })
        const { kinds } = yield* json(yield* ask("GET /v1/kinds", { as: "acme" }))
        expect(kinds.map((kind: { name: string }) => kind.name)).toEqual(["notes", "aggregation"])
        const one = yield* json(yield* ask("GET /v1/kinds/aggregation", { as: "acme" }))
        expect(one).toEqual(kinds[1])
        expect(one).toMatchObject({ relation: "leased", words: ["RECEIVED", "IN_PROGRESS", "FINISHED"], paused: false })
        expect(one.states).not.toContain("AwaitingInput")
        expect(one.parameters.properties).toHaveProperty("inputDataBucketName")
        expect(one.result.properties).toHaveProperty("returnCode")
        const unknown = yield* ask("GET /v1/kinds/nothing", { as: "acme" })
        expect([unknown.status, (yield* json(unknown)).type]).toEqual([404, "urn:sotto:problem:unknown-kind"])
      })
    ))

  it("are drawn as Mermaid diagrams, for those that accept one", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const answer = yield* ask("GET /v1/kinds/notes/diagram", { as: "acme" })
        expect(answer.headers.get("content-type")).toBe("text/vnd.mermaid; charset=utf-8")
        expect(yield* Effect.promise(() => answer.text())).toMatch(
          /^stateDiagram-v2\n {2}\[\*\] --> Queued: Submitted\n/
        )
        const text = yield* ask("GET /v1/kinds/notes/diagram", { as: "acme", headers: { accept: "text/plain" } })
        expect(text.headers.get("content-type")).toBe("text/plain; charset=utf-8")
      })
    ))

  it("are paused and resumed by operators only", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve()
        const paused = Effect.map(
          Effect.flatMap(ask("GET /v1/kinds/notes", { as: "acme" }), json),
          (kind) => kind.paused
        )
        expect((yield* ask("POST /v1/kinds/notes/pause", { as: "acme" })).status).toBe(403)
        expect(yield* paused).toBe(false)
        expect((yield* ask("POST /v1/kinds/notes/pause", { as: "admin" })).status).toBe(204)
        expect(yield* paused).toBe(true)
        expect((yield* ask("POST /v1/kinds/notes/resume", { as: "admin" })).status).toBe(204)
        expect(yield* paused).toBe(false)
      })
    ))
})
