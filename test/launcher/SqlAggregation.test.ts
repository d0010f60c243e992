import { readFileSync } from "node:fs"
import { type Configuration, isConfigurationRejected, parseConfiguration } from "@sotto/core/launcher"
import { BlobStore, BlobUnavailable } from "@sotto/core/ports/BlobStore"
import { SqlEngine } from "@sotto/core/ports/SqlEngine"
import { aggregateBySql, type SqlAggregationRequest } from "@sotto/engine"
import { layerMemoryBlobStore } from "@sotto/memory"
import { layerDuckDbSqlEngine } from "@sotto/sql-duckdb"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"
import { type Aggregate, aggregateOf, type Signal, signals } from "./Signals.ts"

const example = JSON.parse(
  readFileSync(new URL("../fixtures/launcher/configuration.json", import.meta.url), "utf8")
) as Record<string, unknown>
const NOW = Date.parse("2025-10-17T18:56:14.660Z")
const IN = "api-test-app_signals"
const OUT = "api-test-app_signals_aggr"

const configured = (changes: Record<string, unknown> = {}): Configuration => {
  const read = parseConfiguration({ ...example, ...changes } as never)
  if (isConfigurationRejected(read)) throw new Error(JSON.stringify(read.faults))
  return read
}

/** `around` stands between the store and everybody who uses it. */
const over = <A, E>(
  program: Effect.Effect<A, E, BlobStore | SqlEngine>,
  around: (blobs: BlobStore["Service"]) => BlobStore["Service"] = (blobs) => blobs
): Promise<A> =>
  Effect.runPromise(
    Effect.provide(
      program,
      layerDuckDbSqlEngine({ threads: 1 }).pipe(
        Layer.provideMerge(Layer.effect(BlobStore, Effect.map(BlobStore, around))),
        Layer.provide(layerMemoryBlobStore({ buckets: ["collections"] }))
      )
    )
  )

const put = (collection: string, all: ReadonlyArray<object>, name = "1.ndjson") =>
  BlobStore.use((blobs) =>
    blobs.write(
      { bucket: "collections", key: `${collection}/${name}` },
      Buffer.from(all.map((one) => `${JSON.stringify(one)}\n`).join("")),
      { mode: "replace" }
    )
  )

const run = (configuration: Configuration, request: Partial<SqlAggregationRequest> = {}) =>
  aggregateBySql({
    configuration,
    run: "run-1",
    place: { bucket: "collections" },
    lastReferenceTime: undefined,
    now: NOW,
    onProgress: () => undefined,
    ...request
  })

const keys = (collection: string) =>
  BlobStore.use((blobs) =>
    Effect.map(Stream.runCollect(blobs.list("collections", `${collection}/`)), (all) => all.map(({ key }) => key))
  )

interface Row {
  readonly id: string
  readonly aggr_count_i: number
  readonly weight_d: number
  readonly filters_ss: ReadonlyArray<string> | null
  readonly filters_s: string | null
  readonly aggr_type_s: string
}

/** The rows of the output collection. */
const rows = Effect.scoped(
  Effect.gen(function* () {
    const blobs = yield* BlobStore
    const session = yield* (yield* SqlEngine).open()
    const objects = yield* Stream.runCollect(blobs.list("collections", `${OUT}/`))
    yield* session.stage({ name: "t", objects, format: "parquet" })
    const to = { bucket: "collections", key: "read.ndjson" }
    yield* session.write("SELECT * FROM t ORDER BY id", to, "ndjson")
    const bytes = Buffer.concat(yield* Stream.runCollect(blobs.read(to))).toString()
    return bytes
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Row)
  })
)

const expectRows = (actual: ReadonlyArray<Row>, model: ReadonlyMap<string, Aggregate>, weights = true) => {
  expect(actual.map(({ id }) => id)).toEqual([...model.keys()].sort())
  for (const { id, aggr_count_i, weight_d, filters_s, filters_ss, aggr_type_s } of actual) {
    expect(aggr_count_i).toBe(model.get(id)?.count)
    if (weights) expect(Math.abs(weight_d / (model.get(id)?.weight ?? 0) - 1) < 1e-9 || weight_d === 0).toBe(true)
    expect(filters_ss).toEqual(filters_s?.split(" $ ") ?? null)
    expect(aggr_type_s).toBe("click@doc_id,filters,query")
  }
}

const early = NOW - 20 * 86_400_000

describe("an aggregation by SQL", () => {
  it("gives the ids, counts and weights of an independent model, the vendor's SQL verbatim", () =>
    over(
      Effect.gen(function* () {
        const all = signals(1, 4_000, NOW + 86_400_000)
        yield* put(IN, all)
        const result = yield* run(configured())
        const model = aggregateOf(all, { from: 0, until: NOW })
        expect(result).toMatchObject({ _tag: "Written", aggregated: model.size, stored: model.size })
        expectRows(yield* rows, model)
      })
    ))

  it("counts the same in two catch-up runs as in one", () =>
    over(
      Effect.gen(function* () {
        const all = atThe(signals(2, 3_000, NOW), early)
        yield* put(IN, all)
        yield* run(configured({ referenceTime: new Date(early).toISOString() }), { run: "a" })
        yield* run(configured(), { run: "b", lastReferenceTime: early })
        const whole = counted(all)
        expect(sum(yield* rows)).toEqual(whole)
      })
    ))

  it("weighs the same in two catch-up runs as in one, where stored weights decay on", () =>
    over(
      Effect.gen(function* () {
        // Without answers that come later than their clicks, which stay in the group without filters for good.
        const all = signals(3, 3_000, NOW).filter(({ type }) => type !== "response")
        yield* put(IN, all)
        yield* run(configured({ rollupSql: "", referenceTime: new Date(early).toISOString() }), { run: "a" })
        yield* run(configured({ rollupSql: "" }), { run: "b", lastReferenceTime: early })
        expectRows(yield* rows, aggregateOf(all, { from: 0, until: NOW }))
      })
    ))

  it("counts nothing twice when a run is tried again after it wrote", () =>
    over(
      Effect.gen(function* () {
        const all = signals(4, 500, NOW)
        yield* put(IN, all)
        const first = yield* run(configured())
        expect(yield* run(configured())).toEqual(first)
        expectRows(yield* rows, aggregateOf(all, { from: 0, until: NOW }))
        // Another run knows from the rows themselves where the first ended, though nobody kept its time.
        expect(yield* run(configured(), { run: "run-2" })).toMatchObject({ _tag: "Skipped" })
      })
    ))

  it("skips when there is nothing new, and when the input is empty, if it is told to look", () =>
    over(
      Effect.gen(function* () {
        expect(yield* run(configured())).toMatchObject({ _tag: "Skipped" })
        yield* put(IN, signals(5, 50, NOW))
        expect(yield* run(configured(), { lastReferenceTime: NOW })).toMatchObject({
          _tag: "Skipped",
          reason: "There are no new signals."
        })
        expect(yield* run(configured({ selectQuery: "type:nothing", skipCheckEnabled: false }))).toMatchObject({
          _tag: "Skipped"
        })
      })
    ))

  it("reads the rows that are selected, by the configuration's own loading SQL", () =>
    over(
      Effect.gen(function* () {
        const all = signals(6, 800, NOW)
        yield* put(IN, all)
        yield* run(configured({ selectQuery: "query:hat", sparkSQL: "SELECT * FROM spark_input WHERE doc_id <> 'd1'" }))
        const chosen = all.filter(({ query, doc_id }) => query === "hat" && doc_id !== "d1")
        expectRows(yield* rows, aggregateOf(chosen, { from: 0, until: NOW }))
      })
    ))

  it("removes from the source what it aggregated, and nothing else", () =>
    over(
      Effect.gen(function* () {
        const blobs = yield* BlobStore
        const [old, future] = [
          signals(7, 200, NOW),
          signals(8, 50, NOW).map((one) => ({ ...one, timestamp_tdt: NOW + 1 }))
        ]
        yield* put(IN, old, "old.ndjson")
        yield* put(IN, [...old.slice(0, 10), ...future], "mixed.ndjson")
        yield* run(configured({ sourceRemove: true }))
        const left = yield* Stream.runCollect(blobs.list("collections", `${IN}/`))
        expect(left.map(({ key }) => key)).toEqual([`${IN}/mixed.ndjson`])
        const text = Buffer.concat(yield* Stream.runCollect(blobs.read(left[0] as never))).toString()
        expect(text.trim().split("\n").length).toBe(50)
      })
    ))

  it("leaves in the source what was added or changed after it was read", () => {
    const [read, added] = [signals(11, 200, NOW), signals(12, 30, NOW)]
    return over(
      Effect.gen(function* () {
        yield* put(IN, read.slice(0, 100), "same.ndjson")
        yield* put(IN, read.slice(100), "changed.ndjson")
        yield* run(configured({ sourceRemove: true }))
        expectRows(yield* rows, aggregateOf(read, { from: 0, until: NOW }))
        expect(yield* keys(IN)).toEqual([`${IN}/added.ndjson`, `${IN}/changed.ndjson`])
      }),
      // Added and changed when the result is there and nothing is removed yet.
      (blobs) => ({
        ...blobs,
        write: (to, source, options) =>
          blobs
            .write(to, source, options)
            .pipe(
              Effect.tap(() =>
                to.key.startsWith(`${OUT}/`)
                  ? Effect.forEach(["added", "changed"], (name) =>
                      Effect.provideService(Effect.orDie(put(IN, added, `${name}.ndjson`)), BlobStore, blobs)
                    )
                  : Effect.void
              )
            )
      })
    )
  })

  it("removes in a later try what the first one read, and nothing that came between them", () => {
    let broken = true
    return over(
      Effect.gen(function* () {
        const read = signals(13, 200, NOW)
        yield* put(IN, read)
        const removing = configured({ sourceRemove: true })
        expect(yield* Effect.flip(run(removing))).toMatchObject({ _tag: "BlobUnavailable" })
        yield* put(IN, signals(14, 30, NOW), "added.ndjson")
        broken = false
        expect(yield* run(removing)).toMatchObject({ _tag: "Written" })
        expectRows(yield* rows, aggregateOf(read, { from: 0, until: NOW }))
        expect(yield* keys(IN)).toEqual([`${IN}/added.ndjson`])
      }),
      (blobs) => ({
        ...blobs,
        delete: (ref) =>
          broken ? Effect.fail(new BlobUnavailable({ ...ref, message: "Try again." })) : blobs.delete(ref)
      })
    )
  })

  it("recognises its own result behind that of another configuration with the same output", () =>
    over(
      Effect.gen(function* () {
        const all = signals(15, 500, NOW)
        yield* put(IN, all)
        const [mine, other] = [configured(), configured({ id: "hats", selectQuery: "query:hat" })]
        const first = yield* run(mine, { run: "a" })
        const second = yield* run(other, { run: "b" })
        const both = yield* rows
        expect(yield* run(mine, { run: "a" })).toEqual(first)
        expect(yield* run(other, { run: "b" })).toEqual(second)
        expect(yield* rows).toEqual(both)
        // Nor does either count again what it has counted.
        for (const one of [mine, other]) expect(yield* run(one, { run: "c" })).toMatchObject({ _tag: "Skipped" })
      })
    ))

  it("counts and keeps nothing without an output collection", () =>
    over(
      Effect.gen(function* () {
        yield* put(IN, signals(9, 300, NOW))
        const result = yield* run(configured({ outputCollection: "-" }))
        expect(result).toMatchObject({ _tag: "Written", stored: 0 })
        expect((result as { aggregated: number }).aggregated).toBeGreaterThan(0)
      })
    ))

  it("refuses an output collection with objects of others", () =>
    over(
      Effect.gen(function* () {
        yield* put(IN, signals(10, 50, NOW))
        yield* put(OUT, [{ id: "x" }], "mine.ndjson")
        expect(yield* Effect.flip(run(configured()))).toMatchObject({ _tag: "SqlFailed", because: "rejected" })
      })
    ))
})

/** Searches and what follows them on the same side of `time`. */
const atThe = (all: ReadonlyArray<Signal>, time: number): ReadonlyArray<Signal> =>
  all.map((one) => (one.type === "response" ? { ...one, timestamp_tdt: Math.min(one.timestamp_tdt, time) } : one))

const counted = (all: ReadonlyArray<Signal>) =>
  new Map([...aggregateOf(all, { from: 0, until: NOW })].map(([id, { count }]) => [id, count]))

const sum = (all: ReadonlyArray<Row>) => new Map(all.map(({ id, aggr_count_i }) => [id, aggr_count_i]))
