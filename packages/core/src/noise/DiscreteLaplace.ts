/**
 * Discrete Laplace noise: P(Z = k) = tanh(λ/2)·e^{−λ|k|}, exactly, with λ = ε / L1 (spec: ledger §4).
 *
 * Given ideal random words, sums released with this noise are exactly ε-differentially private for units that move them
 * by at most L1 in total. With keyed words the guarantee is computational: at most (1 + e^ε) times the advantage of a
 * distinguisher against HMAC-SHA256 and ChaCha20 is added. No floating-point number stands between a sum and its release.
 *
 * The usual samplers take longer for larger noise, which a clock can see (Jin et al. 2022, arXiv 2112.05307). Here every
 * bucket does the same work in the same order, except after a tail success or a tie, whose resolution is exact and slow.
 * A tie has at most probability (m + 2)·2⁻³² a bucket, below 2⁻²⁷ up to 29 digits, which do for ε ≥ 0.006 at L1 = 65 536.
 */
import { chachaBlock } from "./ChaChaBlock.ts"
import { rateOf } from "./Rate.ts"
import type { NoiseSeed } from "./Seed.ts"
import { type Thresholds, thresholds } from "./Thresholds.ts"
import { blockKey, BUCKET_BYTES, keyedWords, keyWords, littleEndian, type Words, WORDS_PER_BLOCK } from "./Words.ts"

/** The name under which questions are charged; another construction needs another name (spec: ledger §2). */
export const MECHANISM = "dlap-digits/1"

export interface Noise {
  /** The noise of one bucket (16 bytes, big-endian). */
  readonly noise: (bucket: Uint8Array) => bigint
  /**
   * Noises the buckets `from` … `to` − 1: out[i] = clampInt64(sums[i] + noise of bucket i).
   * Bucket i is bytes 16·i … 16·i + 15 of `buckets`, big-endian. `out` may be `sums`. Throws on a range that is not there.
   */
  readonly release: (buckets: Uint8Array, sums: BigInt64Array, out: BigInt64Array, from: number, to: number) => void
}

/** Noise of `seed` at `epsilon` micro-ε for sensitivity `l1`; both positive safe integers. Set-up takes a few milliseconds. */
export const makeNoise = (seed: NoiseSeed, epsilon: number, l1: number): Noise =>
  noiseWith(seed, thresholds(rateOf(epsilon, l1)))

/** As `makeNoise`, for thresholds that are there already, e.g. those of a test. */
export const noiseWith = (seed: NoiseSeed, table: Thresholds): Noise => {
  const words = keyedWords(seed)
  const noise = (bucket: Uint8Array): bigint => discreteLaplace(table, words, bucket)
  return { noise, release: releaser(seed, table, noise) }
}

/**
 * One draw from addressed words, step by step. Reads words beyond depth 0 only of coins that tie, and no address twice, so
 * words that are simply drawn anew on every call serve as well where nothing has to be repeated.
 */
export const discreteLaplace = (table: Thresholds, words: Words, bucket: Uint8Array): bigint => {
  const { m } = table
  const zero = m
  const tail = m + 1
  const sign = m + 2
  let magnitude = 1n
  for (let i = 0; i < m; i++) if (toss(table, words, bucket, i, i)) magnitude += 1n << BigInt(i)
  const isZero = toss(table, words, bucket, zero, zero)
  for (let again = tail; toss(table, words, bucket, tail, again); again = again === tail ? sign + 1 : again + 1)
    magnitude += 1n << BigInt(m)
  const negative = (words(sign, 0, bucket) & 1) === 1
  return isZero ? 0n : negative ? -magnitude : magnitude
}

// Redrawing a tie would bias the coin; comparing further words does not.
const toss = (table: Thresholds, words: Words, bucket: Uint8Array, coin: number, address: number): boolean => {
  for (let depth = 0; ; depth++) {
    const [drawn, threshold] = [words(address, depth, bucket), table.word(coin, depth)]
    if (drawn !== threshold) return drawn < threshold
  }
}

const MAX_INT64 = 2n ** 63n - 1n
const MIN_INT64 = -(2n ** 63n)

/** Saturates, because a sum near the edge must not change its sign. After the noise, never before: so it costs no privacy. */
export const clampInt64 = (value: bigint): bigint =>
  value > MAX_INT64 ? MAX_INT64 : value < MIN_INT64 ? MIN_INT64 : value

// A magnitude of at most 2^62 and any int64 add up in two 32-bit halves: every ε in use at the usual L1.
const MAX_DIGITS_IN_HALVES = 62
const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1
const HIGH = 1 - LOW

const releaser = (seed: NoiseSeed, table: Thresholds, noise: Noise["noise"]): Noise["release"] => {
  const { m } = table
  const coins = m + 2
  const blocks = Math.ceil((coins + 1) / WORDS_PER_BLOCK)
  const keys = Array.from({ length: blocks }, (_, group) => keyWords(blockKey(seed, 0, group)))
  const limits = Int32Array.from({ length: coins }, (_, coin) => table.word(coin, 0))
  const words = new Int32Array(blocks * WORDS_PER_BLOCK)
  const lowDigits = Math.min(m, 32)

  const exactly = (buckets: Uint8Array, sums: BigInt64Array, out: BigInt64Array, i: number): void => {
    const bucket = buckets.subarray(i * BUCKET_BYTES, (i + 1) * BUCKET_BYTES)
    out[i] = clampInt64((sums[i] as bigint) + noise(bucket))
  }

  return (buckets, sums, out, from, to) => {
    const length = Math.min(Math.floor(buckets.length / BUCKET_BYTES), sums.length, out.length)
    if (!(Number.isInteger(from) && Number.isInteger(to) && 0 <= from && from <= to && to <= length))
      throw new RangeError(`no buckets ${from} to ${to} among ${length}`)
    if (m > MAX_DIGITS_IN_HALVES) {
      for (let i = from; i < to; i++) exactly(buckets, sums, out, i)
      return
    }
    const sumHalves = new Int32Array(sums.buffer, sums.byteOffset, 2 * sums.length)
    const outHalves = new Int32Array(out.buffer, out.byteOffset, 2 * out.length)
    for (let i = from; i < to; i++) {
      const at = i * BUCKET_BYTES
      const i0 = littleEndian(buckets, at)
      const i1 = littleEndian(buckets, at + 4)
      const i2 = littleEndian(buckets, at + 8)
      const i3 = littleEndian(buckets, at + 12)
      for (let group = 0; group < blocks; group++)
        chachaBlock(keys[group] as Int32Array, i0, i1, i2, i3, words, group * WORDS_PER_BLOCK)

      // `differ` stays 1 while no word equals its threshold; `below` is word < threshold as unsigned numbers.
      let differ = 1
      let low = 0
      let high = 0
      let below = 0
      for (let coin = 0; coin < coins; coin++) {
        const a = words[coin] as number
        const b = limits[coin] as number
        below = ((~a & b) | ((~a | b) & (a - b))) >>> 31
        const x = a ^ b
        differ &= (x | -x) >>> 31
        // below << coin for digits; the masks drop it from the half where it does not belong.
        low |= (below << coin) & ((coin - lowDigits) >> 31)
        high |= (below << (coin - 32)) & (~(coin - 32) >> 31) & ((coin - m) >> 31)
      }
      const tail = below
      if ((differ ^ 1) | tail) {
        exactly(buckets, sums, out, i)
        continue
      }
      const za = words[m] as number
      const zb = limits[m] as number
      const isZero = ((~za & zb) | ((~za | zb) & (za - zb))) >>> 31

      // Magnitude 1 + digits, or 0; then its two's complement if the sign bit is set. A carry out of x + bit shows as x & ~sum.
      const keep = isZero - 1
      const one = (low + 1) | 0
      const magnitudeHigh = (high + ((low & ~one) >>> 31)) & keep
      const magnitudeLow = one & keep
      const signBit = (words[coins] as number) & 1
      const flippedLow = magnitudeLow ^ -signBit
      const noiseLow = (flippedLow + signBit) | 0
      const noiseHigh = ((magnitudeHigh ^ -signBit) + ((flippedLow & ~noiseLow) >>> 31)) | 0

      // sum + noise in 64 bits, saturated.
      const sumLow = sumHalves[2 * i + LOW] as number
      const sumHigh = sumHalves[2 * i + HIGH] as number
      const totalLow = (sumLow + noiseLow) | 0
      const carry = ((sumLow & noiseLow) | ((sumLow | noiseLow) & ~totalLow)) >>> 31
      const totalHigh = (sumHigh + noiseHigh + carry) | 0
      const overflow = ((sumHigh ^ totalHigh) & (noiseHigh ^ totalHigh)) >> 31
      const side = sumHigh >> 31
      outHalves[2 * i + LOW] = (totalLow & ~overflow) | (~side & overflow)
      outHalves[2 * i + HIGH] = (totalHigh & ~overflow) | ((side ^ 0x7fffffff) & overflow)
    }
  }
}
