import { DEFAULT_EPSILON, EPSILON_DECIMALS, type Epsilon, parseEpsilon } from "../budget/Epsilon.ts"
import { DEFAULT_ERROR_THRESHOLD, parsePercentage, type Percentage } from "./ErrorSummary.ts"
import { type FilteringIds, parseFilteringIds } from "./FilteringIds.ts"
import type { Reporter } from "./ReportChecks.ts"

/** The `job_parameters` of a request: texts by name, unknown names included (spec: aggregation §1.2). */
export type JobParameters = Readonly<Record<string, string>>

/** What a worker needs to know of a job, read and checked. */
export interface Parameters {
  readonly reporter: Reporter
  /** `undefined` only where a domain is optional. */
  readonly outputDomain: { readonly bucketName: string; readonly blobPrefix: string } | undefined
  readonly errorThreshold: Percentage
  /** 0 … 2⁶³−1 */
  readonly inputReportCount: bigint | undefined
  readonly filteringIds: FilteringIds
  readonly debugRun: boolean
  readonly epsilon: Epsilon
  /** `shared` if the request brought its ε in `privacy_params` (spec: ledger §7). */
  readonly charge: "exclusive" | "shared"
}

/** The job ends INVALID_JOB with this message and no report is read. */
export interface ParametersRejected {
  readonly _tag: "ParametersRejected"
  readonly message: string
}

export interface ParametersInput {
  readonly jobRequestId: string
  readonly jobParameters: JobParameters
  /** From `privacy_params.laplace_dp_params.job_epsilon`. */
  readonly jobEpsilon?: Epsilon
  /** The local tool can go without a domain. */
  readonly domainOptional?: boolean
}

/** The two ways to say whose reports a job takes, in the order in which they are looked at. */
export const REPORTER_NAMES = ["attribution_report_to", "reporting_site"] as const

/**
 * Reads and checks a job's parameters in the worker's order; the first fault decides the message (spec: aggregation
 * §2.3). `debug_privacy_epsilon` that is not a plain decimal is refused, not replaced by the default.
 */
export const parseParameters = (input: ParametersInput): Parameters | ParametersRejected => {
  const { jobRequestId: id, jobParameters } = input
  const get = (name: string): string | undefined => parameter(jobParameters, name)

  const given = REPORTER_NAMES.filter((name) => get(name) !== undefined)
  const [name] = given
  if (name === undefined || given.length > 1) {
    return rejected(
      `Exactly one of 'attribution_report_to' and 'reporting_site' fields should be specified for the Job ${id}. It is recommended to use 'reporting_site' parameter. Parameter 'attribution_report_to' will be deprecated in the next major version upgrade of the API`
    )
  }
  const reporter = get(name) as string
  if (reporter.trim() === "") return rejected(`The '${name}' field in the Job parameters is empty for the Job ${id}.`)

  const bucketName = get("output_domain_bucket_name")
  const blobPrefix = get("output_domain_blob_prefix")
  const outputDomain =
    bucketName === undefined || blobPrefix === undefined || (bucketName === "" && blobPrefix === "")
      ? undefined
      : { bucketName, blobPrefix }
  if (outputDomain === undefined && input.domainOptional !== true) {
    return rejected(
      `Job parameters for the job '${id}' does not have output domain location specified in 'output_domain_bucket_name' and 'output_domain_blob_prefix' fields. Please refer to the API documentation for output domain parameters at https://github.com/privacysandbox/aggregation-service/blob/main/docs/api.md`
    )
  }

  const threshold = get("report_error_threshold_percentage")
  const errorThreshold = threshold === undefined ? DEFAULT_ERROR_THRESHOLD : parsePercentage(threshold)
  if (errorThreshold === undefined) {
    return rejected(
      `Job parameters for the job '${id}' should have a valid value between 0 and 100 for 'report_error_threshold_percentage' parameter.`
    )
  }

  const inputReportCount = parseReportCount(get("input_report_count"))
  if (inputReportCount === "invalid") {
    return rejected(
      `Job parameters for the job '${id}' should have a valid non-negative value for 'input_report_count' parameter.`
    )
  }

  const filteringIds = parseFilteringIds(get("filtering_ids"))
  if ("_tag" in filteringIds) {
    return rejected(
      `Job parameters for the job '${id}' should have comma separated integers for 'filtering_ids' parameter.`
    )
  }

  const debugEpsilon = get("debug_privacy_epsilon")
  if (debugEpsilon !== undefined && input.jobEpsilon !== undefined) {
    return rejected(
      `Only one of 'privacy_params' and the deprecated 'debug_privacy_epsilon' parameter may be specified for the Job ${id}.`
    )
  }
  const epsilon =
    debugEpsilon === undefined ? (input.jobEpsilon ?? DEFAULT_EPSILON) : parseEpsilon(debugEpsilon, EPSILON_DECIMALS)
  if (typeof epsilon !== "number") return rejected("Failed Parsing Job parameters for debug_privacy_epsilon")

  return {
    reporter:
      name === "reporting_site"
        ? { _tag: "Site", reportingSite: reporter }
        : { _tag: "Origin", attributionReportTo: reporter },
    outputDomain,
    errorThreshold,
    inputReportCount,
    filteringIds,
    debugRun: get("debug_run")?.toLowerCase() === "true",
    epsilon,
    charge: input.jobEpsilon === undefined ? "exclusive" : "shared"
  }
}

/** A parameter that is there, be it empty. */
export const parameter = (parameters: JobParameters, name: string): string | undefined =>
  Object.hasOwn(parameters, name) ? parameters[name] : undefined

/**
 * A signed 64-bit decimal that is not negative, blanks around it allowed; `-0` is one, `+5`, `1e3` and `0x10` are not.
 * Absent or blank means none.
 */
export const parseReportCount = (text: string | undefined): bigint | undefined | "invalid" => {
  const trimmed = text?.trim() ?? ""
  if (trimmed === "") return undefined
  const match = /^(-?)(\d+)$/.exec(trimmed)
  if (match === null) return "invalid"
  const digits = (match[2] as string).replace(/^0+/, "")
  if (digits === "") return 0n
  if (match[1] === "-" || digits.length > 19) return "invalid"
  const count = BigInt(digits)
  return count <= 0x7fff_ffff_ffff_ffffn ? count : "invalid"
}

const rejected = (message: string): ParametersRejected => ({ _tag: "ParametersRejected", message })
