/**
 * The child process that holds DuckDB: it sees one folder, an empty environment and nothing else.
 *
 * The database is shut before any statement of a user is parsed: only `allowed_directories` can be read, extensions can
 * neither be installed nor loaded, and the configuration is locked.
 */
import { rmSync } from "node:fs"
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { DuckDBInstance, type DuckDBConnection, StatementType } from "@duckdb/node-api"
import type { ColumnInfo } from "@sotto/core/launcher"
import type { StagedTable } from "@sotto/core/ports/SqlEngine"
import type { Answers, Call, FileFormat, FromChild, ToChild } from "./internal/Calls.ts"
import { forbiddenIn } from "./internal/Names.ts"

const PROGRESS_MS = 200
/** How often the size of a file that is being written is looked at. */
const SIZE_MS = 100

let connection: DuckDBConnection | undefined
/** The folder of the session. */
let home: string | undefined
/** Views of the engine that need no schema before their names: they tell of files and settings. */
let catalog: ReadonlySet<string> = new Set()
let maxOutputBytes = 0

const tell = (message: FromChild): void => void process.send?.(message)

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`
const name = (value: string): string => `"${value.replaceAll('"', '""')}"`

const opened = (): DuckDBConnection => {
  if (connection === undefined) throw new Error("open the session first")
  return connection
}

class NotOneSelect extends Error {}

/** Only one SELECT of rows may come from outside; everything else is written here. */
const select = async (sql: string): Promise<string> => {
  const statements = await opened().extractStatements(sql)
  if (statements.count !== 1) throw new NotOneSelect("write one SELECT")
  const parsed = await opened().runAndReadAll(`SELECT json_serialize_sql(${text(sql)})`)
  const forbidden = forbiddenIn(JSON.parse(String(parsed.getRows()[0]?.[0])), catalog)
  if (forbidden !== undefined) throw new NotOneSelect(forbidden)
  const statement = await statements.prepare(0)
  try {
    if (statement.statementType !== StatementType.SELECT) throw new NotOneSelect("write one SELECT")
  } finally {
    statement.destroySync()
  }
  return sql
}

const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1_048_576)}MiB`

const open = async (call: Extract<Call, { _tag: "Open" }>): Promise<null> => {
  const { folder, memoryBytes, spillBytes, threads } = call
  home = folder
  maxOutputBytes = call.outputBytes
  const instance = await DuckDBInstance.create(":memory:", {
    memory_limit: mebibytes(memoryBytes),
    threads: String(threads),
    temp_directory: join(folder, "spill"),
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false"
  })
  connection = await instance.connect()
  const views = await connection.runAndReadAll(
    "SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'"
  )
  catalog = new Set(views.getRows().map(([view]) => String(view)))
  for (const setting of [
    "SET TimeZone = 'UTC'",
    "SET enable_progress_bar = true",
    "SET enable_progress_bar_print = false",
    "SET preserve_insertion_order = true",
    // Among the options of a new instance it has no effect.
    `SET max_temp_directory_size = ${text(mebibytes(spillBytes))}`,
    `SET allowed_directories = [${text(folder)}]`,
    "SET enable_external_access = false",
    "SET lock_configuration = true"
  ]) {
    // Without the extension for time zones DuckDB already counts in UTC.
    await connection.run(setting).catch((error: unknown) => {
      if (!setting.includes("TimeZone")) throw error
    })
  }
  return null
}

const READERS: Readonly<Record<FileFormat, (files: string) => string>> = {
  parquet: (files) => `read_parquet(${files}, union_by_name = true)`,
  csv: (files) => `read_csv(${files}, union_by_name = true, sample_size = -1)`,
  ndjson: (files) => `read_json(${files}, union_by_name = true, sample_size = -1)`
}

const stage = async (call: Extract<Call, { _tag: "Stage" }>): Promise<StagedTable> => {
  const source = `SELECT * FROM ${READERS[call.format](`[${call.files.map(text).join(", ")}]`)}`
  const types = await typesOf(source)
  const times = types.flatMap(([column, type]) => {
    const time = /_t?dt$/.test(column) ? asTime(name(column), type) : undefined
    return time === undefined ? [] : [`${time} AS ${name(column)}`]
  })
  const rows = times.length === 0 ? source : source.replace("SELECT *", `SELECT * REPLACE (${times.join(", ")})`)
  // Parquet is read where it is needed; texts are parsed once.
  await opened().run(`CREATE OR REPLACE ${call.format === "parquet" ? "VIEW" : "TABLE"} ${name(call.name)} AS ${rows}`)
  return { columns: await columns(call.name), notes: call.format === "parquet" ? await notesOf(call.files) : {} }
}

const notesOf = async (files: ReadonlyArray<string>): Promise<Readonly<Record<string, string>>> => {
  const read = await opened().runAndReadAll(
    `SELECT decode(key), decode(value) FROM parquet_kv_metadata([${files.map(text).join(", ")}]) WHERE decode(key) LIKE 'sotto.%'`
  )
  return Object.fromEntries(read.getRows().map(([key, value]) => [String(key).slice("sotto.".length), String(value)]))
}

const asTime = (column: string, type: string): string | undefined =>
  type === "VARCHAR"
    ? `CAST(CAST(${column} AS TIMESTAMPTZ) AS TIMESTAMP)`
    : type.endsWith("INT") || type === "INTEGER"
      ? `epoch_ms(CAST(${column} AS BIGINT))`
      : type.startsWith("TIMESTAMP") && type !== "TIMESTAMP"
        ? `CAST(${column} AS TIMESTAMP)`
        : undefined

const typesOf = async (source: string): Promise<ReadonlyArray<readonly [string, string]>> => {
  const read = await opened().runAndReadAll(`DESCRIBE ${source}`)
  return read.getRows().map(([column, type]) => [String(column), String(type)] as const)
}

const columns = async (table: string): Promise<ReadonlyArray<ColumnInfo>> =>
  (await typesOf(`SELECT * FROM ${name(table)}`)).map(([column, type]) => ({ name: column, kind: kindOf(type) }))

const kindOf = (type: string): ColumnInfo["kind"] => {
  if (/^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(type)) return "integer"
  if (/^(FLOAT|DOUBLE|DECIMAL)/.test(type)) return "number"
  if (/^(TIMESTAMP|DATE)/.test(type)) return "time"
  return type === "VARCHAR" ? "text" : "other"
}

const number = async (sql: string): Promise<string> => {
  const read = await opened().runAndReadAll(await select(sql))
  const [row] = read.getRows()
  if (read.currentRowCount !== 1 || row?.length !== 1) throw new NotOneSelect("write a SELECT of one number")
  return BigInt(row[0] as bigint | number).toString()
}

const WRITERS: Readonly<Record<FileFormat, string>> = {
  parquet: "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false",
  csv: "FORMAT csv, HEADER true, USE_TMP_FILE false",
  ndjson: "FORMAT json, USE_TMP_FILE false"
}

const tooLarge = (): Error =>
  new Error(
    `The statement wrote more than ${maxOutputBytes} bytes, the most that one result may have. Select fewer rows or columns, or raise the limit.`
  )

/** Runs what writes a file; stops it, and removes the file, once that is larger than a result may be. */
const within = async <A>(file: string, run: () => Promise<A>): Promise<A> => {
  let over = false
  const look = async (): Promise<void> => {
    const size = await stat(file).then(
      (found) => found.size,
      () => 0
    )
    over ||= size > maxOutputBytes
  }
  const timer = setInterval(() => void look().then(() => over && connection?.interrupt()), SIZE_MS)
  try {
    const given = await run()
    await look()
    if (over) throw tooLarge()
    return given
  } catch (error) {
    rmSync(file, { force: true })
    throw over ? tooLarge() : error
  } finally {
    clearInterval(timer)
  }
}

const write = async ({ sql, file, format, notes }: Extract<Call, { _tag: "Write" }>): Promise<number> => {
  const kept = Object.entries(notes).map(([key, value]) => `${name(`sotto.${key}`)}: ${text(value)}`)
  const options =
    format === "parquet" && kept.length > 0 ? `${WRITERS.parquet}, KV_METADATA {${kept.join(", ")}}` : WRITERS[format]
  // On a line of its own: a comment at the end of the query must not swallow the bracket.
  const copy = `COPY (${await select(sql)}\n) TO ${text(file)} (${options})`
  const read = await within(file, () => opened().runAndReadAll(copy))
  return Number(read.getRows()[0]?.[0] ?? 0)
}

const answer = (call: Call): Promise<Answers[Call["_tag"]]> => {
  switch (call._tag) {
    case "Open":
      return open(call)
    case "Stage":
      return stage(call)
    case "View":
      return select(call.sql).then(async (sql) => {
        await opened().run(`CREATE OR REPLACE VIEW ${name(call.name)} AS ${sql}\n`)
        return null
      })
    case "Columns":
      return columns(call.name)
    case "Number":
      return number(call.sql)
    case "Write":
      return write(call)
  }
}

const becauseOf = (error: unknown): "rejected" | "failed" | "memory" => {
  const message = String((error as Error).message)
  if (error instanceof NotOneSelect || /^(Parser|Binder|Catalog|Permission|Not implemented) Error/i.test(message)) {
    return "rejected"
  }
  return /^Out of Memory Error/i.test(message) ? "memory" : "failed"
}

process.on("message", (message: ToChild) => {
  if ("interrupt" in message) return connection?.interrupt()
  const { id, call } = message
  const timer = setInterval(() => {
    const { percentage } = connection?.progress ?? { percentage: -1 }
    if (percentage >= 0) tell({ progress: percentage / 100 })
  }, PROGRESS_MS)
  answer(call)
    .then((given) => tell({ id, answer: given }))
    .catch((error: unknown) => tell({ id, because: becauseOf(error), message: String((error as Error).message) }))
    .finally(() => clearInterval(timer))
})

// Nobody is left to answer, or to remove what lies here: rows of a tenant.
process.on("disconnect", () => {
  if (home !== undefined) rmSync(home, { recursive: true, force: true })
  process.exit(0)
})
