import type { BucketWords } from "./Buckets.ts"
import type { Contributions } from "./Contributions.ts"
import { type FilteringIds, selectsId } from "./FilteringIds.ts"
import { type HashKey, halfSip } from "./KeyedHash.ts"

const SEGMENTS = 256
const FIRST_CAPACITY = 8
/** Words of a slot: four of the bucket, then the low and the high half of the sum. */
const SLOT = 6

/** No bound on what one report adds (spec: ledger §7). */
export const UNBOUNDED = Number.POSITIVE_INFINITY

/**
 * Sums per bucket: a map from 128-bit buckets to 64-bit sums of 32-bit values.
 *
 * A sum is min(true sum, 2⁶³ − 1), in any order of adding and merging (spec: aggregation §6). It stops rather than wraps,
 * because one report may then still move it by no more than its own values, which is what the noise covers.
 *
 * Open addressing over `Uint32Array`s, cut into 256 segments that grow by half when 4/5 full: between 30 and 45 bytes a
 * bucket plus one segment while it grows, never a doubling of everything. The hash is keyed, because whoever writes
 * reports chooses the buckets.
 */
export class Histogram {
  #size = 0
  readonly #key: HashKey
  readonly #slots: Array<Uint32Array> = []
  readonly #sizes = new Uint32Array(SEGMENTS)
  // Four zero words mark an empty slot, so bucket 0 lives here: its sum, and whether it is present.
  readonly #zero = new Uint32Array(SLOT)
  #hasZero = false

  constructor(key: HashKey) {
    this.#key = key
    for (let i = 0; i < SEGMENTS; i++) this.#slots.push(new Uint32Array(SLOT * FIRST_CAPACITY))
  }

  /** Number of buckets that are present. */
  get size(): number {
    return this.#size
  }

  /** Bytes of the tables now. */
  get byteLength(): number {
    return this.#slots.reduce((sum, slots) => sum + slots.byteLength, 0)
  }

  /**
   * Adds one contribution of `value` 0 … 2³²−1. Bucket 0 with value 0 is the padding of clients and leaves no trace; any
   * other bucket is present from then on, with value 0 too (spec: aggregation §6).
   */
  add(a: number, b: number, c: number, d: number, value: number): void {
    if (value === 0 && (a | b | c | d) === 0) return
    this.#addSum(a, b, c, d, value, 0)
  }

  /**
   * Adds the contributions `from … to − 1` of **one report** that carry a requested id.
   *
   * Values are cut in payload order once the report's running sum passes `bound`. The running sum counts every
   * contribution, requested or not, so that questions about disjoint ids add up to the question about all of them.
   */
  addReport(report: Contributions, from: number, to: number, ids: FilteringIds, bound: number): void {
    const { buckets, values, ids: own } = report
    const onlyZero = ids.ids.length === 1 && ids.ids[0] === 0n
    let left = bound
    for (let i = from; i < to; i++) {
      let value = values[i] as number
      if (value > left) value = left
      left -= value
      const hi = own[2 * i] as number
      const lo = own[2 * i + 1] as number
      if (onlyZero ? (hi | lo) !== 0 : !selectsId(ids, hi, lo)) continue
      const at = 4 * i
      this.add(
        buckets[at] as number,
        buckets[at + 1] as number,
        buckets[at + 2] as number,
        buckets[at + 3] as number,
        value
      )
    }
  }

  /** Adds every sum of `other`. */
  merge(other: Histogram): void {
    for (const slots of other.#slots) {
      for (let at = 0; at < slots.length; at += SLOT) {
        const a = slots[at] as number
        const b = slots[at + 1] as number
        const c = slots[at + 2] as number
        const d = slots[at + 3] as number
        if ((a | b | c | d) === 0) continue
        this.#addSum(a, b, c, d, slots[at + 4] as number, slots[at + 5] as number)
      }
    }
    if (other.#hasZero) this.#addSum(0, 0, 0, 0, other.#zero[4] as number, other.#zero[5] as number)
  }

  /**
   * Writes the sum of the bucket `words[4·row …]` as `out[2·at]` (low half) and `out[2·at + 1]` (high half); zero, and
   * false, when the bucket is not present.
   */
  lookup(words: BucketWords, row: number, out: Uint32Array, at: number): boolean {
    const i = row * 4
    const a = words[i] as number
    const b = words[i + 1] as number
    const c = words[i + 2] as number
    const d = words[i + 3] as number
    if ((a | b | c | d) === 0) {
      out[2 * at] = this.#zero[4] as number
      out[2 * at + 1] = this.#zero[5] as number
      return this.#hasZero
    }
    const hash = halfSip(this.#key, a, b, c, d)
    const slots = this.#slots[hash & (SEGMENTS - 1)] as Uint32Array
    const slot = find(slots, hash, a, b, c, d)
    // An empty slot holds a zero sum.
    out[2 * at] = slots[slot + 4] as number
    out[2 * at + 1] = slots[slot + 5] as number
    return (
      ((slots[slot] as number) |
        (slots[slot + 1] as number) |
        (slots[slot + 2] as number) |
        (slots[slot + 3] as number)) !==
      0
    )
  }

  /** The sum of one bucket, 0 … 2⁶³ − 1; `undefined` when it is not present. */
  get(words: BucketWords, row = 0): bigint | undefined {
    const sum = new Uint32Array(2)
    if (!this.lookup(words, row, sum, 0)) return undefined
    return (BigInt(sum[1] as number) << 32n) | BigInt(sum[0] as number)
  }

  /** The buckets that are present, in no order; `sortBuckets` orders them. A copy of 16 bytes a bucket. */
  buckets(): BucketWords {
    const words = new Uint32Array(this.#size * 4)
    // Bucket 0, when present, is the first row, which is zero already.
    let row = this.#hasZero ? 1 : 0
    for (const slots of this.#slots) {
      for (let at = 0; at < slots.length; at += SLOT) {
        const a = slots[at] as number
        const b = slots[at + 1] as number
        const c = slots[at + 2] as number
        const d = slots[at + 3] as number
        if ((a | b | c | d) === 0) continue
        words[row * 4] = a
        words[row * 4 + 1] = b
        words[row * 4 + 2] = c
        words[row * 4 + 3] = d
        row++
      }
    }
    return words
  }

  #addSum(a: number, b: number, c: number, d: number, low: number, high: number): void {
    if ((a | b | c | d) === 0) {
      if (!this.#hasZero) this.#size++
      this.#hasZero = true
      addTo(this.#zero, 0, low, high)
      return
    }
    const hash = halfSip(this.#key, a, b, c, d)
    const segment = hash & (SEGMENTS - 1)
    let slots = this.#slots[segment] as Uint32Array
    let at = find(slots, hash, a, b, c, d)
    if (
      ((slots[at] as number) | (slots[at + 1] as number) | (slots[at + 2] as number) | (slots[at + 3] as number)) ===
      0
    ) {
      const size = (this.#sizes[segment] as number) + 1
      if (size * 5 * SLOT > slots.length * 4) {
        slots = grown(slots, this.#key)
        this.#slots[segment] = slots
        at = find(slots, hash, a, b, c, d)
      }
      slots[at] = a
      slots[at + 1] = b
      slots[at + 2] = c
      slots[at + 3] = d
      this.#sizes[segment] = size
      this.#size++
    }
    addTo(slots, at, low, high)
  }
}

// Both summands are below 2⁶³, so their sum fits 64 unsigned bits and its top bit tells that it is too large.
const addTo = (slots: Uint32Array, at: number, low: number, high: number): void => {
  const sumLow = ((slots[at + 4] as number) + low) >>> 0
  const sumHigh = (slots[at + 5] as number) + high + (sumLow < low ? 1 : 0)
  const saturated = sumHigh > 0x7fff_ffff
  slots[at + 4] = saturated ? 0xffff_ffff : sumLow
  slots[at + 5] = saturated ? 0x7fff_ffff : sumHigh
}

/** Index of the slot of this bucket, or of the empty slot where it belongs. */
const find = (slots: Uint32Array, hash: number, a: number, b: number, c: number, d: number): number => {
  const length = slots.length
  // The low eight bits chose the segment; the others are scaled to the segment's capacity.
  let at = Math.floor(((hash >>> 8) / 0x100_0000) * (length / SLOT)) * SLOT
  for (;;) {
    const x = slots[at] as number
    const y = slots[at + 1] as number
    const z = slots[at + 2] as number
    const w = slots[at + 3] as number
    if (x === a >>> 0 && y === b >>> 0 && z === c >>> 0 && w === d >>> 0) return at
    if ((x | y | z | w) === 0) return at
    at += SLOT
    if (at === length) at = 0
  }
}

const grown = (slots: Uint32Array, key: HashKey): Uint32Array => {
  const capacity = slots.length / SLOT
  const bigger = new Uint32Array(SLOT * (capacity + Math.ceil(capacity / 2)))
  for (let at = 0; at < slots.length; at += SLOT) {
    const a = slots[at] as number
    const b = slots[at + 1] as number
    const c = slots[at + 2] as number
    const d = slots[at + 3] as number
    if ((a | b | c | d) === 0) continue
    const target = find(bigger, halfSip(key, a, b, c, d), a, b, c, d)
    for (let i = 0; i < SLOT; i++) bigger[target + i] = slots[at + i] as number
  }
  return bigger
}
