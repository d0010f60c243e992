import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { JobStore } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import { layerSeededEntropy } from "@sotto/memory"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { TestClock } from "effect/testing"
import { Webhook } from "standardwebhooks"
import { afterAll, describe, expect, it } from "vitest"
import {
  type Delivery,
  Endpoint,
  EndpointChanges,
  layerAddressGuard,
  layerDeliverer,
  layerHttpSender,
  layerWebhooks,
  MAX_ENDPOINTS,
  NewEndpoint,
  Webhooks
} from "../src/index.ts"
import {
  answered,
  cancel,
  clients,
  endpoint,
  frozenRecords,
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

const using = <A, E>(body: (webhooks: Webhooks["Service"]) => Effect.Effect<A, E>) =>
  play(
    Effect.gen(function* () {
      const context = yield* clients(memoryStores())
      return yield* Effect.provide(Webhooks.use(body), context)
    })
  )

const failing = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)

describe("webhooks", () => {
  it("are made, listed, changed and deleted", () =>
    using((webhooks) =>
      Effect.gen(function* () {
        const { endpoint: made } = yield* webhooks.create(TENANT, endpoint({ description: "first", kinds: ["work"] }))
        expect(made).toEqual({
          id: expect.stringMatching(/^ep_[0-9a-f]{32}$/),
          url: URL_A,
          description: "first",
          kinds: ["work"],
          events: null,
          enabled: true,
          disabledBecause: null,
          createdAt: START,
          updatedAt: START,
          enabledAt: START,
          secrets: [{ createdAt: START, validUntil: null }]
        })
        yield* TestClock.adjust("1 minute")
        const { endpoint: second } = yield* webhooks.create(TENANT, endpoint())
        expect(yield* webhooks.list(TENANT)).toEqual([made, second])
        const changed = yield* webhooks.update(TENANT, made.id, { kinds: null, enabled: false })
        const disabled = { kinds: null, enabled: false, disabledBecause: "client", updatedAt: START + 60_000 }
        expect(changed).toEqual({ ...made, ...disabled })
        expect(yield* webhooks.get(TENANT, made.id)).toEqual(changed)
        yield* webhooks.remove(TENANT, made.id)
        expect(yield* webhooks.list(TENANT)).toEqual([second])
        expect(yield* failing(webhooks.get(TENANT, made.id))).toBe("UnknownEndpoint")
        expect(yield* failing(webhooks.remove(TENANT, made.id))).toBe("UnknownEndpoint")
      })
    ))

  it("are of one tenant: no other one sees or changes them", () =>
    using((webhooks) =>
      Effect.gen(function* () {
        const { endpoint: made } = yield* webhooks.create(TENANT, endpoint())
        const test = yield* webhooks.test(TENANT, made.id)
        const attempts: ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>> = [
          webhooks.get("other", made.id),
          webhooks.update("other", made.id, { enabled: false }),
          webhooks.remove("other", made.id),
          webhooks.rotate("other", made.id, { keepMs: 0 }),
          webhooks.test("other", made.id),
          webhooks.deliveries("other", made.id, null, 10),
          webhooks.delivery("other", made.id, test.id),
          webhooks.redeliver("other", made.id, test.id)
        ]
        for (const one of attempts) expect(yield* failing(one)).toBe("UnknownEndpoint")
        expect(yield* webhooks.list("other")).toEqual([])
        expect(yield* webhooks.get(TENANT, made.id)).toEqual(made)
      })
    ))

  it("refuse what they cannot be, and ids that are none", () =>
    using((webhooks) =>
      Effect.gen(function* () {
        const refused = (url: string) => failing(webhooks.create(TENANT, endpoint({ url })))
        expect(yield* refused("http://169.254.169.254/")).toBe("AddressRefused")
        expect(yield* refused("https://me:pw@example.com/")).toBe("AddressRefused")
        const { endpoint: made } = yield* webhooks.create(TENANT, endpoint())
        expect(yield* failing(webhooks.update(TENANT, made.id, { url: "http://10.0.0.1/" }))).toBe("AddressRefused")
        for (const id of ["", "ep_", "../x", "a\nb", "é".repeat(300)]) {
          expect(yield* failing(webhooks.get(TENANT, id))).toBe("UnknownEndpoint")
          expect(yield* failing(webhooks.delivery(TENANT, made.id, id))).toBe("UnknownDelivery")
          expect(yield* failing(webhooks.deliveries(TENANT, made.id, id, 10))).toBe("UnknownDelivery")
        }
        for (let i = 1; i < MAX_ENDPOINTS; i++) yield* webhooks.create(TENANT, endpoint())
        expect(yield* failing(webhooks.create(TENANT, endpoint()))).toBe("TooManyEndpoints")
        yield* webhooks.remove(TENANT, made.id)
        yield* webhooks.create(TENANT, endpoint())
      })
    ))

  it("have schemas that give defaults and refuse what is too long", () => {
    const decode = Schema.decodeUnknownSync(NewEndpoint)
    expect(decode({ url: URL_A })).toEqual(endpoint())
    expect(() => decode({})).toThrow("url")
    expect(() => decode({ url: `https://a.example/${"x".repeat(2_000)}` })).toThrow("url")
    expect(() => decode({ url: URL_A, kinds: [] })).toThrow("kinds")
    expect(() => decode({ url: URL_A, events: Array(51).fill("succeeded") })).toThrow("events")
    expect(Schema.decodeUnknownSync(EndpointChanges)({ events: null })).toEqual({ events: null })
  })

  it("with everything as long as it may be fit into a record", () =>
    using((webhooks) =>
      Effect.gen(function* () {
        const long = Array.from({ length: 50 }, () => "€".repeat(100))
        const url = `https://example.com/${"x".repeat(1_980)}`
        const { endpoint: made } = yield* webhooks.create(
          TENANT,
          endpoint({ url, description: "€".repeat(500), kinds: long, events: long })
        )
        for (let i = 0; i < 8; i++) yield* webhooks.rotate(TENANT, made.id, { keepMs: 1_000 })
        const found = yield* webhooks.get(TENANT, made.id)
        expect(Schema.is(Endpoint)(found)).toBe(true)
        expect(found.secrets).toHaveLength(5)
      })
    ))

  it("change at the same time without losing a change", () =>
    using((webhooks) =>
      Effect.gen(function* () {
        const { endpoint: made } = yield* webhooks.create(TENANT, endpoint())
        yield* Effect.all(
          [
            webhooks.update(TENANT, made.id, { description: "new" }),
            webhooks.update(TENANT, made.id, { events: ["failed"] }),
            webhooks.rotate(TENANT, made.id, { keepMs: 1_000 })
          ],
          { concurrency: "unbounded" }
        )
        const found = yield* webhooks.get(TENANT, made.id)
        expect(found).toMatchObject({ description: "new", events: ["failed"] })
        expect(found.secrets).toHaveLength(2)
      })
    ))

  it("give the log page by page, the newest first, each delivery once", () =>
    play(
      Effect.gen(function* () {
        const stores = memoryStores()
        const context = yield* clients(stores)
        yield* start(stores, receiver())
        yield* Effect.gen(function* () {
          const webhooks = yield* Webhooks
          const { endpoint: made } = yield* webhooks.create(TENANT, endpoint())
          yield* submit("a")
          for (let i = 0; i < 24; i++) {
            yield* pass(1)
            yield* rename("a", `name ${i}`)
          }
          yield* pass(2)
          const found: Array<Delivery> = []
          let next: string | null = null
          do {
            const page: { readonly deliveries: ReadonlyArray<Delivery>; readonly next: string | null } =
              yield* webhooks.deliveries(TENANT, made.id, next, 7)
            expect(page.deliveries.length).toBeLessThanOrEqual(7)
            found.push(...page.deliveries)
            next = page.next
          } while (next !== null)
          expect(found.map(({ job }) => job?.number)).toEqual(Array.from({ length: 25 }, (_, i) => 25 - i))
        }).pipe(Effect.provide(context))
      })
    ))

  it("say of a damaged record where it is, not what it holds, and serve other tenants meanwhile", () => {
    const told: Array<unknown> = []
    const logger = Logger.make(({ message, cause }) => void told.push(message, cause))
    return play(
      Effect.gen(function* () {
        const stores = memoryStores()
        const context = yield* clients(stores)
        const hook = receiver()
        yield* start(stores, hook)
        yield* Effect.gen(function* () {
          const webhooks = yield* Webhooks
          const { endpoint: made } = yield* webhooks.create(TENANT, endpoint())
          yield* webhooks.create("other", endpoint())
          yield* submit("a")
          yield* submit("a", "other")
          const place = { collection: "webhook-endpoints", tenant: TENANT, key: made.id }
          const bytes = new TextEncoder().encode('{"secrets":[{"secret":"whsec_c2VjcmV0"}]}')
          yield* Records.use((records) => records.put({ ...place, bytes, expectVersion: "any", expiresAt: null }))
          yield* pass(3)
          expect(hook.got).toHaveLength(1)
          const text = told.map((one) => `${String(one)} ${JSON.stringify(one)}`).join("\n")
          expect(text).toContain(`The webhook endpoint ${made.id} was written by something else`)
          expect(text).not.toContain("c2VjcmV0")
          // Nothing of the damaged tenant is marked as told.
          expect(yield* JobStore.use((store) => store.unpublished([TENANT], 10))).toHaveLength(1)
        }).pipe(Effect.provide(context))
      }).pipe(Effect.provide(Logger.layer([logger])))
    )
  })

  it("leave no delivery waiting for nobody, wherever a client's process stops that asked for one", () =>
    play(
      Effect.gen(function* () {
        const states = new Set<string>()
        for (let at = 1; at <= 6; at++) {
          for (const when of ["before", "after"] as const) {
            const stores = memoryStores()
            const context = yield* clients(stores)
            const webhooks = yield* Effect.provide(Webhooks.use(Effect.succeed), context)
            const { endpoint: made } = yield* webhooks.create(TENANT, endpoint())
            const hook = receiver()
            yield* start(stores, hook)
            const first = yield* webhooks.test(TENANT, made.id)
            yield* pass(2)
            const stopping = yield* clients(frozenRecords(stores, { at, when }), 2)
            const asked = Webhooks.use((frozen) => frozen.redeliver(TENANT, made.id, first.id))
            yield* Effect.forkChild(Effect.provide(asked, stopping))
            yield* pass(5)
            const found = yield* webhooks.delivery(TENANT, made.id, first.id)
            expect([when, at, found.state]).toEqual([when, at, "delivered"])
            states.add(`${hook.got.length}`)
          }
        }
        // Some stopped before they had asked, others behind it.
        expect([...states].toSorted()).toEqual(["1", "2"])
      })
    ))

  it("tell a secret once, and never again: not in listings, records of calls, logs or spans", () => {
    const told: Array<unknown> = []
    const logger = Logger.make(({ message, cause }) => void told.push(message, String(cause)))
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        told.push(span)
        return span
      }
    })
    return play(
      Effect.gen(function* () {
        const stores = memoryStores()
        const context = yield* clients(stores)
        // Whatever goes wrong on the way is logged.
        const hook = receiver((_, nth) => (nth === 1 ? answered(410) : nth === 2 ? Effect.die("boom") : OK))
        yield* start(stores, hook)
        yield* Effect.gen(function* () {
          const webhooks = yield* Webhooks
          const created = yield* webhooks.create(TENANT, endpoint())
          const { id } = created.endpoint
          yield* submit("a")
          yield* pass(5)
          yield* webhooks.update(TENANT, id, { enabled: true })
          const rotated = yield* webhooks.rotate(TENANT, id, { keepMs: 60_000 })
          yield* cancel("a")
          yield* pass(60)
          told.push(created, rotated, yield* webhooks.list(TENANT), yield* webhooks.deliveries(TENANT, id, null, 10))
          expect(hook.got.length).toBeGreaterThan(2)
          const text = told.map((one) => `${String(one)} ${JSON.stringify(one, plain)}`).join("\n")
          expect(text).toContain("boom")
          expect(text).toContain("Webhooks.attempt")
          for (const { secret } of [created, rotated]) {
            const bare = Redacted.value(secret)
            expect(bare).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
            expect(text).not.toContain(bare.slice(6))
          }
        }).pipe(Effect.provide(context))
      }).pipe(Effect.provide(Logger.layer([logger])), Effect.withTracer(tracer))
    )
  })
})

/** Maps as objects, and whatever JSON cannot say as text. */
const plain = (key: string, value: unknown): unknown =>
  key === "parent" || key === "links" || key === "annotations"
    ? undefined
    : typeof value === "bigint"
      ? String(value)
      : value instanceof Map
        ? Object.fromEntries(value)
        : value

describe("webhooks over SQLite and real sockets", () => {
  const folder = mkdtempSync(join(tmpdir(), "sotto-webhooks-"))
  afterAll(() => rmSync(folder, { recursive: true }))

  it("survive restarts and miss nothing, with one id for each event, taken by the official library", async () => {
    const file = join(folder, "store.db")
    const got: Array<{ readonly id: string; readonly headers: Record<string, string>; readonly body: string }> = []
    let open = false
    const server = createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
      request.on("end", () => {
        const headers = request.headers as Record<string, string>
        got.push({ id: headers["webhook-id"] ?? "", headers, body })
        // While it is closed, answers do not come.
        if (open) response.writeHead(204).end()
      })
    })
    const { port } = await new Promise<AddressInfo>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve(server.address() as AddressInfo))
    )
    const guard = layerAddressGuard({ allow: ["127.0.0.1/32"] })
    const stores = Layer.mergeAll(layerSqliteJobStore({ file }), layerSqliteRecords({ file }))
    const house = Layer.mergeAll(
      layerWebhooks,
      layerDeliverer({ everyMs: 10, leaseMs: 400, graceMs: 0 }).pipe(Layer.provide(layerHttpSender({ timeoutMs: 200 })))
    ).pipe(Layer.provideMerge(stores), Layer.provide(Layer.merge(guard, layerSeededEntropy(3))))
    const lifetime = <A, E>(body: Effect.Effect<A, E, Webhooks | JobStore | Records>) =>
      Effect.runPromise(body.pipe(Effect.provide(Layer.fresh(house)), Effect.provide(Logger.layer([]))))

    const { secret, id } = await lifetime(
      Effect.gen(function* () {
        const webhooks = yield* Webhooks
        const made = yield* webhooks.create(TENANT, endpoint({ url: `http://127.0.0.1:${port}/hook` }))
        yield* submit("a")
        yield* submit("b")
        // Its sender is interrupted in the middle.
        yield* Effect.promise(() => expect.poll(() => got.length).toBeGreaterThanOrEqual(2))
        yield* cancel("a")
        return { secret: Redacted.value(made.secret), id: made.endpoint.id }
      })
    )
    open = true
    const before = new Set(got.map((message) => message.id))
    const deliveries = await lifetime(
      Effect.gen(function* () {
        const webhooks = yield* Webhooks
        const log = () => Effect.runPromise(webhooks.deliveries(TENANT, id, null, 10))
        yield* cancel("b")
        yield* Effect.promise(() =>
          expect
            .poll(async () => (await log()).deliveries.map(({ state }) => state), { timeout: 20_000 })
            .toEqual(Array(4).fill("delivered"))
        )
        return (yield* webhooks.deliveries(TENANT, id, null, 10)).deliveries
      })
    )
    server.closeAllConnections()
    server.close()
    expect(new Set(got.map((message) => message.id))).toEqual(new Set(deliveries.map((one) => one.id)))
    for (const one of before) expect(deliveries.map((delivery) => delivery.id)).toContain(one)
    for (const { headers, body } of got) expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
    const events = deliveries.map(({ type, job }) => `${job?.id} ${type}`)
    expect(events.toSorted()).toEqual(["a job.cancelled", "a job.submitted", "b job.cancelled", "b job.submitted"])
  }, 30_000)
})
