/**
 * What happened to a job, in the words and numbers that its kind shows to clients: as pages, or as it happens.
 */
import { isTerminal, type JobEvent } from "@sotto/core/job"
import { Engine } from "@sotto/engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Tenant } from "../access/Tenants.ts"
import { apiOf } from "../ApiOf.ts"
import { Draining } from "../front/Draining.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"
import { EXAMPLE_ID } from "./Examples.ts"
import { printTime, State, Time } from "./JobView.ts"

const EventView = Schema.Struct({
  /** Counts the events of a job from 1 without gaps. */
  number: Schema.Int,
  name: Schema.String,
  /** Of the input, the output, or what happens outside. */
  key: Schema.optionalKey(Schema.String),
  at: Time,
  state: State,
  session: Schema.Int
}).annotate({ identifier: "JobEvent" })

type EventView = typeof EventView.Type

const EventPage = Schema.Struct({
  events: Schema.Array(EventView),
  /** The number to go on after. */
  last: Schema.Int,
  /** The job has ended and there are no more, unless it is reset or redriven. */
  complete: Schema.Boolean
}).annotate({ identifier: "JobEventPage" })

const EXAMPLE: EventView = { number: 1, name: "submitted", at: "2026-04-01T08:00:00.000Z", state: "Queued", session: 1 }

const SSE = "text/event-stream"

const list = HttpApiEndpoint.get("list", "/v1/jobs/:job/events", {
  params: { job: Schema.String },
  query: {
    after: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    limit: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))
  },
  headers: { "last-event-id": Schema.optionalKey(Schema.String) },
  success: [EventPage, Schema.String.pipe(HttpApiSchema.asText({ contentType: SSE })), HttpApiSchema.Empty(204)],
  error: problems("unknown-job", "unknown-kind", "malformed-request", "too-many-streams", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Read or follow the events of a job",
      description:
        "Accept: text/event-stream follows them: id is the number, event the name, data the event as in a page. " +
        "Last-Event-ID or after says where to go on. The stream ends with the job; asking again is then answered 204, " +
        "which tells an EventSource to stop."
    })
  )
  .annotate(Operation, {
    audience: "job",
    produces: ["application/json", SSE],
    example: { parameters: { job: EXAMPLE_ID }, answer: { events: [EXAMPLE], last: 1, complete: false } }
  })

export const Events = HttpApiGroup.make("events")
  .add(list)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Events", description: "What happened to jobs." }))

/** The outward events of a log's entry. */
const viewsOf = (event: JobEvent): ReadonlyArray<EventView> =>
  event.outward.map(({ number, name, key }) => ({
    number,
    name,
    ...(key === undefined ? {} : { key }),
    at: printTime(event.at),
    state: event.state,
    session: event.session
  }))

/** How long proxies may hear nothing, and how soon a client comes back. */
const HEARTBEAT = "15 seconds"
const RETRY_MS = 2_000

const LOG_PAGE = 500
const DEFAULT_LIMIT = 100

const block = (event: EventView): string =>
  `id: ${event.number}\nevent: ${event.name}\ndata: ${JSON.stringify(event)}\n\n`

const encoder = new TextEncoder()

export const layerEventsGroup = HttpApiBuilder.group(
  apiOf(Events),
  "events",
  Effect.fnUntraced(function* (handlers) {
    const engine = yield* Engine
    const draining = yield* Draining
    const streams = new Map<string, number>()

    /** The events with numbers above `after`, at most so many. The log is read from its start: numbers are no places in it. */
    const page = Effect.fnUntraced(function* (tenant: string, id: string, after: number, limit: number) {
      const found: Array<EventView> = []
      for (let seq = 0; found.length < limit;) {
        const entries = yield* engine.events(tenant, id, seq, LOG_PAGE)
        for (const entry of entries) found.push(...viewsOf(entry).filter(({ number }) => number > after))
        const last = entries.at(-1)
        if (last === undefined || entries.length < LOG_PAGE) break
        seq = last.seq
      }
      return found.slice(0, limit)
    })

    /** Until the job or the server ends, or what the client showed is over. */
    const follow = (tenant: string, id: string, after: number, over: Effect.Effect<void>) =>
      engine.follow(tenant, id, 0).pipe(
        Stream.flatMap((entry) => Stream.fromIterable(viewsOf(entry))),
        Stream.filter(({ number }) => number > after),
        Stream.map(block),
        Stream.merge(
          Stream.map(Stream.tick(HEARTBEAT), () => ":\n\n"),
          { haltStrategy: "left" }
        ),
        (events) => Stream.concat(Stream.make(`retry: ${RETRY_MS}\n\n`), events),
        Stream.interruptWhen(Effect.raceFirst(draining.begun, over)),
        Stream.map((text) => encoder.encode(text)),
        // A store that is lost on the way ends the stream; the client comes back with the last number that it saw.
        Stream.catchCause(() => Stream.empty)
      )

    /** Counts a stream for as long as it is open; one too many, of two that began at once, has nothing to say. */
    const counted = <A>({ name, limits }: Tenant, events: Stream.Stream<A>): Stream.Stream<A> =>
      Stream.unwrap(
        Effect.acquireRelease(
          Effect.sync(() => {
            const open = streams.get(name) ?? 0
            if (limits.streams !== null && open >= limits.streams) return false
            streams.set(name, open + 1)
            return true
          }),
          (isCounted) =>
            Effect.sync(() => {
              const left = (streams.get(name) ?? 0) - (isCounted ? 1 : 0)
              if (left > 0) streams.set(name, left)
              else streams.delete(name)
            })
        ).pipe(Effect.map((isCounted) => (isCounted ? events : Stream.empty)))
      )

    return handlers.handleAll({
      list: Effect.fnUntraced(function* ({ params, query, headers }) {
        const { tenant, wants, principal } = yield* Caller
        const sent = headers["last-event-id"]
        if (sent !== undefined && !/^\d{1,15}$/.test(sent)) {
          return yield* Effect.fail(problem("malformed-request", "Last-Event-ID is the number of an event."))
        }
        const after = sent === undefined ? (query.after ?? 0) : Number(sent)
        const { job } = yield* Effect.mapError(engine.get(tenant.name, params.job), problemOf)
        const complete = isTerminal(job.state)
        if (wants !== SSE) {
          const limit = query.limit ?? DEFAULT_LIMIT
          const events = yield* Effect.mapError(page(tenant.name, job.id, after, limit), problemOf)
          const last = events.at(-1)?.number ?? after
          return { events, last, complete: complete && last >= job.outwardSeq }
        }
        if (complete && after >= job.outwardSeq) return HttpServerResponse.empty({ status: 204 })
        const { name, limits } = tenant
        if (limits.streams !== null && (streams.get(name) ?? 0) >= limits.streams) {
          return yield* Effect.fail(
            problem("too-many-streams", `You follow ${limits.streams} jobs already. Close a stream, or read pages.`)
          )
        }
        const { scope } = principal
        const until = scope._tag === "Job" ? scope.until : undefined
        const over = until === undefined ? Effect.never : Effect.sleep(until - (yield* Clock.currentTimeMillis))
        return HttpServerResponse.stream(counted(tenant, follow(name, job.id, after, over)), {
          contentType: `${SSE}; charset=utf-8`,
          headers: { "cache-control": "no-store, no-transform", "x-accel-buffering": "no" }
        })
      })
    })
  })
)
