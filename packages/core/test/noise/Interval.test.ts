import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { certifiedFloor, certifiedPositive, expNegative, leastInteger } from "../../src/noise/Interval.ts"

const bits = 200n
const ratios = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 6n }), fc.bigInt({ min: 1n, max: 10n ** 4n }))

describe("Interval", () => {
  it("encloses e^-x narrowly, and e^-(x+y) is the product of e^-x and e^-y", () =>
    fc.assert(
      fc.property(ratios, ratios, ([a, b], [c, d]) => {
        const x = expNegative(a, b, bits)
        const y = expNegative(c, d, bits)
        const sum = expNegative(a * d + c * b, b * d, bits)
        expect(x.hi - x.lo).toBeLessThanOrEqual(4n)
        expect((x.lo * y.lo) >> bits).toBeLessThanOrEqual(sum.hi)
        expect((x.hi * y.hi) >> bits).toBeGreaterThanOrEqual(sum.lo - 1n)
      })
    ))

  it("agrees with doubles to fifteen digits", () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 600_000 }), (thousandths) => {
        const { lo, hi } = expNegative(BigInt(thousandths), 1000n, 1100n)
        const double = Math.exp(-thousandths / 1000)
        const scaled = (n: bigint) => Number(n >> 1000n) / 2 ** 100
        if (double > 2 ** -40) {
          expect(scaled(lo) / double).toBeCloseTo(1, 12)
          expect(scaled(hi) / double).toBeCloseTo(1, 12)
        }
      })
    ))

  it("encloses 1/e to 100 digits (OEIS A068985)", () => {
    const digits =
      "3678794411714423215955237701614608674458111310317678345078368016974614957448998033571472743459196437"
    const scale = 10n ** 100n
    const { lo, hi } = expNegative(1n, 1n, 400n)
    expect((lo * scale) >> 400n).toBe(BigInt(digits))
    expect((hi * scale) >> 400n).toBe(BigInt(digits))
  })

  it("is 1 at 0 and nearly 0 far out, never beyond", () => {
    const at0 = expNegative(0n, 1n, 64n)
    expect(at0.lo <= 1n << 64n && at0.hi >= 1n << 64n).toBe(true)
    const far = expNegative(10n ** 9n, 1n, 64n)
    expect(far.lo).toBeLessThanOrEqual(0n)
    expect(far.hi).toBeGreaterThan(0n)
    expect(far.hi).toBeLessThanOrEqual(2n)
  })

  it("doubles the precision while an enclosure straddles a boundary", () => {
    const asked: Array<bigint> = []
    // 3 + 2^-300, enclosed with an error of one unit: only 512 bits can tell it from 3 − tiny.
    const enclose = (b: bigint) => {
      asked.push(b)
      const x = (3n << b) + (b > 300n ? 1n << (b - 300n) : 0n)
      return { lo: x - 1n, hi: x + 1n }
    }
    expect(certifiedFloor(enclose, 0n)).toBe(3n)
    expect(asked).toEqual([64n, 128n, 256n, 512n])
    expect(certifiedPositive((b) => ({ lo: enclose(b).lo - (3n << b), hi: enclose(b).hi - (3n << b) }))).toBe(true)
    expect(certifiedPositive((b) => ({ lo: (3n << b) - enclose(b).hi, hi: (3n << b) - enclose(b).lo }))).toBe(false)
  })

  it("finds the least integer", () =>
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1000n }), fc.bigInt({ min: 0n, max: 10n ** 9n }), (from, above) => {
        expect(leastInteger(from, (n) => n >= from + above)).toBe(from + above)
      })
    ))

  it("starts where it is told, even if less would do", () => expect(leastInteger(7n, () => true)).toBe(7n))
})
