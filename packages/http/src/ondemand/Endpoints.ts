/**
 * The addresses of on-demand jobs, as clients of the original know them, and what the original lacks (spec: ondemand §6).
 *
 * Requests are read by hand, because real clients differ in what they write: the schemas are for the document.
 */
import type { JobObject, ModelView, UsageLine } from "@sotto/core/tabular"
import type { Quote } from "@sotto/engine"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { ErrorForm } from "../ErrorForm.ts"
import { ForModels, Guard, Operation } from "../Operation.ts"
import { envelopeForm } from "./Envelope.ts"

const OnDemandJob = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  inputFileName: Schema.String,
  inputMime: Schema.String,
  billedUsage: Schema.Int,
  recordCount: Schema.Int,
  recordGroupCount: Schema.Int,
  processingTimeMS: Schema.Int,
  status: Schema.Literals(["incomplete", "success", "error", "fail"]),
  errorMessage: Schema.NullOr(Schema.String),
  createdDateUtc: Schema.String,
  lastUpdatedUtc: Schema.String
}).annotate({ identifier: "OnDemandJob" })

const QuoteView = Schema.Struct({
  model: Schema.String,
  version: Schema.String,
  inputMime: Schema.String,
  recordCount: Schema.Int,
  groupSize: Schema.Int,
  recordGroupCount: Schema.Int,
  groupPrice: Schema.Int,
  billedUsage: Schema.Int
}).annotate({ identifier: "OnDemandQuote" })

const UsageView = Schema.Struct({
  submittedBy: Schema.NullOr(Schema.String),
  model: Schema.String,
  jobs: Schema.Int,
  records: Schema.Int,
  recordGroups: Schema.Int,
  billedUsage: Schema.Int
}).annotate({ identifier: "OnDemandUsage" })

const JsonSchema = Schema.Record(Schema.String, Schema.Json)

const Model = Schema.Struct({
  name: Schema.String,
  versions: Schema.Array(
    Schema.Struct({
      version: Schema.String,
      active: Schema.Boolean,
      recordGroupSize: Schema.Int,
      recordGroupPrice: Schema.Int,
      input: Schema.optionalKey(JsonSchema),
      output: Schema.optionalKey(JsonSchema),
      accepts: Schema.optionalKey(Schema.Array(Schema.String))
    })
  )
}).annotate({ identifier: "OnDemandModel" })

const answered = <S extends Schema.Top>(data: S, description: string) =>
  Schema.Struct({ data, isError: Schema.Literal(false), errorMessage: Schema.Null }).annotate({ description })

const Fault = Schema.Struct({ data: Schema.Null, isError: Schema.Literal(true), errorMessage: Schema.String })

const FAULTS = {
  400: "The request cannot be done; errorMessage says why",
  401: "Say who you are",
  403: "You may not do this",
  429: "Too many requests, or jobs that are not over",
  500: "Something went wrong here",
  503: "This cannot be answered now"
}
const UNKNOWN = { 404: "There is no such job" }
const BODY = { 413: "The body is too large", 415: "The body is of a type that is not read here" }

const faults = (more: Readonly<Record<number, string>> = {}) =>
  Object.entries({ ...FAULTS, ...more }).map(([status, description]) =>
    Fault.annotate({ httpApiStatus: Number(status), description })
  )

const EXAMPLE_ID = "59015703-de7f-4e92-9451-6b08210fbb16"

const EXAMPLE_JOB: JobObject = {
  name: "JobNameExample",
  inputFileName: "example.csv",
  inputMime: "text/csv; header=present",
  billedUsage: 20,
  recordCount: 3,
  recordGroupCount: 1,
  processingTimeMS: 1424,
  status: "success",
  errorMessage: null,
  id: EXAMPLE_ID,
  createdDateUtc: "2023-02-21T21:41:30.405Z",
  lastUpdatedUtc: "2023-02-22T00:12:51.539Z"
}

const EXAMPLE_QUOTE: Quote = {
  model: "pythagoras",
  version: "0.0.1",
  inputMime: "text/csv; header=present",
  recordCount: 3,
  groupSize: 5,
  recordGroupCount: 1,
  groupPrice: 20,
  billedUsage: 20
}

const EXAMPLE_USAGE: UsageLine = {
  submittedBy: "0123456789abcdef",
  model: "pythagoras",
  jobs: 2,
  records: 6,
  recordGroups: 2,
  billedUsage: 40
}

const EXAMPLE_MODEL: ModelView = {
  name: "pythagoras",
  versions: [
    {
      version: "0.0.1",
      active: true,
      recordGroupSize: 5,
      recordGroupPrice: 20,
      input: { type: "object", properties: { x: { type: "number" }, y: { type: "number" } }, required: ["x", "y"] },
      output: { type: "object", properties: { z: { type: "number" } }, required: ["z"] }
    }
  ]
}

const good = (data: unknown) => ({ data, isError: false, errorMessage: null })

const MAPPING = {
  type: ["array", "null"],
  items: {
    type: "object",
    required: ["destination"],
    properties: {
      source: { type: "string" },
      destination: { type: "string" },
      defaultValue: { type: ["string", "number", "boolean", "null"] }
    }
  }
}

/** Sent as a form, which the declaration cannot say without reading it. */
const FORM = {
  required: true,
  content: {
    "multipart/form-data": {
      schema: {
        type: "object",
        required: ["data", "file"],
        properties: {
          data: {
            type: "object",
            description: "How the file is to be read. Every member may be left out or null; others are ignored.",
            properties: {
              version: { type: ["string", "null"], description: "The most recent active version unless given." },
              mimeType: { type: ["string", "null"], examples: ["text/csv; header=present"] },
              name: { type: ["string", "null"], description: "The file's name unless given." },
              mapping: MAPPING,
              outputMapping: MAPPING
            }
          },
          file: { type: "string", format: "binary" }
        }
      },
      encoding: { data: { contentType: "application/json" } }
    }
  }
}

const path = { job: Schema.String }

const model = { model: Schema.optionalKey(Schema.String) }

const submit = HttpApiEndpoint.post("submit", "/api/v1/jobs", {
  query: model,
  headers: { "idempotency-key": Schema.optionalKey(Schema.String) },
  success: answered(OnDemandJob, "The job; incomplete if it is not done in time"),
  error: faults({ ...BODY, 422: "The Idempotency-Key was used for another request" })
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Submit a job",
      description:
        "The parts may come in any order. Answers when the job is done, or after a while with the status incomplete. Sent " +
        "again with the same Idempotency-Key it answers with the first job, and nothing is billed twice. A key that is for " +
        "no model in particular names one by `model`, unless there is only one.",
      transform: (operation) => ({ ...operation, requestBody: FORM })
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    streamsBody: true,
    example: { parameters: { "idempotency-key": '"march"' }, answer: good(EXAMPLE_JOB) }
  })

const quote = HttpApiEndpoint.post("quote", "/api/v1/jobs/quote", {
  query: model,
  success: answered(QuoteView, "What the job would cost"),
  error: faults(BODY)
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Ask what a job would cost",
      description: "Takes what a submission takes and checks all of it. Nothing is run, kept or billed.",
      transform: (operation) => ({ ...operation, requestBody: FORM })
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    produces: [],
    streamsBody: true,
    example: { answer: good(EXAMPLE_QUOTE) }
  })

const latest = HttpApiEndpoint.get("latest", "/api/v1/jobs/latest", {
  query: {
    ...model,
    search: Schema.optionalKey(Schema.String),
    status: Schema.optionalKey(Schema.Array(Schema.Literals(["incomplete", "success", "error", "fail"]))),
    limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))),
    cursor: Schema.optionalKey(Schema.String)
  },
  success: answered(Schema.Array(OnDemandJob), "Jobs, the newest first"),
  error: faults()
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "List jobs",
      description:
        "The 25 newest unless `limit` is given. `search` is looked for in names of jobs and files. The header Link holds the " +
        "address of the next page."
    })
  )
  .annotate(Operation, { audience: "tenant", produces: [], example: { answer: good([EXAMPLE_JOB]) } })

const resultLink = HttpApiEndpoint.get("resultLink", "/api/v1/jobs/result-link/:job", {
  params: path,
  success: answered(Schema.String, "Where the result is"),
  error: faults(UNKNOWN)
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Get a link to the result",
      description:
        "Waits for the job as a submission does. The link is good for five minutes and needs no key; each call gives a fresh one."
    })
  )
  .annotate(Operation, {
    audience: "job",
    produces: [],
    example: {
      parameters: { job: EXAMPLE_ID },
      answer: good("https://jobs.example.com/v1/blobs/data_59015703.csv?token=made-by-the-server")
    }
  })

const errorLink = HttpApiEndpoint.get("errorLink", "/api/v1/jobs/error-link/:job", {
  params: path,
  success: answered(Schema.String, "Where the file of errors is"),
  error: faults(UNKNOWN)
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Get a link to the file of errors",
      description: "It names each record that failed, with its line, field and reason. 400 if none did."
    })
  )
  .annotate(Operation, {
    audience: "job",
    produces: [],
    example: {
      parameters: { job: EXAMPLE_ID },
      answer: good("https://jobs.example.com/v1/blobs/errors_59015703.csv?token=made-by-the-server")
    }
  })

const get = HttpApiEndpoint.get("get", "/api/v1/jobs/:job", {
  params: path,
  success: answered(OnDemandJob, "The job"),
  error: faults(UNKNOWN)
})
  .annotateMerge(
    OpenApi.annotations({ summary: "Look at a job", description: "Ids are taken with dashes and without." })
  )
  .annotate(Operation, {
    audience: "job",
    produces: [],
    example: { parameters: { job: EXAMPLE_ID }, answer: good(EXAMPLE_JOB) }
  })

const rename = HttpApiEndpoint.put("rename", "/api/v1/jobs/:job", {
  params: path,
  payload: Schema.Struct({ name: Schema.NullOr(Schema.String) }).annotate({ identifier: "OnDemandName" }),
  success: answered(OnDemandJob, "The job with its new name"),
  error: faults({ ...UNKNOWN, ...BODY, 409: "The job is where this cannot be done" })
})
  .annotateMerge(OpenApi.annotations({ summary: "Rename a job", description: "null: it is called after its file." }))
  .annotate(Operation, {
    audience: "job",
    produces: [],
    example: { parameters: { job: EXAMPLE_ID }, body: { name: "JobNameExample" }, answer: good(EXAMPLE_JOB) }
  })

const cancel = HttpApiEndpoint.post("cancel", "/api/v1/jobs/:job/cancel", {
  params: path,
  success: answered(OnDemandJob, "The job"),
  error: faults({ ...UNKNOWN, 409: "The job is over" })
})
  .annotateMerge(OpenApi.annotations({ summary: "Cancel a job", description: "What was billed stays billed." }))
  .annotate(Operation, {
    audience: "job",
    produces: [],
    example: { parameters: { job: EXAMPLE_ID }, answer: good({ ...EXAMPLE_JOB, status: "fail" }) }
  })

const erase = HttpApiEndpoint.delete("erase", "/api/v1/jobs/:job", {
  params: path,
  success: answered(OnDemandJob, "The job as it was"),
  error: faults({ ...UNKNOWN, 409: "The job is where this cannot be done" })
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Delete the files of a job",
      description: "Cancels it if it runs and removes input, result and errors. What it was and cost stays known."
    })
  )
  .annotate(Operation, {
    audience: "job",
    produces: [],
    example: { parameters: { job: EXAMPLE_ID }, answer: good(EXAMPLE_JOB) }
  })

const models = HttpApiEndpoint.get("models", "/api/v1/models", {
  success: answered(Schema.Array(Model), "What the key can use"),
  error: faults()
})
  .annotateMerge(OpenApi.annotations({ summary: "List models with their versions, schemas and prices" }))
  .annotate(Operation, { audience: "tenant", produces: [], example: { answer: good([EXAMPLE_MODEL]) } })

const usage = HttpApiEndpoint.get("usage", "/api/v1/usage", {
  query: { from: Schema.optionalKey(Schema.String), to: Schema.optionalKey(Schema.String) },
  success: answered(Schema.Array(UsageView), "Totals, a line for each API key and model"),
  error: faults()
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Total what was used",
      description:
        "Over the jobs that are kept, by the time of submission; billedUsage is in thousandths of a US dollar."
    })
  )
  .annotate(Operation, { audience: "tenant", produces: [], example: { answer: good([EXAMPLE_USAGE]) } })

export const OnDemandJobs = HttpApiGroup.make("onDemand")
  .add(submit, quote, latest, resultLink, errorLink, get, rename, cancel, erase, models, usage)
  .middleware(Guard)
  .annotate(ErrorForm, envelopeForm)
  .annotate(ForModels, true)
  .annotateMerge(
    OpenApi.annotations({
      title: "On-demand jobs",
      description: "A file in, a file out, paid by groups of records. Every answer is {data, isError, errorMessage}."
    })
  )
