/**
 * Budget units: what a question uses up, one per report and requested filtering id (spec: aggregation §9.1).
 *
 * A unit is a key hash, the hour of `scheduled_report_time` (UTC) and the reporting origin. It is made of public
 * metadata only, never of what a report says.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { hourOf, type Instant, printInstant } from "../Instant.ts"
import { concat, fromHex, i64, label, lp, toHex, utf8 } from "../internal/Bytes.ts"
import type { LedgerUnit, UnitId } from "./Spend.ts"

/** The members of a report's `shared_info` that name its units. */
export interface UnitSource {
  readonly api?: string | undefined
  readonly version: string
  readonly reportingOrigin: string
  readonly attributionDestination?: string | undefined
  readonly sourceRegistrationTime?: Instant | undefined
  readonly scheduledReportTime: Instant
}

export interface BudgetUnit extends LedgerUnit {
  /** SHA-256 in lower-case hexadecimal; users know it as the "shared ID". */
  readonly keyHash: string
}

/** `member` is empty or unknown, so the report has no unit (check 6 of spec: aggregation §4.1). */
export interface BudgetUnitRejected {
  readonly _tag: "BudgetUnitRejected"
  readonly member: "api" | "version" | "reporting_origin" | "attribution_destination"
}

/** The APIs whose reports are aggregated, hence have units (spec: aggregation §3.4). */
export const SUPPORTED_APIS = [
  "attribution-reporting",
  "attribution-reporting-debug",
  "protected-audience",
  "shared-storage"
] as const

export type SupportedApi = (typeof SUPPORTED_APIS)[number]

export const isSupportedApi = (api: string | undefined): api is SupportedApi =>
  (SUPPORTED_APIS as ReadonlyArray<string | undefined>).includes(api)

/** The APIs whose units name the destination. */
export const needsDestination = (api: SupportedApi): boolean =>
  api === "attribution-reporting" || api === "attribution-reporting-debug"

/** The two integers of a report's version, in digits without leading zeros; zero is the empty text. */
export interface ReportVersion {
  readonly major: string
  readonly minor: string
}

/** Two integers with a point between; `0.10` is later than `0.9`. Nothing bounds the digits, so they stay text. */
export const parseVersion = (text: string): ReportVersion | undefined => {
  const match = /^(\d+)\.(\d+)$/.exec(text)
  return match === null
    ? undefined
    : { major: withoutZeros(match[1] as string), minor: withoutZeros(match[2] as string) }
}

const withoutZeros = (digits: string): string => digits.replace(/^0+/, "")

/** The unit that a report and one requested filtering id (0 … 2⁶⁴ − 1) use up. */
export const budgetUnit = (source: UnitSource, filteringId: bigint): BudgetUnit | BudgetUnitRejected => {
  const text = unitKey(source, filteringId)
  if (typeof text !== "string") return text
  const keyHash = sha256(utf8(text))
  const hour = hourOf(source.scheduledReportTime)
  return {
    id: unitId(source.reportingOrigin, hour, keyHash),
    keyHash: toHex(keyHash),
    hour,
    origin: source.reportingOrigin
  }
}

/**
 * The text whose SHA-256 is the key hash: members joined by `-`.
 *
 * Versions in [0.1, 1.0) with id 0 leave the id out, as browsers before filtering ids did; the others end with it. The
 * version is hashed as written (`0.1` and `0.01` differ) and the registration time as given: the client truncated it.
 */
export const unitKey = (source: UnitSource, filteringId: bigint): string | BudgetUnitRejected => {
  if (!isSupportedApi(source.api)) return rejected("api")
  const version = parseVersion(source.version)
  if (version === undefined) return rejected("version")
  const withId = filteringId !== 0n || version.major !== ""
  if (!withId && version.minor === "") return rejected("version")
  if (source.reportingOrigin === "") return rejected("reporting_origin")
  const parts = [source.api, source.version, source.reportingOrigin]
  if (needsDestination(source.api)) {
    if (source.attributionDestination === undefined || source.attributionDestination === "") {
      return rejected("attribution_destination")
    }
    parts.push(source.attributionDestination)
    if (source.sourceRegistrationTime !== undefined) parts.push(printInstant(source.sourceRegistrationTime))
  }
  if (withId) parts.push(filteringId.toString())
  return parts.join("-")
}

/** The ledger's name of a unit (spec: ledger §3). `keyHash` has 32 bytes, `hour` counts from 1970 and may be negative. */
export const unitId = (origin: string, hour: number, keyHash: Uint8Array): UnitId =>
  toHex(sha256(concat(label("sotto/unit/1"), lp(origin), i64(hour), keyHash))) as UnitId

/** Sorted by id, equal ids once: the form in which units are charged and hashed. */
export const distinctUnits = (units: ReadonlyArray<LedgerUnit>): ReadonlyArray<LedgerUnit> => {
  const ascending = units.every((unit, i) => i === 0 || (units[i - 1] as LedgerUnit).id < unit.id)
  if (ascending) return units
  const byId = new Map(units.map((unit) => [unit.id, unit]))
  return [...byId.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** The bytes of sorted unit ids, 32 each: what a spend stores and its chain hashes. */
export const unitIdBytes = (ids: ReadonlyArray<UnitId>): Uint8Array => {
  const bytes = fromHex(ids.join(""))
  if (bytes === undefined || bytes.length !== ids.length * 32)
    throw new RangeError("a unit id has 64 hexadecimal digits")
  return bytes
}

const rejected = (member: BudgetUnitRejected["member"]): BudgetUnitRejected => ({ _tag: "BudgetUnitRejected", member })
