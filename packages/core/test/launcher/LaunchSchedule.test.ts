import { lastDue, type LaunchSchedule, nextDue, parseSchedule, runIdAt, runIdOf } from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const MINUTE = 60_000
const at = (text: string): number => Date.parse(text)

const read = (...triggers: ReadonlyArray<object>): LaunchSchedule => {
  const schedule = parseSchedule({ triggers: triggers as never })
  if ("_tag" in schedule) throw new Error(JSON.stringify(schedule.faults))
  return schedule
}

describe("LaunchSchedule", () => {
  it("is due at the times of a cron expression, in its time zone", () => {
    const schedule = read({ type: "cron", expression: "0 4 * * *", timeZone: "Europe/Berlin" })
    const since = at("2026-03-27T12:00:00Z")
    // Summer time begins on the 29th.
    expect(lastDue(schedule, { from: 0, since, now: at("2026-03-28T03:00:00Z") })).toBe(at("2026-03-28T03:00:00Z"))
    expect(lastDue(schedule, { from: 0, since, now: at("2026-03-29T02:30:00Z") })).toBe(at("2026-03-29T02:00:00Z"))
    expect(nextDue(schedule, { from: 0, now: at("2026-03-28T03:00:00Z") })).toBe(at("2026-03-29T02:00:00Z"))
  })

  it("is due at equal distances from when it was set, and not when it is set", () => {
    const schedule = read({ type: "interval", interval: 15, timeUnit: "minutes" })
    const from = at("2026-01-01T00:01:00Z")
    expect(lastDue(schedule, { from, since: from, now: from + 15 * MINUTE - 1 })).toBeUndefined()
    expect(lastDue(schedule, { from, since: from, now: from + 15 * MINUTE })).toBe(from + 15 * MINUTE)
    expect(nextDue(schedule, { from, now: from })).toBe(from + 15 * MINUTE)
  })

  it("gives the last of all times that were missed, and none that was seen", () => {
    const schedule = read(
      { type: "interval", interval: 1, timeUnit: "hour" },
      { type: "cron", expression: "30 * * * *" }
    )
    const from = at("2026-01-01T00:00:00Z")
    const now = at("2026-01-01T05:45:00Z")
    expect(lastDue(schedule, { from, since: from, now })).toBe(at("2026-01-01T05:30:00Z"))
    expect(lastDue(schedule, { from, since: at("2026-01-01T05:30:00Z"), now })).toBeUndefined()
  })

  it("launches nothing while it is disabled, or without triggers", () => {
    const { triggers } = read({ type: "interval", interval: 1, timeUnit: "second" })
    for (const schedule of [
      { enabled: false, triggers },
      { enabled: true, triggers: [] }
    ]) {
      expect(lastDue(schedule, { from: 0, since: 0, now: 10_000 })).toBeUndefined()
      expect(nextDue(schedule, { from: 0, now: 10_000 })).toBeUndefined()
    }
  })

  it("sees every time once, however often it looks", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(
          read({ type: "interval", interval: 7, timeUnit: "second" }),
          read({ type: "cron", expression: "*/5 * * * * *" }),
          read({ type: "cron", expression: "*/9 * * * * *" }, { type: "interval", interval: 4, timeUnit: "second" })
        ),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 150, maxLength: 200 }),
        (schedule, steps) => {
          let [since, now] = [0, 0]
          const seen: Array<number> = []
          for (const step of steps) {
            now += step
            const due = lastDue(schedule, { from: 0, since, now })
            if (due === undefined) continue
            expect(due > since && due <= now).toBe(true)
            seen.push((since = due))
          }
          // Looks are less than a second apart, so nothing is passed over.
          const all: Array<number> = []
          for (let next = 0; (next = nextDue(schedule, { from: 0, now: next }) ?? Infinity) <= now;) all.push(next)
          expect(seen).toEqual(all)
        }
      ),
      { numRuns: 30 }
    ))

  it.each([
    [null, ""],
    [{}, "triggers"],
    [{ enabled: "yes", triggers: [] }, "enabled"],
    [{ triggers: [{ type: "cron", expression: "61 * * * *" }] }, "triggers[0].expression"],
    [{ triggers: [{ type: "cron", expression: "0 0 30 2 *" }] }, "triggers[0].expression"],
    [{ triggers: [{ type: "cron", expression: "0 0 * * *", timeZone: "Mars/Base" }] }, "triggers[0].expression"],
    [{ triggers: [{ type: "interval", interval: 0, timeUnit: "day" }] }, "triggers[0]"],
    [{ triggers: [{ type: "interval", interval: 1, timeUnit: "fortnight" }] }, "triggers[0]"],
    [{ triggers: [{ type: "job", job: "spark:other" }] }, "triggers[0]"]
  ])("refuses %j and names the member", (value, path) =>
    expect(parseSchedule(value)).toEqual({
      _tag: "ScheduleRejected",
      faults: [{ path, hint: expect.any(String) }]
    })
  )
})

describe("RunId", () => {
  it("is 12 lower-case letters, whatever the bytes", () =>
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 32 }), (bytes) => /^[a-z]{12}$/.test(runIdOf(bytes)))
    ))

  it("differs between tenants, configurations and times, and is the same in every process", () => {
    expect(runIdAt("acme", "clicks", 1)).toBe(runIdAt("acme", "clicks", 1))
    const ids = [
      runIdAt("acme", "clicks", 1),
      runIdAt("acme", "clicks", 2),
      runIdAt("acme", "click", 1),
      runIdAt("b", "clicks", 1)
    ]
    expect(new Set(ids).size).toBe(4)
  })
})
