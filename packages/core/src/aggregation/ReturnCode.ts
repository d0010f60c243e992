/**
 * How an aggregation ended: the original's return codes and messages (spec: aggregation §2.5), and two of ours.
 *
 * Of a failure the message is the bare sentence; a root cause follows behind `\nThe root cause is: `.
 */
export const RETURN_CODES = [
  "SUCCESS",
  "SUCCESS_WITH_ERRORS",
  "REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD",
  "INVALID_JOB",
  "INPUT_DATA_READ_FAILED",
  "UNSUPPORTED_REPORT_VERSION",
  "PERMISSION_ERROR",
  "INTERNAL_ERROR",
  "RESULT_WRITE_ERROR",
  "PRIVACY_BUDGET_EXHAUSTED",
  "PRIVACY_BUDGET_ERROR",
  "PRIVACY_BUDGET_AUTHENTICATION_ERROR",
  "PRIVACY_BUDGET_AUTHORIZATION_ERROR",
  "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_ERROR",
  "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_EXHAUSTED",
  "RETRIES_EXHAUSTED",
  "INPUT_CHANGED",
  "JOB_CANCELLED"
] as const

export type ReturnCode = (typeof RETURN_CODES)[number]

/** Was a summary written? */
export const isSuccess = (code: ReturnCode): boolean =>
  code === "SUCCESS" ||
  code === "SUCCESS_WITH_ERRORS" ||
  code === "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_ERROR" ||
  code === "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_EXHAUSTED"

/** A code with its `return_message`. */
export interface Outcome {
  readonly code: ReturnCode
  readonly message: string
}

export const success: Outcome = { code: "SUCCESS", message: "Aggregation job successfully processed" }

export const successWithErrors: Outcome = {
  code: "SUCCESS_WITH_ERRORS",
  message: "Aggregation job successfully processed but some reports have errors."
}

export const exceededThreshold: Outcome = {
  code: "REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD",
  message: "Aggregation job failed early because the number of reports excluded from aggregation exceeded threshold."
}

export const invalidJob = (message: string): Outcome => ({ code: "INVALID_JOB", message })

/** The message of an invalid job whose record is gone. */
export const JOB_METADATA_NOT_FOUND = "Job metadata not found."

/** A bucket of the output domain has more than 16 bytes: the original calls the job invalid, as the domain is part of it. */
export const bucketTooLong = (where: string, length: number): Outcome =>
  invalidJob(`A bucket of the output domain has ${length} bytes, more than 16: ${where}`)

export const noReportShards = (locations: ReadonlyArray<string>): Outcome => ({
  code: "INPUT_DATA_READ_FAILED",
  message: `No report shards found for location: [${locations.join(", ")}]`
})

export const reportsUnreadable = (cause?: string): Outcome => ({
  code: "INPUT_DATA_READ_FAILED",
  message: withCause("Exception while reading reports input data.", cause)
})

export const domainUnreadable = (cause?: string): Outcome => ({
  code: "INPUT_DATA_READ_FAILED",
  message: withCause("Exception while reading domain input data.", cause)
})

/** No object lies where the domain should be. */
export const noDomainShards = (location: string): Outcome =>
  domainUnreadable(`No output domain shards found for location: ${location}`)

/** There are objects, but no key in any of them. */
export const emptyDomain = (location: string): Outcome =>
  domainUnreadable(`No output domain provided in the location: ${location}`)

export const unsupportedReportVersion = (version: string): Outcome => ({
  code: "UNSUPPORTED_REPORT_VERSION",
  message: `Current Aggregation Service deployment does not support Aggregatable reports with shared_info.version ${version}. This may require an Aggregation Service update. To continue please update Aggregation service or use only Aggregatable reports with supported major shared_info.version(s) are- [0, 1]`
})

export const permissionError = (cause?: string): Outcome => ({
  code: "PERMISSION_ERROR",
  message: withCause("Exception because of missing permission.", cause)
})

export const internalError = (cause?: string): Outcome => ({
  code: "INTERNAL_ERROR",
  message: withCause("Internal Service Exception when processing reports.", cause)
})

export const notEnqueued: Outcome = {
  code: "INTERNAL_ERROR",
  message: "Failed to add job to processing queue. Please re-submit as a new job"
}

export const resultWriteError = (cause?: string): Outcome => ({
  code: "RESULT_WRITE_ERROR",
  message: withCause("Exception occurred while writing result.", cause)
})

/** Any failure of the ledger but exhaustion, with the tag of the error and what to do as its cause. */
export const privacyBudgetError = (cause: string): Outcome => ({
  code: "PRIVACY_BUDGET_ERROR",
  message: `Exception while consuming privacy budget. Exception message: ${cause}`
})

/** A question about more units than one may have. */
export const tooManyUnits = (units: number, limit: number): Outcome =>
  privacyBudgetError(`Too many items. Current: ${units}; Max: ${limit}`)

export const budgetAuthenticationError: Outcome = {
  code: "PRIVACY_BUDGET_AUTHENTICATION_ERROR",
  message:
    "Aggregation service is not authenticated to call privacy budget service. This could happen due to a misconfiguration during enrollment. Please contact support for resolution."
}

export const budgetAuthorizationError: Outcome = {
  code: "PRIVACY_BUDGET_AUTHORIZATION_ERROR",
  message:
    "Aggregation service is not authorized to call privacy budget service. This could happen if the createJob API job_paramaters.attribution_report_to does not match the one registered at enrollment. Please verify and contact support if needed."
}

export const debugBudgetError: Outcome = {
  code: "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_ERROR",
  message: "Aggregation would have failed in non-debug mode due to a privacy budget error."
}

export const debugBudgetExhausted: Outcome = {
  code: "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_EXHAUSTED",
  message: "Aggregation would have failed in non-debug mode due to privacy budget exhaustion"
}

export const retriesExhausted = (attempts: number): Outcome => ({
  code: "RETRIES_EXHAUSTED",
  message: `Number of retry attempts exhausted, the job failed to process after ${attempts} tries.`
})

/** The reports are no longer those that this job paid for (spec: ledger §7). */
export const inputChanged: Outcome = {
  code: "INPUT_CHANGED",
  message:
    "The input changed between two attempts of this job, so its question is not the one that was paid for. Nothing was charged for the change. Restore the original objects and ask again to get the first answer for free, or submit a new job for the new input."
}

export const jobCancelled: Outcome = {
  code: "JOB_CANCELLED",
  message: "The job was cancelled before it finished. No summary was published."
}

const withCause = (message: string, cause: string | undefined): string =>
  cause === undefined ? message : `${message}\nThe root cause is: ${cause}`
