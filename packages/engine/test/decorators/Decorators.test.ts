import { type NewJob, RETRY } from "@sotto/core/job"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobStore } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import {
  emptyMemoryJobs,
  emptyMemoryRecords,
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords,
  type MemoryLedgerStore
} from "@sotto/memory"
import {
  blobStoreLaws,
  checkLaw,
  JobStoreLab,
  jobStoreLaws,
  type JobStoreSubject,
  LAW_BUCKETS,
  layerLawClock,
  LEDGER_TEST_KEYS,
  LedgerLab,
  ledgerLaws,
  recordsLaws
} from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import {
  instrumentedBlobStore,
  instrumentedBudgetLedger,
  instrumentedJobStore,
  instrumentedRecords,
  PORT_METRICS
} from "../../src/decorators/Instrumented.ts"
import { namespacedBlobStore, namespacedJobStore, namespacedRecords } from "../../src/decorators/Namespaced.ts"

const jobStore = (decorate: (layer: Layer.Layer<JobStore>) => Layer.Layer<JobStore>): Layer.Layer<JobStoreSubject> =>
  Layer.unwrap(
    Effect.sync(() => {
      const store = decorate(layerMemoryJobStore({ jobs: emptyMemoryJobs() }))
      const built = Effect.map(Layer.build(store), (context) => Context.get(context, JobStore))
      return Layer.unwrap(
        Effect.map(built, (service) =>
          Layer.mergeAll(
            Layer.succeed(JobStore, service),
            Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen: Effect.succeed(service) })),
            layerLawClock
          )
        )
      )
    })
  )

const job = (tenant: string, id: string): NewJob => ({
  _tag: "NewJob",
  submission: {
    id,
    tenant,
    kind: "work",
    relation: "leased",
    key: null,
    name: null,
    parameters: null,
    inputs: [],
    priority: 0,
    notBefore: null,
    deadlineMs: null,
    concurrencyKey: null,
    retry: RETRY,
    silenceMs: null,
    retentionMs: 1_000
  },
  report: null,
  state: "Queued",
  outward: []
})

describe.each([
  ["namespaced", namespacedJobStore("eu"), namespacedRecords("eu"), namespacedBlobStore("eu")],
  ["instrumented", instrumentedJobStore, instrumentedRecords, instrumentedBlobStore]
] as const)("%s ports are adapters", (_, jobs, records, blobs) => {
  it.each(jobStoreLaws.map((law) => [law.id, law] as const))("and keep %s of jobs", async (_, law) => {
    await checkLaw(law, jobStore(jobs), { runs: 12, seed: 4 })
  })

  it.each(recordsLaws.map((law) => [law.id, law] as const))("and keep %s of records", async (_, law) => {
    const subject = Layer.unwrap(Effect.sync(() => Layer.merge(records(layerMemoryRecords()), layerLawClock)))
    await checkLaw(law, subject, { runs: 20, seed: 4 })
  })

  it.each(blobStoreLaws.map((law) => [law.id, law] as const))("and keep %s of blobs", async (_, law) => {
    const subject = Layer.unwrap(Effect.sync(() => blobs(layerMemoryBlobStore({ buckets: LAW_BUCKETS }))))
    await checkLaw(law, subject, { runs: 20, seed: 4 })
  })
})

describe("an instrumented ledger", () => {
  const keys = layerMemoryLedgerKeys(LEDGER_TEST_KEYS)
  const subject = Layer.unwrap(
    Effect.sync(() => {
      const store: MemoryLedgerStore = { ledger: undefined }
      const open = (policy = {}) => layerMemoryBudgetLedger({ store, policy }).pipe(Layer.provide(keys), Layer.orDie)
      const reopen: LedgerLab["Service"]["reopen"] = (policy) =>
        Effect.map(Layer.build(open(policy)), (context) => Context.get(context, BudgetLedger))
      return Layer.merge(instrumentedBudgetLedger(open()), Layer.succeed(LedgerLab, LedgerLab.of({ reopen })))
    })
  )
  it.each(ledgerLaws.map((law) => [law.id, law] as const))("keeps %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 10, seed: 4 })
  })
})

describe("instrumented ports", () => {
  it("count calls by outcome and time them", async () => {
    const calls = (outcome: string) =>
      Metric.value(Metric.withAttributes(PORT_METRICS.calls, { port: "Records", method: "put", outcome }))
    const id = { collection: "hooks", tenant: "north", key: "a" }
    const put = (size: number) =>
      Records.use((records) =>
        records.put({ ...id, bytes: new Uint8Array(size), expectVersion: "any", expiresAt: null })
      )
    const told = await Effect.runPromise(
      Effect.gen(function* () {
        const before = [yield* calls("success"), yield* calls("failure")]
        yield* put(1)
        yield* Effect.exit(put(100_000))
        const after = [yield* calls("success"), yield* calls("failure")]
        const time = yield* Metric.value(
          Metric.withAttributes(PORT_METRICS.seconds, { port: "Records", method: "put" })
        )
        return { counted: after.map(({ count }, i) => Number(count) - Number(before[i]?.count)), time: time.count }
      }).pipe(Effect.provide(instrumentedRecords(layerMemoryRecords())))
    )
    expect(told.counted).toEqual([1, 1])
    expect(told.time).toBeGreaterThanOrEqual(2)
  })
})

describe("namespaces", () => {
  it("do not claim, find, count or purge each other's jobs", async () => {
    const seen = await Effect.runPromise(
      Effect.gen(function* () {
        const base = yield* JobStore
        const view = (namespace: string) =>
          Effect.map(Layer.build(namespacedJobStore(namespace)(Layer.succeed(JobStore, base))), (context) =>
            Context.get(context, JobStore)
          )
        const [eu, us] = [yield* view("eu"), yield* view("us")]
        yield* eu.create(job("north", "a"))
        const look = Effect.fnUntraced(function* (store: JobStore["Service"], token: string) {
          const due = yield* store.due(["work"], 10)
          const listed = (yield* store.list("north", {}, null, 10)).rows
          const tally = yield* store.tally(null)
          const claimed = yield* store.claim({
            kinds: [{ kind: "work" }],
            worker: "w",
            token: token.repeat(16),
            leaseMs: 1_000,
            limit: 9
          })
          return [due, listed, tally, claimed].map(({ length }) => length)
        })
        return [yield* look(us, "u"), yield* look(eu, "e"), yield* us.purge({}, 10)]
      }).pipe(Effect.scoped, Effect.provide(layerMemoryJobStore()))
    )
    expect(seen).toEqual([[0, 0, 0, 0], [1, 1, 1, 1], 0])
  })

  it("do not see each other on one store of records or blobs", async () => {
    const records = layerMemoryRecords({ records: emptyMemoryRecords() })
    const id = { collection: "hooks", tenant: "north", key: "a" }
    const scanned = await Effect.runPromise(
      Effect.gen(function* () {
        const base = yield* Records
        const view = (namespace: string) =>
          Effect.map(Layer.build(namespacedRecords(namespace)(Layer.succeed(Records, base))), (context) =>
            Context.get(context, Records)
          )
        const [eu, us] = [yield* view("eu"), yield* view("us")]
        yield* eu.put({ ...id, bytes: new Uint8Array(1), expectVersion: null, expiresAt: null })
        return [yield* eu.scan({ ...id, prefix: "" }, null, 10), yield* us.scan({ ...id, prefix: "" }, null, 10)]
      }).pipe(Effect.scoped, Effect.provide(records))
    )
    expect(scanned.map((rows) => rows.length)).toEqual([1, 0])

    const blobs = await Effect.runPromise(
      Effect.gen(function* () {
        const base = yield* BlobStore
        const eu = Context.get(yield* Layer.build(namespacedBlobStore("eu")(Layer.succeed(BlobStore, base))), BlobStore)
        const us = Context.get(yield* Layer.build(namespacedBlobStore("us")(Layer.succeed(BlobStore, base))), BlobStore)
        yield* eu.write({ bucket: "in", key: "a" }, new Uint8Array(1), { mode: "create" })
        const keysOf = (store: BlobStore["Service"]) =>
          Effect.map(Stream.runCollect(store.list("in", "")), (infos) => infos.map(({ key }) => key))
        return [yield* keysOf(eu), yield* keysOf(us), yield* keysOf(base)]
      }).pipe(Effect.scoped, Effect.provide(layerMemoryBlobStore({ buckets: LAW_BUCKETS })))
    )
    expect(blobs).toEqual([["a"], [], ["eu/a"]])
  })
})
