import { filteringIds, parseFilteringIds, printFilteringIds, selectsId } from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { anyId, mutatedTexts } from "./support.ts"

const ids = (text?: string) => {
  const parsed = parseFilteringIds(text)
  return "_tag" in parsed ? parsed._tag : parsed.ids
}

describe("FilteringIds", () => {
  it("reads back what it prints", () =>
    fc.assert(
      fc.property(fc.array(anyId, { minLength: 1, maxLength: 30 }), (list) => {
        const set = filteringIds(list)
        expect(parseFilteringIds(printFilteringIds(set))).toEqual(set)
      })
    ))

  it("has set semantics and ascending order", () => expect(ids("5,1,5,0,1")).toEqual([0n, 1n, 5n]))

  it("trims, splits at commas and skips blank pieces", () => expect(ids(" 3 , ,,\t7 ")).toEqual([3n, 7n]))

  it.each([undefined, "", "  ", ",", " , ,"])("takes %j for {0}", (text) => expect(ids(text)).toEqual([0n]))

  it("reads unsigned 64-bit decimals, leading zeros included", () => {
    expect(ids("18446744073709551615,00000000000000000000000007")).toEqual([7n, 2n ** 64n - 1n])
  })

  it.each(["18446744073709551616", "+1", "-1", "-0", "1e3", "0x1", "1.0", "1;2", "a", "99999999999999999999999"])(
    "refuses %j",
    (text) => expect(ids(text)).toBe("FilteringIdsRejected")
  )

  it("selects exactly the ids of the set", () =>
    fc.assert(
      fc.property(fc.array(anyId, { maxLength: 20 }), anyId, (list, id) => {
        const set = filteringIds(list)
        const selects = (x: bigint) => selectsId(set, Number(x >> 32n), Number(x & 0xffff_ffffn))
        expect(selects(id)).toBe((list.length === 0 ? [0n] : list).includes(id))
        for (const member of set.ids) expect(selects(member)).toBe(true)
      })
    ))

  it("never throws", () => {
    let read = 0
    for (const text of mutatedTexts(["0,1,2", " 18446744073709551615 ,7"], 10_000)) {
      const parsed = parseFilteringIds(text)
      if ("_tag" in parsed) continue
      expect(parsed.ids.length).toBeGreaterThan(0)
      read++
    }
    expect(read).toBeGreaterThan(1_000)
    expect(ids("9".repeat(1_000_000))).toBe("FilteringIdsRejected")
    expect(ids("0".repeat(1_000_000))).toEqual([0n])
  })
})
