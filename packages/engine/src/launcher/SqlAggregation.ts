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
import { type BlobError, type BlobInfo, type BlobRef, BlobStore } from "@sotto/core/ports/BlobStore"
import { type CollectionFormat, SqlEngine, SqlFailed, type SqlSession } from "@sotto/core/ports/SqlEngine"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
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

/** The note in an output object that tells of the last run of every configuration that wrote it. */
const RUNS = "runs"

/** What a run leaves for its own next try and for the next run of its configuration. */
const Note = Schema.Struct({
  run: Schema.String,
  referenceTime: Schema.Number,
  catchupFrom: Schema.Number,
  aggregated: Schema.Number,
  rows: Schema.Number,
  /** What it read and is to remove. */
  source: Schema.Array(Schema.Struct({ key: Schema.String, size: Schema.Number, etag: Schema.String }))
})
type Note = typeof Note.Type

/** By the id of the configuration; an array, as any id may be one. */
const NotesText = Schema.fromJsonString(Schema.Array(Schema.Tuple([Schema.String, Note])))
type Notes = ReadonlyMap<string, Note>

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
  const notes = stored?.notes ?? new Map<string, Note>()
  const noted = notes.get(configuration.id)
  // An earlier try of this very run came as far as writing.
  if (noted?.run === request.run) {
    const { referenceTime, catchupFrom, aggregated, rows, source } = noted
    const times = { referenceTime, catchupFrom }
    const done = yield* planned(planFresh(configuration, times, dialect))
    yield* removeSource(
      session,
      request,
      times,
      source.map((object) => ({ bucket: place.bucket, ...object }))
    )
    return written(times, aggregated, rows, done)
  }
  const times = runTimes(configuration, lastTime(request, noted), request.now)

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
  const source = configuration.sourceRemove ? input.objects : []
  const rows =
    outputCollection === undefined
      ? 0
      : yield* writeResult(session, request, { times, rollup, aggregated, source, notes })
  yield* removeSource(session, request, times, source)
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
  const { columns, notes } = yield* session.stage({ name: STORED, ...found })
  return { columns, notes: yield* notesOf(place, name, notes[RUNS]) }
})

const notesOf = (place: CollectionsPlace, name: string, text = "[]"): Effect.Effect<Notes, SqlFailed> =>
  Schema.decodeUnknownEffect(NotesText)(text).pipe(
    Effect.map((notes) => new Map(notes)),
    Effect.mapError(() => {
      const { bucket, key } = resultOf(place, name)
      return new SqlFailed({
        because: "rejected",
        message: `${bucket}/${key} tells nothing readable of the runs that wrote it. Move it away, or write to another collection.`
      })
    })
  )

const FORMATS: Readonly<Record<string, CollectionFormat>> = {
  parquet: "parquet",
  csv: "csv",
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "ndjson",
  avro: "avro"
}

const formatOf = (key: string): CollectionFormat | undefined =>
  FORMATS[key.slice(key.lastIndexOf(".") + 1).toLowerCase()]

/** The objects of a collection and their format; `undefined` for one without objects. */
const collection = Effect.fnUntraced(function* (place: CollectionsPlace, name: string) {
  const blobs = yield* BlobStore
  const objects = yield* Stream.runCollect(
    Stream.filter(blobs.list(place.bucket, folderOf(place, name)), ({ size }) => size > 0)
  )
  const formats = new Set(objects.map(({ key }) => formatOf(key)))
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

/** A run that wrote and died before its time was kept elsewhere has left it in the object. */
const lastTime = ({ lastReferenceTime }: SqlAggregationRequest, noted: Note | undefined): number | undefined =>
  noted === undefined ? lastReferenceTime : Math.max(noted.referenceTime, lastReferenceTime ?? noted.referenceTime)

interface Result {
  readonly times: RunTimes
  readonly rollup: RollupPlan
  readonly aggregated: number
  readonly source: ReadonlyArray<BlobInfo>
  /** Of all runs before. */
  readonly notes: Notes
}

const writeResult = Effect.fnUntraced(function* (
  session: SqlSession,
  { configuration, place, run: id }: SqlAggregationRequest,
  { times, rollup, aggregated, source, notes }: Result
) {
  const rows = Number(yield* session.number(`SELECT COUNT(*) FROM (${rollup.result})`))
  const read = source.map(({ key, size, etag }) => ({ key, size, etag }))
  const own: Note = { run: id, ...times, aggregated, rows, source: read }
  // Runs of other configurations keep theirs: each may still have to be tried again.
  const all = new Map([...notes, [configuration.id, own]])
  yield* session.write(rollup.result, resultOf(place, configuration.outputCollection ?? ""), "parquet", {
    [RUNS]: JSON.stringify([...all])
  })
  return rows
})

/**
 * Object by object, each replaced all at once: done again after a crash it finds less to do and ends the same. Only what
 * is still as it was when the run read it is removed: rows that came since were never counted.
 */
const removeSource = Effect.fnUntraced(function* (
  session: SqlSession,
  { configuration, place }: SqlAggregationRequest,
  times: RunTimes,
  source: ReadonlyArray<BlobInfo>
) {
  const blobs = yield* BlobStore
  const { dialect } = (yield* SqlEngine).capabilities
  const rest = restOf(configuration, times, dialect)
  for (const object of source) {
    const format = formatOf(object.key)
    if (format === undefined || !(yield* isAsRead(object))) continue
    yield* session.stage({ name: SOURCE, objects: [object], format })
    const [all, left] = [
      yield* session.number(`SELECT COUNT(*) FROM ${SOURCE}`),
      yield* session.number(`SELECT COUNT(*) FROM (${rest})`)
    ]
    // Looked at again as late as can be: staging takes its time.
    if ((left === all && all > 0n) || !(yield* isAsRead(object))) continue
    if (left === 0n) yield* blobs.delete(object)
    else if (format === "avro") {
      return yield* new SqlFailed({
        because: "rejected",
        message: `${place.bucket}/${object.key} holds rows that must stay, and Avro is read only. Use another format with sourceRemove.`
      })
    } else yield* session.write(rest, object, format)
  }
})

const isAsRead = Effect.fnUntraced(function* (object: BlobInfo) {
  const blobs = yield* BlobStore
  return yield* blobs.stat(object).pipe(
    Effect.map(({ size, etag }) => size === object.size && etag === object.etag),
    Effect.catchTag("BlobNotFound", () => Effect.succeed(false))
  )
})
