import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Contributions, scale } from "../src/index.ts"
import { tagOf } from "./support.ts"

const maxima = fc.double({ min: 1e-6, max: 1e12, noNaN: true })

describe("scale", () => {
  it("keeps measures whose shares add up to 1 within the budget, whatever was measured", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            weight: fc.integer({ min: 1, max: 100 }),
            max: maxima,
            measured: fc.double({ min: 0, noNaN: true })
          }),
          {
            minLength: 1,
            maxLength: 20
          }
        ),
        (measures) => {
          const weights = measures.reduce((sum, { weight }) => sum + weight, 0)
          const contributions = new Contributions()
          measures.forEach(({ weight, max, measured }, i) => {
            contributions.add({ bucket: BigInt(i), value: scale({ max, share: weight / weights }).toValue(measured) })
          })
          expect(contributions.size).toBe(measures.length)
        }
      )
    ))

  it("is monotone, spans its limit and errs by at most half a step", () =>
    fc.assert(
      fc.property(
        maxima,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (max, a, b) => {
          const measure = scale({ max, share: 0.5 })
          const [low, high] = [Math.min(a, b) * max, Math.max(a, b) * max]
          expect(measure.toValue(low)).toBeLessThanOrEqual(measure.toValue(high))
          expect(measure.toValue(max)).toBe(32_768)
          expect(measure.toValue(0)).toBe(0)
          const error = Math.abs(measure.toMeasure(measure.toValue(low)) - low)
          expect(error).toBeLessThanOrEqual((max / 65_536) * (1 + 1e-9))
        }
      )
    ))

  it("cuts what is above its maximum", () => {
    expect(scale({ max: 500, share: 0.5 }).toValue(129.9)).toBe(8513)
    expect(scale({ max: 500, share: 0.5 }).toValue(Infinity)).toBe(32_768)
    expect(scale({ max: 10, share: 1, budget: 1000 }).toValue(10)).toBe(1000)
  })

  it.each([
    { max: 0, share: 1 },
    { max: Number.NaN, share: 1 },
    { max: Infinity, share: 1 },
    { max: 1, share: 0 },
    { max: 1, share: 1.01 },
    { max: 1, share: 0.000_001 },
    { max: 1, share: 1, budget: 65_537 }
  ])("refuses %j", async (options) => {
    expect(await tagOf(() => scale(options))).toBe("OptionRejected")
  })

  it.each([-1, Number.NaN])("refuses to count %d", async (measured) => {
    expect(await tagOf(() => scale({ max: 1, share: 1 }).toValue(measured))).toBe("MeasureRejected")
  })
})
