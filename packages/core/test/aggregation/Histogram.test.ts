import {
  type Contribution,
  bucketsOf,
  bucketToBigInt,
  filteringIds,
  hashKey,
  Histogram,
  sortBuckets,
  UNBOUNDED
} from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { anyContribution, anyId, contributionsOf, HASH_KEY } from "./support.ts"

type Sums = Map<bigint, bigint>

/** The rules in BigInt: filter, bound in payload order, skip null contributions. */
const reference = (
  reports: ReadonlyArray<ReadonlyArray<Contribution>>,
  ids: ReadonlyArray<bigint>,
  bound = UNBOUNDED
): Sums => {
  const sums: Sums = new Map()
  for (const report of reports) {
    let running = 0
    for (const { bucket, value, id } of report) {
      const cut = Math.max(0, Math.min(value, bound - running))
      running += cut
      if (!ids.includes(id) || (bucket === 0n && cut === 0)) continue
      sums.set(bucket, (sums.get(bucket) ?? 0n) + BigInt(cut))
    }
  }
  return sums
}

const sum = (
  reports: ReadonlyArray<ReadonlyArray<Contribution>>,
  ids: ReadonlyArray<bigint>,
  bound = UNBOUNDED,
  key = HASH_KEY
): Histogram => {
  const histogram = new Histogram(key)
  const all = contributionsOf(reports.flat())
  let from = 0
  for (const report of reports) {
    histogram.addReport(all, from, from + report.length, filteringIds(ids), bound)
    from += report.length
  }
  return histogram
}

const sums = (histogram: Histogram): Sums => {
  const buckets = sortBuckets(histogram.buckets())
  expect(buckets.length / 4).toBe(histogram.size)
  return new Map(
    Array.from({ length: histogram.size }, (_, row) => [
      bucketToBigInt(buckets, row),
      histogram.get(buckets, row) as bigint
    ])
  )
}

const sorted = (map: Sums) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
const reportsArbitrary = fc.array(fc.array(anyContribution, { maxLength: 30 }), { maxLength: 12 })
const idsArbitrary = fc.uniqueArray(anyId, { minLength: 1, maxLength: 4 })

const MAX = 2n ** 63n - 1n
const min = (a: bigint, b: bigint) => (a < b ? a : b)

const copyOf = (histogram: Histogram): Histogram => {
  const copy = new Histogram(hashKey(9, 9))
  copy.merge(histogram)
  return copy
}

/** Histograms with 2⁰ … 2⁶² in bucket 1, each merged from two of the one before. */
const POWERS = Array.from({ length: 62 }).reduce<ReadonlyArray<Histogram>>(
  (powers) => {
    const next = copyOf(powers.at(-1) as Histogram)
    next.merge(powers.at(-1) as Histogram)
    return [...powers, next]
  },
  [sum([[{ bucket: 1n, value: 1, id: 0n }]], [0n])]
)

/** What adding these values, 0 … 2⁶³ − 1, to bucket 1 gives. */
const sumOf = (values: ReadonlyArray<bigint>): bigint => {
  const histogram = sum([[{ bucket: 1n, value: 0, id: 0n }]], [0n])
  for (const value of values) {
    POWERS.forEach((power, bit) => {
      if ((value >> BigInt(bit)) & 1n) histogram.merge(power)
    })
  }
  return histogram.get(bucketsOf([1n])) as bigint
}

describe("Histogram", () => {
  it("sums as a map of bigints does, for any ids, bound and hash key", () =>
    fc.assert(
      fc.property(
        reportsArbitrary,
        idsArbitrary,
        fc.constantFrom(UNBOUNDED, 65_536, 0),
        fc.nat(),
        (reports, ids, bound, k) => {
          expect(sorted(sums(sum(reports, ids, bound, hashKey(k, ~k))))).toEqual(sorted(reference(reports, ids, bound)))
        }
      )
    ))

  it("does not depend on the order of reports or on how they are split and merged", () =>
    fc.assert(
      fc.property(reportsArbitrary, idsArbitrary, fc.nat(), fc.infiniteStream(fc.nat()), (reports, ids, at, order) => {
        const expected = sorted(sums(sum(reports, ids, 65_536)))
        const shuffled = reports
          .map((report) => [order.next().value as number, report] as const)
          .sort(([a], [b]) => a - b)
          .map(([, report]) => report)
        expect(sorted(sums(sum(shuffled, ids, 65_536)))).toEqual(expected)
        const cut = reports.length === 0 ? 0 : at % reports.length
        const left = sum(reports.slice(0, cut), ids, 65_536, hashKey(1, 1))
        left.merge(sum(reports.slice(cut), ids, 65_536, hashKey(2, 2)))
        expect(sorted(sums(left))).toEqual(expected)
      })
    ))

  it("is parted by filtering ids: disjoint sets of ids add up to their union, bounded or not", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.array(fc.record({ bucket: fc.bigInt(0n, 5n), value: fc.nat({ max: 70_000 }), id: fc.bigInt(0n, 4n) })),
          { maxLength: 8 }
        ),
        fc.constantFrom(UNBOUNDED, 65_536),
        (reports, bound) => {
          const parts = sum(reports, [0n, 3n], bound)
          parts.merge(sum(reports, [1n, 2n, 4n], bound))
          expect(sorted(sums(parts))).toEqual(sorted(sums(sum(reports, [0n, 1n, 2n, 3n, 4n], bound))))
        }
      )
    ))

  it("does not see padding", () =>
    fc.assert(
      fc.property(reportsArbitrary, idsArbitrary, fc.nat({ max: 40 }), (reports, ids, extra) => {
        const padding = ids.flatMap((id) => Array.from({ length: extra }, () => ({ bucket: 0n, value: 0, id })))
        expect(
          sorted(
            sums(
              sum(
                reports.map((r) => [...r, ...padding]),
                ids,
                65_536
              )
            )
          )
        ).toEqual(sorted(sums(sum(reports, ids, 65_536))))
      })
    ))

  it("lets a contribution take part iff its id is requested, an absent id being 0", () => {
    const report = [0n, 1n, 2n].map((id) => ({ bucket: id + 10n, value: 1, id }))
    expect(sorted(sums(sum([report], [0n])))).toEqual([[10n, 1n]])
    expect(sorted(sums(sum([report], [1n, 2n])))).toEqual([
      [11n, 1n],
      [12n, 1n]
    ])
  })

  it("makes a bucket present with value 0, but for bucket 0", () => {
    const histogram = sum(
      [
        [
          { bucket: 7n, value: 0, id: 0n },
          { bucket: 0n, value: 0, id: 0n }
        ]
      ],
      [0n]
    )
    expect(sorted(sums(histogram))).toEqual([[7n, 0n]])
    expect(histogram.get(bucketsOf([0n]))).toBeUndefined()
    expect(histogram.get(bucketsOf([8n]))).toBeUndefined()
  })

  it("keeps bucket 0 with a value as a key like any other", () => {
    const histogram = sum(
      [
        [
          { bucket: 0n, value: 5, id: 0n },
          { bucket: 0n, value: 2 ** 32 - 1, id: 0n }
        ]
      ],
      [0n]
    )
    expect(sorted(sums(histogram))).toEqual([[0n, 2n ** 32n + 4n]])
    expect(histogram.size).toBe(1)
  })

  it("cuts the values of one report in payload order once they pass the bound", () => {
    const report = [40_000, 40_000, 1].map((value, i) => ({ bucket: BigInt(i + 1), value, id: 0n }))
    expect(sorted(sums(sum([report, report], [0n], 65_536)))).toEqual([
      [1n, 80_000n],
      [2n, 51_072n],
      [3n, 0n]
    ])
  })

  it.each([0n, 1n])("is exact up to 2⁶³ − 1 and stays there, for bucket %d", (bucket) => {
    const [words, low] = [bucketsOf([bucket]), Number(bucket)]
    const histogram = new Histogram(HASH_KEY)
    histogram.add(0, 0, 0, low, 2 ** 32 - 1)
    // Doubling 31 times: (2³² − 1) · 2³¹ = 2⁶³ − 2³¹.
    for (let i = 0; i < 31; i++) histogram.merge(copyOf(histogram))
    expect(histogram.get(words)).toBe(2n ** 63n - 2n ** 31n)
    histogram.add(0, 0, 0, low, 2 ** 31 - 1)
    expect(histogram.get(words)).toBe(MAX)
    histogram.add(0, 0, 0, low, 1)
    expect(histogram.get(words)).toBe(MAX)
    histogram.merge(copyOf(histogram))
    expect(histogram.get(words)).toBe(MAX)
  })

  it("moves a sum near 2⁶³ by at most what a report adds, in whatever order (spec: aggregation §6)", () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.bigInt(0n, MAX), fc.bigInt(MAX - 65_536n, MAX)), { maxLength: 5 }),
        fc.bigInt(0n, 65_536n),
        fc.infiniteStream(fc.nat()),
        (parts, more, order) => {
          const without = sumOf(parts)
          const together = sumOf(
            [...parts, more]
              .map((part) => [order.next().value as number, part] as const)
              .sort(([a], [b]) => a - b)
              .map(([, part]) => part)
          )
          expect(together).toBe(
            min(
              parts.reduce((a, b) => a + b, more),
              MAX
            )
          )
          expect(together - without).toBeLessThanOrEqual(more)
          expect(together - without).toBeGreaterThanOrEqual(0n)
        }
      )
    ))

  it("stays within 48 bytes a bucket while it grows, and finds all again", () => {
    const histogram = new Histogram(HASH_KEY)
    const word = (i: number) => Math.imul(i, 0x9e3779b1) >>> 0
    for (let i = 1; i <= 100_000; i++) {
      histogram.add(word(i), 0, i, word(i + 3), i)
      if (i > 10_000 && i % 5_000 === 0) expect(histogram.byteLength / i).toBeLessThan(48)
    }
    const out = new Uint32Array(2)
    for (let i = 1; i <= 100_000; i++) {
      if (!histogram.lookup(Uint32Array.of(word(i), 0, i, word(i + 3)), 0, out, 0) || out[0] !== i)
        expect.fail(`lost ${i}`)
    }
  })
})
