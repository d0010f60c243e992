import { blockKey, freshSeed } from "@sotto/core/noise"
import { Entropy } from "@sotto/core/ports/Entropy"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const BLOCK_BYTES = 32

/**
 * Bytes that follow from a seed (0 … 2³² − 1), for tests: HMAC-SHA-256 in counter mode.
 *
 * Never for real runs: who knows the seed knows every id and token.
 */
export const layerSeededEntropy = (seed: number): Layer.Layer<Entropy> =>
  Layer.sync(Entropy, () => {
    const key = new Uint8Array(BLOCK_BYTES)
    new DataView(key.buffer).setUint32(0, seed)
    const root = freshSeed(key)
    let counter = 0
    const block = (): Uint8Array => {
      const n = counter++
      return blockKey(root, n >>> 16, n & 0xffff)
    }
    return Entropy.of({
      bytes: (count) =>
        Effect.sync(() => {
          const out = new Uint8Array(count)
          for (let at = 0; at < count; at += BLOCK_BYTES) out.set(block().subarray(0, count - at), at)
          return out
        })
    })
  })
