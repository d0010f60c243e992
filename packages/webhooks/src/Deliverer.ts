/**
 * Sends what happened to where it is wanted, at least once, whatever stops in between.
 *
 * Events come from the outbox of the store of jobs. Each becomes a durable delivery for each endpoint that wants it, then
 * the job is marked; a delivery is tried until it is taken or given up. Any number of deliverers may work over the same
 * stores: the outbox bears repetition, and a try is claimed through the version of its delivery.
 */
import type { JobStore } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { SEND_TIMEOUT_MS } from "./HttpSender.ts"
import { attempt } from "./internal/Attempts.ts"
import { publish } from "./internal/Outbox.ts"
import { quietly } from "./internal/Quietly.ts"
import { type DueEntry, type Shelf, shelfOf, type StoredEndpoint } from "./internal/Shelf.ts"
import type { Sender } from "./Sender.ts"

export interface DelivererOptions {
  /** How often outbox and deliveries are looked at. Default 1 000. */
  readonly everyMs?: number
  /** How many messages this process sends at a time. Default 64. */
  readonly concurrency?: number
  /** How many of them to one endpoint. Default 4. */
  readonly perEndpoint?: number
  /** For so long a try is this process's alone; longer than a sender takes. Default 45 000. */
  readonly leaseMs?: number
  /** For so long a stop waits for answers to what was sent. Default 5 000. */
  readonly graceMs?: number
  /** How many deliveries that are over an endpoint's log keeps (1 … 1000), about. Default 500. */
  readonly logLimit?: number
}

const DUE_PAGE = 50

/** Logs are cut when an endpoint got so many deliveries more. */
const CUT_EVERY = 50

/** An endpoint that was deleted is remembered for so long, in case somebody still writes to it. */
const GRAVE_MS = 3_600_000

/** Publishes and sends for as long as the layer lives. */
export const layerDeliverer = (
  options: DelivererOptions = {}
): Layer.Layer<never, never, JobStore | Records | Sender> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const {
        everyMs = 1_000,
        concurrency = 64,
        perEndpoint = 4,
        leaseMs = 3 * SEND_TIMEOUT_MS,
        graceMs = 5_000,
        logLimit = 500
      } = options
      const shelf = shelfOf(yield* Records)
      const permits = yield* Semaphore.make(concurrency)
      const busy = yield* FiberMap.make<string, void>()
      const written = new Map<string, number>()
      let stopping = false
      yield* Effect.addFinalizer(() => {
        stopping = true
        return Effect.ignore(Effect.timeout(FiberMap.awaitEmpty(busy), graceMs))
      })

      /** All that is due of an endpoint, until there is no more or nothing moves. */
      const drain = Effect.fnUntraced(function* (tenant: string, endpoint: string) {
        const tried = (entry: DueEntry) => quietly(attempt({ tenant, endpoint, entry }, leaseMs), false)
        for (;;) {
          const due = yield* shelf.due(tenant, endpoint, yield* Clock.currentTimeMillis, DUE_PAGE)
          const moved = yield* Effect.forEach(
            due,
            (entry) => permits.withPermit(Effect.suspend(() => (stopping ? Effect.succeed(false) : tried(entry)))),
            { concurrency: perEndpoint }
          )
          if (!moved.includes(true)) return
        }
      })

      const tend = Effect.fnUntraced(function* (tenant: string, { id, enabled, deletedAt }: StoredEndpoint) {
        if (deletedAt !== null) {
          if (deletedAt + GRAVE_MS <= (yield* Clock.currentTimeMillis)) yield* shelf.removeEndpoint(tenant, id)
          return
        }
        if ((written.get(id) ?? 0) >= CUT_EVERY) {
          yield* cut(shelf, tenant, id, logLimit)
          written.delete(id)
        }
        if (enabled) {
          yield* FiberMap.run(busy, `${tenant}\n${id}`, quietly(drain(tenant, id), undefined), { onlyIfMissing: true })
        }
      })

      const publishing = Effect.gen(function* () {
        for (const [id, count] of yield* publish()) written.set(id, (written.get(id) ?? 0) + count)
      })
      const tending = Effect.gen(function* () {
        for (const tenant of yield* shelf.tenants) {
          for (const { value } of yield* quietly(shelf.endpoints(tenant), [])) {
            yield* quietly(tend(tenant, value), undefined)
          }
        }
      })
      // Apart, so that nobody's messages wait while another tenant's many events are published.
      const rounds = Schedule.spaced(everyMs)
      yield* Effect.forkScoped(Effect.repeat(quietly(publishing, undefined), rounds))
      yield* Effect.forkScoped(Effect.repeat(quietly(tending, undefined), rounds))
    })
  )

/** Removes deliveries that are over behind the newest `limit`. */
const cut = Effect.fnUntraced(function* (shelf: Shelf, tenant: string, endpoint: string, limit: number) {
  let place = (yield* shelf.deliveries(tenant, endpoint, null, limit)).at(limit - 1)?.value.id
  while (place !== undefined) {
    const page = yield* shelf.deliveries(tenant, endpoint, place, limit)
    const over = page.filter(({ value }) => value.nextAt === null)
    yield* Effect.forEach(over, (one) => shelf.removeDelivery(tenant, one), { concurrency: 32, discard: true })
    place = page.at(limit - 1)?.value.id
  }
})
