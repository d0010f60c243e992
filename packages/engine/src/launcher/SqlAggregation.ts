/**
 * One run of a configuration over collections in a blob store (other systems C1).
 *
 * The rows that a run writes and the time up to which it read are one object, written all at once. So a run that dies is
 * done again from its beginning, a run that died after writing is recognised, and no signal counts twice.
 */
import {
  type ColumnInfo,
  type Configuration,
  FRESH,
  type FreshPlan,
  isSqlRejected,
  planFresh,
  planRollup,
  restOf,
  type RollupPlan,
  runTimes,
  type RunTimes,
  SOURCE,
  type SqlRejected,
  STORED
} from "@sotto/core/launcher"
import { type BlobError, type BlobRef, BlobStore } from "@sotto/core/ports/BlobStore"
import { type CollectionFormat, SqlEngine, SqlFailed, type SqlSession } from "@sotto/core/ports/SqlEngine"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Where a tenant's collections lie: each is a folder of objects under its name. */
export interface CollectionsPlace {
  readonly bucket: string
  /** Before every key; empty unless told. */
  readonly prefix?: string
}

export interface SqlAggregationRequest {
  readonly configuration: Configuration
  /** Names this run; the same for every try of it. */
  readonly run: string
  readonly place: CollectionsPlace
  /** The reference time of the configuration's last run, as far as it was kept. */
  readonly lastReferenceTime: number | undefined
  /** When the run was asked for, in milliseconds since 1970. */
  readonly now: number
  readonly onProgress: (stage: SqlStage, done: number) => void
}

export const SQL_STAGES = ["staging", "aggregating", "writing"] as const
export type SqlStage = (typeof SQL_STAGES)[number]

export type SqlAggregationResult =
  | { readonly _tag: "Skipped"; readonly reason: string; readonly times: RunTimes }
  | {
      readonly _tag: "Written"
      readonly times: RunTimes
      /** Rows that this run made. */
      readonly aggregated: number
      /** Rows that the output collection holds now; 0 if it keeps none. */
      readonly stored: number
      readonly query: string
      readonly aggregationType: string
    }

/** The notes in an output object. */
const RUN = "run"
const CONFIGURATION = "configuration"
const REFERENCE_TIME = "reference-time"
const AGGREGATED = "aggregated"
const ROWS = "rows"

export const aggregateBySql = Effect.fn("aggregateBySql")(function* (
  request: SqlAggregationRequest
): Effect.fn.Return<SqlAggregationResult, SqlFailed | BlobError, SqlEngine | BlobStore> {
  return yield* Effect.scoped(run(request))
})

const run = Effect.fnUntraced(function* (request: SqlAggregationRequest) {
  const { configuration, place, onProgress } = request
  const { inputCollection, outputCollection } = configuration
  const engine = yield* SqlEngine
  const { dialect } = engine.capabilities
  let stage: SqlStage = "staging"
  const at = (next: SqlStage): void => {
    stage = next
    onProgress(next, 0)
  }
  at("staging")
  const session = yield* engine.open({ onProgress: (done) => onProgress(stage, done) })

  const stored = outputCollection === undefined ? undefined : yield* stageStored(session, place, outputCollection)
  const done = writtenBy(request, stored?.notes)
  if (done !== undefined) {
    yield* removeSource(session, request, done.times)
    return yield* shown(done, configuration, dialect)
  }
  const times = runTimes(configuration, lastTime(request, stored?.notes), request.now)

  const input = yield* collection(place, inputCollection)
  if (input === undefined) {
    return skipped(`The collection ${inputCollection} has no objects.`, times)
  }
  yield* session.stage({ name: SOURCE, ...input })
  at("aggregating")
  const plan = yield* planned(planFresh(configuration, times, dialect))
  for (const view of plan.views.slice(0, -1)) yield* session.view(view)
  if (configuration.skipIfEmpty && (yield* session.number(plan.allSignals)) === 0n) {
    return skipped(`The collection ${inputCollection} has no rows that are selected.`, times)
  }
  if (configuration.skipCheck && (yield* session.number(plan.newSignals)) === 0n) {
    return skipped("There are no new signals.", times)
  }
  for (const view of plan.views.slice(-1)) yield* session.view(view)
  const fresh = yield* session.columns(FRESH)
  const columns: Columns = { fresh, stored: stored?.columns }
  const rollup = yield* planned(planRollup(configuration, plan, times, columns, dialect))
  for (const view of rollup.views) yield* session.view(view)
  const aggregated = Number(yield* session.number(rollup.written))

  at("writing")
  const rows = outputCollection === undefined ? 0 : yield* writeResult(session, request, { times, rollup, aggregated })
  yield* removeSource(session, request, times)
  return written(times, aggregated, rows, plan)
})

interface Columns {
  readonly fresh: ReadonlyArray<ColumnInfo>
  readonly stored: ReadonlyArray<ColumnInfo> | undefined
}

const skipped = (reason: string, times: RunTimes): SqlAggregationResult => ({ _tag: "Skipped", reason, times })

const written = (
  times: RunTimes,
  aggregated: number,
  stored: number,
  { query, aggregationType }: FreshPlan
): SqlAggregationResult => ({ _tag: "Written", times, aggregated, stored, query, aggregationType })

const planned = <A extends object>(plan: A | SqlRejected): Effect.Effect<A, SqlFailed> =>
  isSqlRejected(plan)
    ? Effect.fail(new SqlFailed({ because: "rejected", message: `Correct the SQL: ${plan.hint}.` }))
    : Effect.succeed(plan)

/** The one object that a collection of results is. */
const resultOf = (place: CollectionsPlace, name: string): BlobRef => ({
  bucket: place.bucket,
  key: `${folderOf(place, name)}aggregated.parquet`
})

const folderOf = ({ prefix = "" }: CollectionsPlace, name: string): string => `${prefix}${name}/`

const stageStored = Effect.fnUntraced(function* (session: SqlSession, place: CollectionsPlace, name: string) {
  const found = yield* collection(place, name)
  if (found === undefined) return undefined
  const foreign = found.objects.find(({ key }) => key !== resultOf(place, name).key)
  if (foreign !== undefined) {
    return yield* new SqlFailed({
      because: "rejected",
      message: `${place.bucket}/${foreign.key} was not written by a run. Move it away, or write to another collection.`
    })
  }
  return yield* session.stage({ name: STORED, ...found })
})

const FORMATS: Readonly<Record<string, CollectionFormat>> = {
  parquet: "parquet",
  csv: "csv",
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "ndjson",
  avro: "avro"
}

/** The objects of a collection and their format; `undefined` for one without objects. */
const collection = Effect.fnUntraced(function* (place: CollectionsPlace, name: string) {
  const blobs = yield* BlobStore
  const objects = yield* Stream.runCollect(
    Stream.filter(blobs.list(place.bucket, folderOf(place, name)), ({ size }) => size > 0)
  )
  const formats = new Set(objects.map(({ key }) => FORMATS[key.slice(key.lastIndexOf(".") + 1).toLowerCase()]))
  const [format] = formats
  if (objects.length === 0) return undefined
  if (format === undefined || formats.size > 1) {
    return yield* new SqlFailed({
      because: "rejected",
      message: `Let the objects of ${name} end in one of .${Object.keys(FORMATS).join(", .")}, all in the same.`
    })
  }
  return { objects, format }
})

/** The result of this very run, if an earlier try of it came as far as writing. */
const writtenBy = ({ configuration, run: id }: SqlAggregationRequest, notes: Notes) => {
  if (notes?.[RUN] !== id || notes[CONFIGURATION] !== configuration.id) return undefined
  const [reference, from] = (notes[REFERENCE_TIME] ?? "").split(" ").map(Number)
  return {
    times: { referenceTime: reference ?? 0, catchupFrom: from ?? 0 },
    aggregated: Number(notes[AGGREGATED]),
    rows: Number(notes[ROWS])
  }
}

type Notes = Readonly<Record<string, string>> | undefined

const shown = (
  { times, aggregated, rows }: NonNullable<ReturnType<typeof writtenBy>>,
  configuration: Configuration,
  dialect: "duckdb" | "spark"
) => Effect.map(planned(planFresh(configuration, times, dialect)), (plan) => written(times, aggregated, rows, plan))

/** A run that wrote and died before its time was kept elsewhere has left it in the object. */
const lastTime = ({ configuration, lastReferenceTime }: SqlAggregationRequest, notes: Notes): number | undefined => {
  const noted =
    notes?.[CONFIGURATION] === configuration.id ? Number((notes[REFERENCE_TIME] ?? "").split(" ")[0]) : Number.NaN
  return Number.isNaN(noted) ? lastReferenceTime : Math.max(noted, lastReferenceTime ?? noted)
}

const writeResult = Effect.fnUntraced(function* (
  session: SqlSession,
  { configuration, place, run: id }: SqlAggregationRequest,
  { times, rollup, aggregated }: { readonly times: RunTimes; readonly rollup: RollupPlan; readonly aggregated: number }
) {
  const rows = Number(yield* session.number(`SELECT COUNT(*) FROM (${rollup.result})`))
  yield* session.write(rollup.result, resultOf(place, configuration.outputCollection ?? ""), "parquet", {
    [RUN]: id,
    [CONFIGURATION]: configuration.id,
    [REFERENCE_TIME]: `${times.referenceTime} ${times.catchupFrom}`,
    [AGGREGATED]: String(aggregated),
    [ROWS]: String(rows)
  })
  return rows
})

/** Object by object, each replaced all at once: done again after a crash it finds less to do and ends the same. */
const removeSource = Effect.fnUntraced(function* (
  session: SqlSession,
  request: SqlAggregationRequest,
  times: RunTimes
) {
  const { configuration, place } = request
  const input = configuration.sourceRemove ? yield* collection(place, configuration.inputCollection) : undefined
  if (input === undefined) return
  const blobs = yield* BlobStore
  const { dialect } = (yield* SqlEngine).capabilities
  const rest = restOf(configuration, times, dialect)
  for (const object of input.objects) {
    yield* session.stage({ name: SOURCE, objects: [object], format: input.format })
    const [all, left] = [
      yield* session.number(`SELECT COUNT(*) FROM ${SOURCE}`),
      yield* session.number(`SELECT COUNT(*) FROM (${rest})`)
    ]
    if (left === 0n) yield* blobs.delete(object)
    else if (left < all && input.format === "avro") {
      return yield* new SqlFailed({
        because: "rejected",
        message: `${place.bucket}/${object.key} holds rows that must stay, and Avro is read only. Use another format with sourceRemove.`
      })
    } else if (left < all) yield* session.write(rest, object, input.format as Exclude<CollectionFormat, "avro">)
  }
})
