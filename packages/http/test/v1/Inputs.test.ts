import { handle } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, kindOf, play, serve } from "../support/Rig.ts"
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

  it("that a job rejects are asked for again, and not given back", () =>
    play(() =>
      Effect.gen(function* () {
        const picky = handle(kindOf("picky"), (job) =>
          Effect.gen(function* () {
            const address = yield* job.input("address")
            return address === "wrong 4711" ? yield* job.input("address", { rejects: true }) : address
          })
        )
        const { ask } = yield* serve({ handlers: [picky] })
        const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "picky", parameters: 1 } }))
        const waiting = Effect.suspend(() => Effect.flatMap(ask(`GET /v1/jobs/${id}`, { as: "acme" }), json))
        const give = (data: string) => ask(`PUT /v1/jobs/${id}/inputs/address`, { as: "acme", body: { data } })
        yield* pass
        expect((yield* waiting).awaiting).toMatchObject({ input: "address", rejected: false })
        yield* give("wrong 4711")
        yield* pass
        const again = yield* waiting
        expect(again.awaiting).toMatchObject({ input: "address", rejected: true })
        expect(JSON.stringify(again)).not.toContain("4711")
        yield* give("Bern")
        yield* pass
        expect(yield* waiting).toMatchObject({ state: "Succeeded", result: "Bern" })
      })
    ))
})
