import { JobStore } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import { faultyJobStore, faultyRecords } from "@sotto/testkit"
import { describe, expect, it } from "vitest"
import { MAX_TRIES, RETRY_AFTER_MS, WEBHOOK_METRICS, Webhooks } from "../src/index.ts"
import { sign } from "../src/Signature.ts"
import {
  answered,
  cancel,
  clients,
  endpoint,
  type Freeze,
  hours,
  idOf,
  memoryStores,
  OK,
  pass,
  play,
  receiver,
  rename,
  START,
  start,
  submit,
  TENANT,
  URL_A
} from "./Rig.ts"

const typesOf = (got: ReadonlyArray<{ readonly body: string }>) =>
  got.map(({ body }) => (JSON.parse(body) as { readonly type: string }).type)

const fails = (status = 500) => receiver(() => answered(status))

/** What every test begins with: stores, clients, a receiver and one endpoint. */
const withEndpoint = Effect.fnUntraced(function* (more: Parameters<typeof endpoint>[0] = {}) {
  const stores = memoryStores()
  const context = yield* clients(stores)
  const created = yield* Webhooks.use((webhooks) => webhooks.create(TENANT, endpoint(more))).pipe(
    Effect.provide(context)
  )
  return { stores, context, created, id: created.endpoint.id }
})

describe("the deliverer", () => {
  it("sends each outward event once, in the words of its kind, signed with the secret of the endpoint", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, created } = yield* withEndpoint()
        const hook = receiver()
        yield* start(stores, hook)
        yield* Effect.provide(Effect.andThen(submit("a"), Effect.andThen(rename("a", "x"), cancel("a"))), context)
        yield* pass(5)
        expect(typesOf(hook.got)).toEqual(["job.submitted", "job.renamed", "job.cancelled"])
        expect(new Set(hook.got.map(idOf)).size).toBe(3)
        const [first] = hook.got
        expect(first?.url).toBe(URL_A)
        expect(JSON.parse(first?.body ?? "")).toEqual({
          type: "job.submitted",
          timestamp: "2026-01-01T00:00:00Z",
          data: { job: "a", kind: "work", number: 1, event: "submitted", state: "Queued", session: 1 }
        })
        const secret = Redacted.value(created.secret)
        const seconds = Math.floor((first?.at ?? 0) / 1000)
        expect(first?.headers["webhook-timestamp"]).toBe(String(seconds))
        expect(first?.headers["webhook-signature"]).toBe(
          sign(secret, idOf(first ?? hook.got[0]!), seconds, first?.body ?? "")
        )
        yield* pass(60)
        expect(hook.got).toHaveLength(3)
      })
    ))

  it("sends what an endpoint wants, to each that wants it, and to nobody of another tenant", () =>
    play(
      Effect.gen(function* () {
        const stores = memoryStores()
        const context = yield* clients(stores)
        const hook = receiver()
        yield* start(stores, hook)
        yield* Effect.gen(function* () {
          const webhooks = yield* Webhooks
          const make = (url: string, more: object, tenant = TENANT) =>
            webhooks.create(tenant, endpoint({ url: `https://${url}.example.com/`, ...more }))
          yield* make("all", {})
          yield* make("cancelled", { events: ["cancelled"] })
          yield* make("plays", { kinds: ["play"] })
          yield* make("off", { enabled: false })
          yield* make("other", {}, "other")
          yield* submit("a")
          yield* submit("b", TENANT, "play")
          yield* cancel("a")
          yield* submit("a", "other")
        }).pipe(Effect.provide(context))
        yield* pass(5)
        const told = hook.got.map(({ url, body }) => {
          const { type, data } = JSON.parse(body) as { type: string; data: { job: string } }
          return `${url.slice(8, url.indexOf("."))} ${type} ${data.job}`
        })
        expect(told.toSorted()).toEqual([
          "all job.cancelled a",
          "all job.submitted a",
          "all job.submitted b",
          "cancelled job.cancelled a",
          "other job.submitted a",
          "plays job.submitted b"
        ])
      })
    ))

  it("tells of nothing that happened before an endpoint was there or while it was disabled", () =>
    play(
      Effect.gen(function* () {
        const stores = memoryStores()
        const context = yield* clients(stores)
        const hook = receiver()
        yield* start(stores, hook)
        yield* Effect.gen(function* () {
          const webhooks = yield* Webhooks
          yield* submit("a")
          yield* pass(2)
          const { endpoint: made } = yield* webhooks.create(TENANT, endpoint())
          yield* rename("a", "told")
          yield* pass(2)
          yield* webhooks.update(TENANT, made.id, { enabled: false })
          yield* rename("a", "not told")
          yield* pass(2)
          yield* webhooks.update(TENANT, made.id, { enabled: true })
          yield* cancel("a")
          yield* pass(2)
          expect(typesOf(hook.got)).toEqual(["job.renamed", "job.cancelled"])
          // Nothing is left to look at, wanted or not.
          expect(yield* JobStore.use((store) => store.unpublished([TENANT], 10))).toEqual([])
        }).pipe(Effect.provide(context))
      })
    ))

  it("finds the unpublished events of a long log", () =>
    play(
      Effect.gen(function* () {
        const { stores, context } = yield* withEndpoint({ events: ["renamed"] })
        yield* Effect.provide(
          Effect.andThen(
            submit("a"),
            Effect.forEach(
              Array.from({ length: 450 }, (_, i) => `name ${i}`),
              (name) => rename("a", name)
            )
          ),
          context
        )
        const hook = receiver()
        yield* start(stores, hook)
        yield* pass(60)
        expect(new Set(hook.got.map(idOf)).size).toBe(450)
        yield* Effect.provide(rename("a", "one more"), context)
        yield* pass(5)
        expect(hook.got).toHaveLength(451)
      })
    ))

  it("tries again on its schedule until the endpoint takes it, under the same id, with a new timestamp", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const hook = receiver((_, nth) => (nth < 4 ? answered(503) : OK))
        yield* start(stores, hook)
        yield* Effect.provide(submit("a"), context)
        yield* pass(200)
        expect(hook.got).toHaveLength(4)
        expect(new Set(hook.got.map(idOf)).size).toBe(1)
        expect(new Set(hook.got.map(({ body }) => body)).size).toBe(1)
        const waits = hook.got.slice(1).map(({ at }, i) => (at - (hook.got[i]?.at ?? 0)) / 1000)
        waits.forEach((wait, i) => {
          const planned = (RETRY_AFTER_MS[i] ?? 0) / 1000
          expect(wait).toBeGreaterThanOrEqual(planned * 0.9)
          // It is looked at once a second.
          expect(wait).toBeLessThanOrEqual(planned * 1.1 + 1)
        })
        for (const { at, headers } of hook.got) expect(headers["webhook-timestamp"]).toBe(String(Math.floor(at / 1000)))
        const { deliveries } = yield* Webhooks.use((webhooks) => webhooks.deliveries(TENANT, id, null, 10)).pipe(
          Effect.provide(context)
        )
        expect(deliveries).toMatchObject([
          {
            id: idOf(hook.got[0]!),
            type: "job.submitted",
            job: { id: "a", kind: "work", number: 1 },
            createdAt: START,
            state: "delivered",
            tries: 4,
            nextAt: null,
            attempts: [
              { status: 503, problem: "It answered 503, not 200 to 299." },
              {},
              {},
              { status: 200, problem: null }
            ]
          }
        ])
      })
    ))

  it("gives up after the last try of its schedule, and says so", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const hook = receiver(() => ({ _tag: "Unanswered", problem: "It is dark." }))
        yield* start(stores, hook, { everyMs: 60_000 })
        yield* Effect.provide(submit("a"), context)
        yield* hours(60)
        expect(hook.got).toHaveLength(MAX_TRIES)
        const { deliveries } = yield* Webhooks.use((webhooks) => webhooks.deliveries(TENANT, id, null, 10)).pipe(
          Effect.provide(context)
        )
        expect(deliveries).toMatchObject([{ state: "failed", tries: MAX_TRIES, nextAt: null }])
        expect(deliveries[0]?.attempts.at(-1)).toMatchObject({ status: null, problem: "It is dark." })
      })
    ))

  it("waits as long as the endpoint asks", () =>
    play(
      Effect.gen(function* () {
        const { stores, context } = yield* withEndpoint()
        const hook = receiver((_, nth) => (nth === 1 ? answered(429, "120") : OK))
        yield* start(stores, hook)
        yield* Effect.provide(submit("a"), context)
        yield* pass(115)
        expect(hook.got).toHaveLength(1)
        yield* pass(10)
        expect(hook.got).toHaveLength(2)
      })
    ))

  it("disables an endpoint that answers 410, and goes on with what waited when it is enabled again", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const hook = receiver(({ body }) => (body.includes("cancelled") ? answered(410) : answered(500)))
        const process = yield* start(stores, hook)
        yield* Effect.provide(Effect.andThen(submit("a"), cancel("a")), context)
        yield* pass(3)
        expect(hook.got).toHaveLength(2)
        const webhooks = yield* Effect.provide(Webhooks.use(Effect.succeed), context)
        expect(yield* webhooks.get(TENANT, id)).toMatchObject({ enabled: false, disabledBecause: "gone" })
        yield* pass(120)
        expect(hook.got).toHaveLength(2)
        yield* process.stop
        const again = receiver()
        yield* start(stores, again)
        yield* webhooks.update(TENANT, id, { enabled: true })
        yield* pass(3)
        expect(typesOf(again.got)).toEqual(["job.submitted"])
        const { deliveries } = yield* webhooks.deliveries(TENANT, id, null, 10)
        expect(deliveries.map(({ type, state }) => `${type} ${state}`).toSorted()).toEqual([
          "job.cancelled failed",
          "job.submitted delivered"
        ])
        expect(yield* webhooks.get(TENANT, id)).toMatchObject({ enabled: true, disabledBecause: null })
      })
    ))

  it("signs with both secrets while they change, and with the new one alone afterwards", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, created, id } = yield* withEndpoint()
        const hook = receiver()
        yield* start(stores, hook)
        yield* Effect.gen(function* () {
          const webhooks = yield* Webhooks
          const [old, young] = [created.secret, (yield* webhooks.rotate(TENANT, id, { keepMs: 60_000 })).secret]
          expect((yield* webhooks.get(TENANT, id)).secrets).toEqual([
            { createdAt: START, validUntil: null },
            { createdAt: START, validUntil: START + 60_000 }
          ])
          const signatures = (secrets: ReadonlyArray<Redacted.Redacted<string>>, nth: number) => {
            const { headers, body } = hook.got[nth]!
            const seconds = Number(headers["webhook-timestamp"])
            const all = secrets.map((secret) =>
              sign(Redacted.value(secret), headers["webhook-id"] ?? "", seconds, body)
            )
            return [headers["webhook-signature"], all.join(" ")]
          }
          yield* submit("a")
          yield* pass(2)
          const [both, bothExpected] = signatures([young, old], 0)
          expect(both).toBe(bothExpected)
          yield* pass(60)
          yield* cancel("a")
          yield* pass(2)
          const [one, oneExpected] = signatures([young], 1)
          expect(one).toBe(oneExpected)
        }).pipe(Effect.provide(context))
      })
    ))

  it("sends a test that no filter holds back, and a delivery again when it is asked to", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint({ events: ["cancelled"] })
        const hook = receiver()
        yield* start(stores, hook)
        yield* Effect.gen(function* () {
          const webhooks = yield* Webhooks
          const asked = yield* webhooks.test(TENANT, id)
          expect(asked).toMatchObject({ state: "pending", type: "webhook.test", job: null })
          yield* pass(2)
          expect(typesOf(hook.got)).toEqual(["webhook.test"])
          expect(yield* webhooks.delivery(TENANT, id, asked.id)).toMatchObject({ state: "delivered" })
          yield* webhooks.redeliver(TENANT, id, asked.id)
          yield* pass(2)
          expect(hook.got.map(idOf)).toEqual([asked.id, asked.id])
          expect(yield* webhooks.delivery(TENANT, id, asked.id)).toMatchObject({
            state: "delivered",
            tries: 1,
            attempts: [{}, {}]
          })
        }).pipe(Effect.provide(context))
      })
    ))

  it("leaves an endpoint that hangs to itself: others are served meanwhile", () =>
    play(
      Effect.gen(function* () {
        const { stores, context } = yield* withEndpoint()
        const hook = receiver(({ url }) => (url === URL_A ? Effect.never : OK))
        yield* start(stores, hook, { perEndpoint: 2 })
        yield* Effect.gen(function* () {
          yield* Webhooks.use((webhooks) => webhooks.create(TENANT, endpoint({ url: "https://b.example.com/" })))
          yield* Effect.forEach(["a", "b", "c", "d", "e"], (id) => submit(id))
        }).pipe(Effect.provide(context))
        yield* pass(5)
        expect(hook.got.filter(({ url }) => url === URL_A)).toHaveLength(2)
        expect(hook.got.filter(({ url }) => url !== URL_A)).toHaveLength(5)
      })
    ))

  it("sends at most so many at a time", () =>
    play(
      Effect.gen(function* () {
        const { stores, context } = yield* withEndpoint()
        let [now, most] = [0, 0]
        const gate = yield* Deferred.make<void>()
        const hook = receiver(() =>
          Effect.sync(() => (most = Math.max(most, ++now))).pipe(
            Effect.andThen(Deferred.await(gate)),
            Effect.andThen(Effect.sync(() => (now--, OK)))
          )
        )
        yield* start(stores, hook, { concurrency: 3, perEndpoint: 10 })
        yield* Effect.provide(
          Effect.forEach(
            Array.from({ length: 20 }, (_, i) => `job-${i}`),
            (id) => submit(id)
          ),
          context
        )
        yield* pass(2)
        expect(now).toBe(3)
        yield* Deferred.succeed(gate, undefined)
        yield* pass(2)
        expect([most, hook.got.length]).toEqual([3, 20])
      })
    ))

  it("shares the work with another process over the same stores: nothing is sent twice", () =>
    play(
      Effect.gen(function* () {
        const { stores, context } = yield* withEndpoint()
        // Some answers take a while, so that both are at it at the same time.
        const hook = receiver((_, nth) => (nth % 3 === 0 ? Effect.as(Effect.sleep("2 seconds"), OK) : OK))
        yield* start(stores, hook, { polite: true })
        yield* start(stores, hook, { polite: true })
        yield* start(stores, hook, { polite: true })
        yield* Effect.provide(
          Effect.forEach(
            Array.from({ length: 60 }, (_, i) => `job-${i}`),
            (id) => submit(id)
          ),
          context
        )
        yield* pass(60)
        expect(new Set(hook.got.map(idOf)).size).toBe(60)
        expect(hook.got).toHaveLength(60)
      })
    ))

  it("takes over what a stopped process had begun, when its time is over", () =>
    play(
      Effect.gen(function* () {
        const { stores, context } = yield* withEndpoint()
        const dark = receiver(() => Effect.never)
        const process = yield* start(stores, dark)
        yield* Effect.provide(submit("a"), context)
        yield* pass(3)
        expect(dark.got).toHaveLength(1)
        yield* process.stop
        const hook = receiver()
        yield* start(stores, hook)
        yield* pass(40)
        expect(hook.got).toHaveLength(0)
        yield* pass(10)
        expect(hook.got.map(idOf)).toEqual(dark.got.map(idOf))
      })
    ))

  it("waits at its stop for the answers to what it sent, begins nothing more, and not for long", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const hook = receiver((_, nth) => (nth === 1 ? Effect.never : Effect.as(Effect.sleep("3 seconds"), OK)))
        const process = yield* start(stores, hook, { graceMs: 5_000, perEndpoint: 2 })
        yield* Effect.provide(
          Effect.forEach(["a", "b", "c", "d"], (job) => submit(job)),
          context
        )
        yield* pass(2)
        const stopping = yield* Effect.forkChild(process.stop)
        yield* pass(4)
        expect(stopping.pollUnsafe()).toBeUndefined()
        yield* pass(3)
        expect(stopping.pollUnsafe()).toBeDefined()
        const { deliveries } = yield* Webhooks.use((webhooks) => webhooks.deliveries(TENANT, id, null, 10)).pipe(
          Effect.provide(context)
        )
        const jobs = (state: string) => deliveries.flatMap(({ job, ...one }) => (one.state === state ? [job?.id] : []))
        expect(hook.got).toHaveLength(2)
        expect(jobs("pending")).toHaveLength(3)
        expect(jobs("delivered")).toHaveLength(1)
      })
    ))

  it("does not listen to a process whose time was over when its answer came", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const gate = yield* Deferred.make<void>()
        const late = receiver(() => Effect.as(Deferred.await(gate), answered(410)))
        yield* start(stores, late)
        yield* Effect.provide(submit("a"), context)
        yield* pass(3)
        yield* start(stores, receiver())
        yield* pass(50)
        const log = Effect.provide(
          Webhooks.use((webhooks) => webhooks.deliveries(TENANT, id, null, 10)),
          context
        )
        const taken = yield* log
        expect(taken.deliveries).toMatchObject([{ state: "delivered", tries: 1, attempts: [{ status: 200 }] }])
        yield* Deferred.succeed(gate, undefined)
        yield* pass(3)
        expect(yield* log).toEqual(taken)
      })
    ))

  it("loses nothing to stores that fail now and then, before or after they did what they were asked for", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const hook = receiver((_, nth) => (nth % 4 === 0 ? answered(500) : OK))
        const faults = { seed: 7, before: 0.1, after: 0.1 }
        const failing = Layer.merge(faultyJobStore(faults)(stores), faultyRecords(faults)(stores))
        yield* start(failing, hook, { everyMs: 5_000 })
        const jobs = Array.from({ length: 20 }, (_, i) => `job-${i}`)
        yield* Effect.provide(
          Effect.forEach(jobs, (job) => submit(job)),
          context
        )
        yield* pass(30)
        yield* Effect.provide(
          Effect.forEach(jobs, (job) => cancel(job)),
          context
        )
        yield* hours(2)
        const { deliveries } = yield* Webhooks.use((webhooks) => webhooks.deliveries(TENANT, id, null, 100)).pipe(
          Effect.provide(context)
        )
        expect(deliveries.map(({ state }) => state)).toEqual(Array(40).fill("delivered"))
        expect(new Set(hook.got.map(idOf))).toEqual(new Set(deliveries.map((delivery) => delivery.id)))
      })
    ))

  it("counts its tries by outcome", () =>
    play(
      Effect.gen(function* () {
        const { stores, context } = yield* withEndpoint()
        const hook = receiver((_, nth) => (nth === 1 ? answered(500) : nth === 2 ? OK : answered(410)))
        yield* start(stores, hook)
        yield* Effect.provide(submit("a"), context)
        yield* pass(10)
        yield* Effect.provide(cancel("a"), context)
        yield* pass(10)
        const counts = yield* Effect.forEach(["delivered", "retried", "failed"], (outcome) =>
          Effect.map(Metric.value(Metric.withAttributes(WEBHOOK_METRICS.tries, { outcome })), ({ count }) => count)
        )
        expect(counts).toEqual([1, 1, 1])
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    ))

  it("keeps the log of an endpoint bounded", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        yield* start(stores, receiver(), { logLimit: 20 })
        yield* Effect.provide(submit("a"), context)
        for (let i = 0; i < 260; i++) {
          yield* Effect.provide(rename("a", `name ${i}`), context)
          yield* pass(1)
        }
        const { deliveries } = yield* Webhooks.use((webhooks) => webhooks.deliveries(TENANT, id, null, 500)).pipe(
          Effect.provide(context)
        )
        // It is cut every fifty deliveries.
        expect(deliveries.length).toBeGreaterThanOrEqual(20)
        expect(deliveries.length).toBeLessThanOrEqual(75)
        expect(deliveries[0]?.job?.number).toBe(261)
      })
    ))

  it("removes what it has of an endpoint that was deleted", () =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const hook = fails()
        yield* start(stores, hook, { everyMs: 10_000 })
        yield* Effect.gen(function* () {
          yield* submit("a")
          yield* pass(20)
          const before = hook.got.length
          yield* Webhooks.use((webhooks) => webhooks.remove(TENANT, id))
          yield* rename("a", "x")
          yield* hours(2)
          expect(hook.got).toHaveLength(before)
          const records = yield* everyRecord
          expect(records).toEqual([`webhook-tenants ${TENANT}`])
        }).pipe(Effect.provide(context))
      })
    ))
})

const everyRecord = Effect.gen(function* () {
  const records = yield* Records
  const places = [
    ["webhook-tenants", "webhooks"],
    ["webhook-endpoints", TENANT],
    ["webhook-deliveries", TENANT],
    ["webhook-due", TENANT]
  ] as const
  return (yield* Effect.forEach(places, ([collection, tenant]) =>
    Effect.map(records.scan({ collection, tenant, prefix: "" }, null, 1_000), (found) =>
      found.map(({ key }) => `${collection} ${key}`)
    )
  )).flat()
})

describe("a crash of the deliverer", () => {
  /** A process that freezes at a step, then another one after it. */
  const crash = (freeze: Freeze) =>
    play(
      Effect.gen(function* () {
        const { stores, context, id } = yield* withEndpoint()
        const hook = receiver((_, nth) => (nth === 1 ? answered(500) : OK))
        const first = yield* start(stores, hook, { freeze, leaseMs: 20_000 })
        yield* Effect.provide(Effect.andThen(submit("a"), submit("b", TENANT, "play")), context)
        yield* pass(2)
        yield* Effect.provide(cancel("a"), context)
        yield* pass(8)
        const frozen = first.calls() >= freeze.at
        yield* first.stop
        yield* start(stores, hook, { leaseMs: 20_000 })
        yield* pass(45)
        const { deliveries } = yield* Webhooks.use((webhooks) => webhooks.deliveries(TENANT, id, null, 10)).pipe(
          Effect.provide(context)
        )
        const left = yield* Effect.provide(
          JobStore.use((store) => store.unpublished([TENANT], 10)),
          context
        )
        const due = (yield* Effect.provide(everyRecord, context)).filter((record) => record.startsWith("webhook-due"))
        return { frozen, got: hook.got, deliveries, left, due }
      })
    )

  it("loses nothing and tells the same again under the same id, at whatever step of its work", async () => {
    const ids = new Set<string>()
    const again = { count: 0 }
    let at = 1
    for (let frozen = true; frozen; at++) {
      for (const when of ["before", "after"] as const) {
        const ended = await crash({ at, when })
        frozen = ended.frozen
        const where = `${when} call ${at}`
        expect([where, new Set(typesOf(ended.got).toSorted())]).toEqual([
          where,
          new Set(["job.cancelled", "job.submitted"])
        ])
        const bodies = new Map(ended.got.map((message) => [idOf(message), message.body]))
        expect([where, bodies.size]).toEqual([where, 3])
        for (const message of ended.got) expect(message.body).toBe(bodies.get(idOf(message)))
        for (const id of bodies.keys()) ids.add(id)
        expect([where, ended.deliveries.map(({ state }) => state)]).toEqual([where, Array(3).fill("delivered")])
        expect([where, ended.left, ended.due]).toEqual([where, [], []])
        if (ended.got.length > 4) again.count++
      }
    }
    // Every step of a whole run, some of which make a message go twice.
    expect(at).toBeGreaterThan(40)
    expect(again.count).toBeGreaterThan(0)
    // Times and endpoints are the same in every run, so the ids are.
    expect(ids.size).toBe(3)
  })
})
