/**
 * Posts messages over HTTP to where the guard lets them.
 *
 * Every message has a connection of its own, to an address that was checked. Of the answer only status and `Retry-After`
 * count; a little of the rest is read, so that the other side may finish, and forgotten.
 */
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import type { LookupFunction } from "node:net"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { AddressGuard, type Target } from "./AddressGuard.ts"
import { type OutgoingMessage, Sender, type SendOutcome } from "./Sender.ts"

export interface HttpSenderOptions {
  /** For the whole of a try, redirects included. Default 15 000. */
  readonly timeoutMs?: number
  /** How many redirects are followed. Default 3. */
  readonly redirects?: number
}

export const SEND_TIMEOUT_MS = 15_000

/** No more of an answer is read. */
const MAX_ANSWER_BYTES = 4_096

/** For so long at most. */
const DRAIN_MS = 1_000

export const layerHttpSender = (options: HttpSenderOptions = {}): Layer.Layer<Sender, never, AddressGuard> =>
  Layer.effect(
    Sender,
    Effect.map(AddressGuard, (guard) => {
      const { timeoutMs = SEND_TIMEOUT_MS, redirects = 3 } = options

      const follow = Effect.fnUntraced(function* (message: OutgoingMessage, left: number) {
        let { url } = message
        for (let hop = left; ; hop--) {
          const target = yield* guard.target(url)
          const { status, location, retryAfter } = yield* Effect.scoped(post(target, message))
          const next = status === 307 || status === 308 ? location : undefined
          if (next === undefined) return { _tag: "Answered", status, retryAfter } satisfies SendOutcome
          if (hop === 0) return yield* new Unsent({ message: `More than ${left} redirects follow each other.` })
          url = yield* redirected(target.url, next)
        }
      })

      return Sender.of({
        send: (message) =>
          follow(message, redirects).pipe(
            Effect.timeoutOrElse({
              duration: timeoutMs,
              orElse: () => Effect.fail(new Unsent({ message: `There was no answer within ${timeoutMs / 1000} s.` }))
            }),
            Effect.catch(({ message: problem }) => Effect.succeed<SendOutcome>({ _tag: "Unanswered", problem }))
          )
      })
    })
  )

/** What ends a try without an answer that counts. */
class Unsent extends Schema.TaggedError<Unsent>()("Unsent", { message: Schema.String }) {}

/** Where a redirect leads to, to be checked like any URL. */
export const redirected = (from: URL, location: string): Effect.Effect<string, Unsent> => {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (to === undefined) return Effect.fail(new Unsent({ message: "A redirect leads to no URL." }))
  return from.protocol === "https:" && to.protocol === "http:"
    ? Effect.fail(new Unsent({ message: "A redirect leads from https to http." }))
    : Effect.succeed(to.href)
}

interface Answer {
  readonly status: number
  readonly location: string | undefined
  readonly retryAfter: string | null
}

const post = Effect.fnUntraced(function* ({ url, addresses }: Target, message: OutgoingMessage) {
  const sent = yield* Effect.acquireRelease(
    Effect.sync(() => open(url, addresses, message)),
    (request) => Effect.sync(() => request.destroy())
  )
  const response = yield* Effect.callback<IncomingMessage, Unsent>((resume) => {
    sent.on("response", (answer) => {
      // What breaks behind the head of an answer changes nothing.
      answer.on("error", () => undefined)
      resume(Effect.succeed(answer))
    })
    sent.on("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new Unsent({ message: `The endpoint cannot be reached (${error.code ?? "broken"}).` })))
    )
    sent.end(message.body)
  })
  yield* Effect.timeoutOption(drained(response), DRAIN_MS)
  const { location, "retry-after": retryAfter } = response.headers
  return { status: response.statusCode ?? 0, location, retryAfter: retryAfter ?? null } satisfies Answer
})

const open = (url: URL, addresses: Target["addresses"], { headers, body }: OutgoingMessage): ClientRequest => {
  // Whatever the resolver would say now, the connection goes where the guard looked.
  const pinned: LookupFunction = (_, { all }, callback) => {
    const [first] = addresses
    if (all === true) callback(null, [...addresses])
    else if (first === undefined) callback(Object.assign(new Error("no address"), { code: "ENOTFOUND" }), "")
    else callback(null, first.address, first.family)
  }
  return (url.protocol === "https:" ? requestHttps : requestHttp)(url, {
    method: "POST",
    agent: false,
    lookup: pinned,
    headers: { ...headers, "content-length": Buffer.byteLength(body) }
  })
}

const drained = (response: IncomingMessage): Effect.Effect<void> =>
  Effect.callback((resume) => {
    let bytes = 0
    const over = () => resume(Effect.void)
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes >= MAX_ANSWER_BYTES) over()
    })
    response.on("close", over)
  })
