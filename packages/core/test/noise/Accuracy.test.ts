import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { accuracy, expectedAbsError, halfWidth, plan, pruneThreshold, rmsre, stdDev } from "../../src/noise/Accuracy.ts"
import { expNegative } from "../../src/noise/Interval.ts"
import { ratio, rateOf } from "../../src/noise/Rate.ts"

const BITS = 400n
const ONE = 1n << BITS

/** P(|Z| ≤ t) · 2^400, summed term by term. */
const coverage = (num: bigint, den: bigint, t: bigint): bigint => {
  const q = expNegative(num, den, BITS).lo
  let [total, power] = [ONE, ONE]
  for (let k = 0n; k < t; k++) {
    power = (power * q) >> BITS
    total += 2n * power
  }
  return (total * (ONE - q)) / (ONE + q)
}

describe("accuracy", () => {
  it.each([
    [0.1, 926_819, 655_360, 1_509_022n, 1_963_283n, 3_018_044n, 11_017_416n],
    [1, 92_681.9, 65_536, 150_902n, 196_328n, 301_804n, 1_101_742n],
    [5, 18_536.4, 13_107.2, 30_180n, 39_266n, 60_361n, 220_348n],
    [10, 9_268.19, 6_553.6, 15_090n, 19_633n, 30_180n, 110_174n],
    [64, 1_448.15, 1_024, 2_358n, 3_068n, 4_716n, 17_215n]
  ])("at ε = %d and L1 = 65536 is the table's", (epsilon, sd, abs, p90, p95, p99, all) => {
    const found = accuracy({ epsilon: epsilon * 1_000_000, l1: 65_536, keys: 1_000_000 })
    expect(found.stdDev / sd).toBeCloseTo(1, 5)
    expect(found.expectedAbsError / abs).toBeCloseTo(1, 6)
    expect(found.halfWidth).toEqual({ p90, p95, p99 })
    expect(found.simultaneousHalfWidth95).toBe(all)
  })

  it("names λ in lowest terms, and says nothing about keys unless asked", () => {
    const found = accuracy({ epsilon: 10_000_000, l1: 65_536 })
    expect(found.lambda).toEqual({ num: 5n, den: 32_768n })
    expect(found).not.toHaveProperty("simultaneousHalfWidth95")
  })

  it("has the moments of the law", () => {
    for (const [num, den] of [
      [1n, 1n],
      [1n, 10n],
      [5n, 7n],
      [5n, 1n]
    ] as const) {
      const lambda = Number(num) / Number(den)
      let [variance, abs] = [0, 0]
      for (let k = 1; k < 60 / lambda; k++) {
        const mass = 2 * Math.tanh(lambda / 2) * Math.exp(-lambda * k)
        variance += k * k * mass
        abs += k * mass
      }
      expect(stdDev({ num, den })).toBeCloseTo(Math.sqrt(variance), 10)
      expect(expectedAbsError({ num, den })).toBeCloseTo(abs, 10)
    }
  })

  it.each([0, -1, 1.5])("refuses %d keys", (keys) =>
    expect(() => accuracy({ epsilon: 1, l1: 1, keys })).toThrow(RangeError)
  )
})

describe("halfWidth", () => {
  const rates = fc.tuple(fc.bigInt({ min: 1n, max: 40n }), fc.bigInt({ min: 1n, max: 200n }))

  it("is the least that covers", () =>
    fc.assert(
      fc.property(rates, fc.bigInt({ min: 1n, max: 10n ** 6n }), ([num, den], parts) => {
        const t = halfWidth(ratio(num, den), { num: parts, den: 10n ** 6n })
        const wanted = ONE - (parts * ONE) / 10n ** 6n
        expect(coverage(num, den, t)).toBeGreaterThanOrEqual(wanted - 2n ** 20n)
        if (t > 0n) expect(coverage(num, den, t - 1n)).toBeLessThan(wanted + 2n ** 20n)
      }),
      { numRuns: 60 }
    ))

  it("is right just below and just above an edge", () =>
    fc.assert(
      fc.property(rates, fc.bigInt({ min: 1n, max: 200n }), ([num, den], t) => {
        // Within 2^-390 of P(|Z| ≥ t), where doubles see no difference.
        const missed = ONE - coverage(num, den, t - 1n)
        fc.pre(missed > ONE >> 300n)
        const rate = ratio(num, den)
        expect(halfWidth(rate, { num: missed - 2n ** 20n, den: ONE })).toBe(t)
        expect(halfWidth(rate, { num: missed + 2n ** 20n, den: ONE })).toBe(t - 1n)
      }),
      { numRuns: 60 }
    ))

  it("refuses a level that nothing can keep", () => {
    const rate = rateOf(1, 1)
    expect(() => halfWidth(rate, { num: 0n, den: 1n })).toThrow(RangeError)
    expect(() => pruneThreshold(rate, 1, { num: -1n, den: 2n })).toThrow(RangeError)
  })

  it("is 0 when zero alone is likely enough", () => expect(halfWidth(rateOf(64_000_000, 1), ratio(1n, 100n))).toBe(0n))
})

describe("pruneThreshold", () => {
  it("keeps none of a million empty keys with 95 % at ε = 10", () =>
    expect(pruneThreshold(rateOf(10_000_000, 65_536), 1_000_000, ratio(1n, 20n))).toBe(105_633n))

  it("is the least t with n·q^t/(1 + q) ≤ α", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 99 }),
        (milli, n, percent) => {
          const t = Number(pruneThreshold(ratio(BigInt(milli), 1000n), n, ratio(BigInt(percent), 100n)))
          const expected = (k: number) => (n * Math.exp((-milli / 1000) * k)) / (1 + Math.exp(-milli / 1000))
          expect(expected(t)).toBeLessThanOrEqual((percent / 100) * (1 + 1e-12))
          if (t > 1) expect(expected(t - 1)).toBeGreaterThan((percent / 100) * (1 - 1e-12))
        }
      )
    ))
})

describe("plan", () => {
  const input = { epsilon: 10_000_000, l1: 65_536, share: 0.25, relativeError: 0.05 }

  it("needs 24 conversions for 5 % with a quarter of ε = 10, and 240 at ε = 1", () => {
    expect(plan(input).conversions).toBe(24)
    expect(plan({ ...input, epsilon: 1_000_000 }).conversions).toBe(240)
  })

  it("counts errors in conversions", () => {
    const found = plan(input)
    expect(found.valuePerConversion).toBe(16_384)
    expect(found.stdDev).toBeCloseTo(Math.SQRT2 / 2.5, 12)
    expect(found.halfWidth).toBeCloseTo(Math.log(20) / 2.5, 12)
    // The exact figures of the summed values, divided by what a conversion contributes.
    const exact = accuracy(input)
    expect(found.stdDev).toBeCloseTo(exact.stdDev / 16_384, 6)
    expect(found.halfWidth).toBeCloseTo(Number(exact.halfWidth.p95) / 16_384, 3)
  })

  it("pays for several questions and several keys", () => {
    expect(plan({ ...input, queries: 4 }).stdDev).toBeCloseTo(4 * plan(input).stdDev, 12)
    expect(plan({ ...input, queries: 4 }).epsilonPerQuery).toBe(2.5)
    expect(plan({ ...input, keys: 1000 }).halfWidth).toBeCloseTo(Math.log(20_000) / 2.5, 12)
    expect(plan({ ...input, confidence: 0.99 }).halfWidth).toBeCloseTo(Math.log(100) / 2.5, 10)
  })

  it.each([
    { share: 0 },
    { share: 1.1 },
    { relativeError: 0 },
    { confidence: 1 },
    { confidence: 0 },
    { keys: 0 },
    { queries: 0.5 },
    { epsilon: 0 },
    { l1: 0 },
    { share: Number.NaN },
    { relativeError: Number.NaN }
  ])("refuses %j", (bad) => expect(() => plan({ ...input, ...bad })).toThrow(RangeError))
})

describe("rmsre", () => {
  it("is √mean(σ² / max(τ, v)²)", () => {
    expect(rmsre([100, 200], 10, 1)).toBeCloseTo(Math.sqrt((0.01 + 0.0025) / 2), 12)
    expect(rmsre([0, 5], 10, 20)).toBeCloseTo(0.5, 12)
  })
})
