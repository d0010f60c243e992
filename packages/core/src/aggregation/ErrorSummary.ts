/**
 * Why reports were left out, how many, and when a job has too many of them (spec: aggregation §4.3, §4.4).
 *
 * The categories of one report are a bit mask: bit `i` is category `i` of `ERROR_CATEGORIES`. Counts are listed in this
 * order, the total last.
 */
export const ERROR_CATEGORIES = [
  "ATTRIBUTION_REPORT_TO_MALFORMED",
  "ATTRIBUTION_REPORT_TO_MISMATCH",
  "DECRYPTION_ERROR",
  "DEBUG_NOT_ENABLED",
  "DECRYPTION_KEY_NOT_FOUND",
  "DECRYPTION_KEY_FETCH_ERROR",
  "ORIGINAL_REPORT_TIME_TOO_OLD",
  "INTERNAL_ERROR",
  "REPORTING_SITE_MISMATCH",
  "UNSUPPORTED_OPERATION",
  "UNSUPPORTED_REPORT_API_TYPE",
  "REQUIRED_SHAREDINFO_FIELD_INVALID",
  "INVALID_REPORT_ID",
  "REPORT_PARSING_ERROR",
  "UNSUPPORTED_SHAREDINFO_VERSION"
] as const

export type ErrorCategory = (typeof ERROR_CATEGORIES)[number]

/** The category that counts reports, not failures. */
export const NUM_REPORTS_WITH_ERRORS = "NUM_REPORTS_WITH_ERRORS"

/** The mask of one category. */
export const errorBit = (category: ErrorCategory): number => 1 << ERROR_CATEGORIES.indexOf(category)

/** The categories of a mask, in the fixed order. */
export const categoriesOf = (mask: number): ReadonlyArray<ErrorCategory> =>
  ERROR_CATEGORIES.filter((_, i) => (mask & (1 << i)) !== 0)

export const ERROR_DESCRIPTIONS: Readonly<Record<ErrorCategory | typeof NUM_REPORTS_WITH_ERRORS, string>> = {
  ATTRIBUTION_REPORT_TO_MALFORMED:
    "Report's shared_info.reporting_origin domain is malformed. Domain must be syntactically valid and have an Effective Top Level Domain (eTLD).",
  ATTRIBUTION_REPORT_TO_MISMATCH:
    "Report's shared_info.reporting_origin value does not match attribution_report_to value set in the Aggregation job parameters. Aggregation request job parameters must have attribution_report_to set to report's shared_info.reporting_origin value.",
  DECRYPTION_ERROR:
    "Unable to decrypt the report. This may be caused by: tampered aggregatable report shared info, corrupt encrypted report, or other such issues.",
  DEBUG_NOT_ENABLED: "Reports without shared_info.debug_mode enabled cannot be processed in a debug run.",
  DECRYPTION_KEY_NOT_FOUND: "Could not find decryption key on private key endpoint.",
  DECRYPTION_KEY_FETCH_ERROR:
    "Fetching the decryption key for report decryption failed. This can happen using an unapproved aggregation service binary, running the aggregation service binary in debug mode, key corruption or service availability issues.",
  NUM_REPORTS_WITH_ERRORS:
    "Total number of reports that had an error. These reports were not considered in aggregation. See additional error messages for details on specific reasons.",
  ORIGINAL_REPORT_TIME_TOO_OLD:
    "Report's shared_info.scheduled_report_time is too old, reports cannot be older than 90 days.",
  INTERNAL_ERROR: "Internal error occurred during operation.",
  REPORTING_SITE_MISMATCH:
    "Report's shared_info.reporting_origin value does not belong to the reporting_site value set in the Aggregation job parameters. Aggregation request job parameters must have reporting_site set to the site which corresponds to the shared_info.reporting_origin value.",
  UNSUPPORTED_OPERATION: "Report's operation is unsupported. Supported operations are [histogram].",
  UNSUPPORTED_REPORT_API_TYPE:
    "The report's API type is not supported for aggregation. Supported APIs are [attribution-reporting, attribution-reporting-debug, protected-audience, shared-storage]",
  REQUIRED_SHAREDINFO_FIELD_INVALID: "One or more required SharedInfo fields are empty or invalid.",
  INVALID_REPORT_ID: "Report ID missing or invalid in SharedInfo.",
  REPORT_PARSING_ERROR:
    "Parsing report data failed. This occurs when the report's binary data cannot be converted to a valid format.",
  UNSUPPORTED_SHAREDINFO_VERSION:
    "Report has an unsupported version value in its shared_info. Supported values for report shared_info major version(s) are: [0, 1]"
}

/** Counts of many reports. Plain data, so that a thread can send it. */
export interface ErrorCounts {
  /** Every report read, duplicates included. */
  readonly total: number
  /** Reports with at least one failure. */
  readonly withErrors: number
  /** By position in `ERROR_CATEGORIES`. */
  readonly byCategory: ReadonlyArray<number>
}

export const noErrors: ErrorCounts = { total: 0, withErrors: 0, byCategory: ERROR_CATEGORIES.map(() => 0) }

/** Counts reports one by one without making objects. */
export class ErrorCounter implements ErrorCounts {
  total = 0
  withErrors = 0
  readonly byCategory: Array<number> = ERROR_CATEGORIES.map(() => 0)

  /** One more report with the failures of this mask, 0 for none. */
  add(mask: number): void {
    this.total++
    if (mask === 0) return
    this.withErrors++
    for (let i = 0; i < this.byCategory.length; i++) if ((mask & (1 << i)) !== 0) (this.byCategory[i] as number)++
  }

  counts(): ErrorCounts {
    return { total: this.total, withErrors: this.withErrors, byCategory: [...this.byCategory] }
  }
}

export const mergeErrors = (a: ErrorCounts, b: ErrorCounts): ErrorCounts => ({
  total: a.total + b.total,
  withErrors: a.withErrors + b.withErrors,
  byCategory: a.byCategory.map((count, i) => count + (b.byCategory[i] as number))
})

/** One row of `error_summary.error_counts`. */
export interface ErrorCount {
  readonly category: ErrorCategory | typeof NUM_REPORTS_WITH_ERRORS
  readonly count: number
  readonly description: string
}

/** The categories that occurred, then the number of reports; nothing when no report had an error. */
export const errorCounts = (counts: ErrorCounts): ReadonlyArray<ErrorCount> => {
  if (counts.withErrors === 0) return []
  const row = (category: ErrorCount["category"], count: number): ErrorCount => ({
    category,
    count,
    description: ERROR_DESCRIPTIONS[category]
  })
  return [
    ...ERROR_CATEGORIES.map((category, i) => row(category, counts.byCategory[i] as number)).filter((r) => r.count > 0),
    row(NUM_REPORTS_WITH_ERRORS, counts.withErrors)
  ]
}

/** A decimal 0 … 100: exactly `numerator / denominator` percent. */
export interface Percentage {
  readonly numerator: bigint
  /** A power of ten. */
  readonly denominator: bigint
}

/** The threshold of a job that names none (spec: aggregation §1.2). */
export const DEFAULT_ERROR_THRESHOLD: Percentage = { numerator: 10n, denominator: 1n }

/**
 * Reads a decimal 0 … 100 such as `10`, `2.5` or `10%`, blanks around it and before the `%` allowed; `undefined` for
 * anything else. Of what Java reads as a number, exponents, hexadecimal, suffixes, signs and NaN are refused.
 */
export const parsePercentage = (text: string): Percentage | undefined => {
  const trimmed = text.trim()
  const number = trimmed.endsWith("%") ? trimmed.slice(0, -1).trimEnd() : trimmed
  const match = /^(\d{1,30})(?:\.(\d{1,30}))?$/.exec(number)
  if (match === null) return undefined
  const [, whole = "", fraction = ""] = match
  const numerator = BigInt(whole + fraction)
  const denominator = 10n ** BigInt(fraction.length)
  return numerator <= 100n * denominator ? { numerator, denominator } : undefined
}

/**
 * Too many errors to publish: errors > total · pct / 100, in exact integers. Exactly 10 % of 10 passes, and so does an
 * empty input (spec: aggregation §4.3, final check).
 */
export const exceedsThreshold = (counts: ErrorCounts, threshold: Percentage): boolean =>
  BigInt(counts.withErrors) * 100n * threshold.denominator > BigInt(counts.total) * threshold.numerator

/**
 * The number of erroneous reports after which reading stops and the job fails, or `undefined` when only the final check
 * decides. Given a report count it is count · pct / 100, halves rounded up; without one it is 0 if no error is tolerated
 * (spec: aggregation §4.3, early check). The original lets such a job go on if the reports read so far pass the final
 * check; here it fails, because it would publish partial data.
 */
export const earlyErrorLimit = (threshold: Percentage, reportCount: bigint | undefined): bigint | undefined => {
  if (threshold.numerator === 0n) return 0n
  if (reportCount === undefined) return undefined
  const hundred = 100n * threshold.denominator
  return (2n * reportCount * threshold.numerator + hundred) / (2n * hundred)
}
