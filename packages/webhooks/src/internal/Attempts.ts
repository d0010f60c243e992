/**
 * One try of a delivery: claimed by its version for as long as a try may take, sent, and settled.
 *
 * Who stops in between leaves the claim behind; when it runs out, somebody tries again. So a message may arrive twice, with
 * one id, and is never lost.
 */
import { Records } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { type Attempt, MAX_ATTEMPTS, MAX_TRIES, parseRetryAfter, waitAfter } from "../Delivery.ts"
import { Sender, type SendOutcome } from "../Sender.ts"
import { signedHeaders } from "../Signature.ts"
import { countTry } from "../Telemetry.ts"
import {
  type DueEntry,
  type Shelf,
  shelfOf,
  type StoredDelivery,
  type StoredEndpoint,
  type Versioned
} from "./Shelf.ts"

/** The entry of one endpoint that is due. */
export interface Due {
  readonly tenant: string
  readonly endpoint: string
  readonly entry: DueEntry
}

/** Deals with an entry that is due; answers whether it is gone from its place. */
export const attempt = Effect.fn("Webhooks.attempt")(function* ({ tenant, endpoint: id, entry }: Due, leaseMs: number) {
  const shelf = shelfOf(yield* Records)
  const sender = yield* Sender
  const found = yield* shelf.delivery(tenant, id, entry.delivery)
  const nextAt = found?.value.nextAt ?? null
  if (found === undefined || nextAt === null) return yield* dropped(shelf, tenant, entry)
  const now = yield* Clock.currentTimeMillis
  const { value: delivery, version } = found
  if (nextAt > now) {
    // Not its time, or no longer: another entry says so, or has to.
    yield* shelf.putDue(tenant, id, nextAt, delivery.id)
    return yield* dropped(shelf, tenant, entry)
  }
  const endpoint = (yield* shelf.endpoint(tenant, id))?.value
  if (endpoint === undefined || !endpoint.enabled) return false

  const claimed = { ...delivery, nextAt: now + leaseMs }
  const held = yield* shelf.putDelivery(tenant, claimed, version, now)
  if (held === undefined) return false
  const lease = yield* shelf.putDue(tenant, id, claimed.nextAt, delivery.id)
  yield* dropped(shelf, tenant, entry)

  const outcome = yield* sender.send(outgoing(endpoint, delivery, now))
  const after = yield* Clock.currentTimeMillis
  const settled = yield* settle(claimed, outcome, now, after)
  if (outcome._tag === "Answered" && outcome.status === GONE) yield* disable(shelf, tenant, id)
  const written = yield* shelf.putDelivery(tenant, settled, held, after)
  // Somebody asked for it again, or took it for lost: theirs counts.
  if (written === undefined) return true
  if (settled.nextAt !== null) yield* shelf.putDue(tenant, id, settled.nextAt, delivery.id)
  yield* shelf.dropDue(tenant, lease)
  return true
})

const dropped = (shelf: Shelf, tenant: string, entry: DueEntry) => Effect.as(shelf.dropDue(tenant, entry), true)

const outgoing = ({ url, secrets }: StoredEndpoint, { id, body }: StoredDelivery, now: number) => ({
  url,
  headers: {
    "content-type": "application/json",
    "user-agent": "Sotto-Webhooks",
    ...signedHeaders(
      secrets.flatMap(({ secret, validUntil }) => (validUntil === null || validUntil > now ? [secret] : [])),
      id,
      now,
      body
    )
  },
  body
})

const GONE = 410

/** The delivery after a try that began at `at` and ended at `now`. */
const settle = Effect.fnUntraced(function* (claimed: StoredDelivery, outcome: SendOutcome, at: number, now: number) {
  const status = outcome._tag === "Answered" ? outcome.status : null
  const problem = problemOf(outcome)
  const one: Attempt = { at, tookMs: now - at, status, problem }
  // Only tries that ended count: what was lost with a process was not the endpoint's fault.
  const tried = {
    ...claimed,
    tries: claimed.tries + 1,
    attempts: [...claimed.attempts, one].slice(-MAX_ATTEMPTS)
  }
  if (problem === null) {
    yield* countTry("delivered")
    return { ...tried, state: "delivered", nextAt: null } satisfies StoredDelivery
  }
  const asked = outcome._tag === "Answered" ? parseRetryAfter(outcome.retryAfter, now) : null
  const wait = status === GONE ? null : waitAfter(tried.tries, yield* Random.next, asked)
  if (wait !== null) {
    yield* countTry("retried")
    return { ...tried, nextAt: now + wait } satisfies StoredDelivery
  }
  yield* countTry("failed")
  yield* Effect.logWarning(
    status === GONE
      ? `The webhook endpoint ${claimed.endpoint} answered 410 and was disabled.`
      : `The webhook delivery ${claimed.id} was given up after ${MAX_TRIES} tries.`
  )
  return { ...tried, state: "failed", nextAt: null } satisfies StoredDelivery
})

const problemOf = (outcome: SendOutcome): string | null => {
  if (outcome._tag === "Unanswered") return outcome.problem.slice(0, 300)
  if (outcome.status >= 200 && outcome.status <= 299) return null
  return outcome.status === GONE
    ? "It answered 410, so the endpoint was disabled."
    : `It answered ${outcome.status}, not 200 to 299.`
}

/** What else changes the endpoint meanwhile is kept. */
const disable = Effect.fnUntraced(function* (shelf: Shelf, tenant: string, id: string) {
  for (;;) {
    const found: Versioned<StoredEndpoint> | undefined = yield* shelf.endpoint(tenant, id)
    if (found === undefined || !found.value.enabled) return
    const updatedAt = yield* Clock.currentTimeMillis
    const disabled: StoredEndpoint = { ...found.value, enabled: false, disabledBecause: "gone", updatedAt }
    if ((yield* shelf.putEndpoint(tenant, disabled, found.version)) !== undefined) return
  }
})
