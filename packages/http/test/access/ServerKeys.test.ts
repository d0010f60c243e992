import { Entropy } from "@sotto/core/ports/Entropy"
import { Records } from "@sotto/core/ports/Records"
import { emptyMemoryRecords, layerMemoryRecords, layerSeededEntropy } from "@sotto/memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { TestClock } from "effect/testing"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { rotateServerKey, serverKeys, signingKey } from "../../src/access/ServerKeys.ts"
import { play } from "./Rig.ts"

const hexOf = ({ secret }: { readonly secret: { reveal(): Uint8Array } }) =>
  Buffer.from(secret.reveal()).toString("hex")

describe("Keys of the server", () => {
  it("are none until one is needed, and one from then on", () =>
    play(
      Effect.gen(function* () {
        expect(yield* serverKeys()).toEqual([])
        const first = yield* signingKey()
        expect(first.secret.reveal()).toHaveLength(32)
        expect(hexOf(yield* signingKey())).toBe(hexOf(first))
        expect(yield* serverKeys()).toHaveLength(1)
      })
    ))

  it("are one for all processes over one store, in whatever order their calls arrive", () =>
    fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, rotates) => {
        const store = emptyMemoryRecords()
        const process = (seed: number) =>
          Layer.merge(
            Layer.effect(
              Records,
              Effect.map(Records, (records) => {
                const turn = Effect.promise(() => scheduler.schedule(Promise.resolve()))
                return Records.of({
                  ...records,
                  scan: (...args) => Effect.andThen(turn, records.scan(...args)),
                  put: (...args) => Effect.andThen(turn, records.put(...args))
                })
              })
            ).pipe(Layer.provide(layerMemoryRecords({ records: store }))),
            layerSeededEntropy(seed)
          )
        const program = Effect.gen(function* () {
          if (rotates) yield* rotateServerKey(1000)
          return hexOf(yield* signingKey())
        })
        const runs = [1, 2, 3].map((seed) => Effect.runPromise(Effect.provide(program, process(seed))))
        await scheduler.waitFor(Promise.all(runs))
        const last = await Effect.runPromise(
          Effect.provide(
            Effect.map(serverKeys(), (keys) => keys.map(hexOf)),
            layerMemoryRecords({ records: store })
          )
        )
        if (!rotates) expect(await Promise.all(runs)).toEqual([last[0], last[0], last[0]])
        expect(last.length).toBeLessThanOrEqual(rotates ? 3 : 1)
        for (const used of await Promise.all(runs)) expect(last).toContain(used)
      }),
      { numRuns: 60 }
    ))

  it("are 32 fresh bytes each", () =>
    play(
      Effect.gen(function* () {
        for (let n = 0; n < 12; n++) yield* rotateServerKey(1000)
        const keys = yield* serverKeys()
        expect(keys.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
        expect(new Set(keys.map(hexOf)).size).toBe(12)
        expect(hexOf(yield* signingKey())).toBe(hexOf(keys[11]!))
      })
    ))

  it("that were replaced are kept for as long as was said, and no rotation keeps one longer", () =>
    play(
      Effect.gen(function* () {
        const first = yield* signingKey()
        yield* rotateServerKey(1000)
        const second = yield* signingKey()
        yield* rotateServerKey(5000)
        expect((yield* serverKeys()).map(({ number }) => number)).toEqual([1, 2, 3])
        yield* TestClock.adjust(999)
        expect((yield* serverKeys()).map(hexOf)).toContain(hexOf(first))
        yield* TestClock.adjust(1)
        expect((yield* serverKeys()).map(({ number }) => number)).toEqual([2, 3])
        expect((yield* serverKeys()).map(hexOf)).toContain(hexOf(second))
        yield* TestClock.adjust(4000)
        expect((yield* serverKeys()).map(({ number }) => number)).toEqual([3])
      })
    ))

  it("that must not be trusted any more are gone at once", () =>
    play(
      Effect.gen(function* () {
        yield* signingKey()
        yield* rotateServerKey(0)
        expect((yield* serverKeys()).map(({ number }) => number)).toEqual([2])
        yield* TestClock.adjust("365 days")
        expect((yield* signingKey()).number).toBe(2)
      })
    ))

  it("do not print", () =>
    play(
      Effect.gen(function* () {
        const key = yield* signingKey()
        expect(`${JSON.stringify(key)}${String(key.secret)}`).not.toContain(hexOf(key).slice(0, 8))
      }).pipe(Effect.provideService(Entropy, { bytes: (count) => Effect.succeed(new Uint8Array(count).fill(65)) }))
    ))
})
