import { parsePan } from "@sotto/core/automation"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

describe("Pan", () => {
  it.each([
    ["4111111111111111", "4111111111111111"],
    ["4111 1111 1111 1111", "4111111111111111"],
    ["5555-5555-5555-4444", "5555555555554444"],
    ["378282246310005", "378282246310005"]
  ])("reads %s", (text, pan) => expect(parsePan(text)).toBe(pan))

  it.each([
    "",
    "4111111111111112",
    "41111111111",
    "411111111111111a",
    "4111  1111",
    "41111111111111111111",
    " 4111111111111111"
  ])("refuses %j", (text) => expect(parsePan(text)).toBeUndefined())

  it("finds every wrong digit", () =>
    fc.assert(
      fc.property(fc.nat(15), fc.integer({ min: 1, max: 9 }), (place, by) => {
        const digits = [..."4111111111111111"]
        digits[place] = String((Number(digits[place]) + by) % 10)
        expect(parsePan(digits.join(""))).toBeUndefined()
      })
    ))
})
