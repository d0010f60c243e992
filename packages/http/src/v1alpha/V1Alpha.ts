/**
 * The aggregation API: createJob and getJob as clients of the Aggregation Service know them (spec: aggregation §1).
 *
 * Bodies and answers are bytes here, because their bytes are the interface; the schemas are for the document only.
 */
import { Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Schema from "effect/Schema"
import { AggregationRules } from "../AggregationRules.ts"
import { ErrorForm } from "../ErrorForm.ts"
import { Caller, Guard, Operation, type OperationRules } from "../Operation.ts"
import { createJob } from "./CreateJob.ts"
import { invalidArgument } from "./FlatAnswer.ts"
import { flatForm, respond } from "./FlatForm.ts"
import { getJob } from "./GetJob.ts"

const CreateJobRequest = Schema.Struct({
  job_request_id: Schema.String,
  input_data_blob_prefix: Schema.optionalKey(Schema.String),
  input_data_blob_prefixes: Schema.optionalKey(Schema.Array(Schema.String)),
  input_data_bucket_name: Schema.String,
  output_data_blob_prefix: Schema.String,
  output_data_bucket_name: Schema.String,
  job_parameters: Schema.Record(Schema.String, Schema.String),
  privacy_params: Schema.optionalKey(
    Schema.Struct({ laplace_dp_params: Schema.Struct({ job_epsilon: Schema.Finite }) })
  ),
  postback_url: Schema.optionalKey(Schema.String),
  account_identity: Schema.optionalKey(Schema.String)
}).annotate({ identifier: "v1alpha.CreateJobRequest" })

const ResultInfo = Schema.Struct({
  return_code: Schema.String,
  return_message: Schema.String,
  error_summary: Schema.Struct({
    error_counts: Schema.Array(
      Schema.Struct({ category: Schema.String, count: Schema.Int, description: Schema.String })
    ),
    error_messages: Schema.Array(Schema.String)
  }),
  finished_at: Schema.String
})

const Job = Schema.Struct({
  job_status: Schema.Literals(["RECEIVED", "IN_PROGRESS", "FINISHED"]),
  request_received_at: Schema.String,
  request_updated_at: Schema.String,
  job_request_id: Schema.String,
  input_data_blob_prefix: Schema.String,
  input_data_bucket_name: Schema.String,
  output_data_blob_prefix: Schema.String,
  output_data_bucket_name: Schema.String,
  postback_url: Schema.String,
  result_info: Schema.optionalKey(ResultInfo),
  job_parameters: Schema.Record(Schema.String, Schema.String),
  request_processing_started_at: Schema.optionalKey(Schema.String),
  input_data_blob_prefixes: Schema.Array(Schema.String)
}).annotate({ identifier: "v1alpha.Job", description: "How the job stands" })

const Fault = Schema.Struct({
  code: Schema.Int,
  message: Schema.String,
  details: Schema.Array(
    Schema.Struct({
      reason: Schema.String,
      domain: Schema.String,
      metadata: Schema.Record(Schema.String, Schema.String)
    })
  )
})

const faults = (statuses: Readonly<Record<number, string>>) =>
  Object.entries(statuses).map(([status, description]) =>
    Fault.annotate({ httpApiStatus: Number(status), description })
  )

const COMMON = {
  400: "The request is not valid",
  401: "Say who you are",
  403: "You may not do this",
  429: "Too many requests",
  500: "Something went wrong here",
  503: "This cannot be answered now"
}

const STAGE = { stage: Schema.String }

const created = {
  payload: CreateJobRequest,
  success: Schema.Struct({}).annotate({ httpApiStatus: 202, description: "The job was submitted" }),
  error: faults({ ...COMMON, 409: "The job_request_id was used before", 413: "The body is too large" })
}

const found = { success: Job, error: faults({ ...COMMON, 404: "There is no such job" }) }

const EXAMPLE = {
  job_request_id: "2026-01-31-campaigns",
  input_data_blob_prefix: "reports/2026-01-31/",
  input_data_bucket_name: "data",
  output_data_blob_prefix: "summaries/2026-01-31.avro",
  output_data_bucket_name: "data",
  job_parameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "data",
    output_domain_blob_prefix: "domains/campaigns.avro"
  }
}

const creates = OpenApi.annotations({ summary: "Submit an aggregation" })

/** Read from the raw query, so that everything else in it is ignored. */
const gets = OpenApi.annotations({
  summary: "How an aggregation stands",
  transform: ({ parameters = [], ...operation }) => ({
    ...operation,
    parameters: [
      ...(parameters as ReadonlyArray<unknown>),
      { name: "job_request_id", in: "query", required: true, schema: { type: "string" } }
    ]
  })
})

const createRules: OperationRules = { audience: "tenant", produces: [], example: { body: EXAMPLE, answer: {} } }
const getRules: OperationRules = {
  audience: "tenant",
  produces: [],
  example: {
    parameters: { job_request_id: EXAMPLE.job_request_id },
    answer: {
      job_status: "RECEIVED",
      request_received_at: "2026-02-01T06:00:00.250Z",
      request_updated_at: "2026-02-01T06:00:00.250Z",
      ...EXAMPLE,
      postback_url: "",
      input_data_blob_prefixes: []
    }
  }
}

/** Each call with and without the name of a gateway's stage before it. */
export const V1Alpha = HttpApiGroup.make("v1alpha")
  .add(
    HttpApiEndpoint.post("createJob", "/v1alpha/createJob", created)
      .annotateMerge(creates)
      .annotate(Operation, createRules),
    HttpApiEndpoint.get("getJob", "/v1alpha/getJob", found).annotateMerge(gets).annotate(Operation, getRules),
    HttpApiEndpoint.post("createJobAtStage", "/:stage/v1alpha/createJob", { ...created, params: STAGE })
      .annotateMerge(creates)
      .annotate(Operation, createRules),
    HttpApiEndpoint.get("getJobAtStage", "/:stage/v1alpha/getJob", { ...found, params: STAGE })
      .annotateMerge(gets)
      .annotate(Operation, getRules)
  )
  .middleware(Guard)
  .annotate(ErrorForm, flatForm)
  .annotateMerge(
    OpenApi.annotations({
      title: "Aggregation API (v1alpha)",
      description: "createJob and getJob of the Aggregation Service. Errors are flat objects, not problems."
    })
  )

interface RawRequest {
  readonly request: HttpServerRequest
}

export const layerV1Alpha = HttpApiBuilder.group(
  HttpApi.make("sotto").add(V1Alpha),
  "v1alpha",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const aggregations = yield* AggregationRules

    const create = Effect.fnUntraced(
      function* ({ request }: RawRequest) {
        const { tenant } = yield* Caller
        const text = utf8(yield* Effect.orDie(request.arrayBuffer))
        return respond(
          text === undefined
            ? invalidArgument("JSON_ERROR", "The request body is not valid JSON: it is not UTF-8.")
            : yield* createJob(text, tenant, aggregations)
        )
      },
      Effect.provideService(Engine, engine)
    )

    const get = Effect.fnUntraced(
      function* ({ request }: RawRequest) {
        const { tenant } = yield* Caller
        const at = request.url.indexOf("?")
        return respond(yield* getJob(at < 0 ? "" : request.url.slice(at + 1), tenant.name))
      },
      Effect.provideService(Engine, engine)
    )

    return handlers
      .handleRaw("createJob", create)
      .handleRaw("createJobAtStage", create)
      .handleRaw("getJob", get)
      .handleRaw("getJobAtStage", get)
  })
)

const decoder = new TextDecoder("utf-8", { fatal: true })

const utf8 = (bytes: ArrayBuffer): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
