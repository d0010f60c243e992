/**
 * The words of a SQL text that was written for Spark, and how each dialect writes them.
 *
 * Literals are decoded while reading and encoded while printing, so no later step ever sees a quote, an escape or a
 * comment.
 */

/** SQL that people write is Spark's; an engine runs one of these. */
export type SqlDialect = "duckdb" | "spark"

/** `at` is the index of its first UTF-16 unit in the text it was read from. */
export type SqlToken = { readonly at: number } & (
  | { readonly _tag: "Blank" }
  /** A keyword or a plain name. */
  | { readonly _tag: "Word"; readonly text: string }
  /** A name that stood in backticks. */
  | { readonly _tag: "Name"; readonly text: string }
  /** The value of a text literal. */
  | { readonly _tag: "Text"; readonly value: string }
  /** Without the suffix that names a type in Spark. */
  | { readonly _tag: "Number"; readonly text: string }
  | { readonly _tag: "Mark"; readonly text: string }
)

/** Why a text is no SQL that we take. `hint` is a sentence without its full stop. */
export interface SqlRejected {
  readonly _tag: "SqlRejected"
  readonly at: number
  readonly hint: string
}

export const sqlRejected = (at: number, hint: string): SqlRejected => ({ _tag: "SqlRejected", at, hint })

export const isSqlRejected = (value: unknown): value is SqlRejected =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "SqlRejected"

const BLANK = /\s+/y
const LINE_COMMENT = /--[^\n]*/y
const RAW_TEXT = /[rR](?:'([^']*)'|"([^"]*)")/y
const TEXT = /'((?:[^'\\]|\\[^]|'')*)'|"((?:[^"\\]|\\[^]|"")*)"/y
const NAME = /`((?:[^`]|``)+)`/y
const WORD = /[\p{L}_][\p{L}\p{N}_]*/uy
const NUMBER = /((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?:BD|[LSYDF])?(?![\p{L}\p{N}_])/iuy
const MARK = /<=>|<>|!=|<=|>=|==|\|\||->|::|[-+*/%()<>=,.;:[\]{}!~^&|?@]/y

/** Reads a text; comments (and hints, which are written as comments) become blanks. */
export const readSql = (sql: string): ReadonlyArray<SqlToken> | SqlRejected => {
  const tokens: Array<SqlToken> = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(sql)
  }
  while (at < sql.length) {
    let found: RegExpExecArray | null
    if ((found = match(BLANK) ?? match(LINE_COMMENT)) !== null) tokens.push({ _tag: "Blank", at })
    else if (sql.startsWith("/*", at)) {
      const end = endOfComment(sql, at)
      if (end === undefined) return sqlRejected(at, "close the comment that begins here with */")
      tokens.push({ _tag: "Blank", at })
      at = end
      continue
    } else if ((found = match(RAW_TEXT)) !== null) {
      tokens.push({ _tag: "Text", value: found[1] ?? found[2] ?? "", at })
    } else if ((found = match(TEXT)) !== null) {
      const quote = found[1] === undefined ? '"' : "'"
      tokens.push({ _tag: "Text", value: decoded(found[1] ?? found[2] ?? "", quote), at })
    } else if ((found = match(NAME)) !== null) {
      tokens.push({ _tag: "Name", text: (found[1] ?? "").replaceAll("``", "`"), at })
    } else if ((found = match(WORD)) !== null) tokens.push({ _tag: "Word", text: found[0], at })
    else if ((found = match(NUMBER)) !== null) tokens.push({ _tag: "Number", text: found[1] ?? "", at })
    else if ((found = match(MARK)) !== null) tokens.push({ _tag: "Mark", text: found[0], at })
    else return sqlRejected(at, refusal(sql[at] ?? ""))
    at += found[0].length
  }
  return tokens
}

const refusal = (char: string): string =>
  char === "'" || char === '"'
    ? "close the literal that begins here"
    : char === "`"
      ? "close the name that begins here with `"
      : `write no ${JSON.stringify(char)} outside a literal`

/** Comments in brackets nest in Spark. */
const endOfComment = (sql: string, start: number): number | undefined => {
  let depth = 0
  const marks = /\/\*|\*\//g
  marks.lastIndex = start
  for (let mark = marks.exec(sql); mark !== null; mark = marks.exec(sql)) {
    depth += mark[0] === "/*" ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return undefined
}

const CONTROLS: Readonly<Record<string, string>> = { "0": "\0", b: "\b", n: "\n", r: "\r", t: "\t", Z: "\x1a" }

/** The escapes of a Spark literal; `\%` and `\_` keep their backslash, which belongs to the pattern of a LIKE. */
const decoded = (text: string, quote: string): string =>
  text.replace(/\\u([0-9a-fA-F]{4})|\\([0-3][0-7]{2})|\\([^])|''|""/g, (all, hex, octal, char: string | undefined) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex as string, 16))
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal as string, 8))
    if (char === undefined) return all === quote + quote ? quote : all
    return char === "%" || char === "_" ? all : (CONTROLS[char] ?? char)
  })

/** A text literal of a dialect. */
export const sqlText = (value: string, dialect: SqlDialect): string =>
  dialect === "duckdb"
    ? `'${value.replaceAll("'", "''")}'`
    : `'${value.replace(/[\\'\0\n\r]/g, (char) => SPARK_ESCAPES[char] ?? char)}'`

const SPARK_ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  "\0": "\\0",
  "\n": "\\n",
  "\r": "\\r"
}

/** A quoted name of a dialect. */
export const sqlName = (name: string, dialect: SqlDialect): string =>
  dialect === "duckdb" ? `"${name.replaceAll('"', '""')}"` : `\`${name.replaceAll("`", "``")}\``

/** The text of tokens in a dialect. Reading what was printed for Spark gives the same tokens. */
export const printSql = (tokens: ReadonlyArray<SqlToken>, dialect: SqlDialect): string =>
  tokens.map((token) => printed(token, dialect)).join("")

const printed = (token: SqlToken, dialect: SqlDialect): string => {
  switch (token._tag) {
    case "Blank":
      return " "
    case "Text":
      return sqlText(token.value, dialect)
    case "Name":
      return sqlName(token.text, dialect)
    default:
      return token.text
  }
}
