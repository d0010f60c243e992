import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { DeliveryId, deliveryId, newestFirst, parseRetryAfter, RETRY_AFTER_MS, waitAfter } from "../src/Delivery.ts"

const times = fc.integer({ min: 0, max: 8_000_000_000_000 })
const DAY_MS = 86_400_000

describe("the id of a delivery", () => {
  it("follows from what it tells and when, and differs when any of it does", () =>
    fc.assert(
      fc.property(times, times, fc.array(fc.string()), fc.array(fc.string()), (at, other, parts, others) => {
        const id = deliveryId(at, parts)
        expect(Schema.is(DeliveryId)(id)).toBe(true)
        expect(deliveryId(at, [...parts])).toBe(id)
        if (at !== other) expect(deliveryId(other, parts)).not.toBe(id)
        if (JSON.stringify(parts) !== JSON.stringify(others)) expect(deliveryId(at, others)).not.toBe(id)
      })
    ))

  it("sorts the newest first", () =>
    fc.assert(
      fc.property(times, times, (a, b) => {
        fc.pre(a !== b)
        expect(newestFirst(deliveryId(a, [])) < newestFirst(deliveryId(b, []))).toBe(a > b)
      })
    ))
})

describe("the wait after a failed try", () => {
  it("is the one of the schedule, spread by a tenth, and there is none after the last", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.double({ min: 0, max: 1, noNaN: true }), (tries, random) => {
        const wait = waitAfter(tries, random, null)
        const planned = RETRY_AFTER_MS[tries - 1]
        if (planned === undefined) expect(wait).toBeNull()
        else {
          expect(wait).toBeGreaterThanOrEqual(planned * 0.9)
          expect(wait).toBeLessThanOrEqual(planned * 1.1)
        }
      })
    ))

  it("goes on for 42 hours in all", () => {
    expect(RETRY_AFTER_MS.reduce((sum, ms) => sum + ms, 0) / 3_600_000).toBeCloseTo(42.2, 1)
  })

  it("is lengthened by what the endpoint asks for, never shortened, and to a day at most", () => {
    expect(waitAfter(1, 0.5, 60_000)).toBe(60_000)
    expect(waitAfter(3, 0.5, 1_000)).toBe(120_000)
    expect(waitAfter(1, 0.5, 400 * DAY_MS)).toBe(DAY_MS)
    expect(waitAfter(9, 0.5, 60_000)).toBeNull()
  })
})

describe("Retry-After", () => {
  const now = Date.UTC(2026, 0, 1)
  it.each<[string | null, number | null]>([
    [null, null],
    ["120", 120_000],
    ["0", 0],
    ["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
    ["Wed, 31 Dec 2025 00:00:00 GMT", 0],
    ["soon", null],
    ["-5", null],
    ["1e9", null],
    ["99999999999", null],
    ["2026-01-02", null]
  ])("%j is %j ms", (text, ms) => {
    expect(parseRetryAfter(text, now)).toBe(ms)
  })
})
