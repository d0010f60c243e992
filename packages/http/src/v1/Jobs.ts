/**
 * Jobs of every kind: submit, look, list, and change what is going on.
 */
import {
  type ClientCommand,
  isTerminal,
  type Job,
  JOB_STATES,
  MAX_PRIORITY,
  newJob,
  submissionOf
} from "@sotto/core/job"
import type { JobFilter } from "@sotto/core/ports/JobStore"
import { aggregationKind, Engine, Journal, type JobView as EngineView, type SubmitRequest } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { requireOwn, requireRoom } from "../Admission.ts"
import { apiOf } from "../ApiOf.ts"
import { problemForm } from "../ErrorForm.ts"
import { CurrentRequest } from "../front/CurrentRequest.ts"
import { Draining } from "../front/Draining.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"
import { advise, BudgetAdvice, BUSY } from "./Advice.ts"
import { parseCursor, printCursor } from "./Cursor.ts"
import { etagOf, isUnchanged, wantedSeqs } from "./ETag.ts"
import { EXAMPLE_ID, EXAMPLE_JOB, EXAMPLE_SUBMISSION, EXAMPLE_SUMMARY } from "./Examples.ts"
import { once, parseIdempotencyKey } from "./IdempotencyKey.ts"
import { Anything, JobSummary, JobView, summaryOf, viewOf } from "./JobView.ts"
import { waitOf } from "./Prefer.ts"

/** A moment that a client writes: RFC 3339 with a zone. */
const Moment = Schema.String.check(
  Schema.makeFilter((text: string) =>
    MOMENT.test(text) && !Number.isNaN(Date.parse(text)) ? undefined : "write a time such as 2026-01-31T12:00:00Z"
  )
).annotate({ format: "date-time" })

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

const Name = Schema.String.check(Schema.isBetweenLength(1, 200))

const Submission = Schema.Struct({
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

/** Where a job is, as clients see it. */
export const jobPath = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`

const answer = (
  view: EngineView,
  options: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {}
) =>
  HttpServerResponse.jsonUnsafe(viewOf(view), {
    status: options.status ?? 200,
    headers: { etag: etagOf(view), ...options.headers }
  })

const DEFAULT_LIMIT = 100

/** How many submissions are advised about at once. */
const MOST_ADVISED = 2

type Submitted = typeof Submission.Type

const requestOf = (payload: Submitted, tenant: string, key: string | undefined): SubmitRequest => {
  const { notBefore, deadlineMs, retry, ...said } = payload
  return {
    ...(said as Omit<Submitted, "notBefore" | "deadlineMs" | "retry">),
    tenant,
    ...(key === undefined ? {} : { key }),
    ...(notBefore === undefined ? {} : { notBefore: Date.parse(notBefore) }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(retry === undefined ? {} : { retry: retry as NonNullable<SubmitRequest["retry"]> })
  } as SubmitRequest
}

export const layerJobsGroup = HttpApiBuilder.group(
  apiOf(Jobs),
  "jobs",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const journal = yield* Journal
    const draining = yield* Draining
    const advising = yield* Semaphore.make(MOST_ADVISED)

    /** The job when it has ended, or after so many seconds, or when the server is about to stop. */
    const waited = Effect.fnUntraced(function* (tenant: string, id: string, seconds: number) {
      const view = yield* engine.get(tenant, id)
      if (seconds === 0 || isTerminal(view.job.state)) return view
      yield* Effect.raceAllFirst([engine.wait(tenant, id), draining.begun, Effect.sleep(seconds * 1000)])
      return yield* engine.get(tenant, id)
    })

    const applied = (seconds: number) => (seconds === 0 ? {} : { "preference-applied": `wait=${seconds}` })

    /** A command for a job that is as the client has it; checked and done in one step. */
    const change = Effect.fnUntraced(function* (
      id: string,
      header: string | undefined,
      command: (by: string) => ClientCommand
    ) {
      const { tenant, principal } = yield* Caller
      const wanted = wantedSeqs(header)
      let isWanted = true
      yield* journal
        .change(tenant.name, id, ({ row }) => {
          isWanted = wanted === undefined || wanted.has(row.seq)
          return isWanted ? command(principal.name) : undefined
        })
        .pipe(Effect.mapError(problemOf))
      if (!isWanted) {
        return yield* Effect.fail(problem("precondition-failed", "The job has changed. Look at it again, then decide."))
      }
      return answer(yield* Effect.mapError(engine.get(tenant.name, id), problemOf))
    })

    /** Everything that submitting checks, without submitting. */
    const validate = Effect.fnUntraced(function* (request: SubmitRequest) {
      const kind = yield* Effect.mapError(journal.kind(request.kind), unknownKind)
      const { parameters, ...options } = request
      const read = kind.parameters.decode(parameters)
      const written = read._tag === "Coded" ? kind.parameters.encode(read.value) : read
      if (written._tag === "NotCoded") {
        return yield* Effect.fail(problem("invalid-submission", `Correct the parameters: ${written.message}`))
      }
      const job = newJob(kind, {
        _tag: "Submit",
        submission: submissionOf(kind, written.value, { ...options, id: "validated" })
      })
      if (job._tag === "Rejected") {
        return yield* Effect.fail(problem("invalid-submission", `Correct the submission: ${job.message}.`))
      }
      const { tenant } = yield* Caller
      if (kind.name !== aggregationKind.name) return { valid: true, budget: null } as const
      const advice = yield* advising.withPermitsIfAvailable(1)(advise(tenant, parameters))
      return { valid: true, budget: Option.getOrElse(advice, () => BUSY) } as const
    })

    return handlers.handleAll({
      submit: Effect.fnUntraced(function* ({ payload, query, headers }) {
        const { tenant } = yield* Caller
        const header = headers["idempotency-key"]
        const key = header === undefined ? undefined : parseIdempotencyKey(header)
        if (header !== undefined && key === undefined) {
          const detail = 'Write the key in quotes, e.g. "8e03978e-40d5-43dd", with 1 to 200 visible characters.'
          return yield* Effect.fail(problem("malformed-idempotency-key", detail))
        }
        const request = requestOf(payload, tenant.name, key)
        yield* requireOwn(tenant, payload.kind, payload.parameters)
        if (query.validateOnly === "true") return yield* validate(request)

        const submitted = Effect.gen(function* () {
          yield* requireRoom(tenant)
          return yield* engine.submit(request).pipe(
            Effect.catchTag("UnknownKind", (error) => Effect.fail(unknownKind(error))),
            Effect.mapError((error) => ("_tag" in error ? problemOf(error) : error)),
            Effect.map(({ job, created }) => ({ id: job.id, created }))
          )
        })
        const done =
          key === undefined
            ? { _tag: "First" as const, done: yield* submitted }
            : yield* once({ tenant: tenant.name, key, payload: payload as never }, submitted)
        if (done._tag === "Underway") return yield* underway
        const { id, created } = done._tag === "First" ? done.done : { id: done.job, created: false }
        const seconds = waitOf(headers.prefer)
        const view = yield* Effect.mapError(waited(tenant.name, id, seconds), problemOf)
        return answer(view, {
          status: created ? 202 : 200,
          headers: {
            location: jobPath(id),
            ...(created && !isTerminal(view.job.state) ? { "retry-after": "1" } : {}),
            ...(created ? {} : { "idempotency-replayed": "true" }),
            ...applied(seconds)
          }
        })
      }),
      list: Effect.fnUntraced(function* ({ query, request }) {
        const { tenant } = yield* Caller
        const { cursor, limit = DEFAULT_LIMIT } = query
        const after = cursor === undefined ? null : parseCursor(cursor)
        if (after === undefined) {
          return yield* Effect.fail(problem("malformed-cursor", "Give `next` of the page before as it is."))
        }
        const page = yield* Effect.mapError(engine.list(tenant.name, filterOf(query), after, limit), problemOf)
        const next = page.next === null ? null : printCursor(page.next)
        return HttpServerResponse.jsonUnsafe(
          { jobs: page.rows.map(summaryOf), next },
          { headers: { link: linksOf(request.url, next) } }
        )
      }),
      get: Effect.fnUntraced(function* ({ params, headers }) {
        const { tenant } = yield* Caller
        const seconds = waitOf(headers.prefer)
        const view = yield* Effect.mapError(waited(tenant.name, params.job, seconds), problemOf)
        const etag = etagOf(view)
        return isUnchanged(headers["if-none-match"], etag)
          ? HttpServerResponse.empty({ status: 304, headers: { etag, ...applied(seconds) } })
          : answer(view, { headers: applied(seconds) })
      }),
      rename: ({ params, payload, headers }) =>
        change(params.job, headers["if-match"], () => ({ _tag: "Rename", name: payload.name })),
      cancel: ({ params, payload, headers }) =>
        change(params.job, headers["if-match"], (by) => ({ _tag: "Cancel", by, reason: payload?.reason ?? null })),
      reset: ({ params, payload, headers }) =>
        change(params.job, headers["if-match"], (by) => ({
          _tag: "Reset",
          by,
          fromInput: payload?.fromInput ?? null,
          preserve: payload?.preserve ?? []
        })),
      redrive: ({ params, headers }) => change(params.job, headers["if-match"], (by) => ({ _tag: "Redrive", by }))
    })
  })
)

/** The first request with an Idempotency-Key is answered within a moment, or not at all. */
const underway = Effect.map(CurrentRequest, ({ asked }) =>
  HttpServerResponse.setHeader(
    problemForm.render(
      problem("request-in-progress", "Wait until the first request with this key is answered, then send it again."),
      asked
    ),
    "retry-after",
    "1"
  )
)

/** A kind that is named in a body is a fault of the body; the address is there. */
const unknownKind = ({ message }: { readonly message: string }) => problem("invalid-submission", message)

interface Query {
  readonly kind?: ReadonlyArray<string>
  readonly state?: ReadonlyArray<Job["state"]>
  readonly key?: string
  readonly dead?: "true" | "false"
  readonly createdFrom?: string
  readonly createdTo?: string
  readonly order?: "newest" | "oldest"
}

const filterOf = ({ kind, state, key, dead, createdFrom, createdTo, order }: Query): JobFilter => ({
  ...(kind === undefined ? {} : { kinds: kind }),
  ...(state === undefined ? {} : { states: state }),
  ...(key === undefined ? {} : { key }),
  ...(dead === undefined ? {} : { dead: dead === "true" }),
  ...(createdFrom === undefined ? {} : { createdFrom: Date.parse(createdFrom) }),
  ...(createdTo === undefined ? {} : { createdTo: Date.parse(createdTo) }),
  ...(order === undefined ? {} : { order })
})

/** RFC 8288: the first page, and the next one if there is one, with the same filter. */
const linksOf = (url: string, next: string | null): string => {
  const query = new URLSearchParams(url.split("?")[1] ?? "")
  query.delete("cursor")
  const at = (cursor: string | null): string => {
    const all = new URLSearchParams(query)
    if (cursor !== null) all.set("cursor", cursor)
    const text = all.toString()
    return `</v1/jobs${text === "" ? "" : `?${text}`}>`
  }
  return [`${at(null)}; rel="first"`, ...(next === null ? [] : [`${at(next)}; rel="next"`])].join(", ")
}
