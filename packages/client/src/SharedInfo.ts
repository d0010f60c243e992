import { ClientError } from "./ClientError.ts"
import { type Environment, webCrypto } from "./Environment.ts"

/** The uses that an aggregation accepts (spec: aggregation §3.4). */
export type ReportApi =
  "attribution-reporting" | "attribution-reporting-debug" | "protected-audience" | "shared-storage"

/** A moment: a `Date`, or whole seconds since 1970. */
export type Moment = number | { getTime(): number }

export interface SharedInfoFields {
  readonly api: ReportApi
  /** Who collects the reports: scheme and host, e.g. `https://reports.example.com`. */
  readonly reportingOrigin: string
  /** When the report is (to be) sent. It dates the report for the budget, so do not use one time for all. */
  readonly scheduledReportTime: Moment
  /** Required by the two attribution uses, e.g. `https://shop.example.com`. */
  readonly attributionDestination?: string
  /** Browsers round it down to a day, so that it does not tell one person from another; so should you. */
  readonly sourceRegistrationTime?: Moment
  /** A UUID; the same id counts once in an aggregation. Default: random. */
  readonly reportId?: string
  /** Lets debug runs read the report. Default false. */
  readonly debugMode?: boolean
  /** Default `1.0`; `0.1` for reports without filtering ids. */
  readonly version?: string
}

const rejected = (message: string): ClientError => new ClientError("SharedInfoRejected", message)

const seconds = (name: string, moment: Moment): string => {
  const value = typeof moment === "number" ? moment : Math.floor(moment.getTime() / 1000)
  // A number of milliseconds is the likely slip: it would date the report thousands of years ahead.
  if (!Number.isSafeInteger(value) || value < 0 || value > 99_999_999_999)
    throw rejected(`${name} is ${value}: give a Date, or whole seconds (not milliseconds) since 1970.`)
  return String(value)
}

const origin = (name: string, value: string): string => {
  if (!/^https?:\/\/[^\s/?#@\\]+$/.test(value))
    throw rejected(
      `${name} is ${JSON.stringify(value)}: give scheme and host only, such as https://reports.example.com.`
    )
  return value
}

const uuid = (environment: Environment): string => {
  const bytes = webCrypto(environment).getRandomValues(new Uint8Array(16))
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/**
 * The public part of a report as JSON text with its members in the order of browsers.
 *
 * The text is bound into the encryption as it stands: change one byte of it and the report cannot be opened.
 * Throws `SharedInfoRejected` for what an aggregation would refuse later.
 */
export const sharedInfo = (fields: SharedInfoFields, environment: Environment = {}): string => {
  const { api, attributionDestination, sourceRegistrationTime, version = "1.0" } = fields
  if (api.startsWith("attribution-reporting") && attributionDestination === undefined)
    throw rejected(`${api} needs an attributionDestination, such as https://shop.example.com.`)
  const reportId = fields.reportId ?? uuid(environment)
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(reportId))
    throw rejected(`reportId is ${JSON.stringify(reportId)}: give a UUID, or leave it out for a random one.`)
  if (!/^(0\.[1-9]\d*|1\.\d+)$/.test(version))
    throw rejected(`version is ${JSON.stringify(version)}: leave it out, or give 1.0 or 0.1.`)
  return JSON.stringify({
    api,
    ...(attributionDestination === undefined
      ? {}
      : { attribution_destination: origin("attributionDestination", attributionDestination) }),
    ...(fields.debugMode === true ? { debug_mode: "enabled" } : {}),
    report_id: reportId,
    reporting_origin: origin("reportingOrigin", fields.reportingOrigin),
    scheduled_report_time: seconds("scheduledReportTime", fields.scheduledReportTime),
    ...(sourceRegistrationTime === undefined
      ? {}
      : { source_registration_time: seconds("sourceRegistrationTime", sourceRegistrationTime) }),
    version
  })
}
