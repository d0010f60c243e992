/**
 * From the SQL that users write for Spark to the SQL of the engine at hand.
 *
 * Aggregates of the launcher (`time_decay`, `weighted_sum`) become plain SQL here, so one definition serves every engine
 * and none needs functions of its own (other systems C3).
 */
import { parseHalfLife } from "./HalfLife.ts"
import { parseSignalWeights } from "./SignalWeights.ts"
import {
  isSqlRejected,
  printSql,
  readSql,
  type SqlDialect,
  sqlRejected,
  type SqlRejected,
  sqlText,
  type SqlToken
} from "./SqlTokens.ts"

export interface CompileOptions {
  readonly dialect: SqlDialect
  /** Names of collections, which may hold hyphens; each becomes `viewName` of it. */
  readonly collections: ReadonlyArray<string>
}

/** The name under which SQL knows a collection: hyphens are no part of a name in SQL. */
export const viewName = (collection: string): string => collection.replaceAll("-", "_")

/** One SELECT in the dialect, or why the text is none. */
export const compileSql = (sql: string, options: CompileOptions): string | SqlRejected => {
  const tokens = readQuery(sql)
  if (isSqlRejected(tokens)) return tokens
  const compiled = expanded(named(tokens, options.collections), options.dialect)
  return isSqlRejected(compiled) ? compiled : printSql(compiled, options.dialect).trim()
}

/** The tokens of a text that is one query; a semicolon at its end is left out. */
export const readQuery = (sql: string): ReadonlyArray<SqlToken> | SqlRejected => {
  const read = readSql(sql)
  if (isSqlRejected(read)) return read
  const last = read.findLastIndex((token) => token._tag !== "Blank")
  const tokens = isMark(read[last], ";") ? read.slice(0, last) : read
  const second = tokens.find((token) => isMark(token, ";"))
  if (second !== undefined) return sqlRejected(second.at, "write one statement only")
  const [first] = tokens.filter(({ _tag }) => _tag !== "Blank")
  if (!isWord(first, "select") && !isWord(first, "with")) {
    return sqlRejected(first?.at ?? 0, "begin the statement with SELECT or WITH")
  }
  return balanced(tokens) ?? tokens
}

const balanced = (tokens: ReadonlyArray<SqlToken>): SqlRejected | undefined => {
  const open: Array<SqlToken> = []
  for (const token of tokens) {
    if (isMark(token, "(")) open.push(token)
    else if (isMark(token, ")") && open.pop() === undefined) return sqlRejected(token.at, "this ) closes nothing")
  }
  const [first] = open
  return first === undefined ? undefined : sqlRejected(first.at, "close this ( with )")
}

interface CollectionPlace {
  /** The tokens `from` up to, not including, `to`. */
  readonly from: number
  readonly to: number
  readonly collection: string
}

/**
 * Where collections are named. A name with hyphens is several tokens that touch; what only looks like one, such as `a-b`
 * of two columns, stays a subtraction.
 */
const placesOf = (
  tokens: ReadonlyArray<SqlToken>,
  collections: ReadonlyArray<string>
): ReadonlyArray<CollectionPlace> => {
  const places: Array<CollectionPlace> = []
  for (let from = 0; from < tokens.length;) {
    const token = tokens[from] as SqlToken
    let to = from
    while (partOfName(tokens[to])) to++
    const collection = token._tag === "Name" ? token.text : tokens.slice(from, to).map(source).join("")
    to = Math.max(to, from + 1)
    if (token._tag !== "Mark" && collections.includes(collection)) places.push({ from, to, collection })
    from = to
  }
  return places
}

/** Gives collections the names that SQL knows them by. */
const named = (tokens: ReadonlyArray<SqlToken>, collections: ReadonlyArray<string>): ReadonlyArray<SqlToken> => {
  const out: Array<SqlToken> = []
  let end = 0
  for (const { from, to, collection } of placesOf(tokens, collections)) {
    out.push(...tokens.slice(end, from), { _tag: "Word", text: viewName(collection), at: tokens[from]?.at ?? 0 })
    end = to
  }
  return [...out, ...tokens.slice(end)]
}

/** The text as its author wrote it, apart from the names of collections: what a report shows as `query`. */
export const cleanNames = (sql: string, collections: ReadonlyArray<string>): string | SqlRejected => {
  const tokens = readSql(sql)
  if (isSqlRejected(tokens)) return tokens
  let text = ""
  let end = 0
  for (const { from, to, collection } of placesOf(tokens, collections)) {
    text += sql.slice(end, tokens[from]?.at) + viewName(collection)
    end = tokens[to]?.at ?? sql.length
  }
  return text + sql.slice(end)
}

const partOfName = (token: SqlToken | undefined): boolean =>
  token?._tag === "Word" || token?._tag === "Number" || isMark(token, "-")

const source = (token: SqlToken): string => ("text" in token ? token.text : "")

interface Call {
  readonly name: string
  readonly at: number
  readonly args: ReadonlyArray<ReadonlyArray<SqlToken>>
  readonly dialect: SqlDialect
}

type Expansion = (call: Call) => string | SqlRejected

const expanded = (tokens: ReadonlyArray<SqlToken>, dialect: SqlDialect): ReadonlyArray<SqlToken> | SqlRejected => {
  const out: Array<SqlToken> = []
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as SqlToken
    const name = token._tag === "Word" ? token.text.toLowerCase() : ""
    const open = nextOf(tokens, i + 1)
    const expand = EXPANSIONS.get(name)
    if (expand === undefined || !isMark(tokens[open], "(") || isMark(tokens[i - 1], ".")) {
      out.push(token)
      continue
    }
    const { args, end } = argumentsOf(tokens, open)
    const inner: Array<ReadonlyArray<SqlToken>> = []
    for (const arg of args) {
      const one = expanded(arg, dialect)
      if (isSqlRejected(one)) return one
      inner.push(one)
    }
    const text = expand({ name, at: token.at, args: inner, dialect })
    if (isSqlRejected(text)) return text
    // Already the dialect's own words: a mark is printed as it stands.
    out.push({ _tag: "Mark", text, at: token.at })
    i = end
  }
  return out
}

/** The arguments of the call whose `(` stands at `open`; `end` is where its `)` stands. */
export const argumentsOf = (
  tokens: ReadonlyArray<SqlToken>,
  open: number
): { readonly args: ReadonlyArray<ReadonlyArray<SqlToken>>; readonly end: number } => {
  const args: Array<Array<SqlToken>> = [[]]
  let depth = 0
  let end = open
  for (; end < tokens.length; end++) {
    const token = tokens[end] as SqlToken
    if (isMark(token, "(") && depth++ === 0) continue
    if (isMark(token, ")") && --depth === 0) break
    if (depth === 1 && isMark(token, ",")) args.push([])
    else args.at(-1)?.push(token)
  }
  return { args: args.map(trimmed), end }
}

const timeDecay: Expansion = ({ at, args, dialect }) => {
  if (args.length < 2 || args.length > 5) {
    return sqlRejected(
      at,
      "give time_decay a count, a timestamp and, if you like, half-life, reference time and weight"
    )
  }
  // The short form: 30 days, the run's reference time, weight 0.1 (other systems C2).
  const [count = [], timestamp = [], halfLife, reference, weight] = args
  const milliseconds = halfLife === undefined ? parseHalfLife("30 days") : parseHalfLife(plain(halfLife))
  if (milliseconds === undefined) {
    return sqlRejected(halfLife?.[0]?.at ?? at, "write the half-life of time_decay as a literal such as '30 days'")
  }
  const [c, t] = [printSql(count, dialect), printSql(timestamp, dialect)]
  const r = reference === undefined ? "ref_time" : printSql(reference, dialect)
  const w = weight === undefined ? "0.1" : printSql(weight, dialect)
  const millis = dialect === "duckdb" ? "EPOCH_MS" : "UNIX_MILLIS"
  // A signal of the future weighs as much as one of now.
  const age = `GREATEST(${millis}(${r}) - ${millis}(${t}), 0)`
  return `SUM(CAST(${c} AS DOUBLE) * CAST(${w} AS DOUBLE) * POWER(5e-1, CAST(${age} AS DOUBLE) / ${milliseconds}e0))`
}

const weightedSum: Expansion = ({ at, args, dialect }) => {
  const [weight = [], type = [], spec = []] = args
  const [literal] = spec
  const weights = literal?._tag === "Text" && spec.length === 1 ? parseSignalWeights(literal.value) : undefined
  if (args.length !== 3 || weights === undefined) {
    return sqlRejected(
      literal?.at ?? at,
      "give weighted_sum a weight, a type and a literal such as 'click:1.0,cart:10.0' that names each type once"
    )
  }
  const cases = weights.map((one) => `WHEN ${sqlText(one.type, dialect)} THEN ${double(one.weight)}`)
  // A type that is not listed weighs nothing (other systems C2).
  return `SUM(CAST(${printSql(weight, dialect)} AS DOUBLE) * CASE ${printSql(type, dialect)} ${cases.join(" ")} ELSE 0e0 END)`
}

const double = (decimal: string): string => (decimal.startsWith("-") ? `(${decimal}e0)` : `${decimal}e0`)

const split: Expansion = ({ at, args, dialect }) => {
  if (args.length !== 2) return sqlRejected(at, "give split a text and a pattern")
  const [text = [], pattern = []] = args.map((arg) => printSql(arg, dialect))
  return dialect === "duckdb" ? `REGEXP_SPLIT_TO_ARRAY(${text}, ${pattern})` : `SPLIT(${text}, ${pattern})`
}

const EXPANSIONS: ReadonlyMap<string, Expansion> = new Map([
  ["time_decay", timeDecay],
  ["weighted_sum", weightedSum],
  ["split", split]
])

/** A half-life as a literal or as Spark's `interval 30 days`, without quotes. */
const plain = (tokens: ReadonlyArray<SqlToken>): string =>
  tokens.map((token) => (token._tag === "Text" ? token.value : token._tag === "Blank" ? " " : source(token))).join("")

export const isMark = (token: SqlToken | undefined, text: string): boolean =>
  token?._tag === "Mark" && token.text === text

export const isWord = (token: SqlToken | undefined, text: string): boolean =>
  token?._tag === "Word" && token.text.toLowerCase() === text

/** Index of the next token that is no blank. */
export const nextOf = (tokens: ReadonlyArray<SqlToken>, from: number): number => {
  let i = from
  while (tokens[i]?._tag === "Blank") i++
  return i
}

const trimmed = (tokens: ReadonlyArray<SqlToken>): ReadonlyArray<SqlToken> => {
  const first = tokens.findIndex(({ _tag }) => _tag !== "Blank")
  const last = tokens.findLastIndex(({ _tag }) => _tag !== "Blank")
  return first < 0 ? [] : tokens.slice(first, last + 1)
}
