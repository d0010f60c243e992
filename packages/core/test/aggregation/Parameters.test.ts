import {
  type JobParameters,
  type Parameters,
  parseParameters,
  type ParametersInput,
  type ParametersRejected
} from "@sotto/core/aggregation"
import type { Epsilon } from "@sotto/core/budget"
import { describe, expect, it } from "vitest"
import { mutatedTexts } from "./support.ts"

const VALID: JobParameters = {
  reporting_site: "https://example.com",
  output_domain_bucket_name: "bucket",
  output_domain_blob_prefix: "domain"
}

const parse = (
  changes: Record<string, string | undefined> = {},
  rest: Partial<ParametersInput> = {}
): Parameters | ParametersRejected =>
  parseParameters({
    jobRequestId: "j1",
    jobParameters: Object.fromEntries(
      Object.entries({ ...VALID, ...changes }).filter(([, v]) => v !== undefined)
    ) as JobParameters,
    ...rest
  })

const message = (...args: globalThis.Parameters<typeof parse>): string => {
  const result = parse(...args)
  return "_tag" in result ? result.message : "accepted"
}

const EXACTLY_ONE =
  "Exactly one of 'attribution_report_to' and 'reporting_site' fields should be specified for the Job j1. It is recommended to use 'reporting_site' parameter. Parameter 'attribution_report_to' will be deprecated in the next major version upgrade of the API"
const NO_DOMAIN =
  "Job parameters for the job 'j1' does not have output domain location specified in 'output_domain_bucket_name' and 'output_domain_blob_prefix' fields. Please refer to the API documentation for output domain parameters at https://github.com/privacysandbox/aggregation-service/blob/main/docs/api.md"
const THRESHOLD =
  "Job parameters for the job 'j1' should have a valid value between 0 and 100 for 'report_error_threshold_percentage' parameter."
const COUNT =
  "Job parameters for the job 'j1' should have a valid non-negative value for 'input_report_count' parameter."
const IDS = "Job parameters for the job 'j1' should have comma separated integers for 'filtering_ids' parameter."
const EPSILON = "Failed Parsing Job parameters for debug_privacy_epsilon"

describe("Parameters", () => {
  it("has defaults for everything optional", () =>
    expect(parse()).toMatchObject({
      reporter: { _tag: "Site", reportingSite: "https://example.com" },
      outputDomain: { bucketName: "bucket", blobPrefix: "domain" },
      errorThreshold: { numerator: 10n, denominator: 1n },
      inputReportCount: undefined,
      filteringIds: { ids: [0n] },
      debugRun: false,
      epsilon: 10_000_000,
      charge: "exclusive"
    }))

  it("reads everything", () =>
    expect(
      parse({
        reporting_site: undefined,
        attribution_report_to: "https://a.test",
        report_error_threshold_percentage: "2.5%",
        input_report_count: " 100 ",
        filtering_ids: "3,1",
        debug_run: "TRUE",
        debug_privacy_epsilon: "0.000001"
      })
    ).toMatchObject({
      reporter: { _tag: "Origin", attributionReportTo: "https://a.test" },
      errorThreshold: { numerator: 25n, denominator: 10n },
      inputReportCount: 100n,
      filteringIds: { ids: [1n, 3n] },
      debugRun: true,
      epsilon: 1,
      charge: "exclusive"
    }))

  it("wants exactly one of origin and site, not blank", () => {
    expect(message({ reporting_site: undefined })).toBe(EXACTLY_ONE)
    expect(message({ attribution_report_to: "" })).toBe(EXACTLY_ONE)
    expect(message({ reporting_site: " " })).toBe(
      "The 'reporting_site' field in the Job parameters is empty for the Job j1."
    )
    expect(message({ reporting_site: undefined, attribution_report_to: "" })).toBe(
      "The 'attribution_report_to' field in the Job parameters is empty for the Job j1."
    )
  })

  it("wants both keys of the domain, not both empty, unless the domain is optional", () => {
    expect(message({ output_domain_bucket_name: undefined })).toBe(NO_DOMAIN)
    expect(message({ output_domain_blob_prefix: undefined })).toBe(NO_DOMAIN)
    expect(message({ output_domain_bucket_name: "", output_domain_blob_prefix: "" })).toBe(NO_DOMAIN)
    expect(message({ output_domain_bucket_name: "" })).toBe("accepted")
    expect(message({ output_domain_blob_prefix: "" })).toBe("accepted")
    expect(parse({ output_domain_blob_prefix: undefined }, { domainOptional: true })).toMatchObject({
      outputDomain: undefined
    })
  })

  it.each(["", "abc", "-1", "100.5", "NaN", "1e1", "5d"])("refuses the threshold %j", (value) =>
    expect(message({ report_error_threshold_percentage: value })).toBe(THRESHOLD)
  )

  it("takes a blank report count as none", () =>
    expect(parse({ input_report_count: " " })).toMatchObject({ inputReportCount: undefined }))

  it.each(["-5", "x", "1.5", "9223372036854775808"])("refuses the report count %j", (value) =>
    expect(message({ input_report_count: value })).toBe(COUNT)
  )

  it.each(["a", "-1", "1;2", "18446744073709551616"])("refuses the filtering ids %j", (value) =>
    expect(message({ filtering_ids: value })).toBe(IDS)
  )

  it.each(["", " 1", "1 ", "x", "NaN", "0", "64.000001", "1e1", "-1", "+1", "1.0000001", "1,5"])(
    "refuses ε %j, never defaulting",
    (value) => expect(message({ debug_privacy_epsilon: value })).toBe(EPSILON)
  )

  it.each([["yes"], ["1"], [" true"], [""], ["truee"]])("does not take %j for a debug run", (value) =>
    expect(parse({ debug_run: value })).toMatchObject({ debugRun: false })
  )

  it("takes ε from privacy_params and shares the units then, but not beside debug_privacy_epsilon", () => {
    const jobEpsilon = 5_000_000 as Epsilon
    expect(parse({}, { jobEpsilon })).toMatchObject({ epsilon: 5_000_000, charge: "shared" })
    expect(message({ debug_privacy_epsilon: "5" }, { jobEpsilon })).toBe(
      "Only one of 'privacy_params' and the deprecated 'debug_privacy_epsilon' parameter may be specified for the Job j1."
    )
    expect(parse({ debug_privacy_epsilon: "5" })).toMatchObject({ epsilon: 5_000_000, charge: "exclusive" })
  })

  it("tells the first fault in the worker's order", () => {
    const faults: ReadonlyArray<readonly [string, string | undefined, string]> = [
      ["reporting_site", undefined, EXACTLY_ONE],
      ["output_domain_bucket_name", undefined, NO_DOMAIN],
      ["report_error_threshold_percentage", "x", THRESHOLD],
      ["input_report_count", "x", COUNT],
      ["filtering_ids", "x", IDS],
      ["debug_privacy_epsilon", "x", EPSILON]
    ]
    faults.forEach(([, , expected], i) =>
      expect(message(Object.fromEntries(faults.slice(i).map(([name, value]) => [name, value])))).toBe(expected)
    )
  })

  it("sees no inherited parameter", () => {
    const inherited = Object.create({ reporting_site: "https://example.com" }) as JobParameters
    expect(parseParameters({ jobRequestId: "j1", jobParameters: inherited })).toMatchObject({ message: EXACTLY_ONE })
  })

  it("never throws", () => {
    let accepted = 0
    for (const text of mutatedTexts(["10", "0.25", "12,5", "5%", "true"], 10_000)) {
      for (const name of [
        "debug_privacy_epsilon",
        "filtering_ids",
        "report_error_threshold_percentage",
        "input_report_count",
        "debug_run",
        "reporting_site"
      ]) {
        if (message({ [name]: text }) === "accepted") accepted++
      }
    }
    expect(accepted).toBeGreaterThan(10_000)
  })
})
