import { describe, expect, it } from "vitest"
import { expNegative } from "../../src/noise/Interval.ts"
import { cks, enumerateCks } from "./Cks.ts"
import { Stream } from "./Stream.ts"
import { blackBox } from "./BlackBox.ts"

const bits = 220n

describe("the oracle", () => {
  it.each([
    [1n, 1n],
    [1n, 2n],
    [3n, 4n],
    [5n, 7n],
    [64n, 1n],
    [2n, 1n],
    [5n, 32n]
  ])("has exactly the law tanh(λ/2)·q^|k| for λ = %d/%d, by enumeration", (a, b) => {
    const { masses, accepted, cut } = enumerateCks(a, b, 60n)
    const one = 1n << bits
    const q = expNegative(a, b, bits)
    let [checked, widest] = [0, 0n]
    for (const [k, mass] of masses) {
      const size = k < 0n ? -k : k
      if (size > (12n * b) / a + 6n) continue
      const power = expNegative(a * size, b, bits)
      const low = (mass << bits) / (accepted + cut)
      const high = ((mass + cut) << bits) / accepted
      // (1 − q)·q^k / (1 + q) lies between.
      expect(low * (one + q.hi)).toBeLessThanOrEqual((one - q.lo) * power.hi)
      expect(high * (one + q.lo)).toBeGreaterThanOrEqual((one - q.hi) * power.lo)
      widest = high - low > widest ? high - low : widest
      checked++
    }
    // 4e-26
    expect(widest).toBeLessThan((4n * one) / 10n ** 26n)
    expect(checked).toBeGreaterThanOrEqual(a === 64n ? 1 : 15)
  })

  it("samples what it enumerates", () => {
    const stream = new Stream("cks")
    const draws = Float64Array.from({ length: 20_000 }, () => Number(cks(stream, 5n, 7n)) + 0)
    expect(blackBox(draws, 5 / 7)).toEqual([])
  })
})
