/**
 * One message for one endpoint, from the moment it is known until it is taken or given up.
 *
 * Its id follows from what it tells and to whom, so whoever makes it again makes the same one, and a receiver can tell a
 * repetition by it.
 */
import { createHash } from "node:crypto"
import * as Schema from "effect/Schema"
import { EndpointId } from "./Endpoint.ts"

export const DeliveryId = Schema.String.check(
  Schema.isPattern(/^msg_[0-9a-z]{9}[0-9a-f]{32}$/, { message: "an id as deliveries have it, beginning with msg_" })
)

/** How one try ended. Times are milliseconds since 1970. */
export const Attempt = Schema.Struct({
  at: Schema.Int,
  tookMs: Schema.Int,
  /** What the endpoint answered; `null`: no answer. */
  status: Schema.NullOr(Schema.Int),
  /** Why there was no answer, or why it was none that counts; `null` if it was taken. */
  problem: Schema.NullOr(Schema.String)
})
export type Attempt = typeof Attempt.Type

/** `pending`: is or will be tried; `delivered`: a status from 200 to 299; `failed`: given up. */
export const DELIVERY_STATES = ["pending", "delivered", "failed"] as const

/** An entry of an endpoint's log. */
export const Delivery = Schema.Struct({
  id: DeliveryId,
  endpoint: EndpointId,
  /** `job.` and the outward name, or `webhook.test`. */
  type: Schema.String,
  /** The job that it tells of, with its kind and the number of its outward event; `null` for a test. */
  job: Schema.NullOr(Schema.Struct({ id: Schema.String, kind: Schema.String, number: Schema.Int })),
  createdAt: Schema.Int,
  state: Schema.Literals(DELIVERY_STATES),
  /** Tries that ended since it was made or last asked for again. */
  tries: Schema.Int,
  /** When it is tried next; while it is under way, when it is taken for lost. `null` once it is over. */
  nextAt: Schema.NullOr(Schema.Int),
  /** The last ones, the oldest first. */
  attempts: Schema.Array(Attempt)
})
export type Delivery = typeof Delivery.Type

/** The most attempts that are remembered. */
export const MAX_ATTEMPTS = 20

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** How long after each failed try the next one follows; after the last of them it is given up, 42 hours in all. */
export const RETRY_AFTER_MS: ReadonlyArray<number> = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  HOUR,
  5 * HOUR,
  12 * HOUR,
  24 * HOUR
]

export const MAX_TRIES = RETRY_AFTER_MS.length + 1

/** What an endpoint may ask for at most. */
const MAX_RETRY_AFTER_MS = 24 * HOUR

/** Spread by this share to either side, so that messages that failed together do not come back together. */
const JITTER = 0.1

/**
 * How long to wait after the try number `tries` (from 1) failed; `null`: give it up. `random` is in 0 … 1; `asked` is a
 * `Retry-After`, which may only lengthen the wait.
 */
export const waitAfter = (tries: number, random: number, asked: number | null): number | null => {
  const wait = RETRY_AFTER_MS[tries - 1]
  if (wait === undefined) return null
  const spread = Math.round(wait * (1 - JITTER + 2 * JITTER * random))
  return Math.max(spread, Math.min(asked ?? 0, MAX_RETRY_AFTER_MS))
}

/** A `Retry-After` (RFC 9110 §10.2.3) as milliseconds from `now`; `null` if it says nothing that can be read. */
export const parseRetryAfter = (text: string | null, now: number): number | null => {
  if (text === null) return null
  if (/^\d{1,9}$/.test(text)) return Number(text) * SECOND
  const at = /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? null : Math.max(0, at - now)
}

// Milliseconds in 9 digits of base 36 last beyond the year 5000.
const printTime = (at: number): string => at.toString(36).padStart(9, "0")

const LAST_TIME = 36 ** 9 - 1

/** The id of what is told to an endpoint: `parts` name it, `at` (milliseconds since 1970) is when it happened. */
export const deliveryId = (at: number, parts: ReadonlyArray<string | number>): string =>
  `msg_${printTime(at)}${createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 32)}`

/** Sorts ids the newest first. */
export const newestFirst = (id: string): string => printTime(LAST_TIME - Number.parseInt(id.slice(4, 13), 36)) + id
