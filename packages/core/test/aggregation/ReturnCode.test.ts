import * as codes from "@sotto/core/aggregation"
import { describe, expect, it } from "vitest"

describe("ReturnCode", () => {
  it("counts as success exactly what published a summary", () =>
    expect(codes.RETURN_CODES.filter(codes.isSuccess)).toEqual([
      "SUCCESS",
      "SUCCESS_WITH_ERRORS",
      "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_ERROR",
      "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_EXHAUSTED"
    ]))

  it.each([
    [codes.success, "SUCCESS", "Aggregation job successfully processed"],
    [
      codes.successWithErrors,
      "SUCCESS_WITH_ERRORS",
      "Aggregation job successfully processed but some reports have errors."
    ],
    [
      codes.exceededThreshold,
      "REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD",
      "Aggregation job failed early because the number of reports excluded from aggregation exceeded threshold."
    ],
    [codes.noReportShards(["p1", "p2"]), "INPUT_DATA_READ_FAILED", "No report shards found for location: [p1, p2]"],
    [codes.reportsUnreadable(), "INPUT_DATA_READ_FAILED", "Exception while reading reports input data."],
    [
      codes.reportsUnreadable("a.avro at byte 7"),
      "INPUT_DATA_READ_FAILED",
      "Exception while reading reports input data.\nThe root cause is: a.avro at byte 7"
    ],
    [
      codes.noDomainShards("b/d"),
      "INPUT_DATA_READ_FAILED",
      "Exception while reading domain input data.\nThe root cause is: No output domain shards found for location: b/d"
    ],
    [
      codes.emptyDomain("b/d"),
      "INPUT_DATA_READ_FAILED",
      "Exception while reading domain input data.\nThe root cause is: No output domain provided in the location: b/d"
    ],
    [
      codes.unsupportedReportVersion("5.0"),
      "UNSUPPORTED_REPORT_VERSION",
      "Current Aggregation Service deployment does not support Aggregatable reports with shared_info.version 5.0. This may require an Aggregation Service update. To continue please update Aggregation service or use only Aggregatable reports with supported major shared_info.version(s) are- [0, 1]"
    ],
    [codes.permissionError(), "PERMISSION_ERROR", "Exception because of missing permission."],
    [codes.internalError(), "INTERNAL_ERROR", "Internal Service Exception when processing reports."],
    [codes.notEnqueued, "INTERNAL_ERROR", "Failed to add job to processing queue. Please re-submit as a new job"],
    [codes.resultWriteError(), "RESULT_WRITE_ERROR", "Exception occurred while writing result."],
    [
      codes.tooManyUnits(30_001, 30_000),
      "PRIVACY_BUDGET_ERROR",
      "Exception while consuming privacy budget. Exception message: Too many items. Current: 30001; Max: 30000"
    ],
    [
      codes.debugBudgetExhausted,
      "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_EXHAUSTED",
      "Aggregation would have failed in non-debug mode due to privacy budget exhaustion"
    ],
    [
      codes.debugBudgetError,
      "DEBUG_SUCCESS_WITH_PRIVACY_BUDGET_ERROR",
      "Aggregation would have failed in non-debug mode due to a privacy budget error."
    ],
    [
      codes.retriesExhausted(5),
      "RETRIES_EXHAUSTED",
      "Number of retry attempts exhausted, the job failed to process after 5 tries."
    ],
    [codes.invalidJob("why"), "INVALID_JOB", "why"]
  ])("says %o", (outcome, code, message) => expect(outcome).toEqual({ code, message }))

  it("lets every outcome carry a known code", () => {
    for (const outcome of [
      codes.budgetAuthenticationError,
      codes.budgetAuthorizationError,
      codes.inputChanged,
      codes.jobCancelled,
      codes.bucketTooLong("d.avro", 17)
    ]) {
      expect(codes.RETURN_CODES).toContain(outcome.code)
      expect(codes.isSuccess(outcome.code)).toBe(false)
    }
  })
})
