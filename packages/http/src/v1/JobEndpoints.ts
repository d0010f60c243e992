/** The operations on jobs of every kind, as the document declares them. */
import { JOB_STATES, MAX_PRIORITY } from "@sotto/core/job"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { Guard, Operation } from "../Operation.ts"
import { problems } from "../Problem.ts"
import { BudgetAdvice } from "./Advice.ts"
import { EXAMPLE_ID, EXAMPLE_JOB, EXAMPLE_SUBMISSION, EXAMPLE_SUMMARY } from "./Examples.ts"
import { Anything, JobSummary, JobView } from "./JobView.ts"

/** A moment that a client writes: RFC 3339 with a zone. */
const Moment = Schema.String.check(
  Schema.makeFilter((text: string) =>
    MOMENT.test(text) && !Number.isNaN(Date.parse(text)) ? undefined : "write a time such as 2026-01-31T12:00:00Z"
  )
).annotate({ format: "date-time" })

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

const Name = Schema.String.check(Schema.isBetweenLength(1, 200))

export const Submission = Schema.Struct({
  kind: Schema.String,
  parameters: Anything,
  name: Schema.optionalKey(Schema.NullOr(Name)),
  inputs: Schema.optionalKey(Schema.Array(Schema.Struct({ key: Name, data: Anything }))),
  priority: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: -MAX_PRIORITY, maximum: MAX_PRIORITY }))),
  notBefore: Schema.optionalKey(Moment),
  deadlineMs: Schema.optionalKey(Schema.NullOr(Schema.Int.check(Schema.isGreaterThan(0)))),
  concurrencyKey: Schema.optionalKey(Name),
  retry: Schema.optionalKey(
    Schema.Struct({
      maxFailures: Schema.optionalKey(Schema.Int),
      firstMs: Schema.optionalKey(Schema.Int),
      factor: Schema.optionalKey(Schema.Finite),
      capMs: Schema.optionalKey(Schema.Int)
    })
  )
}).annotate({ identifier: "Submission" })

const Validation = Schema.Struct({
  valid: Schema.Literal(true),
  /** For kinds that charge a privacy budget. */
  budget: Schema.NullOr(BudgetAdvice)
}).annotate({ identifier: "Validation" })

const JobList = Schema.Struct({
  jobs: Schema.Array(JobSummary),
  /** Give it as `cursor` for the next page; `null` on the last. */
  next: Schema.NullOr(Schema.String)
}).annotate({ identifier: "JobList" })

const Flag = Schema.Literals(["true", "false"])

const path = { job: Schema.String }

const wait = { prefer: Schema.optionalKey(Schema.String) }

const MATCH = { "if-match": Schema.optionalKey(Schema.String) }

const changes = problems(
  "unknown-job",
  "unknown-kind",
  "command-refused",
  "precondition-failed",
  "malformed-request",
  "unavailable"
)

const HEADERS = {
  etag: "The job as it is, for If-Match and If-None-Match.",
  "preference-applied": "How long was waited, at most, e.g. `wait=10`."
}

const submit = HttpApiEndpoint.post("submit", "/v1/jobs", {
  query: { validateOnly: Schema.optionalKey(Flag) },
  headers: { "idempotency-key": Schema.optionalKey(Schema.String), ...wait },
  payload: Submission,
  success: [JobView.pipe(HttpApiSchema.status(202)), Schema.Union([JobView, Validation])],
  error: problems(
    "malformed-idempotency-key",
    "forbidden",
    "request-in-progress",
    "invalid-submission",
    "key-taken",
    "too-many-jobs",
    "unknown-job",
    "unknown-kind",
    "unavailable"
  )
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Submit a job",
      description:
        "202 with the job; its address is in Location. Sent again with the same Idempotency-Key it answers 200 with the " +
        "same job and Idempotency-Replayed, or 409 with Retry-After while the first is being answered. With validateOnly nothing is submitted. Prefer: wait=n waits for the end."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    headers: {
      ...HEADERS,
      location: "Where the job is.",
      "retry-after": "Seconds to wait before looking at the job.",
      "idempotency-replayed": "`true` if the key was used before."
    },
    example: {
      parameters: { "idempotency-key": '"march-by-campaign"', prefer: "wait=10" },
      body: EXAMPLE_SUBMISSION,
      answer: EXAMPLE_JOB
    }
  })

const list = HttpApiEndpoint.get("list", "/v1/jobs", {
  query: {
    kind: Schema.optionalKey(Schema.Array(Schema.String)),
    state: Schema.optionalKey(Schema.Array(Schema.Literals(JOB_STATES))),
    key: Schema.optionalKey(Schema.String),
    dead: Schema.optionalKey(Flag),
    createdFrom: Schema.optionalKey(Moment),
    createdTo: Schema.optionalKey(Moment),
    order: Schema.optionalKey(Schema.Literals(["newest", "oldest"])),
    cursor: Schema.optionalKey(Schema.String),
    limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))
  },
  success: JobList,
  error: problems("malformed-cursor", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "List jobs",
      description: "Newest first. Parameters that are given must all hold; kind and state may be given several times."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    headers: { link: "The first page, and the next one if there is one (RFC 8288)." },
    example: { parameters: { limit: "10" }, answer: { jobs: [EXAMPLE_SUMMARY], next: null } }
  })

const get = HttpApiEndpoint.get("get", "/v1/jobs/:job", {
  params: path,
  headers: { "if-none-match": Schema.optionalKey(Schema.String), ...wait },
  success: [JobView, HttpApiSchema.Empty(304)],
  error: problems("unknown-job", "unknown-kind", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Look at a job",
      description: "Prefer: wait=n answers when it has ended, or in n seconds."
    })
  )
  .annotate(Operation, {
    audience: "job",
    headers: HEADERS,
    example: { parameters: { job: EXAMPLE_ID }, answer: EXAMPLE_JOB }
  })

const rename = HttpApiEndpoint.patch("rename", "/v1/jobs/:job", {
  params: path,
  headers: MATCH,
  payload: Schema.Struct({ name: Schema.NullOr(Name) }).annotate({ identifier: "Renaming" }),
  success: JobView,
  error: changes
})
  .annotateMerge(OpenApi.annotations({ summary: "Rename a job" }))
  .annotate(Operation, {
    audience: "job",
    example: { parameters: { job: EXAMPLE_ID }, body: { name: EXAMPLE_JOB.name }, answer: EXAMPLE_JOB }
  })

const cancel = HttpApiEndpoint.post("cancel", "/v1/jobs/:job/cancel", {
  params: path,
  headers: MATCH,
  payload: [Schema.Struct({ reason: Schema.optionalKey(Name) }).annotate({ identifier: "Cancellation" }), Schema.Null],
  success: JobView,
  error: changes
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Cancel a job",
      description: "Ends it at once, or asks its driver to end it. A job that is cancelled stays as it is."
    })
  )
  .annotate(Operation, {
    audience: "job",
    example: { parameters: { job: EXAMPLE_ID }, body: { reason: "Wrong month" }, answer: EXAMPLE_JOB }
  })

const reset = HttpApiEndpoint.post("reset", "/v1/jobs/:job/reset", {
  params: path,
  headers: MATCH,
  payload: [
    Schema.Struct({
      fromInput: Schema.optionalKey(Name),
      preserve: Schema.optionalKey(Schema.Array(Name))
    }).annotate({ identifier: "Resetting" }),
    Schema.Null
  ],
  success: JobView,
  error: changes
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Start a new session of a job",
      description:
        "Possible while it runs and for 15 minutes after it failed or was cancelled. With fromInput that input and those " +
        "given after it are forgotten, apart from those in preserve."
    })
  )
  .annotate(Operation, {
    audience: "job",
    example: { parameters: { job: EXAMPLE_ID }, body: { fromInput: "address" }, answer: EXAMPLE_JOB }
  })

const redrive = HttpApiEndpoint.post("redrive", "/v1/jobs/:job/redrive", {
  params: path,
  headers: MATCH,
  success: JobView,
  error: changes
})
  .annotateMerge(OpenApi.annotations({ summary: "Give a dead job its failures back" }))
  .annotate(Operation, { audience: "job", example: { parameters: { job: EXAMPLE_ID }, answer: EXAMPLE_JOB } })

export const Jobs = HttpApiGroup.make("jobs")
  .add(submit, list, get, rename, cancel, reset, redrive)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Jobs", description: "Jobs of every kind." }))
