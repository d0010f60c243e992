import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { discoveryThreshold } from "../../src/noise/Discovery.ts"

describe("discoveryThreshold", () => {
  const deltaPico = 10_000_000

  it.each([
    [10, 1, 136_445n],
    [10, 400, 136_445n],
    [10, 65_536, 143_592n],
    [1, 1, 774_622n],
    [1, 20, 910_814n],
    [1, 400, 1_102_022n],
    [1, 65_536, 1_435_904n],
    [64, 1, 76_616n]
  ])("at ε = %d with %i keys a unit, δ = 10^-5 and L1 = 65536 is %i", (epsilon, keysPerUnit, expected) =>
    expect(discoveryThreshold({ epsilon: epsilon * 1_000_000, l1: 65_536, deltaPico, keysPerUnit })).toBe(expected)
  )

  /** All ways to write at most `total` as a sum of at most `parts` integers ≥ 1, largest first. */
  const splits = (total: number, parts: number, largest = total): Array<ReadonlyArray<number>> =>
    parts === 0 || total === 0
      ? [[]]
      : [
          [],
          ...Array.from({ length: Math.min(total, largest) }, (_, i) => i + 1).flatMap((v) =>
            splits(total - v, parts - 1, v).map((rest) => [v, ...rest])
          )
        ]

  it("is the least above L1 that keeps every split of a unit's values within δ", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 50_000, max: 64_000_000 }),
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(1, 1000, 10_000_000, 10 ** 10, 10 ** 11, 10 ** 12 - 1),
        (epsilon, l1, keysPerUnit, deltaPico) => {
          const lambda = epsilon / 1e6 / l1
          const tail = (t: number) => Math.exp(-lambda * t) / (1 + Math.exp(-lambda))
          const worst = (t: number) =>
            Math.max(...splits(l1, keysPerUnit).map((values) => values.reduce((sum, v) => sum + tail(t - v), 0)))
          const t = Number(discoveryThreshold({ epsilon, l1, deltaPico, keysPerUnit }))
          expect(t).toBeGreaterThan(l1)
          expect(worst(t)).toBeLessThanOrEqual((deltaPico / 1e12) * (1 + 1e-9))
          if (t > l1 + 1) expect(worst(t - 1)).toBeGreaterThan((deltaPico / 1e12) * (1 - 1e-9))
        }
      )
    ))

  it("cannot mean more keys than L1, as values are at least 1", () => {
    const at = (keysPerUnit: number) => discoveryThreshold({ epsilon: 1_000_000, l1: 7, deltaPico, keysPerUnit })
    expect(at(8)).toBe(at(7))
    expect(at(2 ** 53 - 1)).toBe(at(7))
  })

  it.each([
    { deltaPico: 0 },
    { deltaPico: 10 ** 12 },
    { deltaPico: 0.5 },
    { keysPerUnit: 0 },
    { keysPerUnit: 1.5 },
    { epsilon: 0 },
    { l1: 0 }
  ])("refuses %j", (bad) =>
    expect(() => discoveryThreshold({ epsilon: 1_000_000, l1: 10, deltaPico, keysPerUnit: 1, ...bad })).toThrow(
      RangeError
    )
  )
})
