import { createReadStream } from "node:fs"
import { mkdir, mkdtemp, open as openFile, rm, stat } from "node:fs/promises"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { type BlobError, type BlobRef, BlobStore } from "@sotto/core/ports/BlobStore"
import { SqlEngine, SqlFailed, type SqlSession, type SqlTable } from "@sotto/core/ports/SqlEngine"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { avroRows } from "./AvroRows.ts"
import type { Answers, Call, FileFormat } from "./internal/Calls.ts"
import { Child } from "./internal/Child.ts"

export interface DuckDbOptions {
  /** Where private folders are made; default: the system's place for temporary files. */
  readonly folder?: string
  /** What one session may hold in memory, in bytes; more is spilled to its folder. Default 1 GiB. */
  readonly memoryBytes?: number
  /** What one session may spill to its folder, in bytes. Default: four times its memory. */
  readonly spillBytes?: number
  /** The largest file that one `write` may make, in bytes. Default 16 GiB. */
  readonly outputBytes?: number
  /** Threads of one session; default: one for each core. */
  readonly threads?: number
}

const MIN_MEMORY_BYTES = 64 * 1_048_576

/**
 * SqlEngine on DuckDB. Each session is a process of its own over a private folder, the only place it can read; both are
 * gone when the session ends, however it ends.
 */
export const layerDuckDbSqlEngine = (options: DuckDbOptions = {}): Layer.Layer<SqlEngine, never, BlobStore> =>
  Layer.effect(
    SqlEngine,
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      return SqlEngine.of({
        capabilities: { dialect: "duckdb", progress: true },
        open: ({ onProgress = () => undefined } = {}) => open(blobs, options, onProgress)
      })
    })
  )

const unavailable = (cause: unknown): SqlFailed =>
  new SqlFailed({
    because: "unavailable",
    message: `The SQL engine cannot work here: ${cause instanceof Error ? cause.message : String(cause)}. Look at free space and rights of its folder.`
  })

const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, SqlFailed> =>
  Effect.tryPromise({ try: work, catch: (cause) => (cause instanceof SqlFailed ? cause : unavailable(cause)) })

const open = (
  blobs: BlobStore["Service"],
  options: DuckDbOptions,
  onProgress: (done: number) => void
): Effect.Effect<SqlSession, SqlFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { folder: parent = tmpdir(), outputBytes = 17_179_869_184, threads = availableParallelism() } = options
    const memoryBytes = Math.max(options.memoryBytes ?? 1_073_741_824, MIN_MEMORY_BYTES)
    const folder = yield* Effect.acquireRelease(
      attempt(async () => {
        await mkdir(parent, { recursive: true })
        return mkdtemp(join(parent, "sotto-sql-"))
      }),
      (made) => Effect.promise(() => rm(made, { recursive: true, force: true }).catch(() => undefined))
    )
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => new Child(onProgress)),
      (one) => Effect.sync(() => one.kill())
    )
    const call = <T extends Call["_tag"]>(
      one: Extract<Call, { readonly _tag: T }>
    ): Effect.Effect<Answers[T], SqlFailed> =>
      attempt(() => child.call<T>(one)).pipe(Effect.onInterrupt(() => Effect.promise(() => child.interrupt())))
    yield* call<"Open">({
      _tag: "Open",
      folder,
      memoryBytes,
      spillBytes: options.spillBytes ?? 4 * memoryBytes,
      outputBytes,
      threads: Math.max(1, Math.floor(threads))
    })
    return session(blobs, folder, call)
  })

const session = (
  blobs: BlobStore["Service"],
  folder: string,
  call: <T extends Call["_tag"]>(one: Extract<Call, { readonly _tag: T }>) => Effect.Effect<Answers[T], SqlFailed>
): SqlSession => {
  let files = 0
  const fresh = (format: FileFormat): string => join(folder, `${++files}.${format}`)

  const stage = Effect.fnUntraced(function* ({ name, objects, format }: SqlTable) {
    if (objects.length === 0) {
      return yield* new SqlFailed({ because: "rejected", message: `The collection ${name} has no objects yet.` })
    }
    const fileFormat = format === "avro" ? "ndjson" : format
    const copies: Array<string> = []
    for (const ref of objects) {
      const file = fresh(fileFormat)
      yield* format === "avro" ? unpack(blobs, ref, file) : copy(blobs, ref, file)
      if (format !== "avro" || (yield* attempt(() => stat(file))).size > 0) copies.push(file)
    }
    if (copies.length === 0) {
      return yield* new SqlFailed({ because: "rejected", message: `The collection ${name} has no rows yet.` })
    }
    return yield* call<"Stage">({
      _tag: "Stage",
      name,
      files: copies,
      format: fileFormat
    })
  })

  const write = Effect.fnUntraced(function* (
    sql: string,
    to: BlobRef,
    format: FileFormat,
    notes: Readonly<Record<string, string>> = {}
  ) {
    const file = fresh(format)
    const rows = yield* call<"Write">({ _tag: "Write", sql, file, format, notes })
    const bytes = Stream.fromAsyncIterable(createReadStream(file), unavailable)
    yield* blobs.write(to, bytes, { mode: "replace" })
    yield* attempt(() => rm(file))
    return rows
  })

  return {
    stage,
    view: ({ name, sql }) => Effect.asVoid(call<"View">({ _tag: "View", name, sql })),
    columns: (name) => call<"Columns">({ _tag: "Columns", name }),
    number: (sql) => Effect.map(call<"Number">({ _tag: "Number", sql }), BigInt),
    write
  }
}

const copy = (blobs: BlobStore["Service"], ref: BlobRef, file: string): Effect.Effect<void, SqlFailed | BlobError> =>
  save(blobs.read(ref), file)

/** A container that is unsound fails the statement, before any row of it is counted. */
const unpack = (blobs: BlobStore["Service"], ref: BlobRef, file: string): Effect.Effect<void, SqlFailed | BlobError> =>
  Effect.suspend(() => {
    const rows = avroRows(`${ref.bucket}/${ref.key}`)
    const lines = Stream.mapEffect(blobs.read(ref), (chunk) => asText(() => rows.push(chunk)))
    const rest = Stream.fromEffect(Effect.suspend(() => asText(rows.end)))
    return save(Stream.concat(lines, rest), file)
  })

const asText = (make: () => string): Effect.Effect<Uint8Array, SqlFailed> =>
  Effect.try({
    try: () => Buffer.from(make()),
    catch: (cause) => new SqlFailed({ because: "failed", message: (cause as Error).message })
  })

const save = <E>(bytes: Stream.Stream<Uint8Array, E>, file: string): Effect.Effect<void, E | SqlFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* Effect.acquireRelease(
        attempt(() => openFile(file, "w")),
        (one) => Effect.promise(() => one.close().catch(() => undefined))
      )
      yield* Stream.runForEach(bytes, (chunk) => attempt(() => handle.writeFile(chunk)))
    })
  )
