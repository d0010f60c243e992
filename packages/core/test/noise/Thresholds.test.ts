import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { expNegative } from "../../src/noise/Interval.ts"
import { rateOf } from "../../src/noise/Rate.ts"
import { digitMass, thresholds, zeroMass } from "../../src/noise/Thresholds.ts"
import table from "./thresholds.json" with { type: "json" }

const wordsOf = (epsilon: number, l1: number, depth: number) => {
  const { m, word } = thresholds(rateOf(epsilon, l1))
  return Array.from({ length: m + 2 }, (_, coin) => word(coin, depth))
}

/** The first `words` · 32 bits of a coin's probability. */
const fraction = (of: ReturnType<typeof thresholds>, coin: number, words: number): bigint => {
  let bits = 0n
  for (let depth = 0; depth < words; depth++) bits = (bits << 32n) | BigInt(of.word(coin, depth))
  return bits
}

describe("Thresholds", () => {
  it.each(table)("equal Python's decimal in 160 bits of every coin, ε = $epsilon/10^6, L1 = $l1", (row) => {
    const ours = thresholds(rateOf(row.epsilon, row.l1))
    expect(ours.m).toBe(row.m)
    const coins = row.coins.split(" ")
    expect(coins).toHaveLength(row.m + 2)
    for (const [coin, hex] of coins.entries())
      expect(fraction(ours, coin, 5).toString(16).padStart(40, "0"), `coin ${coin}`).toBe(hex)
  })

  it.each([
    [64, 16],
    [10, 19],
    [1, 22],
    [0.1, 25],
    [0.01, 29],
    [0.000_001, 42]
  ])("use the digits that ε = %d needs at L1 = 65536: %i", (epsilon, m) =>
    expect(thresholds(rateOf(Math.round(epsilon * 1e6), 65_536)).m).toBe(m)
  )

  it("take the least m with λ·2^m ≥ 45, exactly at the edge too", () => {
    expect(thresholds(rateOf(45_000_000, 8)).m).toBe(3)
    expect(thresholds(rateOf(44_999_999, 8)).m).toBe(4)
    expect(thresholds(rateOf(45_000_000, 1)).m).toBe(0)
    expect(thresholds({ num: 45n, den: 2n ** 70n }).m).toBe(70)
    expect(thresholds({ num: 45n * 10n ** 30n - 1n, den: 10n ** 30n * 2n ** 70n }).m).toBe(71)
  })

  it("are rounded outwards: an enclosure of x gives one of every mass between its ends", () =>
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 4096n }), fc.bigInt({ min: 0n, max: 4096n }), (a, b) => {
        const [lo, hi] = a < b ? [a, b] : [b, a]
        const [digit, zero] = [digitMass({ lo, hi }, 12n), zeroMass({ lo, hi }, 12n)]
        for (const x of [lo, hi]) {
          expect(digit.lo * (4096n + x)).toBeLessThanOrEqual(x << 12n)
          expect(digit.hi * (4096n + x)).toBeGreaterThanOrEqual(x << 12n)
          expect(zero.lo * (4096n + x)).toBeLessThanOrEqual((4096n - x) << 12n)
          expect(zero.hi * (4096n + x)).toBeGreaterThanOrEqual((4096n - x) << 12n)
        }
      })
    ))

  it("multiply to the geometric mass of their digits", () => {
    const bits = 320n
    const one = 1n << bits
    const times = (a: bigint, b: bigint) => (a * b) >> bits
    const masses = fc.oneof(
      fc.tuple(fc.constant([10_000_000, 65_536] as const), fc.bigInt({ min: 0n, max: 100_000n })),
      fc.tuple(fc.constant([1_000_000, 65_536] as const), fc.bigInt({ min: 0n, max: 1_000_000n })),
      fc.tuple(fc.constant([5_000_000, 7] as const), fc.bigInt({ min: 0n, max: 30n })),
      fc.tuple(fc.constant([1_000_000, 1] as const), fc.bigInt({ min: 0n, max: 15n }))
    )
    fc.assert(
      fc.property(masses, ([[epsilon, l1], g]) => {
        const { num, den } = rateOf(epsilon, l1)
        const ours = thresholds({ num, den })
        let product = one
        for (let i = 0; i < ours.m; i++) {
          const p = fraction(ours, i, 10)
          product = times(product, (g >> BigInt(i)) & 1n ? p : one - p)
        }
        // Π p_i^b (1 − p_i)^(1−b) · (1 − q^(2^m)) = (1 − q)·q^g
        const left = times(product, one - fraction(ours, ours.m + 1, 10))
        const right = times(one - expNegative(num, den, bits).lo, expNegative(num * g, den, bits).lo)
        const error = left > right ? left - right : right - left
        expect(error).toBeLessThan(1n << 10n)
        expect(right).toBeGreaterThan(1n << 280n)
      }),
      { numRuns: 40 }
    )
  })

  it("are the same for (kε, k·L1) as for (ε, L1)", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64_000_000 }),
        fc.integer({ min: 1, max: 65_536 }),
        fc.integer({ min: 2, max: 1000 }),
        (epsilon, l1, k) => {
          expect(wordsOf(k * epsilon, k * l1, 0)).toEqual(wordsOf(epsilon, l1, 0))
        }
      ),
      { numRuns: 20 }
    ))

  it("have the same word whichever depth is asked first", () => {
    const backwards = thresholds(rateOf(10_000_000, 65_536))
    const third = backwards.word(3, 2)
    expect([backwards.word(3, 0), backwards.word(3, 1), third]).toEqual(
      [0, 1, 2].map((depth) => wordsOf(10_000_000, 65_536, depth)[3])
    )
  })

  it.each([-1, 21, 0.5, Number.NaN])("know no coin %d of 21", (coin) =>
    expect(() => thresholds(rateOf(10_000_000, 65_536)).word(coin, 0)).toThrow(RangeError)
  )
})
