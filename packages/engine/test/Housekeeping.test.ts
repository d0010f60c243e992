import type { Plain } from "@sotto/core/job"
import { JobStore } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Tracer from "effect/Tracer"
import { describe, expect, it } from "vitest"
import { Engine, handle, JobFailed, layerJobs, layerRetention, METRICS, purge, Worker } from "../src/index.ts"
import { kindOf, pass, play, start, TENANT } from "./Rig.ts"

const brief = kindOf("brief", { retentionMs: 60_000, idempotencyMs: 60_000 })
const submission = { kind: "brief", tenant: TENANT, parameters: null }

describe("Retention", () => {
  it("removes jobs when their time is over, not before, and their keys with them", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [brief] })
        yield* Layer.build(layerRetention({ everyMs: 10_000 })).pipe(Effect.provide(ports))
        const { job } = yield* engine.submit({ ...submission, key: "k" })
        yield* pass(120)
        yield* engine.cancel(TENANT, job.id, "me")
        yield* pass(59)
        expect((yield* engine.submit({ ...submission, key: "k" })).created).toBe(false)
        yield* pass(11)
        expect(yield* Effect.flip(engine.get(TENANT, job.id))).toMatchObject({ _tag: "UnknownJob" })
        expect((yield* engine.submit({ ...submission, key: "k" })).created).toBe(true)
      })
    ))

  it("answers how many went, and leaves other kinds alone", () =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { kinds: [brief] })
        for (let i = 0; i < 1_201; i++) {
          const { job } = yield* engine.submit(submission)
          yield* engine.cancel(TENANT, job.id, "me")
        }
        yield* pass(61)
        expect(yield* Effect.provide(purge({ kinds: ["other"] }), ports)).toBe(0)
        expect(yield* Effect.provide(purge(), ports)).toBe(1_201)
      })
    ))
})

describe("Telemetry", () => {
  const count = (metric: Metric.Metric<number, Metric.CounterState<number>>, attributes: Record<string, string>) =>
    Effect.map(Metric.value(Metric.withAttributes(metric, attributes)), (state) => state.count)

  it("counts events, epochs, waits, lease losses and jobs by kind and state", () =>
    play((ports) =>
      Effect.gen(function* () {
        const inside = Deferred.makeUnsafe<void>()
        const handler = handle(brief, () => Effect.andThen(Deferred.succeed(inside, undefined), Effect.never))
        const clients = yield* start(ports, { kinds: [brief] })
        const { job } = yield* clients.engine.submit(submission)
        yield* pass(3)
        yield* start(ports, { handlers: [handler] })
        yield* Deferred.await(inside)
        yield* clients.engine.cancel(TENANT, job.id, "me")
        yield* pass(15)
        expect(yield* count(METRICS.events, { kind: "brief", event: "Submitted" })).toBe(1)
        expect(yield* count(METRICS.events, { kind: "brief", event: "Cancelled" })).toBe(1)
        expect(yield* count(METRICS.events, { kind: "brief", event: "Claimed" })).toBe(1)
        expect(yield* count(METRICS.epochs, { kind: "brief" })).toBe(1)
        expect(yield* count(METRICS.leaseLosses, { kind: "brief", because: "cancelled" })).toBe(1)
        const waits = yield* Metric.value(Metric.withAttributes(METRICS.queueWait, { kind: "brief" }))
        expect(waits).toMatchObject({ count: 1, sum: 3 })
        const gauge = (state: string) =>
          Effect.map(Metric.value(Metric.withAttributes(METRICS.jobs, { kind: "brief", state })), ({ value }) => value)
        expect([yield* gauge("Cancelled"), yield* gauge("Queued")]).toEqual([1, 0])
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    ))

  it("counts a lease that was lost as soon as a write finds out", () =>
    play((ports) =>
      Effect.gen(function* () {
        const inside = Deferred.makeUnsafe<void>()
        const go = Deferred.makeUnsafe<void>()
        const handler = handle(brief, (job) =>
          Deferred.succeed(inside, undefined).pipe(
            Effect.andThen(Deferred.await(go)),
            Effect.andThen(job.emit("late", 1)),
            Effect.as(null)
          )
        )
        const { engine } = yield* start(ports, { handlers: [handler] })
        const { job } = yield* engine.submit(submission)
        yield* Deferred.await(inside)
        yield* engine.cancel(TENANT, job.id, "me")
        yield* Deferred.succeed(go, undefined)
        yield* pass(0.25)
        expect(yield* count(METRICS.leaseLosses, { kind: "brief", because: "cancelled" })).toBe(1)
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    ))

  it("spans a job with its kind, id and epoch", () =>
    play((ports) =>
      Effect.gen(function* () {
        const spans: Array<Tracer.Span> = []
        const tracer = Tracer.make({
          span: (options) => {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        yield* Effect.gen(function* () {
          const { engine } = yield* start(ports, { handlers: [handle(brief, () => Effect.succeed(1))] })
          const { job } = yield* engine.submit(submission)
          yield* pass(1)
          const span = spans.find(({ name }) => name === "job")
          expect(Object.fromEntries(span?.attributes ?? [])).toEqual({
            "sotto.kind": "brief",
            "sotto.job": job.id,
            "sotto.epoch": 1
          })
          expect(spans.map(({ name }) => name)).toContain("Engine.submit")
        }).pipe(Effect.provideService(Tracer.Tracer, tracer))
      })
    ))
})

describe("layerJobs", () => {
  it("is a whole process in one layer, whose end is a graceful stop", () =>
    play((ports) =>
      Effect.gen(function* () {
        class Price extends Context.Service<Price, { readonly of: Effect.Effect<number> }>()("test/Price") {}
        const priced = handle(kindOf("priced"), () =>
          Effect.gen(function* () {
            return yield* Price.use((price) => price.of)
          })
        )
        const layer = layerJobs({ handlers: [priced], kinds: [brief], concurrency: 2 }).pipe(
          Layer.provide(Layer.merge(Layer.succeedContext(ports), Layer.succeed(Price, { of: Effect.succeed(7) })))
        )
        const id = yield* Effect.gen(function* () {
          const engine = yield* Engine
          const { job } = yield* engine.submit({ ...submission, kind: "priced" })
          yield* engine.submit(submission)
          yield* pass(1)
          expect((yield* engine.get(TENANT, job.id)).job.outcome).toEqual({ _tag: "Succeeded", result: 7 })
          expect(yield* Worker.use(({ running }) => running)).toEqual([])
          return job.id
        }).pipe(Effect.provide(layer))
        const left = yield* Context.get(ports, JobStore).read(TENANT, id)
        expect(left).toMatchObject({ lease: null })
      })
    ))
})

describe("handle", () => {
  const run = (result: Effect.Effect<Plain, JobFailed<Plain>>, kind = kindOf("brief")) =>
    play((ports) =>
      Effect.gen(function* () {
        const { engine } = yield* start(ports, { handlers: [handle(kind, () => result)] })
        const { job } = yield* engine.submit(submission)
        yield* pass(1)
        return (yield* engine.get(TENANT, job.id)).job
      })
    )

  it("refuses a result that its kind does not declare, once and for all", async () => {
    const job = await run(Effect.succeed(undefined as never))
    expect(job).toMatchObject({ state: "Failed", epoch: 1, outcome: { failure: { code: "InvalidResult" } } })
  })

  it("keeps the words of a failure whose details cannot be written", async () => {
    const details = { at: () => 1 } as unknown as Plain
    const failed = new JobFailed({ code: "X", category: "client", message: "Say why.", details, retryable: true })
    const job = await run(Effect.fail(failed))
    expect(job.outcome).toMatchObject({
      failure: { code: "InvalidFailure", message: expect.stringContaining("Say why.") }
    })
  })
})

describe("a paused kind", () => {
  it("stays as it was known while records cannot be read", () =>
    play((ports) =>
      Effect.gen(function* () {
        const records = Context.get(ports, Records)
        let gone = false
        const flaky = Context.add(ports, Records, {
          ...records,
          scan: (...args) => (gone ? Effect.die(new Error("gone")) : records.scan(...args))
        })
        const { engine } = yield* start(flaky, { handlers: [handle(brief, () => Effect.succeed(1))] })
        yield* engine.pause("brief", "ops")
        yield* pass(2)
        gone = true
        const { job } = yield* engine.submit(submission)
        yield* pass(5)
        expect((yield* engine.get(TENANT, job.id)).job.state).toBe("Queued")
      })
    ))
})
