import { Entropy } from "@sotto/core/ports/Entropy"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { layerSeededEntropy } from "@sotto/memory"

const draw = (seed: number, ...counts: ReadonlyArray<number>) =>
  Effect.runSync(
    Effect.provide(
      Effect.flatMap(Entropy, (entropy) => Effect.forEach(counts, (count) => entropy.bytes(count))),
      layerSeededEntropy(seed)
    )
  )

describe("seeded Entropy", () => {
  const seeds = fc.integer({ min: 0, max: 0xffffffff })

  it("gives as many bytes as asked for, the same for the same seed", () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.nat(100), { maxLength: 4 }), (seed, counts) => {
        const drawn = draw(seed, ...counts)
        expect(drawn.map((bytes) => bytes.length)).toEqual(counts)
        expect(draw(seed, ...counts)).toEqual(drawn)
      })
    )
  })

  it("never repeats itself, nor another seed", () => {
    const [a, b] = draw(7, 16, 16)
    const [c] = draw(8, 16)
    expect(new Set([a, b, c].map(String)).size).toBe(3)
  })
})
