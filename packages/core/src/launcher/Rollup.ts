/** How a run's fresh rows join what earlier runs stored. */
import type { Configuration } from "./Configuration.ts"
import { FRESH, type FreshPlan, type RunTimes, SOURCE, sqlTime, type SqlView, stampOf, STORED } from "./RunPlan.ts"
import { selectCondition } from "./SelectQuery.ts"
import { argumentsOf, compileSql, isMark, isWord, nextOf, readQuery, viewName } from "./SqlCompiler.ts"
import { shapeOf } from "./SqlShape.ts"
import { isSqlRejected, printSql, type SqlDialect, sqlName, sqlRejected, type SqlRejected } from "./SqlTokens.ts"

/** A column as the engine describes it. */
export interface ColumnInfo {
  readonly name: string
  readonly kind: "integer" | "number" | "text" | "time" | "other"
}

export interface RollupPlan {
  readonly views: ReadonlyArray<SqlView>
  /** A SELECT of the rows that the output collection holds afterwards. */
  readonly result: string
  /** A SELECT of one number: rows that this run wrote, new and replaced. */
  readonly written: string
}

/**
 * From the fresh result to the collection's next content.
 *
 * Runs that read only what is new are rolled up with what is stored; a run that reads everything stands for itself. With
 * a natural key rows of other ids stay. `stored`: the columns of the collection, if it has any rows yet.
 */
export const planRollup = (
  configuration: Configuration,
  plan: FreshPlan,
  times: RunTimes,
  columns: { readonly fresh: ReadonlyArray<ColumnInfo>; readonly stored: ReadonlyArray<ColumnInfo> | undefined },
  dialect: SqlDialect
): RollupPlan | SqlRejected => {
  const { inputCollection, outputCollection, sourceCatchup, sourceRemove, naturalKey } = configuration
  const { fresh, stored } = columns
  const has = (name: string) => fresh.some((column) => column.name === name)
  if (naturalKey && !has("id")) return sqlRejected(0, "let the SQL give a column id, or set useNaturalKey to false")
  const stamp = stampOf(plan, times, dialect)
  const missing = (known: ReadonlyArray<string>) =>
    Object.entries(stamp).flatMap(([name, value]) => (known.includes(name) ? [] : [`, ${value} AS ${name}`]))
  const stamped = `SELECT *${missing(fresh.map(({ name }) => name)).join("")} FROM ${FRESH}`
  const incremental = (sourceCatchup || sourceRemove) && outputCollection !== undefined
  const output = viewName(outputCollection ?? "sotto_output")
  const union = stored === undefined ? stamped : unionOf(stamped, `SELECT * FROM ${STORED}`, dialect)
  const text = incremental
    ? (configuration.rollupSql ?? defaultRollup(configuration, fresh, times, output, dialect))
    : ""
  if (isSqlRejected(text)) return text
  const rolled = incremental ? compileSql(text, { dialect, collections: [inputCollection, outputCollection] }) : stamped
  if (isSqlRejected(rolled)) return rolled
  const shape = incremental ? shapeOf(text) : undefined
  const names = shape === undefined || isSqlRejected(shape) ? Object.keys(stamp) : shape.columns.map(({ name }) => name)
  const again = incremental
    ? `SELECT *${missing(names.flatMap((name) => name ?? [])).join("")} FROM sotto_rolled`
    : rolled
  const others = `SELECT * FROM ${STORED} WHERE id NOT IN (SELECT id FROM sotto_result WHERE id IS NOT NULL)`
  return {
    views: [
      ...(incremental ? [{ name: output, sql: union }] : []),
      { name: "sotto_rolled", sql: rolled },
      { name: "sotto_result", sql: again }
    ],
    result:
      naturalKey && stored !== undefined
        ? unionOf("SELECT * FROM sotto_result", others, dialect)
        : "SELECT * FROM sotto_result",
    written: `SELECT COUNT(*) FROM ${FRESH}`
  }
}

/**
 * A SELECT of the source's rows that stay when a run removes what it aggregated: rows that are not selected, of the
 * future, or older than where it began to read.
 */
export const restOf = (
  { select }: Configuration,
  { catchupFrom, referenceTime }: RunTimes,
  dialect: SqlDialect
): string => {
  const [from, to] = [sqlTime(catchupFrom, dialect), sqlTime(referenceTime, dialect)]
  const read = `(${selectCondition(select, dialect)}) AND timestamp_tdt >= ${from} AND timestamp_tdt <= ${to}`
  return `SELECT * FROM ${SOURCE} WHERE (${read}) IS NOT TRUE`
}

const unionOf = (a: string, b: string, dialect: SqlDialect): string =>
  dialect === "duckdb" ? `${a} UNION ALL BY NAME ${b}` : `${a} UNION ALL ${b}`

/**
 * Sums numbers over the groups of the SQL's last GROUP BY. Where the SQL decays, stored weights decay on from their own
 * time, so that many small runs weigh exactly what one large run would (other systems C3).
 */
const defaultRollup = (
  { sql }: Configuration,
  columns: ReadonlyArray<ColumnInfo>,
  { referenceTime }: RunTimes,
  output: string,
  dialect: SqlDialect
): string | SqlRejected => {
  const shape = shapeOf(sql)
  if (isSqlRejected(shape)) return shape
  const grouped = new Set(
    shape.columns.flatMap(({ name, expression }) =>
      name !== undefined && (shape.groupBy.includes(expression) || shape.groupBy.includes(name)) ? [name] : []
    )
  )
  const halfLife = halfLifeOf(sql)
  if (isSqlRejected(halfLife)) return halfLife
  const quoted = (name: string) => sqlName(name, "spark")
  const items = columns.map(({ name, kind }) => {
    const column = quoted(name)
    if (grouped.has(name)) return column
    if (halfLife !== undefined && /^weight/i.test(name) && kind === "number") {
      return `time_decay(1, timestamp_tdt, ${halfLife}, ${sqlTime(referenceTime, dialect)}, ${column}) AS ${column}`
    }
    return `${kind === "integer" || kind === "number" ? "SUM" : "FIRST"}(${column}) AS ${column}`
  })
  const stamps = columns.some(({ name }) => name === "aggr_type_s") ? [] : ["FIRST(aggr_type_s) AS aggr_type_s"]
  const by = columns.filter(({ name }) => grouped.has(name)).map(({ name }) => quoted(name))
  return `SELECT ${[...items, ...stamps].join(", ")} FROM ${output}${by.length === 0 ? "" : ` GROUP BY ${by.join(", ")}`}`
}

/** The half-life of the SQL's first `time_decay` as a literal; `undefined` if it does not decay. */
const halfLifeOf = (sql: string): string | undefined | SqlRejected => {
  const tokens = readQuery(sql)
  if (isSqlRejected(tokens)) return tokens
  const call = tokens.findIndex((token, i) => isWord(token, "time_decay") && isMark(tokens[nextOf(tokens, i + 1)], "("))
  if (call < 0) return undefined
  const { args } = argumentsOf(tokens, nextOf(tokens, call + 1))
  return args[2] === undefined ? "'30 days'" : printSql(args[2], "spark")
}
