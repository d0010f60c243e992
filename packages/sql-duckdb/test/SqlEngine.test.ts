import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { type CollectionFormat, SqlEngine, type SqlSession } from "@sotto/core/ports/SqlEngine"
import { layerMemoryBlobStore } from "@sotto/memory"
import { type DuckDbOptions, layerDuckDbSqlEngine } from "@sotto/sql-duckdb"
import avsc from "avsc"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { afterAll, describe, expect, it } from "vitest"

const home = mkdtempSync(join(tmpdir(), "sotto-duckdb-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))

const over = <A, E>(
  program: Effect.Effect<A, E, BlobStore | SqlEngine | Scope.Scope>,
  options: DuckDbOptions = {}
): Promise<A> =>
  Effect.runPromise(
    Effect.scoped(program).pipe(
      Effect.provide(
        layerDuckDbSqlEngine({ folder: join(home, "sessions"), threads: 1, ...options }).pipe(
          Layer.provideMerge(layerMemoryBlobStore({ buckets: ["b"] }))
        )
      )
    )
  )

const put = (key: string, bytes: Uint8Array | string) =>
  BlobStore.use((blobs) => blobs.write({ bucket: "b", key }, Buffer.from(bytes), { mode: "replace" }))

const text = (key: string) =>
  BlobStore.use((blobs) => Stream.runCollect(blobs.read({ bucket: "b", key }))).pipe(
    Effect.map((chunks) => Buffer.concat(chunks).toString())
  )

const open = SqlEngine.use((engine) => engine.open())
const ref = (key: string) => ({ bucket: "b", key })

const rowsOf = (session: SqlSession, table: string) =>
  session.write(`SELECT * FROM ${table} ORDER BY id`, ref("rows.ndjson"), "ndjson").pipe(
    Effect.andThen(text("rows.ndjson")),
    Effect.map((lines) =>
      lines
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown)
    )
  )

const container = (): Promise<Buffer> =>
  new Promise((done) => {
    const encoder = new avsc.streams.BlockEncoder({
      type: "record",
      name: "Row",
      fields: [
        { name: "id", type: "string" },
        { name: "n", type: ["null", "long"] },
        { name: "at_tdt", type: { type: "long", logicalType: "timestamp-millis" } }
      ]
    })
    const parts: Array<Buffer> = []
    encoder.on("data", (part: Buffer) => parts.push(part))
    encoder.on("end", () => done(Buffer.concat(parts)))
    encoder.write({ id: "a", n: 1, at_tdt: 1_577_836_800_000 })
    encoder.end({ id: "b", n: null, at_tdt: 1_577_836_800_500 })
  })

const ROWS = [
  { id: "a", n: 1, at_tdt: "2020-01-01 00:00:00" },
  { id: "b", n: null, at_tdt: "2020-01-01 00:00:00.5" }
]

const hostile = [
  "SELECT * FROM read_text('/etc/passwd')",
  "SELECT * FROM read_csv('/etc/passwd')",
  "SELECT * FROM '/etc/passwd'",
  "SELECT * FROM read_text('SESSIONS/../../secret.txt')",
  "SELECT * FROM read_text('SECRET')",
  "SELECT * FROM read_blob('file:///etc/passwd')",
  "SELECT * FROM glob('/etc/*')",
  "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
  "SELECT * FROM sniff_csv('/etc/passwd')",
  "SELECT getenv('HOME')",
  "COPY (SELECT 1) TO '/tmp/sotto-never'",
  "COPY t TO 'SECRET'",
  "ATTACH '/tmp/sotto-never.db' AS x",
  "INSTALL httpfs",
  "LOAD httpfs",
  "SET enable_external_access = true",
  "RESET lock_configuration",
  "PRAGMA database_list",
  "CREATE TABLE x AS SELECT 1",
  "DROP TABLE t",
  "INSERT INTO t VALUES (1)",
  "EXPORT DATABASE '/tmp/sotto-never'",
  "CALL pragma_version()",
  "EXPLAIN SELECT 1",
  "SELECT 1; SELECT 2",
  "FROM enable_logging(storage = 'file', storage_path = 'SESSIONS')",
  "FROM Enable_Logging()",
  'SELECT 1 FROM "ENABLE_LOGGING"()',
  "SELECT 1 FROM system.main.enable_profiling()",
  "SELECT 1 WHERE EXISTS (FROM disable_logging())",
  "WITH a AS (SELECT count(*) AS n FROM truncate_duckdb_logs()) SELECT n FROM a",
  "SELECT count(*) FROM duckdb_settings()",
  'SELECT count(*) FROM t, LATERAL (SELECT * FROM main."duckdb_Settings"())',
  "SELECT count(*) FROM duckdb_secrets()",
  "SELECT count(*) FROM duckdb_logs",
  "SELECT count(*) FROM duckdb_logs_parsed('QueryLog')",
  "SELECT count(*) FROM duckdb_views",
  'SELECT count(*) FROM "Pg_Views"',
  "SELECT count(*) FROM pg_catalog.pg_settings",
  "SELECT count(*) FROM Information_Schema.tables",
  "SELECT count(*) FROM pragma_database_size()",
  "SELECT count(*) FROM pragma_database_list",
  "SELECT count(*) FROM parquet_kv_metadata('SESSIONS/1.ndjson')",
  "SELECT count(*) FROM read_text('SESSIONS/1.ndjson')",
  "SELECT count(*) FROM glob('SESSIONS/*')",
  "SELECT count(*) FROM query('FROM duckdb_settings()')",
  "SELECT count(*) FROM query_table('duckdb_settings')",
  "SELECT count(*) FROM json_execute_serialized_sql(json_serialize_sql('FROM duckdb_settings()'))",
  "SELECT count(*) FROM (SHOW ALL TABLES)",
  "SELECT length(current_setting('temp_directory'))",
  `SELECT length("Current_Setting"('temp_directory')) FROM t`,
  "SELECT 1 FROM t ORDER BY write_log('x')",
  "SELECT 1 FROM t GROUP BY ALL HAVING current_setting('threads') > 0",
  "",
  "SELECT"
]

describe("SqlEngine on DuckDB", () => {
  it.each(["parquet", "csv", "ndjson"] as const)("reads what it writes as %s, times included", (format) =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        yield* put("in.ndjson", ROWS.map((row) => JSON.stringify(row)).join("\n"))
        yield* session.stage({ name: "t", objects: [ref("in.ndjson")], format: "ndjson" })
        expect(yield* session.write("SELECT * FROM t", ref("out"), format)).toBe(2)
        const { columns } = yield* session.stage({ name: "u", objects: [ref("out")], format })
        expect(columns).toEqual([
          { name: "id", kind: "text" },
          { name: "n", kind: "integer" },
          { name: "at_tdt", kind: "time" }
        ])
        expect(yield* rowsOf(session, "u")).toEqual(yield* rowsOf(session, "t"))
      })
    )
  )

  it("reads Avro containers, longs and times included, and refuses a cut one", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        const bytes = yield* Effect.promise(container)
        yield* put("a.avro", bytes)
        yield* put("cut.avro", bytes.subarray(0, -1))
        yield* session.stage({ name: "t", objects: [ref("a.avro")], format: "avro" })
        expect(yield* session.number("SELECT count(*) FROM t WHERE at_tdt >= TIMESTAMP '2020-01-01 00:00:00.5'")).toBe(
          1n
        )
        const failed = yield* Effect.flip(session.stage({ name: "t", objects: [ref("cut.avro")], format: "avro" }))
        expect(failed).toMatchObject({ because: "failed", message: expect.stringContaining("b/cut.avro") })
      })
    ))

  it("reads a JSON array, and texts and numbers as times of UTC", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        yield* put(
          "x.json",
          JSON.stringify([{ id: "a", one_dt: "2020-01-01T02:00:00+02:00", two_tdt: 1_577_836_800_000 }])
        )
        yield* session.stage({ name: "t", objects: [ref("x.json")], format: "ndjson" })
        expect(
          yield* session.number("SELECT count(*) FROM t WHERE one_dt = two_tdt AND one_dt = TIMESTAMP '2020-01-01'")
        ).toBe(1n)
      })
    ))

  it("unites the columns of several objects by name", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        yield* put("1", `{"id":"a","x":1}`)
        yield* put("2", `{"y":2,"id":"b"}`)
        yield* session.stage({ name: "t", objects: [ref("1"), ref("2")], format: "ndjson" })
        expect(yield* rowsOf(session, "t")).toEqual([
          { id: "a", x: 1, y: null },
          { id: "b", x: null, y: 2 }
        ])
      })
    ))

  it("keeps notes in what it writes", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        yield* session.write("SELECT 1 AS id", ref("n.parquet"), "parquet", { run: "it's 1", "reference-time": "5" })
        const { notes } = yield* session.stage({ name: "t", objects: [ref("n.parquet")], format: "parquet" })
        expect(notes).toEqual({ run: "it's 1", "reference-time": "5" })
      })
    ))

  it("answers numbers beyond what a double holds", () =>
    over(
      Effect.flatMap(open, (session) => session.number("SELECT 170141183460469231731687303715884105727::HUGEINT")).pipe(
        Effect.map((n) => expect(n).toBe(170141183460469231731687303715884105727n))
      )
    ))

  it("reads nothing but what was staged and does nothing but SELECT", () =>
    over(
      Effect.gen(function* () {
        const secret = join(home, "secret.txt")
        writeFileSync(secret, "secret")
        const session = yield* open
        yield* put("t", `{"id":1}`)
        yield* session.stage({ name: "t", objects: [ref("t")], format: "ndjson" })
        const [folder = ""] = readdirSync(join(home, "sessions"))
        for (const template of hostile) {
          const sql = template.replace("SESSIONS", join(home, "sessions", folder)).replace("SECRET", secret)
          for (const call of [
            Effect.asVoid(session.number(sql)),
            session
              .view({ name: "v", sql })
              .pipe(Effect.andThen(session.number("SELECT count(*) FROM v")), Effect.asVoid),
            Effect.asVoid(session.write(sql, ref("stolen"), "csv"))
          ]) {
            const exit = yield* Effect.exit(call)
            expect(Exit.isFailure(exit), sql).toBe(true)
          }
        }
        expect(existsSync("/tmp/sotto-never") || existsSync("/tmp/sotto-never.db")).toBe(false)
        expect(yield* session.number("SELECT count(*) FROM t")).toBe(1n)
      })
    ))

  it.each([
    ["a series", "SELECT count(*) FROM range(3) a, generate_series(1, 1) b", 3n],
    ["lists", "SELECT count(*) FROM (SELECT unnest([1, 2])), LATERAL unnest([1, 2]) u(x)", 4n],
    ["members of JSON", `SELECT count(*) FROM json_each('{"a": 1}')`, 1n],
    ["texts that name functions", "SELECT length('FROM enable_logging()')", 21n],
    ["columns that are named like functions", "SELECT enable_logging FROM (SELECT 5 AS enable_logging)", 5n],
    ["a pivot of listed values", "SELECT x FROM (PIVOT (SELECT 'x' AS k, 7 AS v) ON k IN ('x') USING sum(v))", 7n],
    ["windows", "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY x) AS n FROM (VALUES (1), (2)) v(x))", 2n],
    [
      "recursion",
      "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 4) SELECT sum(i) FROM r",
      10n
    ]
  ] as const)("reads %s", (_, sql, number) =>
    over(Effect.flatMap(open, (session) => session.number(sql))).then((given) => expect(given).toBe(number))
  )

  it("stops a statement that writes more than a result may have, and goes on", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        const endless = "SELECT md5(i::VARCHAR) AS x FROM range(100000000000) t(i)"
        const small = "SELECT repeat('x', 2000000) AS x"
        for (const sql of [endless, small]) {
          expect(yield* Effect.flip(session.write(sql, ref("large"), "csv"))).toMatchObject({
            because: "failed",
            message: expect.stringContaining("more than 1000000 bytes")
          })
        }
        const [folder = ""] = readdirSync(join(home, "sessions"))
        expect(readdirSync(join(home, "sessions", folder))).toEqual([])
        expect(yield* session.write("SELECT 1", ref("small"), "csv")).toBe(1)
      }),
      { outputBytes: 1_000_000 }
    ))

  it("spills no more than it may", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        const sorted = "SELECT md5(i::VARCHAR) AS x, md5((i + 1)::VARCHAR) AS y FROM range(2000000) t(i) ORDER BY x"
        expect(yield* Effect.flip(session.write(sorted, ref("sorted"), "parquet"))).toMatchObject({
          because: "memory",
          message: expect.stringContaining("max_temp_directory_size")
        })
      }),
      { memoryBytes: 67_108_864, spillBytes: 8_388_608 }
    ))

  it("leaves neither folder nor process behind", () =>
    over(Effect.scoped(open)).then(() => expect(readdirSync(join(home, "sessions"))).toEqual([])))

  it("cancels a statement when its caller is interrupted, and goes on", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        const endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = 7"
        const fiber = yield* Effect.forkChild(session.number(endless))
        yield* Effect.promise(() => new Promise((later) => setTimeout(later, 100)))
        const since = performance.now()
        yield* Fiber.interrupt(fiber)
        expect(performance.now() - since).toBeLessThan(1_500)
        expect(yield* session.number("SELECT 1")).toBe(1n)
      })
    ))

  it("says that memory ran out, and goes on", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        const failed = yield* Effect.flip(
          session.number("SELECT length(string_agg(repeat('x', 1000), '')) FROM range(1000000)")
        )
        expect(failed).toMatchObject({ because: "memory" })
        expect(yield* session.number("SELECT 1")).toBe(1n)
      }),
      { memoryBytes: 67_108_864 }
    ))

  it("tells of progress", () =>
    over(
      Effect.gen(function* () {
        const seen: Array<number> = []
        const session = yield* SqlEngine.use((engine) => engine.open({ onProgress: (done) => seen.push(done) }))
        yield* session.number("SELECT count(*) FROM range(6000000) t(i) WHERE md5(i::VARCHAR) = ''")
        expect(seen.length).toBeGreaterThan(0)
        expect(seen.every((done) => done >= 0 && done <= 1)).toBe(true)
      })
    ))

  it("says which column or function is missing", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        expect(yield* Effect.flip(session.number("SELECT nothing"))).toMatchObject({
          because: "rejected",
          message: expect.stringContaining("nothing")
        })
      })
    ))

  it.each([["csv"], ["ndjson"], ["parquet"], ["avro"]] as ReadonlyArray<[CollectionFormat]>)(
    "refuses a collection without rows as %s",
    (format) =>
      over(
        Effect.gen(function* () {
          const session = yield* open
          expect(yield* Effect.flip(session.stage({ name: "t", objects: [], format }))).toMatchObject({
            because: "rejected"
          })
        })
      )
  )

  it("fails what is running when its process ends", () =>
    over(
      Effect.gen(function* () {
        const session = yield* open
        const fiber = yield* Effect.forkChild(
          Effect.flip(
            session.number("SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = 7")
          )
        )
        yield* Effect.promise(() => new Promise((later) => setTimeout(later, 100)))
        for (const pid of children()) process.kill(pid, "SIGKILL")
        expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "SqlFailed", because: "crashed" })
        expect(yield* Effect.flip(session.number("SELECT 1"))).toMatchObject({ because: "crashed" })
      })
    ))
})

/** The processes that this one started: sessions of the engine. */
const children = (): ReadonlyArray<number> =>
  (process as unknown as { _getActiveHandles(): ReadonlyArray<{ pid?: number; spawnfile?: string }> })
    ._getActiveHandles()
    .flatMap(({ pid, spawnfile }) => (pid === undefined || spawnfile === undefined ? [] : [pid]))
