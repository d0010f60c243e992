import { Entropy } from "@sotto/core/ports/Entropy"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { randomBytes } from "node:crypto"

/** The random source of the operating system. */
export const layerSystemEntropy: Layer.Layer<Entropy> = Layer.succeed(Entropy, {
  bytes: (count) => Effect.sync(() => new Uint8Array(randomBytes(count)))
})
