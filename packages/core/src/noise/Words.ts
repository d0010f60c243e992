/**
 * Uniform 32-bit words with an address (coin, depth, bucket), a pure function of the seed (spec: ledger §4).
 *
 * Nothing is consumed in sequence, so shards, threads and order cannot matter, and a tie in one coin cannot shift another.
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { concat, label, u16 } from "../internal/Bytes.ts"
import { chachaBlock } from "./ChaChaBlock.ts"
import type { NoiseSeed } from "./Seed.ts"

/**
 * The word (0 … 2³² − 1) of `coin` at `depth` for a bucket of 16 bytes, big-endian. Coins 0 … m + 1 are those of
 * Thresholds.ts, m + 2 is the sign, m + 3 and on are further tosses of the tail coin.
 */
export type Words = (coin: number, depth: number, bucket: Uint8Array) => number

export const WORDS_PER_BLOCK = 16
export const BUCKET_BYTES = 16

/** ChaCha20 key (32 bytes) of the 16 words from coin 16·`group` at `depth`; both are u16. */
export const blockKey = (seed: NoiseSeed, depth: number, group: number): Uint8Array =>
  hmac(sha256, seed, concat(label("sotto/noise/1"), u16(depth), u16(group)))

/** A key as the 8 little-endian words that `chachaBlock` takes. */
export const keyWords = (key: Uint8Array): Int32Array =>
  Int32Array.from({ length: 8 }, (_, i) => littleEndian(key, 4 * i))

export const littleEndian = (bytes: Uint8Array, at: number): number =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24)

/** The words of a seed, one block computed for each: for single buckets and ties, not for a whole domain. */
export const keyedWords = (seed: NoiseSeed): Words => {
  const keys = new Map<string, Int32Array>()
  const out = new Int32Array(WORDS_PER_BLOCK)
  return (coin, depth, bucket) => {
    if (bucket.length !== BUCKET_BYTES) throw new RangeError(`a bucket has ${BUCKET_BYTES} bytes, not ${bucket.length}`)
    const group = Math.floor(coin / WORDS_PER_BLOCK)
    const at = `${depth}/${group}`
    let key = keys.get(at)
    if (key === undefined) keys.set(at, (key = keyWords(blockKey(seed, depth, group))))
    const [i0, i1, i2, i3] = [0, 4, 8, 12].map((i) => littleEndian(bucket, i)) as [number, number, number, number]
    chachaBlock(key, i0, i1, i2, i3, out, 0)
    return (out[coin % WORDS_PER_BLOCK] as number) >>> 0
  }
}
