import { type BucketWords, bucketToBigInt } from "./Buckets.ts"

/** One contribution, for tests and tools; the hot path never makes one. */
export interface Contribution {
  /** 0 … 2¹²⁸−1 */
  readonly bucket: bigint
  /** 0 … 2³²−1 */
  readonly value: number
  /** 0 … 2⁶⁴−1 */
  readonly id: bigint
}

/**
 * Contributions of many reports in flat arrays that grow as needed and are used again.
 *
 * Contribution `i` is `buckets[4i … 4i + 3]` (most significant word first), `values[i]`, and the id
 * `ids[2i] · 2³² + ids[2i + 1]`: 28 bytes. A caller that fills them from elsewhere calls `reserve` first and sets `length`.
 */
export class Contributions {
  length = 0
  buckets: BucketWords
  values: Uint32Array
  ids: Uint32Array

  constructor(capacity = 1024) {
    this.buckets = new Uint32Array(4 * capacity)
    this.values = new Uint32Array(capacity)
    this.ids = new Uint32Array(2 * capacity)
  }

  get capacity(): number {
    return this.values.length
  }

  /** Makes room for `more` contributions behind `length`. The arrays may be others afterwards. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.values.length) return
    const capacity = Math.max(needed, 2 * this.values.length)
    this.buckets = copied(this.buckets, 4 * capacity)
    this.values = copied(this.values, capacity)
    this.ids = copied(this.ids, 2 * capacity)
  }

  clear(): void {
    this.length = 0
  }

  at(i: number): Contribution {
    return {
      bucket: bucketToBigInt(this.buckets, i),
      value: this.values[i] as number,
      id: (BigInt(this.ids[2 * i] as number) << 32n) | BigInt(this.ids[2 * i + 1] as number)
    }
  }

  toArray(): ReadonlyArray<Contribution> {
    return Array.from({ length: this.length }, (_, i) => this.at(i))
  }
}

const copied = (words: Uint32Array, length: number): Uint32Array => {
  const out = new Uint32Array(length)
  out.set(words)
  return out
}
