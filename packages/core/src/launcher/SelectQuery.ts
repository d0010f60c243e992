/**
 * Which rows of the input are read: `*:*`, or `field:value` joined by AND.
 *
 * Anything else that a search engine would understand is refused, so that no run reads other rows than its author meant.
 */
import { type SqlDialect, sqlName, sqlRejected, type SqlRejected, sqlText } from "./SqlTokens.ts"

export interface SelectTerm {
  readonly field: string
  readonly value: string
}

const TERM = /\s*(\*|[A-Za-z_][\w.]*):(?:(\*)|"((?:[^"\\]|\\.)*)"|((?:[\w.@/+-]|\\.)+))(?=\s|$)/y
const AND = /\s+AND(?=\s)/y
const END = /\s*$/y

/** The terms that a row must meet; none: every row. */
export const parseSelectQuery = (text: string): ReadonlyArray<SelectTerm> | SqlRejected => {
  const terms: Array<SelectTerm> = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }
  for (;;) {
    const start = at
    const [, field = "", any, quoted, bare] = match(TERM) ?? []
    const value = quoted ?? bare
    if ((field === "*") !== (any !== undefined) || (field !== "*" && value === undefined)) {
      return sqlRejected(start, "write *:*, or field:value terms joined by AND")
    }
    if (value !== undefined) terms.push({ field, value: value.replace(/\\(.)/g, "$1") })
    if (match(END) !== null) return terms
    if (match(AND) === null) return sqlRejected(at, "join terms by AND, nothing else")
  }
}

/** The condition of a WHERE. */
export const selectCondition = (terms: ReadonlyArray<SelectTerm>, dialect: SqlDialect): string =>
  terms.length === 0
    ? "TRUE"
    : terms
        .map(({ field, value }) => `CAST(${sqlName(field, dialect)} AS ${TEXT[dialect]}) = ${sqlText(value, dialect)}`)
        .join(" AND ")

const TEXT: Readonly<Record<SqlDialect, string>> = { duckdb: "VARCHAR", spark: "STRING" }
