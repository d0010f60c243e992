import { type Instant, instant, parseInstant } from "../Instant.ts"
import { isJsonNumber, isJsonObject, isJsonRejected, type Json, readJson } from "./Json.ts"

/** What a report says about itself in clear text, bound to its payload by the encryption (spec: aggregation §3.3). */
export interface SharedInfo {
  readonly version: string
  readonly scheduledReportTime: Instant
  readonly reportingOrigin: string
  readonly api?: string
  readonly reportId?: string
  readonly attributionDestination?: string
  readonly sourceRegistrationTime?: Instant
  /** Exactly `enabled` means a debug report. */
  readonly debugMode?: string
}

/**
 * Reads the JSON text of a report's `shared_info`; `undefined` counts as DECRYPTION_ERROR.
 *
 * Unknown members and text behind the object are ignored. `version`, `scheduled_report_time` and `reporting_origin` must
 * be there; a known member that is `null` or of another type refuses the whole.
 */
export const parseSharedInfo = (text: string): SharedInfo | undefined => {
  const fast = parseStrict(text)
  if (fast !== undefined) {
    const info = sharedInfo(fast)
    if (info !== NEEDS_LITERALS) return info
  }
  const json = readJson(text, { trailing: true })
  if (isJsonRejected(json) || !isJsonObject(json)) return undefined
  const members = Object.fromEntries(
    Object.values(NAMES).flatMap((name) => {
      const value = json.members.get(name)
      return value === undefined ? [] : [[name, value]]
    })
  )
  const info = sharedInfo(members)
  return info === NEEDS_LITERALS ? undefined : info
}

const NAMES = {
  version: "version",
  scheduledReportTime: "scheduled_report_time",
  reportingOrigin: "reporting_origin",
  api: "api",
  reportId: "report_id",
  attributionDestination: "attribution_destination",
  sourceRegistrationTime: "source_registration_time",
  debugMode: "debug_mode"
} as const

type Members = Readonly<Record<string, unknown>>

const parseStrict = (text: string): Members | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Members) : undefined
  } catch {
    return undefined
  }
}

/** A time came as a JSON number, whose nanoseconds a double cannot hold: read the text again with literals. */
const NEEDS_LITERALS = "needs literals"

const sharedInfo = (members: Members): SharedInfo | typeof NEEDS_LITERALS | undefined => {
  const scheduled = time(members, NAMES.scheduledReportTime)
  const registered = time(members, NAMES.sourceRegistrationTime)
  if (scheduled === NEEDS_LITERALS || registered === NEEDS_LITERALS) return NEEDS_LITERALS
  const version = own(members, NAMES.version)
  const origin = own(members, NAMES.reportingOrigin)
  const api = own(members, NAMES.api)
  const reportId = own(members, NAMES.reportId)
  const destination = own(members, NAMES.attributionDestination)
  const debugMode = own(members, NAMES.debugMode)
  if (typeof version !== "string" || typeof origin !== "string") return undefined
  if (scheduled === BAD_TIME || scheduled === undefined || registered === BAD_TIME) return undefined
  if (!(isOptionalText(api) && isOptionalText(reportId) && isOptionalText(destination) && isOptionalText(debugMode))) {
    return undefined
  }
  const info: { -readonly [K in keyof SharedInfo]: SharedInfo[K] } = {
    version,
    scheduledReportTime: scheduled,
    reportingOrigin: origin
  }
  if (api !== undefined) info.api = api
  if (reportId !== undefined) info.reportId = reportId
  if (destination !== undefined) info.attributionDestination = destination
  if (registered !== undefined) info.sourceRegistrationTime = registered
  if (debugMode !== undefined) info.debugMode = debugMode
  return info
}

/** Nothing that an object inherits counts as a member. */
const own = (members: Members, name: string): unknown => (Object.hasOwn(members, name) ? members[name] : undefined)

const isOptionalText = (value: unknown): value is string | undefined => value === undefined || typeof value === "string"

const BAD_TIME = "bad time"

/** `undefined` when the member is missing or a blank string. */
const time = (members: Members, name: string): Instant | typeof BAD_TIME | typeof NEEDS_LITERALS | undefined => {
  const value = own(members, name)
  if (value === undefined) return undefined
  if (typeof value === "number") return NEEDS_LITERALS
  if (typeof value === "string") {
    const text = value.trim()
    if (text === "") return undefined
    return parseTime(text) ?? BAD_TIME
  }
  if (typeof value === "object" && value !== null && isJsonNumber(value as Json)) {
    return parseNumericTime((value as { literal: string }).literal) ?? BAD_TIME
  }
  return BAD_TIME
}

/** A time written as a string: epoch seconds in digits with an optional fraction, or an ISO 8601 instant. */
const parseTime = (text: string): Instant | undefined => {
  const seconds = /^(\d+)(?:\.(\d*))?$/.exec(text)
  if (seconds === null) return parseInstant(text)
  const whole = Number(seconds[1])
  return instant(whole, Number((seconds[2] ?? "").slice(0, 9).padEnd(9, "0")))
}

/** A time written as a JSON number: epoch seconds, negative ones and exponents included; below nanoseconds it is cut. */
const parseNumericTime = (literal: string): Instant | undefined => {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal)
  if (match === null) return undefined
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match
  const digits = (whole + fraction).replace(/^0+/, "")
  if (digits === "") return instant(0)
  // Index of the decimal point within `digits`: below −9 nothing is left, beyond 16 digits of seconds none are safe.
  const point = digits.length - fraction.length + Number(exponent)
  if (point > 16) return undefined
  if (point < -9) return instant(0)
  const padded = "0".repeat(Math.max(0, -point)) + digits
  const split = Math.max(0, point)
  const seconds = Number(padded.slice(0, split).padEnd(split, "0"))
  const nanos = Number(padded.slice(split, split + 9).padEnd(9, "0"))
  if (sign === "") return instant(seconds, nanos)
  // `-seconds` of 0 would be −0.
  return nanos === 0 ? instant(0 - seconds) : instant(-seconds - 1, 1_000_000_000 - nanos)
}
