import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fullBucket, takeToken, type TokenBucket } from "../../src/front/TokenBucket.ts"

const perMinutes = fc.integer({ min: 1, max: 100_000 })

/** Takes at each of the times; answers when it was given a token. */
const taken = (perMinute: number, times: ReadonlyArray<number>): ReadonlyArray<number> => {
  let bucket: TokenBucket = fullBucket(perMinute, times[0] ?? 0)
  return times.filter((now) => {
    const answer = takeToken(bucket, perMinute, now)
    bucket = answer.bucket
    return answer._tag === "Taken"
  })
}

describe("TokenBucket", () => {
  it("gives a minute's worth at once and then no more", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), (perMinute) => {
        expect(
          taken(
            perMinute,
            Array.from({ length: perMinute + 3 }, () => 0)
          )
        ).toHaveLength(perMinute)
      })
    ))

  it("never gives more than two minutes' worth in a minute, nor less than the steady rate", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.nat(1_000), { minLength: 1, maxLength: 500 }),
        (perMinute, gaps) => {
          let now = 0
          const times = gaps.map((gap) => (now += gap))
          const given = taken(perMinute, times)
          const most = perMinute + ((times.at(-1) as number) - (times[0] as number)) * (perMinute / 60_000)
          return given.length <= most && given.length >= Math.min(times.length, perMinute)
        }
      )
    ))

  it("has a token again exactly when it said", () =>
    fc.assert(
      fc.property(perMinutes, fc.nat(59_999), (perMinute, parts) => {
        const empty = takeToken({ parts, at: 0 }, perMinute, 0)
        if (empty._tag !== "Empty") return parts >= 60_000
        return (
          takeToken(empty.bucket, perMinute, empty.retryMs)._tag === "Taken" &&
          takeToken(empty.bucket, perMinute, empty.retryMs - 1)._tag === "Empty"
        )
      })
    ))

  it("gives nothing for a clock that goes back", () => {
    const { bucket } = takeToken({ parts: 60_000, at: 1_000 }, 60, 500)
    expect(takeToken(bucket, 60, 900)._tag).toBe("Empty")
    expect(bucket.at).toBe(1_000)
  })
})
