import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { bucketOf, ClientError, Contributions, MAX_BUCKET, MAX_BUDGET } from "../src/index.ts"
import { tagOf } from "./support.ts"

const steps = fc.array(
  fc.record({
    bucket: fc.oneof(fc.bigInt({ min: 0n, max: 3n }), fc.bigInt({ min: 0n, max: MAX_BUCKET })),
    value: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 70_000 })),
    filteringId: fc.bigInt({ min: 0n, max: 300n })
  }),
  { maxLength: 60 }
)

describe("Contributions", () => {
  it("never exceed the budget or the entries, and a refused contribution changes nothing", () =>
    fc.assert(
      fc.property(
        steps,
        fc.integer({ min: 1, max: MAX_BUDGET }),
        fc.integer({ min: 1, max: 30 }),
        (adds, budget, entries) => {
          const contributions = new Contributions({ budget, entries })
          const expected = new Map<string, number>()
          for (const add of adds) {
            const before = [...contributions]
            try {
              contributions.add(add)
              const at = `${add.bucket}:${add.filteringId}`
              expected.set(at, (expected.get(at) ?? 0) + add.value)
            } catch (error) {
              expect(error).toBeInstanceOf(ClientError)
              expect([...contributions]).toEqual(before)
            }
          }
          const taken = [...contributions]
          const total = taken.reduce((sum, { value }) => sum + value, 0)
          expect(total).toBeLessThanOrEqual(budget)
          expect(contributions.remaining).toBe(budget - total)
          expect(contributions.size).toBeLessThanOrEqual(entries)
          expect(new Map(taken.map((c) => [`${c.bucket}:${c.filteringId}`, c.value]))).toEqual(expected)
        }
      )
    ))

  it("take exactly the whole budget, and not one more", async () => {
    const contributions = new Contributions().add({ bucket: 1n, value: 65_535 }).add({ bucket: 2n, value: 1 })
    expect(contributions.remaining).toBe(0)
    expect(await tagOf(() => contributions.add({ bucket: 3n, value: 1 }))).toBe("BudgetExceeded")
    expect(contributions.add({ bucket: 3n, value: 0 }).size).toBe(3)
  })

  it("take exactly as many entries as they have, and more of the same bucket and filtering id", async () => {
    const contributions = new Contributions({ entries: 2 }).add({ bucket: 1n, value: 1 }).add({ bucket: 2n, value: 1 })
    expect(await tagOf(() => contributions.add({ bucket: 1n, value: 1, filteringId: 1n }))).toBe("TooManyEntries")
    expect([...contributions.add({ bucket: 1n, value: 4 })]).toEqual([
      { bucket: 1n, value: 5, filteringId: 0n },
      { bucket: 2n, value: 1, filteringId: 0n }
    ])
  })

  it.each([
    ["BucketRejected", { bucket: -1n, value: 1 }],
    ["BucketRejected", { bucket: MAX_BUCKET + 1n, value: 1 }],
    ["BucketRejected", { bucket: 1 as unknown as bigint, value: 1 }],
    ["ValueRejected", { bucket: 1n, value: -1 }],
    ["ValueRejected", { bucket: 1n, value: 0.5 }],
    ["ValueRejected", { bucket: 1n, value: Number.NaN }],
    ["FilteringIdRejected", { bucket: 1n, value: 1, filteringId: -1n }],
    ["FilteringIdRejected", { bucket: 1n, value: 1, filteringId: 256n }]
  ])("refuse with %s: %o", async (tag, contribution) => {
    expect(await tagOf(() => new Contributions().add(contribution))).toBe(tag)
  })

  it("take filtering ids up to the width they were made for", async () => {
    const widest = new Contributions({ filteringIdBytes: 8 })
    expect([...widest.add({ bucket: 1n, value: 1, filteringId: 2n ** 64n - 1n })]).toHaveLength(1)
    expect(await tagOf(() => widest.add({ bucket: 1n, value: 1, filteringId: 2n ** 64n }))).toBe("FilteringIdRejected")
    const none = new Contributions({ filteringIdBytes: 0 })
    expect(await tagOf(() => none.add({ bucket: 1n, value: 1, filteringId: 1n }))).toBe("FilteringIdRejected")
    expect(none.add({ bucket: 1n, value: 1 }).size).toBe(1)
  })

  it.each([
    { budget: 65_537 },
    { budget: 0 },
    { budget: 1.5 },
    { entries: 0 },
    { entries: 65_536 },
    { filteringIdBytes: 9 },
    { filteringIdBytes: -1 }
  ])("refuse to be made with %j", async (options) => {
    expect(await tagOf(() => new Contributions(options))).toBe("OptionRejected")
  })

  it("hash text keys as a shell would", () => {
    // printf %s campaign=12/geo=7 | sha256sum | cut -c1-32
    expect(bucketOf("campaign=12/geo=7").toString(16)).toBe("ba32a445878c98965103bfcf569732db")
    expect([...new Contributions().add({ key: "campaign=12/geo=7", value: 1 })][0]?.bucket).toBe(
      bucketOf("campaign=12/geo=7")
    )
  })
})
