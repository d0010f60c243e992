/**
 * When a configuration is launched by itself: at the times of a cron expression, or at equal distances.
 *
 * Times that were missed, because nobody was there to launch, come to one launch (spec: launcher §4).
 */
import * as Cron from "effect/Cron"
import * as Result from "effect/Result"
import { isPlainObject, type Plain, type PlainObject } from "../job/Plain.ts"
import type { ConfigurationFault } from "./Configuration.ts"

const UNITS = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000
} as const

export type IntervalUnit = keyof typeof UNITS

export type Trigger =
  /** Five fields, or six with seconds before them; days of the week are 0 … 7, Sunday first and last. */
  | { readonly type: "cron"; readonly expression: string; readonly timeZone: string }
  /** Counted from when the schedule was set. */
  | { readonly type: "interval"; readonly interval: number; readonly timeUnit: IntervalUnit }

export interface LaunchSchedule {
  /** `false`: kept, and nothing is launched. */
  readonly enabled: boolean
  readonly triggers: ReadonlyArray<Trigger>
}

export interface ScheduleRejected {
  readonly _tag: "ScheduleRejected"
  readonly faults: ReadonlyArray<ConfigurationFault>
}

const MOST_TRIGGERS = 20

/** Reads what somebody wrote; members that nobody knows are ignored. */
export const parseSchedule = (value: Plain): LaunchSchedule | ScheduleRejected => {
  const faults: Array<ConfigurationFault> = []
  const fault = (path: string, hint: string): void => void faults.push({ path, hint })
  if (!isPlainObject(value)) return { _tag: "ScheduleRejected", faults: [{ path: "", hint: "write an object" }] }
  const { enabled = true, triggers } = value
  if (typeof enabled !== "boolean") fault("enabled", "write true or false")
  const list: ReadonlyArray<Plain> = Array.isArray(triggers) ? triggers : []
  if (!Array.isArray(triggers) || triggers.length > MOST_TRIGGERS) {
    fault("triggers", `write an array of at most ${MOST_TRIGGERS} triggers`)
  }
  const read = list.flatMap((one, i): ReadonlyArray<Trigger> => {
    const at = `triggers[${i}]`
    const { type, expression, timeZone = "UTC", interval, timeUnit } = isPlainObject(one) ? one : ({} as PlainObject)
    if (type === "cron" && typeof expression === "string" && typeof timeZone === "string") {
      if (cronOf(expression, timeZone) !== undefined) return [{ type, expression, timeZone }]
      fault(
        `${at}.expression`,
        "write five or six fields of cron, such as 0 4 * * *, that some day meets, and a time zone"
      )
      return []
    }
    const unit = typeof timeUnit === "string" ? timeUnit.toLowerCase().replace(/s$/, "") : ""
    if (type === "interval" && Number.isSafeInteger(interval) && Number(interval) >= 1 && unit in UNITS) {
      return [{ type, interval: interval as number, timeUnit: unit as IntervalUnit }]
    }
    fault(
      at,
      `write {type: "cron", expression, timeZone} or {type: "interval", interval, timeUnit}, timeUnit being one of ${Object.keys(UNITS).join(", ")}`
    )
    return []
  })
  return faults.length > 0 ? { _tag: "ScheduleRejected", faults } : { enabled: enabled === true, triggers: read }
}

/** A cron that comes round; `undefined` for one that cannot be read or never does. */
const cronOf = (expression: string, timeZone: string): Cron.Cron | undefined => {
  const parsed = Cron.parse(expression, timeZone)
  if (Result.isFailure(parsed)) return undefined
  const next = Result.try(() => Cron.next(parsed.success, 0))
  return Result.isSuccess(next) ? parsed.success : undefined
}

/**
 * The last time after `since` and up to `now` at which a trigger was due; `undefined` if there was none. `from` is when the
 * schedule was set. All in milliseconds since 1970.
 */
export const lastDue = (
  { enabled, triggers }: LaunchSchedule,
  { from, since, now }: { readonly from: number; readonly since: number; readonly now: number }
): number | undefined => {
  if (!enabled) return undefined
  const times = triggers.map((trigger) => previous(trigger, from, now)).filter((at) => at > since)
  return times.length === 0 ? undefined : Math.max(...times)
}

/** The first time after `now` at which a trigger is due. */
export const nextDue = (
  { enabled, triggers }: LaunchSchedule,
  { from, now }: { readonly from: number; readonly now: number }
): number | undefined => {
  if (!enabled || triggers.length === 0) return undefined
  return Math.min(
    ...triggers.map((trigger) => {
      if (trigger.type === "interval") return previous(trigger, from, now) + lengthOf(trigger)
      const cron = cronOf(trigger.expression, trigger.timeZone)
      return cron === undefined ? Infinity : Cron.next(cron, now).getTime()
    })
  )
}

const lengthOf = ({ interval, timeUnit }: Extract<Trigger, { type: "interval" }>): number => interval * UNITS[timeUnit]

/** The last time up to and including `now`; of an interval `from` itself is none that launches, being no later than it. */
const previous = (trigger: Trigger, from: number, now: number): number => {
  if (trigger.type === "interval") {
    const length = lengthOf(trigger)
    return from + Math.floor((now - from) / length) * length
  }
  const cron = cronOf(trigger.expression, trigger.timeZone)
  // The search is strict, and a time that is due now counts.
  return cron === undefined ? -Infinity : Cron.prev(cron, now + 1).getTime()
}
