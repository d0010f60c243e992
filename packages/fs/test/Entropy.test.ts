import { Entropy } from "@sotto/core/ports/Entropy"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { layerSystemEntropy } from "@sotto/fs"

describe("system Entropy", () => {
  it("gives as many bytes as asked for, and others each time", () => {
    const draw = Effect.flatMap(Entropy, (entropy) => Effect.all([0, 1, 32, 32, 65_536].map((n) => entropy.bytes(n))))
    const drawn = Effect.runSync(Effect.provide(draw, layerSystemEntropy))
    expect(drawn.map((bytes) => bytes.length)).toEqual([0, 1, 32, 32, 65_536])
    expect(drawn[2]).not.toEqual(drawn[3])
  })
})
