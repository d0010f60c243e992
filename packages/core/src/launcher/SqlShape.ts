/** What a query gives and by what it groups, as far as its words tell: the last SELECT … GROUP BY outside brackets. */
import { isMark, isWord, nextOf, readQuery } from "./SqlCompiler.ts"
import { isSqlRejected, printSql, type SqlRejected, type SqlToken } from "./SqlTokens.ts"

export interface SqlColumn {
  /** `undefined` where only the engine knows, as for `*` or an expression without a name. */
  readonly name: string | undefined
  /** The expression in Spark's words, blanks made one. */
  readonly expression: string
}

export interface SqlShape {
  readonly columns: ReadonlyArray<SqlColumn>
  /** The expressions of the last GROUP BY; empty without one. */
  readonly groupBy: ReadonlyArray<string>
}

export const shapeOf = (sql: string): SqlShape | SqlRejected => {
  const tokens = readQuery(sql)
  if (isSqlRejected(tokens)) return tokens
  const outer = outermost(tokens)
  const select = outer.findLastIndex(({ token }) => isWord(token, "select"))
  const from = outer.findIndex(({ token }, i) => i > select && isWord(token, "from"))
  const group = outer.findIndex(
    ({ token, index }, i) => i > select && isWord(token, "group") && isWord(tokens[nextOf(tokens, index + 1)], "by")
  )
  const end = outer.findIndex(({ token }, i) => i > group && AFTER_GROUP.some((word) => isWord(token, word)))
  const between = (a: number, b: number) =>
    tokens.slice((outer[a]?.index ?? 0) + 1, b < 0 ? tokens.length : (outer[b]?.index ?? tokens.length))
  const by = group < 0 ? [] : between(group, end)
  return {
    columns: items(between(select, from)).map(column),
    groupBy: group < 0 ? [] : items(by.slice(nextOf(by, 0) + 1)).map(expression)
  }
}

const AFTER_GROUP = ["having", "order", "limit", "union", "intersect", "except", "sort", "window", "qualify"]

/** The tokens outside all brackets, with their places. */
const outermost = (tokens: ReadonlyArray<SqlToken>) => {
  let depth = 0
  return tokens.flatMap((token, index) => {
    if (isMark(token, ")")) depth--
    const here = depth === 0 ? [{ token, index }] : []
    if (isMark(token, "(")) depth++
    return here
  })
}

/** What commas outside brackets separate. */
const items = (tokens: ReadonlyArray<SqlToken>): ReadonlyArray<ReadonlyArray<SqlToken>> => {
  const parts: Array<Array<SqlToken>> = [[]]
  for (const { token } of withDepth(tokens)) {
    if (token === undefined) parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts.filter((part) => part.some(({ _tag }) => _tag !== "Blank"))
}

/** `undefined` stands for a comma outside brackets. */
const withDepth = (tokens: ReadonlyArray<SqlToken>): ReadonlyArray<{ readonly token: SqlToken | undefined }> => {
  let depth = 0
  return tokens.map((token) => {
    if (isMark(token, "(")) depth++
    if (isMark(token, ")")) depth--
    return { token: depth === 0 && isMark(token, ",") ? undefined : token }
  })
}

const expression = (tokens: ReadonlyArray<SqlToken>): string => printSql(tokens, "spark").trim().replace(/\s+/g, " ")

const column = (tokens: ReadonlyArray<SqlToken>): SqlColumn => {
  const words = tokens.filter(({ _tag }) => _tag !== "Blank")
  const last = words.at(-1)
  const before = words.at(-2)
  const name = last?._tag === "Word" || last?._tag === "Name" ? last.text : undefined
  if (name !== undefined && isWord(before, "as")) {
    return { name, expression: expression(tokens.slice(0, tokens.indexOf(before as SqlToken))) }
  }
  // A name alone, or the last part of `c.query`, is its own column's name.
  return { name: words.length === 1 || isMark(before, ".") ? name : undefined, expression: expression(tokens) }
}
