import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, play } from "../support/Rig.ts"
import { pass, started } from "../support/Shop.ts"

describe("Outputs", () => {
  it("are listed, and given with their data", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, path } = yield* started()
        expect(yield* json(yield* ask(`GET ${path}/outputs`, { as: "acme" }))).toEqual({ outputs: [] })
        yield* ask(`PUT ${path}/inputs/address`, { as: "acme", body: { data: "Bern" } })
        yield* pass
        const { outputs } = yield* json(yield* ask(`GET ${path}/outputs`, { as: "acme" }))
        expect(outputs).toEqual([{ key: "offer", at: expect.stringMatching(/^2026-01-01T00:00:/) }])
        const offer = yield* ask(`GET ${path}/outputs/offer`, { as: "acme" })
        expect(yield* json(offer)).toEqual({ key: "offer", data: { price: 12 } })
        for (const unknown of [`${path}/outputs/other`, `${path}/outputs/offer?session=2`]) {
          const answer = yield* ask(`GET ${unknown}`, { as: "acme" })
          expect([answer.status, (yield* json(answer)).type]).toEqual([404, "urn:sotto:problem:unknown-output"])
        }
      })
    ))
})
