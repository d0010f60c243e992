import { isSupportedApi, needsDestination, parseVersion } from "../budget/BudgetUnit.ts"
import { errorBit } from "./ErrorSummary.ts"
import type { FilteringIds } from "./FilteringIds.ts"
import { parseReportId } from "./ReportIds.ts"
import type { SharedInfo } from "./SharedInfo.ts"

/** Reports must be scheduled strictly later than this before `asOf`. */
export const MAX_REPORT_AGE_DAYS = 90

/** Whose reports a job takes: exactly one origin, or all origins of a site. */
export type Reporter =
  | { readonly _tag: "Origin"; readonly attributionReportTo: string }
  | { readonly _tag: "Site"; readonly reportingSite: string }

export interface ReportRules {
  readonly reporter: Reporter
  /**
   * Site of an origin such as `https://a.example.com` (`https://example.com`), `undefined` when none can be derived: not a
   * URL, no domain, an IP address, a bare or unknown public suffix (spec: aggregation §4.2, §17-11).
   */
  readonly siteOf: (origin: string) => string | undefined
  readonly filteringIds: FilteringIds
  readonly debugRun: boolean
  /** Milliseconds since 1970: the moment at which age is judged, fixed with the job. */
  readonly asOf: number
  /** `reduced` is the local tool's set: no check of origin, age and operation (spec: aggregation §4.1). */
  readonly checks: "full" | "reduced"
}

/**
 * The outcome of `checkReport`: a mask of `ERROR_CATEGORIES`, 0 for a valid report, or this when the report's major
 * version is above 1, which ends the whole job (UNSUPPORTED_REPORT_VERSION).
 */
export const UNSUPPORTED_MAJOR_VERSION = -1

const MALFORMED = errorBit("ATTRIBUTION_REPORT_TO_MALFORMED")
const ORIGIN_MISMATCH = errorBit("ATTRIBUTION_REPORT_TO_MISMATCH")
const SITE_MISMATCH = errorBit("REPORTING_SITE_MISMATCH")
const TOO_OLD = errorBit("ORIGINAL_REPORT_TIME_TOO_OLD")
const OPERATION = errorBit("UNSUPPORTED_OPERATION")
const NOT_DEBUG = errorBit("DEBUG_NOT_ENABLED")
const API_TYPE = errorBit("UNSUPPORTED_REPORT_API_TYPE")
const REQUIRED_FIELD = errorBit("REQUIRED_SHAREDINFO_FIELD_INVALID")
const REPORT_ID = errorBit("INVALID_REPORT_ID")
const VERSION = errorBit("UNSUPPORTED_SHAREDINFO_VERSION")

/** Sites remembered per checker; reports of a batch name few origins, and a hostile one must not fill memory. */
const MAX_SITES = 1024

/**
 * Prepares the eight checks of a decrypted report (spec: aggregation §4.1). The function returned runs all of them,
 * remembers the sites of origins it has seen, and is to be used by one thread.
 *
 * `histogram` says whether the payload's operation is `histogram`. Of a valid report, `reportId[0 … 3]` are the words of
 * its id afterwards.
 */
export const reportChecker = (
  rules: ReportRules
): ((info: SharedInfo, histogram: boolean, reportId: Uint32Array) => number) => {
  const { reporter, siteOf, debugRun } = rules
  const full = rules.checks === "full"
  const hasZero = rules.filteringIds.ids.includes(0n)
  const oldestSeconds = Math.floor(rules.asOf / 1000) - MAX_REPORT_AGE_DAYS * 86_400
  const oldestNanos = (rules.asOf - Math.floor(rules.asOf / 1000) * 1000) * 1_000_000
  const sites = new Map<string, string | undefined>()

  const cachedSite = (origin: string): string | undefined => {
    const known = sites.get(origin)
    if (known !== undefined || sites.has(origin)) return known
    if (sites.size >= MAX_SITES) sites.clear()
    const site = siteOf(origin)
    sites.set(origin, site)
    return site
  }

  const checkOrigin = (origin: string): number => {
    if (reporter._tag === "Origin") return origin === reporter.attributionReportTo ? 0 : ORIGIN_MISMATCH
    const site = cachedSite(origin)
    return site === undefined ? MALFORMED : site === reporter.reportingSite ? 0 : SITE_MISMATCH
  }

  return (info, histogram, reportId) => {
    const version = versionKind(info.version)
    if (version === NEWER) return UNSUPPORTED_MAJOR_VERSION
    let mask = 0
    if (full) {
      mask = checkOrigin(info.reportingOrigin)
      const { seconds, nanos } = info.scheduledReportTime
      if (seconds < oldestSeconds || (seconds === oldestSeconds && nanos <= oldestNanos)) mask |= TOO_OLD
      if (!histogram) mask |= OPERATION
    }
    if (debugRun && info.debugMode !== "enabled") mask |= NOT_DEBUG
    const { api } = info
    if (api !== undefined && !isSupportedApi(api)) mask |= API_TYPE
    // A budget key exists for every requested id: version 0.x has its own for id 0, every other id needs only a version
    // that can be compared (spec: aggregation §9.1).
    const keyed = version === SUPPORTED || (version === ZERO && !hasZero)
    if (
      !keyed ||
      !isSupportedApi(api) ||
      info.reportingOrigin === "" ||
      (needsDestination(api) && (info.attributionDestination ?? "") === "")
    ) {
      mask |= REQUIRED_FIELD
    }
    if (info.reportId === undefined || !parseReportId(info.reportId, reportId)) mask |= REPORT_ID
    if (version !== SUPPORTED) mask |= VERSION
    return mask
  }
}

const SUPPORTED = 0
const ZERO = 1
const NEWER = 2
const UNREADABLE = 3

const versionKind = (text: string): number => {
  // What browsers send.
  if (text === "1.0" || text === "0.1") return SUPPORTED
  const version = parseVersion(text)
  if (version === undefined) return UNREADABLE
  if (version.major === "") return version.minor === "" ? ZERO : SUPPORTED
  return version.major === "1" ? SUPPORTED : NEWER
}
