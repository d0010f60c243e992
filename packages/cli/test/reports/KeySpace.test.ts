import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { campaignKeySpace, cellAt, csvKeySpace, type KeySpace } from "../../src/reports/KeySpace.ts"

const sizes = fc.integer({ min: 1, max: 20 })
const weightOf = ({ cumulative }: KeySpace, cell: number) => (cumulative[cell] ?? 0) - (cumulative[cell - 1] ?? 0)

describe("campaignKeySpace", () => {
  it("has every key once: 4 hex digits of the measure, 12 of the campaign, 16 of the region", () =>
    fc.assert(
      fc.property(sizes, sizes, (campaigns, regions) => {
        const { domain } = campaignKeySpace(campaigns, regions)
        expect(new Set(domain).size).toBe(2 * campaigns * regions)
        const fields = domain.map(
          (bucket) => /^(.{4})(.{12})(.{16})$/.exec(bucket.toString(16).padStart(32, "0")) ?? []
        )
        const numbers = (field: number) => new Set(fields.map((match) => Number(`0x${match[field]}`)))
        const upTo = (n: number) => new Set(Array.from({ length: n }, (_, i) => i + 1))
        expect([numbers(1), numbers(2), numbers(3)]).toEqual([upTo(2), upTo(campaigns), upTo(regions)])
      })
    ))

  it("makes few keys popular, and leaves the last tenth of the campaigns without reports", () => {
    const keySpace = campaignKeySpace(50, 20)
    expect(weightOf(keySpace, 0)).toBe(1)
    expect(weightOf(keySpace, 1)).toBeCloseTo(1 / 2, 12)
    expect(weightOf(keySpace, 20)).toBeCloseTo(1 / 2, 12)
    expect(weightOf(keySpace, 44 * 20)).toBeGreaterThan(0)
    for (let cell = 45 * 20; cell < 50 * 20; cell++) expect(weightOf(keySpace, cell)).toBe(0)
  })

  it.each([
    [0, 1],
    [1, 0],
    [10_000, 10_000]
  ])("refuses %i × %i", (campaigns, regions) => {
    expect(() => campaignKeySpace(campaigns, regions)).toThrow(/campaigns in/)
  })
})

describe("cellAt", () => {
  it("gives each cell its share of 0 … 1, and none to a weight of 0", () =>
    fc.assert(
      fc.property(
        fc
          .array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 30 })
          .filter((weights) => weights.some((w) => w > 0)),
        (weights) => {
          const keySpace = csvKeySpace(weights.map((weight, i) => `${i},${weight}`).join("\n"), "keys.csv")
          const total = weights.reduce((a, b) => a + b, 0)
          const hits = weights.map(() => 0)
          for (let i = 0; i < total; i++) {
            const cell = cellAt(keySpace, (i + 0.5) / total)
            hits[cell] = (hits[cell] ?? 0) + 1
          }
          expect(hits).toEqual(weights)
          expect(weights[cellAt(keySpace, 0)]).toBeGreaterThan(0)
          expect(weights[cellAt(keySpace, 1 - 2 ** -48)]).toBeGreaterThan(0)
        }
      )
    ))
})

describe("csvKeySpace", () => {
  it("reads buckets in decimal and hex, with or without the line of names", () => {
    const read = (text: string) => {
      const { cumulative, domain, measures } = csvKeySpace(text, "keys.csv")
      return { cumulative: [...cumulative], domain, measures }
    }
    const expected = { cumulative: [1, 1, 3.5], domain: [5n, 255n, 2n ** 128n - 1n], measures: ["count"] }
    const rows = `5,1\n0xFF, 0\n${2n ** 128n - 1n},2.5\n`
    expect(read(rows)).toEqual(expected)
    expect(read(`\ufeffbucket,weight\r\n${rows.replaceAll("\n", "\r\n")}`)).toEqual(expected)
  })

  it.each([
    ["1,1\n2", "keys.csv:2: write a bucket, a comma and a weight."],
    ["1,1\n2,3,4", "keys.csv:2: write a bucket, a comma and a weight."],
    ["bucket,weight\n1,1\nx,1", 'keys.csv:3: "x" is no bucket'],
    ["-1,1", 'keys.csv:1: "-1" is no bucket'],
    [`${2n ** 128n},1`, "is no bucket"],
    ["1,-1", 'keys.csv:1: "-1" is no weight'],
    ["1,NaN", 'keys.csv:1: "NaN" is no weight'],
    ["16,1\n0x10,1", "keys.csv:2: the bucket 0x10 stands here a second time."],
    ["1,0", "keys.csv: at least one key needs a weight above 0."],
    ["", "keys.csv: at least one key needs a weight above 0."],
    ['"1,1', "keys.csv is not CSV"]
  ])("refuses %j", (text, message) => {
    expect(() => csvKeySpace(text, "keys.csv")).toThrow(message)
  })
})
