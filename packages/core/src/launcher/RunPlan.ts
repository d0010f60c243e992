/**
 * One run of a configuration as statements over staged tables, in the words of an engine (other systems C1, C3).
 *
 * ```
 * sotto_source ─select─> spark_input ─loadSql─> sotto_loaded ─time─> <input> ─sql─> sotto_fresh
 *                                          sotto_stored ∪ sotto_fresh = <output> ─rollup─> result
 * ```
 */
import { printInstant, fromMillis } from "../Instant.ts"
import type { Configuration } from "./Configuration.ts"
import { selectCondition } from "./SelectQuery.ts"
import { cleanNames, compileSql, viewName } from "./SqlCompiler.ts"
import { shapeOf } from "./SqlShape.ts"
import { isSqlRejected, type SqlDialect, type SqlRejected, sqlText } from "./SqlTokens.ts"

/** What is staged before a run: the rows as they are, under these names. */
export const SOURCE = "sotto_source"
export const STORED = "sotto_stored"

/** The result of the configuration's SQL over what this run reads. */
export const FRESH = "sotto_fresh"

export interface SqlView {
  readonly name: string
  /** One SELECT. */
  readonly sql: string
}

export interface RunTimes {
  /** Signals up to and including this time are read. */
  readonly referenceTime: number
  /** Signals before this time were read by an earlier run; 0 for the first. */
  readonly catchupFrom: number
}

/**
 * Where a run starts to read: one millisecond behind the last, because the SQL of configurations says `>=` and a signal
 * at that very instant would count twice (other systems C1).
 */
export const runTimes = (
  { sourceCatchup, referenceTime }: Configuration,
  lastReferenceTime: number | undefined,
  now: number
): RunTimes => ({
  referenceTime: referenceTime ?? now,
  catchupFrom: sourceCatchup && lastReferenceTime !== undefined ? lastReferenceTime + 1 : 0
})

export interface FreshPlan {
  /** Made one after another; the last is `FRESH`. */
  readonly views: ReadonlyArray<SqlView>
  /** A SELECT of one number: signals that no run has read yet. */
  readonly newSignals: string
  /** A SELECT of one number: rows of the input that are selected, of any time. */
  readonly allSignals: string
  /** The configuration's SQL as its author wrote it, collections named as SQL knows them: for the report. */
  readonly query: string
  /** `click@doc_id,filters,query` */
  readonly aggregationType: string
}

const TIME_COLUMN = "timestamp_tdt"

/** From the staged source to the fresh result. */
export const planFresh = (
  configuration: Configuration,
  times: RunTimes,
  dialect: SqlDialect
): FreshPlan | SqlRejected => {
  const { inputCollection, loadSql, sql, select, label } = configuration
  const options = { dialect, collections: collectionsOf(configuration) }
  const load = compileSql(loadSql, options)
  const fresh = compileSql(sql, options)
  const query = cleanNames(sql, options.collections)
  const shape = shapeOf(sql)
  if (isSqlRejected(load)) return load
  if (isSqlRejected(fresh)) return fresh
  if (isSqlRejected(query)) return query
  if (isSqlRejected(shape)) return shape
  const aggregationType = `${label}@${[...shape.groupBy].sort().join(",")}`
  const reference = sqlTime(times.referenceTime, dialect)
  const input = viewName(inputCollection)
  return {
    views: [
      { name: "spark_input", sql: `SELECT * FROM ${SOURCE} WHERE ${selectCondition(select, dialect)}` },
      { name: "sotto_loaded", sql: load },
      {
        name: input,
        sql: `SELECT *, ${reference} AS ref_time, ${sqlTime(times.catchupFrom, dialect)} AS catchup_timestamp_tdt FROM sotto_loaded WHERE ${TIME_COLUMN} <= ${reference}`
      },
      { name: FRESH, sql: fresh }
    ],
    newSignals: `SELECT COUNT(*) FROM ${input} WHERE ${TIME_COLUMN} >= catchup_timestamp_tdt`,
    allSignals: "SELECT COUNT(*) FROM sotto_loaded",
    query,
    aggregationType
  }
}

const collectionsOf = ({ inputCollection, outputCollection }: Configuration): ReadonlyArray<string> =>
  outputCollection === undefined ? [inputCollection] : [inputCollection, outputCollection]

/** A moment as a literal of the dialect; stored times have no zone and mean UTC. */
export const sqlTime = (millis: number, dialect: SqlDialect): string =>
  dialect === "duckdb"
    ? `TIMESTAMP ${sqlText(printInstant(fromMillis(millis)).replace("T", " ").replace("Z", ""), dialect)}`
    : `TIMESTAMP_MILLIS(${millis}L)`

/** The stamp that every row of a result gets beside its own columns. */
export const stampOf = (
  { aggregationType }: FreshPlan,
  { referenceTime }: RunTimes,
  dialect: SqlDialect
): Readonly<Record<"aggr_type_s" | "timestamp_tdt", string>> => ({
  aggr_type_s: sqlText(aggregationType, dialect),
  [TIME_COLUMN]: sqlTime(referenceTime, dialect)
})
