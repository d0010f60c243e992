/** Requests for an aggregation, right ones and ones with a single fault (spec: aggregation §1). */
import {
  type AggregationRequest,
  type JobParameters,
  MAX_PREFIXES,
  MAX_REQUEST_ID_LENGTH
} from "@sotto/core/aggregation"
import { type Epsilon, printEpsilon } from "@sotto/core/budget"
import * as fc from "fast-check"
import { filteringIds, jobEpsilons } from "./Budget.ts"
import { origins, sites } from "./Reports.ts"

const visible = fc.constantFrom(..."abcdefgh0123456789!#$%&'()*+,-./:;<=>?@[]^_`{}~")
const requestIds = fc
  .array(visible, { minLength: 1, maxLength: MAX_REQUEST_ID_LENGTH })
  .map((characters) => characters.join(""))
const bucketNames = fc.constantFrom("reports", "domain", "summaries")
const prefixes = fc.constantFrom("a", "day=1/", "2026/11/22/batch")

const jobParameters: fc.Arbitrary<JobParameters> = fc
  .record({
    reporter: fc.oneof(
      origins.map((origin) => ({ attribution_report_to: origin })),
      sites.map((site) => ({ reporting_site: site }))
    ),
    domain: fc.record({ output_domain_bucket_name: bucketNames, output_domain_blob_prefix: prefixes }),
    more: fc.record(
      {
        report_error_threshold_percentage: fc.integer({ min: 0, max: 100 }).map(String),
        input_report_count: fc.nat().map(String),
        filtering_ids: fc.array(filteringIds, { maxLength: 4 }).map((ids) => ids.join(",")),
        debug_run: fc.constantFrom("true", "false")
      },
      { requiredKeys: [] }
    )
  })
  .map(({ reporter, domain, more }): JobParameters => ({ ...reporter, ...domain, ...more }))

/** Requests that are taken, by the checks of the front end and of the worker. */
export const aggregationRequests: fc.Arbitrary<AggregationRequest> = fc
  .record({
    jobRequestId: requestIds,
    input: fc.oneof(
      prefixes.map((prefix) => ({ inputDataBlobPrefix: prefix, inputDataBlobPrefixes: [] })),
      fc.array(prefixes, { minLength: 1, maxLength: MAX_PREFIXES }).map((list) => ({
        inputDataBlobPrefix: "",
        inputDataBlobPrefixes: list
      }))
    ),
    inputDataBucketName: bucketNames,
    outputDataBlobPrefix: prefixes,
    outputDataBucketName: bucketNames,
    jobParameters,
    epsilon: fc.option(jobEpsilons)
  })
  .map(({ input, epsilon, ...request }) => ({
    ...request,
    ...input,
    postbackUrl: "",
    accountIdentity: "",
    ...(epsilon === null ? {} : { jobEpsilon: epsilon })
  }))

/** The body of createJob that says it. */
export const printRequest = (request: AggregationRequest): string => JSON.stringify(bodyOf(request))

type Body = Readonly<Record<string, unknown>>

const bodyOf = (request: AggregationRequest): Body => ({
  job_request_id: request.jobRequestId,
  ...(request.inputDataBlobPrefix === ""
    ? { input_data_blob_prefixes: request.inputDataBlobPrefixes }
    : { input_data_blob_prefix: request.inputDataBlobPrefix }),
  input_data_bucket_name: request.inputDataBucketName,
  output_data_blob_prefix: request.outputDataBlobPrefix,
  output_data_bucket_name: request.outputDataBucketName,
  job_parameters: request.jobParameters,
  ...(request.jobEpsilon === undefined ? {} : { privacy_params: privacyParams(request.jobEpsilon) })
})

const privacyParams = (epsilon: Epsilon) => ({ laplace_dp_params: { job_epsilon: Number(printEpsilon(epsilon)) } })

/** A body with one thing wrong. */
export interface FaultyRequest {
  readonly body: string
  readonly fault: string
  /** Who refuses it: the front end, before there is a job, or the worker, which ends the job INVALID_JOB. */
  readonly refusedBy: "request" | "parameters"
}

const without = (name: string) => (body: Body) =>
  Object.fromEntries(Object.entries(body).filter(([key]) => key !== name))
const withParameter =
  (more: Readonly<Record<string, unknown>>, ...gone: ReadonlyArray<string>) =>
  (body: Body): Body => ({
    ...body,
    job_parameters: {
      ...Object.fromEntries(
        Object.entries(body["job_parameters"] as JobParameters).filter(([key]) => !gone.includes(key))
      ),
      ...more
    }
  })
const REPORTERS = ["attribution_report_to", "reporting_site"]

const FAULTS: ReadonlyArray<readonly [fault: string, change: (body: Body) => unknown]> = [
  ["no id", without("job_request_id")],
  ["no input bucket", without("input_data_bucket_name")],
  ["no output prefix", without("output_data_blob_prefix")],
  ["no output bucket", without("output_data_bucket_name")],
  ["no input", (body) => without("input_data_blob_prefixes")(without("input_data_blob_prefix")(body))],
  ["two inputs", (body) => ({ ...body, input_data_blob_prefix: "a", input_data_blob_prefixes: ["a"] })],
  [
    "too many prefixes",
    (body) => ({
      ...without("input_data_blob_prefix")(body),
      input_data_blob_prefixes: Array.from({ length: MAX_PREFIXES + 1 }, () => "a")
    })
  ],
  ["no reporter", withParameter({}, ...REPORTERS)],
  ["two reporters", withParameter(Object.fromEntries(REPORTERS.map((name) => [name, "https://shop.example"])))],
  ["a blank reporter", withParameter({ reporting_site: " " }, ...REPORTERS)],
  ["a list of reporters", withParameter({ reporting_site: "https://a.example,https://b.example" }, ...REPORTERS)],
  ["a count of reports that is none", withParameter({ input_report_count: "-5" })],
  ["a parameter that is null", withParameter({ debug_run: null })],
  ["an id with a blank", (body) => ({ ...body, job_request_id: "a b" })],
  ["an id that is too long", (body) => ({ ...body, job_request_id: "a".repeat(MAX_REQUEST_ID_LENGTH + 1) })],
  ["an unknown field", (body) => ({ ...body, colour: "blue" })],
  ["an ε of zero", (body) => ({ ...body, privacy_params: { laplace_dp_params: { job_epsilon: 0 } } })],
  ["an ε with three decimals", (body) => ({ ...body, privacy_params: { laplace_dp_params: { job_epsilon: 1.001 } } })],
  ["no object", (body) => [body]]
]

const WORKER_FAULTS: ReadonlyArray<readonly [fault: string, change: (body: Body) => unknown]> = [
  ["no output domain", withParameter({}, "output_domain_bucket_name", "output_domain_blob_prefix")],
  ["a threshold above 100", withParameter({ report_error_threshold_percentage: "101" })],
  ["a filtering id that is no number", withParameter({ filtering_ids: "1,x" })],
  [
    "a second ε",
    (body) => ({
      ...withParameter({ debug_privacy_epsilon: "1" })(body),
      privacy_params: { laplace_dp_params: { job_epsilon: 1 } }
    })
  ],
  [
    "a debug ε with an exponent",
    (body) => withParameter({ debug_privacy_epsilon: "1e1" })(without("privacy_params")(body))
  ]
]

/** Requests that would be right but for one fault. */
export const faultyRequests: fc.Arbitrary<FaultyRequest> = fc
  .tuple(
    aggregationRequests,
    fc.constantFrom(
      ...FAULTS.map((one) => ["request", one] as const),
      ...WORKER_FAULTS.map((one) => ["parameters", one] as const)
    )
  )
  .map(([request, [refusedBy, [fault, change]]]) => ({
    body: JSON.stringify(change(bodyOf(request))),
    fault,
    refusedBy
  }))
