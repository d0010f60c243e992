import {
  bucketBytes,
  bucketsOf,
  bucketToBigInt,
  compareBuckets,
  distinctBuckets,
  readBucket,
  sortBuckets
} from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { anyBucket } from "./support.ts"

const compare = (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0)
const toList = (words: Uint32Array) => Array.from({ length: words.length / 4 }, (_, i) => bucketToBigInt(words, i))

describe("Buckets", () => {
  it("reads big-endian bytes of any length up to 16, wherever they lie", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 16 }), fc.nat({ max: 5 }), (bytes, offset) => {
        const around = new Uint8Array(bytes.length + offset + 3).fill(0xee)
        around.set(bytes, offset)
        const words = new Uint32Array(12).fill(7)
        expect(readBucket(around, offset, offset + bytes.length, words, 1)).toBe(true)
        expect(bucketToBigInt(words, 1)).toBe(bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n))
        expect([...words.subarray(0, 4), ...words.subarray(8)]).toEqual([7, 7, 7, 7, 7, 7, 7, 7])
      })
    ))

  it("refuses 17 bytes, even if the first is zero", () => {
    const words = new Uint32Array(4).fill(7)
    expect(readBucket(new Uint8Array(17), 0, 17, words, 0)).toBe(false)
    expect([...words]).toEqual([7, 7, 7, 7])
  })

  it("reads back what it writes, without leading zeros; bucket 0 has no bytes", () => {
    fc.assert(
      fc.property(anyBucket, (bucket) => {
        const bytes = bucketBytes(bucketsOf([0n, bucket]), 1)
        const words = new Uint32Array(4)
        expect(bytes[0]).not.toBe(0)
        expect(readBucket(bytes, 0, bytes.length, words, 0)).toBe(true)
        expect(bucketToBigInt(words)).toBe(bucket)
      })
    )
    expect(bucketBytes(bucketsOf([0n]))).toEqual(new Uint8Array(0))
  })

  it("orders as integers", () =>
    fc.assert(
      fc.property(anyBucket, anyBucket, (a, b) => {
        expect(compareBuckets(bucketsOf([5n, a]), 1, bucketsOf([b]), 0)).toBe(compare(a, b))
      })
    ))

  it("sorts and drops duplicates as a set of integers does", () =>
    fc.assert(
      fc.property(fc.array(anyBucket, { maxLength: 400 }), (buckets) => {
        const sorted = sortBuckets(bucketsOf(buckets))
        expect(toList(sorted)).toEqual([...buckets].sort(compare))
        expect(toList(distinctBuckets(sorted))).toEqual([...new Set(buckets)].sort(compare))
      })
    ))

  it("sorts and de-duplicates a million random keys within a second", () => {
    const words = new Uint32Array(4_000_000)
    let state = 1
    for (let i = 0; i < words.length; i++) words[i] = state = Math.imul(state, 1_664_525) + 1_013_904_223
    words.copyWithin(2_000_000, 0, 4_000)
    const start = performance.now()
    const distinct = distinctBuckets(sortBuckets(words))
    expect(performance.now() - start).toBeLessThan(3_000)
    expect(distinct.length / 4).toBe(999_000)
    for (let i = 1; i < 999_000; i++) if (compareBuckets(distinct, i - 1, distinct, i) >= 0) expect.fail(`row ${i}`)
  })
})
