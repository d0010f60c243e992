import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fromMillis, hourOf, instant, parseInstant, printInstant, toMillis } from "../src/Instant.ts"

const instants = fc
  .tuple(
    fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
    fc.integer({ min: 0, max: 999_999_999 })
  )
  .map(([seconds, nanos]) => ({ seconds, nanos }))

describe("Instant", () => {
  it("reads back what it prints, over the whole range", () =>
    fc.assert(fc.property(instants, (at) => void expect(parseInstant(printInstant(at))).toEqual(at))))

  it("agrees with Date on every millisecond that Date knows", () =>
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (millis) => {
        const iso = new Date(millis).toISOString().replace(".000Z", "Z")
        expect(printInstant(fromMillis(millis))).toBe(iso)
        expect(toMillis(parseInstant(iso) as never)).toBe(millis)
      })
    ))

  it("prints the fewest of 0, 3, 6 or 9 fraction digits", () => {
    const at = (nanos: number) => printInstant({ seconds: 0, nanos })
    expect([at(0), at(500_000_000), at(1000), at(1)]).toEqual([
      "1970-01-01T00:00:00Z",
      "1970-01-01T00:00:00.500Z",
      "1970-01-01T00:00:00.000001Z",
      "1970-01-01T00:00:00.000000001Z"
    ])
  })

  it.each([
    "",
    "2024-02-30T00:00:00Z",
    "2024-01-01",
    "2024-01-01T24:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-01-01T00:00:00+01:00"
  ])("refuses %j", (text) => expect(parseInstant(text)).toBeUndefined())

  it("rounds hours down, also before 1970", () => {
    expect(hourOf({ seconds: 1609460220, nanos: 0 })).toBe(447072)
    expect(hourOf({ seconds: -1, nanos: 0 })).toBe(-1)
  })

  it("refuses what is out of range", () => {
    expect(instant(2 ** 53)).toBeUndefined()
    expect(instant(0.5)).toBeUndefined()
    expect(instant(0, 1e9)).toBeUndefined()
  })
})
