import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Epsilon } from "../../src/budget/Epsilon.ts"
import { DEFAULT_EPSILON, isEpsilon, MAX_EPSILON, parseEpsilon, printEpsilon } from "../../src/budget/Epsilon.ts"

const epsilons = fc.integer({ min: 1, max: MAX_EPSILON }) as fc.Arbitrary<Epsilon>

describe("Epsilon", () => {
  it("reads back what it prints, for every micro-ε in range", () =>
    fc.assert(fc.property(epsilons, (e) => parseEpsilon(printEpsilon(e), 6) === e)))

  it("prints the shortest text", () =>
    fc.assert(fc.property(epsilons, (e) => /^(0|[1-9]\d?)(\.\d{0,5}[1-9])?$/.test(printEpsilon(e)))))

  it("is never more than 64, and totals are exact: 0.64 fits 100 times", () => {
    expect((parseEpsilon("0.64", 2) as number) * 100).toBe(MAX_EPSILON)
    expect(printEpsilon(MAX_EPSILON)).toBe("64")
    expect(printEpsilon(DEFAULT_EPSILON)).toBe("10")
  })

  it("answers every text without throwing, with an ε or a hint", () =>
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^[0-9.+\-e ]{0,10}$/)),
        fc.integer({ min: 0, max: 6 }),
        (text, d) => {
          const e = parseEpsilon(text, d)
          return typeof e === "number" ? isEpsilon(e) : e.text === text && e.hint.length > 0
        }
      ),
      { numRuns: 10_000 }
    ))

  it.each([
    ["64", 0, 64_000_000],
    ["10", 2, 10_000_000],
    ["10.0", 2, 10_000_000],
    ["0.25", 2, 250_000],
    ["0.000001", 6, 1],
    ["64.000000", 6, 64_000_000]
  ])("reads %j with %d places", (text, decimals, micro) => {
    expect(parseEpsilon(text, decimals)).toBe(micro)
  })

  const UNREADABLE = [
    "",
    "-1",
    "+1",
    "1e1",
    " 1",
    "1 ",
    "1\n",
    "0,5",
    "NaN",
    "Infinity",
    "0x1",
    "1_0",
    "10.",
    ".5",
    "٣"
  ]
  const OUT_OF_RANGE = ["010", "00.5", "0", "0.0", "64.000001", "65", "100", "1000", "1.1234567"]
  it.each(UNREADABLE.concat(OUT_OF_RANGE))("refuses %j with a hint", (text) => {
    expect(parseEpsilon(text, 6)).toMatchObject({ _tag: "EpsilonRejected", text, hint: expect.stringMatching(/\.$/) })
  })

  it.each([
    ["0.125", 2],
    ["10.000", 2],
    ["10.0", 0]
  ])("refuses %j with %d places, even when the digits are zeros", (text, decimals) => {
    expect(parseEpsilon(text, decimals)).toMatchObject({ hint: `Use at most ${decimals} decimal places.` })
  })
})
