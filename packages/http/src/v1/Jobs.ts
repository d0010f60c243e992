/**
 * Jobs of every kind: submit, look, list, and change what is going on.
 */
import { type ClientCommand, isTerminal, type Job, newJob, submissionOf } from "@sotto/core/job"
import type { JobFilter } from "@sotto/core/ports/JobStore"
import { aggregationKind, Engine, Journal, type JobView as EngineView, type SubmitRequest } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import { requireOwn, requireRoom } from "../Admission.ts"
import { apiOf } from "../ApiOf.ts"
import { problemForm } from "../ErrorForm.ts"
import { CurrentRequest } from "../front/CurrentRequest.ts"
import { Draining } from "../front/Draining.ts"
import { Caller } from "../Operation.ts"
import { problem, problemOf } from "../Problem.ts"
import { advise, BUSY } from "./Advice.ts"
import { parseCursor, printCursor } from "./Cursor.ts"
import { etagOf, isUnchanged, wantedSeqs } from "./ETag.ts"
import { once, parseIdempotencyKey } from "./IdempotencyKey.ts"
import { Jobs, type Submission } from "./JobEndpoints.ts"
import { summaryOf, viewOf } from "./JobView.ts"
import { waitOf } from "./Prefer.ts"

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
