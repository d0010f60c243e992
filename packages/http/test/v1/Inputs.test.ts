import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, play } from "../support/Rig.ts"
import { pass, started } from "../support/Shop.ts"

describe("Inputs", () => {
  it("are waited for, given once, and listed without what they hold", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, path } = yield* started()
        const waiting = yield* json(yield* ask(`GET ${path}/inputs`, { as: "acme" }))
        expect(waiting).toMatchObject({ inputs: [], awaited: { key: "address", stage: "delivery" } })
        const given = yield* ask(`PUT ${path}/inputs/address`, { as: "acme", body: { data: { city: "Bern 4711" } } })
        expect(given.status).toBe(200)
        const again = yield* ask(`PUT ${path}/inputs/address`, { as: "acme", body: { data: 2 } })
        expect([again.status, (yield* json(again)).reason]).toEqual([409, "not inputKnown"])
        for (const place of [`${path}/inputs`, path, `${path}/events`]) {
          const text = yield* Effect.flatMap(ask(`GET ${place}`, { as: "acme" }), (answer) =>
            Effect.promise(() => answer.text())
          )
          expect(text, place).toContain("address")
          expect(text, place).not.toContain("4711")
        }
      })
    ))

  it("and what happens outside bring the job to its end", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, path } = yield* started()
        yield* ask(`PUT ${path}/inputs/address`, { as: "acme", body: { data: "Bern" } })
        yield* pass
        const waiting = yield* json(yield* ask(`GET ${path}`, { as: "acme" }))
        expect(waiting.awaiting).toMatchObject({ external: "3ds-1", data: { url: "https://bank.example" } })
        yield* ask(`PUT ${path}/externals/3ds-1`, { as: "acme", body: { data: "accepted" } })
        yield* pass
        const done = yield* json(yield* ask(`GET ${path}`, { as: "acme" }))
        expect(done).toMatchObject({ state: "Succeeded", result: { address: "Bern", paid: "accepted" } })
      })
    ))
})
