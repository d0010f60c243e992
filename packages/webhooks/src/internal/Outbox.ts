/** From the outbox of the store of jobs to one pending delivery for each event and endpoint that wants it. */
import type { JobEvent, OutwardEvent } from "@sotto/core/job"
import { JobStore, type UnpublishedJob } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { deliveryId } from "../Delivery.ts"
import { wants } from "../Endpoint.ts"
import { messageOf, typeOf } from "../Message.ts"
import { quietly } from "./Quietly.ts"
import { type Shelf, shelfOf, type StoredDelivery, type StoredEndpoint } from "./Shelf.ts"

/** So many jobs at once. */
const JOBS = 100

const EVENTS = 200

/** Publishes what is unpublished; answers, by endpoint, how many deliveries it made. */
export const publish = Effect.fn("Webhooks.publish")(function* () {
  const store = yield* JobStore
  const shelf = shelfOf(yield* Records)
  const made = new Map<string, number>()
  for (;;) {
    const jobs = yield* store.unpublished(yield* shelf.tenants, JOBS)
    if (jobs.length === 0) return made
    // Read behind the jobs: an endpoint whose making was answered before an event happened is found.
    const endpoints = new Map<string, ReadonlyArray<StoredEndpoint> | undefined>()
    for (const tenant of new Set(jobs.map((job) => job.tenant))) {
      const found = yield* quietly(shelf.endpoints(tenant), undefined)
      endpoints.set(
        tenant,
        found?.flatMap(({ value }) => (value.enabled ? [value] : []))
      )
    }
    const done = yield* Effect.forEach(
      jobs,
      (job) => {
        const wanting = endpoints.get(job.tenant)
        // What cannot be published now stays in the outbox.
        return wanting === undefined
          ? Effect.succeed(false)
          : quietly(Effect.as(deliver(store, shelf, job, wanting, made), true), false)
      },
      { concurrency: 16 }
    )
    const marks = jobs.flatMap(({ tenant, id, outwardSeq }, i) =>
      done[i] === true ? [{ tenant, id, number: outwardSeq }] : []
    )
    if (marks.length > 0) yield* store.published(marks)
    if (marks.length < JOBS) return made
  }
})

interface Outward {
  readonly event: JobEvent
  readonly one: OutwardEvent
}

const deliver = Effect.fnUntraced(function* (
  store: JobStore["Service"],
  shelf: Shelf,
  job: UnpublishedJob,
  endpoints: ReadonlyArray<StoredEndpoint>,
  made: Map<string, number>
) {
  if (endpoints.length === 0) return
  const since = Math.min(...endpoints.map(({ enabledAt }) => enabledAt))
  const wanted = (yield* outwardOf(store, job, since)).flatMap((outward) =>
    endpoints
      .filter((endpoint) => wants(endpoint, { kind: job.kind, name: outward.one.name, at: outward.event.at }))
      .map(({ id }) => ({ id, outward }))
  )
  yield* Effect.forEach(
    wanted,
    ({ id, outward }) =>
      Effect.map(addDelivery(shelf, job, id, outward), (isNew) => {
        if (isNew) made.set(id, (made.get(id) ?? 0) + 1)
      }),
    { concurrency: 16, discard: true }
  )
})

/** The unpublished outward events from `since` on, in order. Reads from the end, because logs may be long. */
const outwardOf = Effect.fnUntraced(function* (store: JobStore["Service"], job: UnpublishedJob, since: number) {
  const { tenant, id, seq, outwardSeq, published } = job
  const found: Array<Outward> = []
  for (let end = seq; end > 0; end -= EVENTS) {
    const start = Math.max(0, end - EVENTS)
    const page = yield* store.events(tenant, id, start, end - start)
    // It was purged meanwhile, and nobody can be told of what is gone.
    if ("_tag" in page) return []
    const outward = page.flatMap((event) => event.outward.map((one): Outward => ({ event, one })))
    found.unshift(...outward.filter(({ one }) => one.number > published && one.number <= outwardSeq))
    const first = outward[0]
    if ((first !== undefined && first.one.number <= published + 1) || (page[0]?.at ?? 0) < since) break
  }
  return found
})

/** The delivery with its entry, also if somebody made it before and went no further. */
const addDelivery = Effect.fnUntraced(function* (
  shelf: Shelf,
  { tenant, id, kind }: UnpublishedJob,
  endpoint: string,
  { event, one }: Outward
) {
  const now = yield* Clock.currentTimeMillis
  const delivery: StoredDelivery = {
    id: deliveryId(event.at, [endpoint, tenant, id, one.number]),
    endpoint,
    type: typeOf(one),
    job: { id, kind, number: one.number },
    createdAt: event.at,
    state: "pending",
    tries: 0,
    nextAt: now,
    attempts: [],
    body: messageOf({ id, kind }, event, one)
  }
  const isNew = (yield* shelf.putDelivery(tenant, delivery, null, now)) !== undefined
  const nextAt = isNew ? now : ((yield* shelf.delivery(tenant, endpoint, delivery.id))?.value.nextAt ?? null)
  if (nextAt !== null) yield* shelf.putDue(tenant, endpoint, nextAt, delivery.id)
  return isNew
})
