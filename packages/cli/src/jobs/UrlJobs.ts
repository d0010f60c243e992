/** Jobs behind a server, by its native interface. A connection that breaks is made anew; nothing is submitted twice. */
import { isTerminal } from "@sotto/core/job"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { CommandError } from "../Failure.ts"
import { note } from "../Terminal.ts"
import type { JobsClient, ShownEvent, ShownJob, ShownSummary } from "./JobsClient.ts"
import { type Frame, framesOf } from "./ServerSentEvents.ts"

export interface UrlJobsOptions {
  /** Where the server is, with what stands before its paths. */
  readonly url: string
  readonly apiKey: string | undefined
  /** For so long a server that does not answer is asked again; default one minute. */
  readonly patienceMs?: number
}

/** The server could not be reached, or says when it is to be asked again: the same request may be sent again. */
class Unreached extends Error {
  override readonly name = "Unreached"
  readonly pauseMs: number
  constructor(message: string, pauseMs = PAUSE_MS) {
    super(message)
    this.pauseMs = pauseMs
  }
}

interface ProblemBody {
  readonly title?: string
  readonly detail?: string
  readonly errors?: ReadonlyArray<{ readonly pointer: string; readonly message: string }>
}

interface EventBody {
  readonly number: number
  readonly name: string
  readonly at: string
}

interface Asked {
  readonly method?: "GET" | "POST"
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

const PATIENCE_MS = 60_000
const PAUSE_MS = 500
const PAGE = 500
const LONGEST_WAIT = 30

/** RFC 9651 §3.3.3. */
const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

const causeOf = (error: unknown): string => {
  const { message, cause } = error as Error & { readonly cause?: NodeJS.ErrnoException }
  return cause?.code ?? cause?.message ?? message
}

/** What the server said instead of an answer. */
const refusalOf = async (url: string, response: Response): Promise<Error> => {
  const text = await response.text()
  const said = ((): ProblemBody => {
    try {
      return JSON.parse(text) as ProblemBody
    } catch {
      return {}
    }
  })()
  const faults = (said.errors ?? []).map(({ pointer, message }) => ` ${pointer}: ${message}.`).join("")
  const sentence =
    [said.title, said.detail].filter((one) => one !== undefined).join(". ") || `It answered ${response.status}.`
  const hint = response.status === 401 ? " Give it with --api-key-file or in SOTTO_API_KEY." : ""
  const message = `${url}: ${sentence}${faults}${hint}`
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN)
  if (seconds >= 0) return new Unreached(message, Math.max(PAUSE_MS, seconds * 1000))
  return response.status === 503 ? new Unreached(message) : new CommandError(message)
}

export const urlJobs = ({ url, apiKey, patienceMs = PATIENCE_MS }: UrlJobsOptions): JobsClient<CommandError> => {
  const base = url.replace(/\/+$/, "")

  const send = async (path: string, { method = "GET", headers = {}, body }: Asked, signal: AbortSignal) => {
    try {
      return await fetch(`${base}${path}`, {
        method,
        signal,
        headers: {
          accept: "application/json",
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
    } catch (error) {
      throw new Unreached(`${base} does not answer (${causeOf(error)}). Is the server running?`)
    }
  }

  const opened = (path: string, asked: Asked) =>
    Effect.tryPromise({
      try: async (signal) => {
        const response = await send(path, asked, signal)
        if (!response.ok) throw await refusalOf(base, response)
        return response
      },
      catch: (error) => error as CommandError | Unreached
    })

  const told = <A>(path: string, asked: Asked = {}) =>
    Effect.flatMap(opened(path, asked), (response) =>
      Effect.tryPromise({
        try: async () => ({ body: (await response.json()) as A, response }),
        catch: (error) => new Unreached(`${base} broke off its answer (${causeOf(error)}).`)
      })
    )

  /** Asks again for as long as patience lasts; only for what may be sent twice. */
  const patiently = <A>(ask: Effect.Effect<A, CommandError | Unreached>): Effect.Effect<A, CommandError> =>
    Effect.gen(function* () {
      for (let began: number | undefined; ;) {
        const answer = yield* Effect.result(ask)
        if (answer._tag === "Success") return answer.success
        const error = answer.failure
        if (!(error instanceof Unreached)) return yield* Effect.fail(error)
        const now = performance.now()
        if (began === undefined) note(`${error.message} Asking again.`)
        began ??= now
        if (now - began + error.pauseMs > patienceMs) return yield* Effect.fail(new CommandError(error.message))
        yield* Effect.sleep(error.pauseMs)
      }
    })

  const once = <A>(ask: Effect.Effect<A, CommandError | Unreached>): Effect.Effect<A, CommandError> =>
    Effect.mapError(ask, (error) => (error instanceof Unreached ? new CommandError(error.message) : error))

  const jobPath = (id: string): string => `/v1/jobs/${encodeURIComponent(id)}`

  const look = (id: string, seconds: number) => {
    const headers = seconds === 0 ? {} : { prefer: `wait=${Math.min(LONGEST_WAIT, Math.ceil(seconds))}` }
    return Effect.map(told<ShownJob>(jobPath(id), { headers }), ({ body }) => body)
  }

  /** The frames of one connection, behind the event `after`; none when the job has told all. */
  const connect = (id: string, after: number) =>
    Effect.map(
      opened(`${jobPath(id)}/events`, { headers: { accept: "text/event-stream", "last-event-id": String(after) } }),
      ({ body }) =>
        body === null
          ? Stream.empty
          : Stream.fromAsyncIterable(
              framesOf(body),
              (error) => new Unreached(`${base} broke off the events (${causeOf(error)}).`)
            )
    )

  /** All events from `after` on, over as many connections as it takes. */
  const follow = (id: string, after: number): Stream.Stream<ShownEvent, CommandError> => {
    let last = after
    const round: Stream.Stream<Frame, CommandError | Unreached> = Stream.unwrap(Effect.suspend(() => connect(id, last)))
    const connection = round.pipe(
      Stream.map(({ data }) => shownEvent(JSON.parse(data) as EventBody)),
      Stream.tap(({ number }) =>
        Effect.sync(() => {
          last = number
        })
      )
    )
    // A connection that ends says nothing of the job: what it is now tells whether there is more to come.
    const rest: Stream.Stream<ShownEvent, CommandError> = Stream.unwrap(
      Effect.map(patiently(look(id, 0)), ({ state }) =>
        isTerminal(state)
          ? pages(id, () => last)
          : Stream.fromEffect(Effect.sleep(PAUSE_MS)).pipe(Stream.drain, Stream.concat(Stream.suspend(() => following)))
      )
    )
    const following: Stream.Stream<ShownEvent, CommandError> = connection.pipe(
      Stream.catch((error) => (error instanceof Unreached ? Stream.empty : Stream.fail(error))),
      Stream.concat(rest)
    )
    return following
  }

  /** Events that are there, page after page. */
  const pages = (id: string, after: () => number): Stream.Stream<ShownEvent, CommandError> =>
    Stream.unwrap(
      Effect.suspend(() =>
        patiently(
          told<{ readonly events: ReadonlyArray<EventBody> }>(`${jobPath(id)}/events?limit=${PAGE}&after=${after()}`)
        )
      ).pipe(
        Effect.map(({ body: { events } }) => {
          const last = events.at(-1)?.number
          const shown = Stream.fromIterable(events.map(shownEvent))
          return last === undefined || events.length < PAGE
            ? shown
            : Stream.concat(
                shown,
                pages(id, () => last)
              )
        })
      )
    )

  return {
    submit: ({ key, kind, parameters, name, priority }) => {
      const ask = told<ShownJob>("/v1/jobs", {
        method: "POST",
        headers: key === undefined ? {} : { "idempotency-key": quoted(key) },
        body: { kind, parameters, priority, ...(name === undefined ? {} : { name }) }
      })
      // With a key the server finds the first submission; without one it would be another job.
      const sent = key === undefined ? once(ask) : patiently(ask)
      return Effect.map(sent, ({ body, response }) => ({
        job: body,
        created: response.headers.get("idempotency-replayed") !== "true"
      }))
    },
    list: ({ kind, states }, limit) => {
      const query = new URLSearchParams({ limit: String(Math.min(limit, 1_000)) })
      if (kind !== undefined) query.append("kind", kind)
      for (const state of states) query.append("state", state)
      return Effect.map(
        once(told<{ readonly jobs: ReadonlyArray<ShownSummary>; readonly next: string | null }>(`/v1/jobs?${query}`)),
        ({ body: { jobs, next } }) => ({ jobs, more: next !== null })
      )
    },
    look: (id, seconds) => (seconds === 0 ? once(look(id, 0)) : patiently(look(id, seconds))),
    cancel: (id, reason) =>
      Effect.map(
        once(told<ShownJob>(`${jobPath(id)}/cancel`, { method: "POST", body: reason === undefined ? {} : { reason } })),
        ({ body }) => body
      ),
    events: (id, { after, follow: wanted }) => (wanted ? follow(id, after) : pages(id, () => after))
  }
}

const shownEvent = (event: EventBody): ShownEvent => {
  const { number, at, name, ...rest } = event
  return { number, at, name, rest, document: event }
}
