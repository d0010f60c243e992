import { debugName, parseShardName, recordsPerShard, shardName, shardSizes } from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const prefixes = fc.oneof(
  fc.constantFrom("out", "out.avro", "a/b/out.avro", "a/", "", ".avro", "x-1-of-2"),
  fc.string()
)

describe("Shards", () => {
  it.each([
    ["out", 1, 1, "out-1-of-1"],
    ["out.avro", 1, 1, "out-1-of-1.avro"],
    ["a/out.AVRO", 2, 3, "a/out.AVRO-2-of-3"],
    ["out", 15, 1000, "out-0015-of-1000"],
    ["a.avro/out", 9, 10, "a.avro/out-09-of-10"]
  ])("names shard of %s, %i of %i: %s", (prefix, index, total, name) =>
    expect(shardName(prefix, index, total)).toBe(name)
  )

  it("reads back the names it gives, and no others", () => {
    fc.assert(
      fc.property(prefixes, fc.integer({ min: 1, max: 5000 }), fc.nat(), (prefix, total, n) => {
        const index = (n % total) + 1
        expect(parseShardName(prefix, shardName(prefix, index, total))).toEqual({ index, total })
      })
    )
    for (const key of [
      "out-1-of-1.avro",
      "out-01-of-1",
      "out-2-of-1",
      "out-0-of-1",
      "out-1-of-01",
      "out-1-of-10",
      "out",
      "out2-1-of-1",
      "x/out-1-of-1"
    ]) {
      expect(parseShardName("out", key), key).toBeUndefined()
    }
  })

  it("puts debug files into a folder beside the summary", () => {
    expect(debugName("a/b/out-1-of-1.avro")).toBe("a/b/debug/out-1-of-1.avro")
    expect(debugName("out-1-of-1")).toBe("debug/out-1-of-1")
  })

  it("puts 4 999 983 records into a shard by default", () => {
    expect(recordsPerShard()).toBe(4_999_983)
    expect(recordsPerShard(355)).toBe(1)
    expect([354, 5_000_000_000, Number.NaN].map((bytes) => recordsPerShard(bytes))).toEqual([
      undefined,
      undefined,
      undefined
    ])
    expect(recordsPerShard(4_999_999_999)).toBe(249_999_983)
  })

  it("fills shards with domain keys first; report-only keys start new ones", () => {
    expect(shardSizes(25, 0, 10)).toEqual([10, 10, 5])
    expect(shardSizes(25, 11, 10)).toEqual([10, 10, 5, 10, 1])
    expect(shardSizes(20, 0, 10)).toEqual([10, 10])
    expect(shardSizes(1, 0, 10)).toEqual([1])
    expect(shardSizes(0, 0, 10)).toEqual([])
  })

  it("loses no record", () =>
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 50 }), (domain, extra, per) => {
        const sizes = shardSizes(domain, extra, per)
        expect(sizes.reduce((a, b) => a + b, 0)).toBe(domain + extra)
        for (const size of sizes) expect(size >= 1 && size <= per).toBe(true)
      })
    ))
})
