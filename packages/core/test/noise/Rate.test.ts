import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ratio, rateOf } from "../../src/noise/Rate.ts"

describe("Rate", () => {
  it("is ε / L1 in lowest terms", () => {
    expect(rateOf(10_000_000, 65_536)).toEqual({ num: 5n, den: 32_768n })
    expect(rateOf(1, 65_536)).toEqual({ num: 1n, den: 65_536_000_000n })
    expect(rateOf(64_000_000, 1)).toEqual({ num: 64n, den: 1n })
  })

  it("depends on the quotient only: (kε, k·L1) is (ε, L1)", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64_000_000 }),
        fc.integer({ min: 1, max: 2 ** 26 }),
        fc.integer({ min: 1, max: 2 ** 26 }),
        (epsilon, l1, k) => {
          expect(rateOf(k * epsilon, k * l1)).toEqual(rateOf(epsilon, l1))
          const { num, den } = rateOf(epsilon, l1)
          expect(num * 1_000_000n * BigInt(l1)).toBe(den * BigInt(epsilon))
        }
      )
    ))

  it.each([
    [0n, 1n],
    [1n, 0n],
    [-1n, 2n]
  ])("refuses the ratio %d/%d", (num, den) => expect(() => ratio(num, den)).toThrow(RangeError))

  it.each([0, -1, 0.5, Number.NaN, Infinity, 2 ** 53])("refuses %d as ε or L1", (bad) => {
    expect(() => rateOf(bad, 65_536)).toThrow(RangeError)
    expect(() => rateOf(1, bad)).toThrow(RangeError)
  })
})
