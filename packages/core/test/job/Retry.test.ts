import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { backOff, RETRY, retryAt, retryFaults } from "../../src/job/Retry.ts"

const policies = fc
  .record({
    maxFailures: fc.integer({ min: 1, max: 100 }),
    firstMs: fc.integer({ min: 0, max: 1_000_000 }),
    factor: fc.double({ min: 1, max: 10, noNaN: true }),
    more: fc.integer({ min: 0, max: 1_000_000 })
  })
  .map(({ more, ...rest }) => ({ ...rest, capMs: rest.firstMs + more }))

describe("backOff", () => {
  it("is whole, never shrinks and never passes its cap", () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 100 }), (policy, failures) => {
        expect(retryFaults(policy)).toEqual([])
        const wait = backOff(policy, failures)
        expect(Number.isSafeInteger(wait)).toBe(true)
        expect(wait).toBeGreaterThanOrEqual(policy.firstMs)
        expect(wait).toBeLessThanOrEqual(policy.capMs)
        expect(backOff(policy, failures + 1)).toBeGreaterThanOrEqual(wait)
      })
    )
  })

  it("multiplies from the first wait on", () => {
    expect([1, 2, 3, 4, 5, 6].map((n) => backOff(RETRY, n))).toEqual([1_000, 4_000, 16_000, 64_000, 256_000, 300_000])
  })

  it("spares a first expired lease another wait, and only that", () => {
    expect(retryAt(RETRY, 1, true, 50)).toBe(50)
    expect(retryAt(RETRY, 1, false, 50)).toBe(1_050)
    expect(retryAt(RETRY, 2, true, 50)).toBe(4_050)
  })

  it.each([
    { maxFailures: 0 },
    { maxFailures: 1.5 },
    { firstMs: -1 },
    { factor: 0.5 },
    { factor: NaN },
    { capMs: 999 }
  ])("refuses %j", (wrong) => {
    expect(retryFaults({ ...RETRY, ...wrong })).toEqual([expect.stringContaining(Object.keys(wrong)[0] ?? "")])
  })
})
