import { layerAggregator } from "@sotto/aggregator"
import type { Job } from "@sotto/core/job"
import { Aggregator, AggregatorCrashed, OutputUnwritable } from "@sotto/core/ports/Aggregator"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import type { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { layerMemoryBudgetLedger, layerMemoryLedgerKeys } from "@sotto/memory"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { AS_OF, container, domainFile, get, KEYS, put, report, RULES, sealed } from "../../aggregator/test/Harness.ts"
import {
  type AggregationFacts,
  aggregationHandler,
  aggregationKind,
  METRICS,
  resultInfoOf,
  type SubmitRequest
} from "../src/index.ts"
import { pass, play, type Ports, start, TENANT } from "./Rig.ts"

const SITE = "https://example.com"

const handler = aggregationHandler({ siteOf: RULES.siteOf })

type House = Ports | Aggregator | BudgetLedger | LedgerKeys

const request = (more: Partial<SubmitRequest> = {}, parameters: object = {}): SubmitRequest => ({
  kind: "aggregation",
  tenant: TENANT,
  parameters: {
    jobRequestId: "request-1",
    inputDataBucketName: "data",
    inputDataBlobPrefix: "in/",
    outputDataBucketName: "data",
    outputDataBlobPrefix: "out/summary.avro",
    jobParameters: {
      reporting_site: SITE,
      output_domain_bucket_name: "data",
      output_domain_blob_prefix: "domain/"
    },
    ...parameters
  },
  ...more
})

const OUT = "out/summary-1-of-1.avro"

const REPORTS = Array.from({ length: 20 }, (_, n) => report(n, [[BigInt(n % 4), 100 + n]]))

/** The last one was sealed for other metadata, so it cannot be opened: 1 of 21 is below the threshold. */
const BROKEN = { ...sealed(99, new Uint8Array(8)), sharedInfo: REPORTS[3]!.sharedInfo }

/** Reports, a domain, a ledger and a data plane, at the time when the reports are due. */
const playHouse = <A>(test: (house: Context.Context<House>) => Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  play((ports) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(AS_OF)
      const layer = layerAggregator({ lanes: 1 }).pipe(
        Layer.provide(KEYS),
        Layer.merge(layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS)))),
        Layer.provide(Layer.succeedContext(ports))
      )
      const house = Context.merge(ports, yield* Layer.build(Layer.fresh(layer)))
      yield* Effect.provide(
        put({
          "in/1.avro": container(REPORTS.slice(0, 10)),
          "in/2.avro": container([...REPORTS.slice(10), BROKEN]),
          "domain/1.avro": domainFile([0n, 1n, 2n, 9n])
        }),
        house
      )
      return yield* test(house)
    })
  )

const spends = (house: Context.Context<House>) => Context.get(house, BudgetLedger).history("default", 0, 100)
const bytes = (house: Context.Context<House>) => Effect.map(Effect.provide(get(OUT), house), (b) => b.toString("hex"))
const factsOf = (job: Job): AggregationFacts => {
  const { outcome } = job
  const plain =
    outcome?._tag === "Succeeded" ? outcome.result : outcome?._tag === "Failed" ? outcome.failure.details : null
  const decoded = aggregationKind.result.decode(plain)
  if (decoded._tag === "NotCoded") throw new Error(decoded.message)
  return decoded.value
}

/** The data plane with something done around its calls. */
const around = (
  house: Context.Context<House>,
  change: (real: Aggregator["Service"]) => Partial<Aggregator["Service"]>
): Context.Context<House> => {
  const real = Context.get(house, Aggregator)
  return Context.add(house, Aggregator, { ...real, ...change(real) })
}

const usual = playHouse((house) =>
  Effect.gen(function* () {
    const { engine } = yield* start(house, { handlers: [handler], services: house })
    const { job } = yield* engine.submit(request())
    const done = yield* engine.wait(TENANT, job.id)
    return {
      done,
      log: (yield* engine.events(TENANT, job.id, 0, 100)).map(({ _tag }) => _tag),
      bytes: yield* bytes(house),
      spends: yield* spends(house),
      word: (yield* engine.get(TENANT, job.id)).word
    }
  })
)

describe("an aggregation job", () => {
  it("ends with code, counts, question, accuracy, unprotected facts and files, for one charge", async () => {
    const { done, log, spends, word } = await usual
    expect(done.state).toBe("Succeeded")
    expect(word).toBe("FINISHED")
    expect(log).toEqual(["Submitted", "Claimed", "Started", "FinishBegun", "Succeeded"])
    const facts = factsOf(done)
    expect(facts).toMatchObject({
      returnCode: "SUCCESS_WITH_ERRORS",
      asOf: AS_OF,
      epsilon: "10",
      question: { asOf: AS_OF, reports: 20 },
      budget: { use: "Charged", sequence: 1 },
      unprotected: { reports: 21, withErrors: 1, counted: 20, duplicates: 0, buckets: 4 },
      files: { summary: [{ bucket: "data", key: OUT, rows: 4 }], debug: [] }
    })
    expect(facts.errorCounts.map(({ category }) => category)).toEqual(["DECRYPTION_ERROR", "NUM_REPORTS_WITH_ERRORS"])
    expect(facts.accuracy?.halfWidth.p95).toBeGreaterThan(1_000n)
    expect(spends).toMatchObject([{ spender: done.id, reports: 20, asOf: AS_OF }])
    expect(resultInfoOf(done)).toMatchObject({ returnCode: "SUCCESS_WITH_ERRORS", errorMessages: [] })
    const summary = { name: "summary-1-of-1.avro", bucket: "data", key: OUT }
    expect(aggregationKind.files(done)).toEqual([summary])
    const debug = { bucket: "data", key: "out/debug/summary-1-of-1.avro", rows: 4 }
    const encoded = aggregationKind.result.encode({
      ...facts,
      files: { summary: [{ ...summary, rows: 4 }], debug: [debug] }
    })
    if (encoded._tag === "NotCoded") throw new Error(encoded.message)
    expect(aggregationKind.files({ ...done, outcome: { _tag: "Succeeded", result: encoded.value } })).toEqual([
      summary,
      { name: "debug-summary-1-of-1.avro", bucket: "data", key: debug.key }
    ])
  })

  const deaths = ["claimed", "summed", "prepared", "paying", "charged", "releasing", "written"] as const
  for (const death of deaths) {
    it(`that lost its worker when it was ${death} is finished by another: same bytes, one charge`, async () => {
      const expected = await usual
      await playHouse((house) =>
        Effect.gen(function* () {
          const dead = Deferred.makeUnsafe<void>()
          let kill: Effect.Effect<void> = Effect.void
          const die = Effect.suspend(() => kill).pipe(
            Effect.andThen(Deferred.succeed(dead, undefined)),
            Effect.andThen(Effect.never)
          )
          const when = (moment: (typeof deaths)[number]) => (moment === death ? die : Effect.void)
          const ledger = Context.get(house, BudgetLedger)
          const doomed = around(house, (real) => ({
            sum: (...args) =>
              when("claimed").pipe(
                Effect.andThen(real.sum(...args)),
                Effect.tap(() => when("summed"))
              ),
            prepare: (...args) => Effect.tap(real.prepare(...args), () => when("prepared")),
            release: (...args) =>
              when("releasing").pipe(
                Effect.andThen(real.release(...args)),
                Effect.tap(() => when("written"))
              )
          })).pipe(
            Context.add(BudgetLedger, {
              ...ledger,
              spend: (asked) =>
                when("paying").pipe(
                  Effect.andThen(ledger.spend(asked)),
                  Effect.tap(() => when("charged"))
                )
            })
          )
          const a = yield* start(doomed, { handlers: [handler], services: doomed, sweeps: false, name: "a" })
          kill = a.kill
          const clients = yield* start(house, { kinds: [aggregationKind] })
          const { job } = yield* clients.engine.submit(request())
          yield* Deferred.await(dead)
          const b = yield* start(house, { handlers: [handler], services: house, name: "b" })
          yield* pass(15)
          const done = yield* b.engine.wait(TENANT, job.id)
          expect(done).toMatchObject({ state: "Succeeded", epoch: 2, failures: 1 })
          expect(yield* bytes(house)).toBe(expected.bytes)
          expect(yield* spends(house)).toHaveLength(1)
          const paidBefore = death === "charged" || death === "releasing" || death === "written"
          expect(factsOf(done)).toMatchObject({
            asOf: AS_OF,
            budget: { use: paidBefore ? "Replayed" : "Charged", sequence: 1 },
            question: factsOf(expected.done).question
          })
        })
      )
    })
  }

  it("is tried again after a failed write, for the charge that was made", async () => {
    const expected = await usual
    await playHouse((house) =>
      Effect.gen(function* () {
        let writes = 0
        const full = new OutputUnwritable({ bucket: "data", key: OUT, message: "disk full" })
        const flaky = around(house, (real) => ({
          release: (...args) => (++writes === 1 ? Effect.fail(full) : real.release(...args))
        }))
        const { engine } = yield* start(flaky, { handlers: [handler], services: flaky })
        const { job } = yield* engine.submit(request())
        const waiting = yield* Effect.forkChild(engine.wait(TENANT, job.id))
        while ((yield* engine.get(TENANT, job.id)).job.failures === 0)
          yield* TestClock.withLive(Effect.sleep("5 millis"))
        const between = yield* engine.get(TENANT, job.id)
        expect(between.word).toBe("IN_PROGRESS")
        expect(resultInfoOf(between.job)).toMatchObject({
          returnCode: "",
          errorMessages: [expect.stringContaining("disk full")]
        })
        yield* pass(3)
        const done = yield* Fiber.join(waiting)
        expect(done.state).toBe("Succeeded")
        expect(yield* bytes(house)).toBe(expected.bytes)
        expect(yield* spends(house)).toHaveLength(1)
        expect(factsOf(done).budget.use).toBe("Replayed")
      })
    )
  })

  it("that finds its input changed after it paid says so, and charges nothing more", () =>
    playHouse((house) =>
      Effect.gen(function* () {
        let writes = 0
        const flaky = around(house, (real) => ({
          release: (...args) =>
            ++writes === 1
              ? put({ "in/1.avro": container(REPORTS.slice(0, 9)) }).pipe(
                  Effect.provide(house),
                  Effect.orDie,
                  Effect.andThen(Effect.fail(new OutputUnwritable({ bucket: "data", key: OUT, message: "full" })))
                )
              : real.release(...args)
        }))
        const { engine } = yield* start(flaky, { handlers: [handler], services: flaky })
        const { job } = yield* engine.submit(request())
        while ((yield* engine.get(TENANT, job.id)).job.failures === 0)
          yield* TestClock.withLive(Effect.sleep("5 millis"))
        yield* pass(3)
        const done = yield* engine.wait(TENANT, job.id)
        expect(done.outcome).toMatchObject({ _tag: "Failed", failure: { code: "INPUT_CHANGED", retryable: false } })
        expect(resultInfoOf(done)?.returnCode).toBe("INPUT_CHANGED")
        expect(yield* spends(house)).toHaveLength(1)
      })
    ))

  it("is free for another domain, refused for another epsilon, and counted when it is", () =>
    playHouse((house) =>
      Effect.gen(function* () {
        const { engine } = yield* start(house, { handlers: [handler], services: house })
        const run = (asked: SubmitRequest) =>
          Effect.flatMap(engine.submit(asked), ({ job }) => engine.wait(TENANT, job.id))
        yield* run(request())
        yield* Effect.provide(put({ "domain/2.avro": domainFile([3n]) }), house)
        const free = yield* run(request({}, { outputDataBlobPrefix: "more" }))
        expect(factsOf(free)).toMatchObject({ budget: { use: "Replayed" }, files: { summary: [{ rows: 5 }] } })
        const dear = yield* run(
          request(
            {},
            {
              jobParameters: {
                reporting_site: SITE,
                output_domain_bucket_name: "data",
                output_domain_blob_prefix: "domain/",
                debug_privacy_epsilon: "5"
              }
            }
          )
        )
        expect(dear.outcome).toMatchObject({ failure: { code: "PRIVACY_BUDGET_EXHAUSTED", category: "client" } })
        expect(factsOf(dear).budget.shortUnits).toBeGreaterThan(0)
        const refusals = yield* Metric.value(Metric.withAttributes(METRICS.budgetRefusals, { reason: "exhausted" }))
        expect(refusals.count).toBe(1)
        const stage = yield* Metric.value(
          Metric.withAttributes(METRICS.stageTime, { kind: "aggregation", stage: "summed" })
        )
        expect(stage.count).toBe(3)
      }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
    ))

  it("judges age at the time of its submission, however late it runs", () =>
    playHouse((house) =>
      Effect.gen(function* () {
        // Nobody sweeps meanwhile: the clock would stop at every sweep of those 200 days.
        const clients = yield* start(house, { kinds: [aggregationKind], sweeps: false })
        const { job } = yield* clients.engine.submit(request())
        const asked = yield* clients.engine.submit(request({}, { asOf: AS_OF - 1000 }))
        yield* TestClock.setTime(AS_OF + 200 * 86_400_000)
        const { engine } = yield* start(house, { handlers: [handler], services: house })
        const done = yield* engine.wait(TENANT, job.id)
        expect(factsOf(done)).toMatchObject({ returnCode: "SUCCESS_WITH_ERRORS", asOf: AS_OF })
        expect(factsOf(yield* engine.wait(TENANT, asked.job.id)).asOf).toBe(AS_OF - 1000)
      })
    ))

  it.each([
    ["INVALID_JOB", { jobParameters: { reporting_site: SITE } }],
    ["INPUT_DATA_READ_FAILED", { inputDataBlobPrefix: "nothing/" }],
    ["INPUT_DATA_READ_FAILED", { inputDataBucketName: "nowhere" }]
  ])("ends %s and charges nothing for %j", (code, parameters) =>
    playHouse((house) =>
      Effect.gen(function* () {
        const { engine } = yield* start(house, { handlers: [handler], services: house })
        const { job } = yield* engine.submit(request({}, parameters))
        const done = yield* engine.wait(TENANT, job.id)
        expect(done).toMatchObject({ state: "Failed", dead: false, failures: 0 })
        expect(resultInfoOf(done)?.returnCode).toBe(code)
        expect(yield* spends(house)).toHaveLength(0)
      })
    )
  )

  it("ends RETRIES_EXHAUSTED with the last reason, and JOB_CANCELLED when it was cancelled", () =>
    playHouse((house) =>
      Effect.gen(function* () {
        const broken = around(house, () => ({
          sum: () => Effect.fail(new AggregatorCrashed({ message: "no memory" }))
        }))
        const { engine } = yield* start(broken, { handlers: [handler], services: broken })
        const { job } = yield* engine.submit(request({ retry: { maxFailures: 2, firstMs: 1_000 } }))
        expect(resultInfoOf(job)).toBeUndefined()
        yield* pass(5)
        const done = yield* engine.wait(TENANT, job.id)
        expect(resultInfoOf(done)).toMatchObject({
          returnCode: "RETRIES_EXHAUSTED",
          returnMessage: expect.stringContaining("after 2 tries"),
          errorMessages: [expect.stringContaining("no memory")]
        })
        const other = yield* engine.submit(request({ notBefore: AS_OF + 3_600_000 }))
        const cancelled = yield* engine.cancel(TENANT, other.job.id, "me")
        expect(resultInfoOf(cancelled)?.returnCode).toBe("JOB_CANCELLED")
      })
    ))

  it("is refused at submission with both or neither way to name its input", () =>
    playHouse((house) =>
      Effect.gen(function* () {
        const { engine } = yield* start(house, { kinds: [aggregationKind] })
        for (const more of [{ inputDataBlobPrefix: "" }, { inputDataBlobPrefixes: ["in/1"] }]) {
          expect(yield* Effect.flip(engine.submit(request({}, more)))).toMatchObject({
            _tag: "InvalidSubmission",
            message: expect.stringContaining("inputDataBlobPrefix")
          })
        }
      })
    ))
})
