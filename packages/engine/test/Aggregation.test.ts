import { ERROR_CATEGORIES, filteringIds, noErrors, parsePercentage, type Percentage } from "@sotto/core/aggregation"
import { emptySum, type Epsilon, type UnitId } from "@sotto/core/budget"
import {
  Aggregator,
  AggregatorCrashed,
  DomainUnreadable,
  InputUnreadable,
  type Noising,
  OutputUnwritable,
  type Prepared,
  type Sums,
  TooManyErrors,
  type UnitUse
} from "@sotto/core/ports/Aggregator"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { KeyDenied } from "@sotto/core/ports/KeyRing"
import { LedgerKeys, LedgerKeysUnavailable } from "@sotto/core/ports/LedgerKeys"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryLedgerKeys,
  layerSeededEntropy,
  type MemoryLedgerStore
} from "@sotto/memory"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { aggregate, type AggregationRequest, type Stage } from "../src/Aggregation.ts"

const object = (bucket: string, key: string) => ({ bucket, key, size: 1, etag: "1" })

const unit = (n: number): UnitUse => ({
  id: String(n).repeat(64) as UnitId,
  hour: 447_072,
  origin: "https://a.example.com",
  filteringId: 0n,
  source: {
    api: "shared-storage",
    version: "1.0",
    reportingOrigin: "https://a.example.com",
    scheduledReportTime: { seconds: 447_072 * 3600, nanos: 0 }
  }
})

/** Sums of one report that carries `words` as its name. */
const sums = (more: Partial<Sums> = {}): Sums => ({
  errors: { ...noErrors, total: 1 },
  sum: { ...emptySum(), reports: 1 },
  duplicates: 0,
  units: [unit(1)],
  unitCount: 1,
  buckets: 1,
  ...more
})

const request = (more: Partial<AggregationRequest> = {}): AggregationRequest => ({
  reports: { objects: [object("in", "reports.avro")], locations: ["in/reports"] },
  input: "encrypted",
  checks: "full",
  reporter: { _tag: "Site", reportingSite: "https://example.com" },
  siteOf: () => "https://example.com",
  filteringIds: filteringIds([]),
  bounded: false,
  asOf: 1_600_000_000_000,
  errorThreshold: parsePercentage("10") as Percentage,
  domain: { format: "avro", objects: [object("in", "domain.avro")], location: "in/domain" },
  output: { bucket: "out", names: { _tag: "Shards", prefix: "summary" }, debug: false, reportKeys: false },
  epsilon: 10_000_000 as Epsilon,
  l1: 65_536,
  release: { _tag: "Question", scope: "default", charge: "exclusive", spender: "job-1" },
  ...more
})

/** A data plane that does nothing but say what it was asked; each call may be made to fail. */
const house = (
  fake: {
    readonly sum?: Effect.Effect<Sums, any>
    readonly prepare?: Effect.Effect<void, any>
    readonly release?: (nth: number) => Effect.Effect<void, any>
  } = {}
) => {
  const calls: Array<string> = []
  const noisings: Array<Noising> = []
  const store: MemoryLedgerStore = { ledger: undefined }
  const call = (name: string) => Effect.sync(() => void calls.push(name))
  const aggregator = Layer.succeed(Aggregator, {
    sum: (_, rules) =>
      Effect.andThen(
        call(rules.fingerprintKey === undefined ? "sum unnamed" : "sum"),
        fake.sum ?? Effect.succeed(sums())
      ),
    prepare: (_, output) =>
      call("prepare").pipe(
        Effect.andThen(fake.prepare ?? Effect.void),
        Effect.as({ output, domainKeys: 3 } satisfies Prepared)
      ),
    release: (_, __, noising) =>
      call("release").pipe(
        Effect.andThen(
          Effect.suspend(() => fake.release?.(noisings.push(noising)) ?? Effect.sync(() => void noisings.push(noising)))
        ),
        Effect.as({ summary: [{ bucket: "out", key: "summary-1-of-1.avro", rows: 3 }], debug: [] })
      )
  })
  const ledgerKeys = { headFails: false }
  const keys = Layer.effect(
    LedgerKeys,
    Effect.map(LedgerKeys, (right) =>
      LedgerKeys.of({
        ...right,
        raiseHead: (scope, head) =>
          ledgerKeys.headFails
            ? Effect.fail(new LedgerKeysUnavailable({ message: "no disk" }))
            : right.raiseHead(scope, head)
      })
    )
  ).pipe(Layer.provide(layerMemoryLedgerKeys(LEDGER_TEST_KEYS)))
  const layers = Layer.mergeAll(
    aggregator,
    layerMemoryBlobStore({ buckets: ["in", "out"] }),
    layerSeededEntropy(7),
    layerMemoryBudgetLedger({ store }).pipe(Layer.provideMerge(keys))
  )
  const stages: Array<Stage> = []
  // One runtime, so that what a run leaves behind is there for the next.
  const runtime = ManagedRuntime.make(layers)
  const inside = <A, E>(program: Effect.Effect<A, E, Layer.Success<typeof layers>>): Promise<A> =>
    runtime.runPromise(program)
  const run = (more: Partial<AggregationRequest> = {}) =>
    inside(aggregate(request(more), (stage) => Effect.sync(() => void (stages.push(stage), calls.push(stage)))))
  const spends = () => inside(BudgetLedger.use((ledger) => ledger.history("default", 0, 100)))
  return { calls, noisings, stages, ledgerKeys, run, spends, inside }
}

describe("aggregate", () => {
  it("pays after everything that can fail without a charge, and before noise", async () => {
    const { calls, run, spends } = house()
    expect(await run()).toMatchObject({
      outcome: { code: "SUCCESS" },
      budget: { _tag: "Charged", sequence: 1 },
      question: { reports: 1 }
    })
    expect(calls).toEqual(["started", "sum", "summed", "prepare", "prepared", "paying", "paid", "release", "written"])
    expect(await spends()).toHaveLength(1)
  })

  const before = {
    "an unreadable report": [
      {
        sum: Effect.fail(
          new InputUnreadable({ bucket: "in", key: "reports.avro", offset: 12, message: "cut at byte 12" })
        )
      },
      "INPUT_DATA_READ_FAILED",
      /reports input data\.\nThe root cause is: cut at byte 12/
    ],
    "a denied key": [
      { sum: Effect.fail(new KeyDenied({ keyId: "k", message: "ask for it" })) },
      "PERMISSION_ERROR",
      /missing permission/
    ],
    "a crashed lane": [
      { sum: Effect.fail(new AggregatorCrashed({ message: "lane 1 ended" })) },
      "INTERNAL_ERROR",
      /lane 1 ended/
    ],
    "too many errors": [
      {
        sum: Effect.succeed(
          sums({ errors: { total: 9, withErrors: 1, byCategory: ERROR_CATEGORIES.map((_, i) => (i === 0 ? 1 : 0)) } })
        )
      },
      "REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD",
      /exceeded threshold/
    ],
    "an unreadable domain": [
      { prepare: Effect.fail(new DomainUnreadable({ reason: "unreadable", message: "bad block" })) },
      "INPUT_DATA_READ_FAILED",
      /domain input data\.\nThe root cause is: bad block/
    ],
    "an empty domain": [
      { prepare: Effect.fail(new DomainUnreadable({ reason: "empty", message: "" })) },
      "INPUT_DATA_READ_FAILED",
      /No output domain provided in the location: in\/domain/
    ],
    "an unwritable place": [
      { prepare: Effect.fail(new OutputUnwritable({ bucket: "out", key: "summary", message: "disk full" })) },
      "RESULT_WRITE_ERROR",
      /disk full/
    ]
  } as const

  it.each(Object.entries(before))("charges nothing for %s", async (_, [fake, code, message]) => {
    const { run, spends, stages } = house(fake)
    expect(await run()).toMatchObject({
      outcome: { code, message: expect.stringMatching(message) },
      budget: { _tag: "NotAsked" }
    })
    expect(await spends()).toHaveLength(0)
    expect(stages).not.toContain("paid")
  })

  const object = { bucket: "in", key: "reports.avro", message: "the store is away" }
  it.each<readonly [string, boolean, Parameters<typeof house>[0]]>([
    [
      "a store that does not answer for the reports",
      true,
      { sum: Effect.fail(new InputUnreadable({ ...object, mayPass: true })) }
    ],
    ["reports that are cut", false, { sum: Effect.fail(new InputUnreadable({ ...object, offset: 12 })) }],
    [
      "a store that does not answer for the domain",
      true,
      { prepare: Effect.fail(new DomainUnreadable({ reason: "unreadable", mayPass: true, message: "away" })) }
    ],
    [
      "a damaged domain",
      false,
      { prepare: Effect.fail(new DomainUnreadable({ reason: "unreadable", message: "bad block" })) }
    ],
    ["a full disk", true, { prepare: Effect.fail(new OutputUnwritable(object)) }],
    [
      "an output place that is refused",
      false,
      { prepare: Effect.fail(new OutputUnwritable({ ...object, mayPass: false })) }
    ],
    ["a crashed lane", true, { sum: Effect.fail(new AggregatorCrashed({ message: "lane 1 ended" })) }],
    ["a denied key", false, { sum: Effect.fail(new KeyDenied({ keyId: "k", message: "ask for it" })) }]
  ])("knows of %s whether it may pass: %s", async (_, retryable, fake) => {
    expect(await house(fake).run()).toMatchObject({ retryable })
  })

  it("gives the same noise for free after a failed write, however often it fails", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), async (failures) => {
        const { run, spends, noisings } = house({
          release: (nth) =>
            nth <= failures
              ? Effect.fail(new OutputUnwritable({ bucket: "out", key: "summary", message: "disk full" }))
              : Effect.void
        })
        for (let attempt = 1; attempt <= failures; attempt++) {
          const release = {
            _tag: "Question",
            scope: "default",
            charge: "exclusive",
            spender: `run-${attempt}`
          } as const
          expect(await run({ release })).toMatchObject({
            outcome: { code: "RESULT_WRITE_ERROR" },
            budget: { _tag: attempt === 1 ? "Charged" : "Replayed" }
          })
        }
        expect(await run()).toMatchObject({ outcome: { code: "SUCCESS" }, budget: { _tag: "Replayed" } })
        expect(await spends()).toHaveLength(1)
        expect(new Set(noisings.map((noising) => JSON.stringify(noising))).size).toBe(1)
      }),
      { numRuns: 10 }
    ))

  it("asks no ledger for debug runs and runs without one, and draws fresh noise each time", async () => {
    const { calls, noisings, run, spends } = house()
    for (const release of [{ _tag: "Unpaid" }, { _tag: "Unpaid" }, { _tag: "Debug", noise: true }] as const) {
      expect(await run({ release })).toMatchObject({ outcome: { code: "SUCCESS" }, budget: { _tag: "NotAsked" } })
    }
    expect(calls.filter((name) => name.startsWith("sum "))).toEqual(["sum unnamed", "sum unnamed", "sum unnamed"])
    expect(noisings.map(({ _tag }) => _tag)).toEqual(["Fresh", "Fresh", "Fresh"])
    expect(noisings[2]).toMatchObject({ debugRun: true })
    expect(new Set(noisings.map((noising) => JSON.stringify(noising))).size).toBe(3)
    expect(await spends()).toHaveLength(0)
  })

  it("publishes exact sums of cleartext only, or in a debug run", async () => {
    const { noisings, run } = house()
    expect(await run({ release: { _tag: "Exact" } })).toMatchObject({ outcome: { code: "INVALID_JOB" } })
    expect(await run({ release: { _tag: "Exact" }, input: "cleartext" })).toMatchObject({
      outcome: { code: "SUCCESS" }
    })
    expect(await run({ release: { _tag: "Debug", noise: false } })).toMatchObject({ outcome: { code: "SUCCESS" } })
    expect(noisings).toEqual([{ _tag: "None" }, { _tag: "None" }])
  })

  it("refuses an exhausted question, names the units, and writes the file about them where asked", async () => {
    let name = 0
    const { run, spends, inside } = house({
      sum: Effect.sync(() =>
        sums({ sum: { words: new Uint32Array(8).fill(++name), reports: 1 }, units: [unit(1), unit(2)], unitCount: 2 })
      )
    })
    await run()
    const exhausted = { bucket: "out", prefix: "a/summary.avro", receivedAt: 1_600_000_000_000 }
    const release = { _tag: "Question", scope: "default", charge: "exclusive", spender: "job-2" } as const
    const refused = await run({ release, exhausted })
    expect(refused).toMatchObject({
      outcome: { code: "PRIVACY_BUDGET_EXHAUSTED" },
      budget: { _tag: "Exhausted", short: [{ id: unit(1).id, remaining: 0 }, { id: unit(2).id }] }
    })
    const key = "a/summary/privacy_budget_exhausted_debugging_information_2020-09-13T12:26:40Z.json"
    expect(refused.outcome.message).toContain(key.slice("a/summary/".length))
    const chunks = await inside(BlobStore.use((blobs) => Stream.runCollect(blobs.read({ bucket: "out", key }))))
    expect(Buffer.concat(chunks).toString()).toContain('"scheduled_report_time" : 1609459200.000000000')
    // A refusal stays one when its file cannot be written, and names none.
    expect(await run({ release, exhausted: { ...exhausted, bucket: "nowhere" } })).toMatchObject({
      outcome: {
        code: "PRIVACY_BUDGET_EXHAUSTED",
        message: expect.stringContaining("2 of the budget units cannot pay")
      }
    })
    expect(await spends()).toHaveLength(1)
  })

  it("tells a job whose input changed from one without budget", async () => {
    let name = 0
    const { run } = house({
      sum: Effect.sync(() => sums({ sum: { words: new Uint32Array(8).fill(++name), reports: 1 } }))
    })
    await run()
    expect(await run()).toMatchObject({ outcome: { code: "INPUT_CHANGED" }, budget: { _tag: "NotAsked" } })
  })

  it("says that a charge is uncertain when paying fails half-way, and finishes it for free", async () => {
    const { run, spends, ledgerKeys } = house()
    ledgerKeys.headFails = true
    expect(await run()).toMatchObject({
      outcome: { code: "PRIVACY_BUDGET_ERROR", message: expect.stringContaining("LedgerKeysUnavailable: no disk") },
      budget: { _tag: "Uncertain" }
    })
    ledgerKeys.headFails = false
    expect(await run()).toMatchObject({ outcome: { code: "SUCCESS" }, budget: { _tag: "Replayed" } })
    expect(await spends()).toHaveLength(1)
  })

  it("never sends a cut list of units to the ledger", async () => {
    const { run, spends } = house({ sum: Effect.succeed(sums({ unitCount: 30_001 })) })
    expect(await run()).toMatchObject({
      outcome: { code: "PRIVACY_BUDGET_ERROR", message: expect.stringContaining("Too many items. Current: 30001") }
    })
    expect(await spends()).toHaveLength(0)
  })

  it("looks at the listings before it reads anything", async () => {
    const { run, calls } = house()
    const none = { objects: [], locations: ["in/a", "in/b"] }
    expect(await run({ reports: none })).toMatchObject({
      outcome: { message: "No report shards found for location: [in/a, in/b]" }
    })
    expect(await run({ domain: { format: "avro", objects: [], location: "in/d" } })).toMatchObject({
      outcome: { message: expect.stringContaining("No output domain shards found for location: in/d") }
    })
    expect(calls).toEqual([])
  })

  it("keeps the error counts of a failed run", async () => {
    const errors = { total: 3, withErrors: 2, byCategory: ERROR_CATEGORIES.map((_, i) => (i === 2 ? 2 : 0)) }
    const { run } = house({ sum: Effect.fail(new TooManyErrors({ errors, message: "" })) })
    expect(await run()).toMatchObject({ outcome: { code: "REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD" }, errors })
  })
})
