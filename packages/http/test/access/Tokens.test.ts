import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { layerSeededEntropy } from "@sotto/memory"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { AccessUnavailable } from "../../src/access/Authentication.ts"
import { mayUse } from "../../src/access/Principal.ts"
import { rotateServerKey } from "../../src/access/ServerKeys.ts"
import { layerTokens, Tokens } from "../../src/access/Tokens.ts"
import { layerBrokenRecords, play, START } from "./Rig.ts"

const using = <A, E, R>(body: (tokens: Tokens["Service"]) => Effect.Effect<A, E, R>) =>
  Effect.provide(Tokens.use(body), layerTokens)

const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
const until = fc.integer({ min: 1, max: 10_000 }).map((ms) => START + ms)

describe("A token of the server", () => {
  it("stands for one job of one tenant before its time is over", () =>
    fc.assert(
      fc.asyncProperty(name, name, until, (tenant, id, end) =>
        play(
          using((tokens) =>
            Effect.gen(function* () {
              const token = yield* tokens.jobToken({ tenant, id, until: end })
              const principal = yield* tokens.read("job", token, end - 1)
              expect(principal).toEqual({ tenant, name: `token of job ${id}`, scope: { _tag: "Job", id, until: end } })
              expect(yield* tokens.read("job", token, end)).toBeUndefined()
              expect(yield* tokens.read("link", token, START)).toBeUndefined()
            })
          )
        )
      ),
      { numRuns: 30 }
    ))

  it("stands for one object of one tenant before its time is over", () =>
    fc.assert(
      fc.asyncProperty(name, name, name, until, (tenant, bucket, key, end) =>
        play(
          using((tokens) =>
            Effect.gen(function* () {
              const ref = { bucket, key }
              const token = yield* tokens.linkToken({ tenant, ref, until: end })
              const principal = yield* tokens.read("link", token, end - 1)
              expect(principal).toMatchObject({ tenant, scope: { _tag: "Blob", ref, until: end } })
              expect(principal && mayUse(principal, { _tag: "Blob", ref }, end - 1)).toBe(true)
              expect(yield* tokens.read("link", token, end)).toBeUndefined()
              expect(yield* tokens.read("job", token, START)).toBeUndefined()
            })
          )
        )
      ),
      { numRuns: 30 }
    ))

  it.each([{}, { keyId: "0011223344556677" }, { keyId: "0011223344556677", model: "pythagoras" }])(
    "that is got with an API key is bound to payer and model as that is: %o",
    (bound) =>
      play(
        using((tokens) =>
          Effect.gen(function* () {
            const token = yield* tokens.accessToken({ tenant: "acme", name: "ci", ...bound, until: START + 10 })
            const principal = yield* tokens.read("access", token, START)
            expect(principal).toEqual({ tenant: "acme", name: "ci", ...bound, scope: { _tag: "All" } })
            expect(yield* tokens.read("access", token, START + 10)).toBeUndefined()
            expect(yield* tokens.read("job", token, START)).toBeUndefined()
          })
        )
      )
  )

  it("outlives a rotation for as long as was said", () =>
    play(
      using((tokens) =>
        Effect.gen(function* () {
          const old = yield* tokens.jobToken({ tenant: "acme", id: "j1", until: START + 10 })
          yield* rotateServerKey(1000)
          const young = yield* tokens.jobToken({ tenant: "acme", id: "j1", until: START + 10 })
          expect(Redacted.value(young)).not.toBe(Redacted.value(old))
          expect(yield* tokens.read("job", old, START)).toBeDefined()
          yield* rotateServerKey(0)
          expect(yield* tokens.read("job", old, START)).toBeUndefined()
          expect(yield* tokens.read("job", young, START)).toBeUndefined()
        })
      )
    ))

  it("is not read by a server with another store", () =>
    play(
      Effect.gen(function* () {
        const token = yield* using((tokens) => tokens.jobToken({ tenant: "acme", id: "j1", until: START + 10 }))
        const read = Effect.provide(
          Tokens.use((tokens) =>
            Effect.andThen(
              tokens.jobToken({ tenant: "acme", id: "j2", until: START + 10 }),
              tokens.read("job", token, START)
            )
          ),
          layerTokens
        )
        expect(yield* read).toBeDefined()
        expect(yield* Effect.promise(() => play(Effect.provide(read, layerSeededEntropy(2))))).toBeUndefined()
      })
    ))

  it("is unavailable with the store, whose trouble only the log learns", async () => {
    const lines: Array<unknown> = []
    await play(
      Effect.provide(
        Tokens.use((tokens) =>
          Effect.gen(function* () {
            const asked: ReadonlyArray<Effect.Effect<unknown, AccessUnavailable>> = [
              tokens.jobToken({ tenant: "acme", id: "j1", until: START + 10 }),
              tokens.read("job", Redacted.make("sotto_job_AAAA"), START)
            ]
            for (const one of asked) {
              const error = yield* Effect.flip(one)
              expect(error._tag).toBe("AccessUnavailable")
              expect(error.message).not.toContain("sotto.db")
            }
          })
        ),
        Layer.provide(layerTokens, Layer.merge(layerBrokenRecords, layerSeededEntropy(1)))
      ),
      lines
    )
    expect(JSON.stringify(lines)).toContain("sotto.db")
    expect(JSON.stringify(lines)).not.toContain("AAAA")
  })
})
