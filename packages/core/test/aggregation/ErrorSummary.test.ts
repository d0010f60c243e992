import {
  categoriesOf,
  DEFAULT_ERROR_THRESHOLD,
  earlyErrorLimit,
  ERROR_CATEGORIES,
  ERROR_DESCRIPTIONS,
  errorBit,
  ErrorCounter,
  errorCounts,
  exceedsThreshold,
  mergeErrors,
  noErrors,
  parsePercentage,
  type Percentage
} from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mutatedTexts } from "./support.ts"

const masks = fc.array(fc.nat({ max: 2 ** ERROR_CATEGORIES.length - 1 }), { maxLength: 40 })

const count = (list: ReadonlyArray<number>) => {
  const counter = new ErrorCounter()
  for (const mask of list) counter.add(mask)
  return counter.counts()
}

const percent = (text: string): Percentage => parsePercentage(text) as Percentage
const reports = (withErrors: number, total: number) => ({ ...noErrors, withErrors, total })

describe("ErrorSummary", () => {
  it("has a bit and a description for each category", () => {
    expect(new Set(ERROR_CATEGORIES.map(errorBit)).size).toBe(15)
    expect(Object.keys(ERROR_DESCRIPTIONS)).toHaveLength(16)
    for (const category of ERROR_CATEGORIES) expect(categoriesOf(errorBit(category))).toEqual([category])
  })

  it("adds 1 to each distinct category of a report and 1 to the number of reports", () => {
    const both = errorBit("INVALID_REPORT_ID") | errorBit("DECRYPTION_ERROR")
    const rows = errorCounts(count([0, both, errorBit("DECRYPTION_ERROR"), 0]))
    expect(rows.map(({ category, count }) => [category, count])).toEqual([
      ["DECRYPTION_ERROR", 2],
      ["INVALID_REPORT_ID", 1],
      ["NUM_REPORTS_WITH_ERRORS", 2]
    ])
    expect(rows[0]?.description).toBe(ERROR_DESCRIPTIONS.DECRYPTION_ERROR)
  })

  it("is empty without errors", () => expect(errorCounts(count([0, 0]))).toEqual([]))

  it("does not depend on the order of reports or how they are split", () =>
    fc.assert(
      fc.property(masks, masks, (a, b) => {
        expect(mergeErrors(count(a), count(b))).toEqual(count([...b, ...a]))
        expect(mergeErrors(noErrors, count(a))).toEqual(count(a))
      })
    ))

  it("lists the total last, and it is at least every other count", () =>
    fc.assert(
      fc.property(masks, (list) => {
        const rows = errorCounts(count(list))
        expect(rows.at(-1)?.category ?? "NUM_REPORTS_WITH_ERRORS").toBe("NUM_REPORTS_WITH_ERRORS")
        for (const row of rows) expect(row.count).toBeLessThanOrEqual(rows.at(-1)?.count as number)
      })
    ))
})

describe("thresholds", () => {
  it("is 10 % by default", () => expect(DEFAULT_ERROR_THRESHOLD).toEqual(percent("10")))

  it.each([
    ["0", 0n, 1n],
    ["100", 100n, 1n],
    ["10%", 10n, 1n],
    [" 12.5 % ", 125n, 10n],
    ["00010", 10n, 1n],
    ["100.000", 100_000n, 1000n]
  ])("reads %j", (text, numerator, denominator) => expect(percent(text)).toEqual({ numerator, denominator }))

  it.each([
    "",
    " ",
    "%",
    "10%%",
    "-1",
    "-0",
    "+1",
    "100.1",
    "101",
    "NaN",
    "Infinity",
    "5d",
    "0x1p3",
    "1e1",
    "1,5",
    ".5",
    "5.",
    "1 0"
  ])("refuses %j", (text) => expect(parsePercentage(text)).toBeUndefined())

  it("never throws", () => {
    let read = 0
    for (const text of mutatedTexts(["10", "12.5%", " 99.99 %"], 10_000))
      if (parsePercentage(text) !== undefined) read++
    expect(read).toBeGreaterThan(1_000)
    expect(parsePercentage(`${" ".repeat(200_000)}x`)).toBeUndefined()
    expect(parsePercentage("9".repeat(200_000))).toBeUndefined()
  })

  it("fails only above the share: exactly 10 % passes, and so do no reports at all", () => {
    const ten = percent("10")
    expect(exceedsThreshold(reports(1, 10), ten)).toBe(false)
    expect(exceedsThreshold(reports(2, 10), ten)).toBe(true)
    expect(exceedsThreshold(reports(2, 11), ten)).toBe(true)
    expect(exceedsThreshold(reports(0, 0), percent("0"))).toBe(false)
    expect(exceedsThreshold(reports(1, 1_000_000), percent("0"))).toBe(true)
    expect(exceedsThreshold(reports(10, 10), percent("100"))).toBe(false)
  })

  it("counts exactly where doubles round", () => {
    // 1000 · 0.07 is 70.00000000000001 in doubles, 100 · 0.29 is 28.999999999999996.
    expect(exceedsThreshold(reports(70, 1000), percent("7"))).toBe(false)
    expect(exceedsThreshold(reports(29, 100), percent("29"))).toBe(false)
    const total = Number.MAX_SAFE_INTEGER
    expect(exceedsThreshold(reports(total, total), percent("100"))).toBe(false)
    expect(exceedsThreshold(reports(total, total), percent("99.999999999999999999"))).toBe(true)
  })

  it("is monotone in errors and antitone in the threshold", () =>
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), fc.nat(100), (errors, more, share) => {
        const total = errors + more
        const one = { numerator: BigInt(share), denominator: 1n }
        if (exceedsThreshold(reports(errors, total), one))
          expect(exceedsThreshold(reports(Math.min(total, errors + 1), total), one)).toBe(true)
        expect(exceedsThreshold(reports(errors, total), one)).toBe(errors * 100 > total * share)
      })
    ))

  it.each([
    ["10", 100n, 10n],
    ["10", 5n, 1n],
    ["10", 4n, 0n],
    ["12.5", 20n, 3n],
    ["12.5", 12n, 2n],
    ["0", 1000n, 0n],
    ["0", undefined, 0n],
    ["0.00", undefined, 0n],
    ["10", undefined, undefined],
    ["10", 0n, 0n],
    ["100", 2n ** 63n - 1n, 2n ** 63n - 1n]
  ])("stops early at %s %% of %s after %s errors", (text, reportCount, limit) =>
    expect(earlyErrorLimit(percent(text), reportCount)).toBe(limit)
  )
})
