/**
 * HalfSipHash-1-3 of a 128-bit key, 32 bits out: buckets and report ids are chosen by whoever writes reports, so a table
 * with a known hash could be made to crawl. (Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the reference
 * code's halfsiphash.c with cROUNDS 1, dROUNDS 3.)
 */
export interface HashKey {
  readonly k0: number
  readonly k1: number
}

/** The two 32-bit words of a hash key, e.g. from a random source. They need not be secret after the run. */
export const hashKey = (k0: number, k1: number): HashKey => ({ k0: k0 | 0, k1: k1 | 0 })

/** Hash of the words a ‖ b ‖ c ‖ d as a signed 32-bit integer. */
export const halfSip = (key: HashKey, a: number, b: number, c: number, d: number): number => {
  let v0 = key.k0
  let v1 = key.k1
  let v2 = 0x6c796765 ^ key.k0
  let v3 = 0x74656462 ^ key.k1
  for (let i = 0; i < 8; i++) {
    // Four message words, the length word (16 bytes), and three rounds to finish.
    const m = i === 0 ? a : i === 1 ? b : i === 2 ? c : i === 3 ? d : i === 4 ? 0x1000_0000 : 0
    if (i === 5) v2 ^= 0xff
    v3 ^= m
    v0 = (v0 + v1) | 0
    v1 = (v1 << 5) | (v1 >>> 27)
    v1 ^= v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = (v3 << 8) | (v3 >>> 24)
    v3 ^= v2
    v0 = (v0 + v3) | 0
    v3 = (v3 << 7) | (v3 >>> 25)
    v3 ^= v0
    v2 = (v2 + v1) | 0
    v1 = (v1 << 13) | (v1 >>> 19)
    v1 ^= v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= m
  }
  return v1 ^ v3
}
