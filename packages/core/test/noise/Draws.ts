import { makeNoise } from "../../src/noise/DiscreteLaplace.ts"
import type { NoiseSeed } from "../../src/noise/Seed.ts"

/** The buckets `first` … `first` + n − 1, 16 bytes each. */
export const consecutiveBuckets = (n: number, first = 0): Uint8Array => {
  const buckets = new Uint8Array(16 * n)
  const view = new DataView(buckets.buffer)
  for (let i = 0; i < n; i++) view.setUint32(16 * i + 12, first + i)
  return buckets
}

/** Noise of n consecutive buckets by the path that releases. */
export const draws = (seed: NoiseSeed, epsilon: number, l1: number, n: number, first = 0): Float64Array => {
  const out = new BigInt64Array(n)
  makeNoise(seed, epsilon, l1).release(consecutiveBuckets(n, first), out, out, 0, n)
  return Float64Array.from(out, Number)
}
