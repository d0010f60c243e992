import { parseReportId, printReportId, ReportIds } from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { HASH_KEY, mutatedTexts } from "./support.ts"

const parse = (text: string): string | undefined => {
  const words = new Uint32Array(4)
  return parseReportId(text, words) ? printReportId(words) : undefined
}

// The same grammar by regular expression and BigInt.
const reference = (text: string): string | undefined => {
  const match = /^([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)-([0-9a-f]+)$/i.exec(text)
  if (match === null || text.length > 36) return undefined
  return [32, 16, 16, 16, 48]
    .map((bits, i) => (BigInt(`0x${match[i + 1]}`) % 2n ** BigInt(bits)).toString(16).padStart(bits / 4, "0"))
    .join("-")
}

const hexes = (max: number) =>
  fc.string({ minLength: 1, maxLength: max, unit: fc.constantFrom(..."0123456789abcdefABCDEF") })
const loose = fc.tuple(hexes(10), hexes(6), hexes(6), hexes(6), hexes(14)).map((groups) => groups.join("-"))

describe("report ids", () => {
  it("reads back what it prints", () => fc.assert(fc.property(fc.uuid(), (id) => parse(id) === id)))

  it("reads groups that are shorter or longer than usual, as the reference does", () =>
    fc.assert(
      fc.property(loose, (text) => parse(text) === reference(text)),
      { numRuns: 2_000 }
    ))

  it.each([
    ["1-1-1-1-1", "00000001-0001-0001-0001-000000000001"],
    ["21ABD97F-73E8-4B88-9389-A9FEE6ABDA5E", "21abd97f-73e8-4b88-9389-a9fee6abda5e"],
    ["f00000001-1-1-1-1", "00000001-0001-0001-0001-000000000001"],
    ["1-1-1-1-f000000000001", "00000001-0001-0001-0001-000000000001"]
  ])("reads %s as %s", (text, canonical) => expect(parse(text)).toBe(canonical))

  it.each([
    "",
    "21abd97f73e84b889389a9fee6abda5e",
    "21abd97f-73e8-4b88-9389-a9fee6abda5e-",
    "21abd97f-73e8-4b88-9389",
    "21abd97f-73e8-4b88-9389-",
    "-73e8-4b88-9389-a9fee6abda5e",
    "1--1-1-1",
    "g-1-1-1-1",
    "+1-1-1-1-1",
    " 1-1-1-1-1",
    "021abd97f-73e8-4b88-9389-a9fee6abda5e"
  ])("refuses %j", (text) => expect(parse(text)).toBeUndefined())

  it("never throws and agrees with the reference on anything", () => {
    let read = 0
    for (const text of mutatedTexts(
      ["21abd97f-73e8-4b88-9389-a9fee6abda5e", "1-1-1-1-1", "f00000001-1-AB-1-1"],
      20_000
    )) {
      if (parse(text) !== undefined) read++
      if (parse(text) !== reference(text)) expect.fail(JSON.stringify(text))
    }
    expect(read).toBeGreaterThan(1_000)
  })
})

describe("ReportIds", () => {
  it("is a set of 128-bit integers", () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.nat({ max: 1 }), fc.nat({ max: 40 })), {
          maxLength: 300
        }),
        (list) => {
          const ids = new ReportIds(HASH_KEY)
          const reference = new Set<string>()
          for (const id of list) {
            const fresh = !reference.has(String(id))
            reference.add(String(id))
            expect(ids.add(...id)).toBe(fresh)
          }
          expect(ids.size).toBe(reference.size)
        }
      )
    ))

  it("keeps words with the high bit and the all-zero id", () => {
    const ids = new ReportIds(HASH_KEY)
    expect([ids.add(0, 0, 0, 0), ids.add(0, 0, 0, 0)]).toEqual([true, false])
    // A word is the same whether it is given signed or unsigned.
    expect([ids.add(2 ** 32 - 1, 0, 0, 2 ** 31), ids.add(-1, 0, 0, -(2 ** 31))]).toEqual([true, false])
    expect(ids.size).toBe(2)
  })

  it("stays within 48 bytes an id while it grows, and finds all again", () => {
    const ids = new ReportIds(HASH_KEY)
    const word = (i: number) => Math.imul(i, 0x9e3779b1) >>> 0
    for (let i = 1; i <= 200_000; i++) {
      ids.add(word(i), i, 0, word(i + 7))
      if (i > 10_000 && i % 5_000 === 0) expect(ids.byteLength / i).toBeLessThan(36)
    }
    for (let i = 1; i <= 200_000; i++) if (ids.add(word(i), i, 0, word(i + 7))) expect.fail(`lost ${i}`)
    expect(ids.size).toBe(200_000)
  })
})
