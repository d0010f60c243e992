import { isSqlRejected, printSql, readSql, sqlName, sqlText, type SqlToken } from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const bodies = (sql: string): ReadonlyArray<unknown> => {
  const tokens = readSql(sql)
  if (isSqlRejected(tokens)) throw new Error(tokens.hint)
  return tokens.map(({ at: _, ...body }) => body)
}

const values = fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"))

const tokens: fc.Arbitrary<SqlToken> = fc.oneof(
  values.map((value) => ({ _tag: "Text" as const, value, at: 0 })),
  fc.string({ minLength: 1 }).map((text) => ({ _tag: "Name" as const, text, at: 0 })),
  fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/).map((text) => ({ _tag: "Word" as const, text, at: 0 })),
  fc.nat().map((n) => ({ _tag: "Number" as const, text: String(n), at: 0 })),
  fc.constantFrom("(", ")", ",", "=", "+", "*", ".").map((text) => ({ _tag: "Mark" as const, text, at: 0 }))
)

describe("SqlTokens", () => {
  it("reads back every literal and every name that it prints for Spark", () =>
    fc.assert(
      fc.property(values, fc.string({ minLength: 1 }), (value, name) => {
        expect(bodies(sqlText(value, "spark"))).toEqual([{ _tag: "Text", value }])
        expect(bodies(sqlName(name, "spark"))).toEqual([{ _tag: "Name", text: name }])
      })
    ))

  it("reads back what it prints for Spark, whatever the tokens", () =>
    fc.assert(
      fc.property(fc.array(tokens), (list) => {
        const spaced = list.flatMap((token) => [token, { _tag: "Blank" as const, at: 0 }])
        expect(bodies(printSql(spaced, "spark"))).toEqual(spaced.map(({ at: _, ...body }) => body))
      })
    ))

  it("prints a literal that DuckDB ends where it ends: quotes are doubled and nothing else is special", () =>
    fc.assert(
      fc.property(values, (value) => {
        const text = sqlText(value, "duckdb")
        expect(text.slice(1, -1).replaceAll("''", "")).not.toContain("'")
        expect(text.slice(1, -1).replaceAll("''", "'")).toBe(value)
      })
    ))

  it.each([
    [String.raw`' \\$ '`, " \\$ "],
    [String.raw`' \$ '`, " $ "],
    [String.raw`"30 days"`, "30 days"],
    [String.raw`'it''s'`, "it's"],
    [String.raw`'it\'s'`, "it's"],
    [String.raw`'a\nb\tc'`, "a\nb\tc"],
    [String.raw`'\u0041\101'`, "AA"],
    [String.raw`'10\%'`, "10\\%"],
    [String.raw`r'\d+'`, "\\d+"],
    [`'-- no comment'`, "-- no comment"]
  ])("decodes the Spark literal %s", (sql, value) => expect(bodies(sql)).toEqual([{ _tag: "Text", value }]))

  it("takes comments and hints for blanks, nested ones too", () =>
    expect(bodies("a/*x /*y*/ 'z*/b--c'\n")).toEqual([
      { _tag: "Word", text: "a" },
      { _tag: "Blank" },
      { _tag: "Word", text: "b" },
      { _tag: "Blank" },
      { _tag: "Blank" }
    ]))

  it.each([
    ["1L", "1"],
    ["1.5D", "1.5"],
    ["2e-3", "2e-3"],
    ["12.50BD", "12.50"],
    [".5", ".5"]
  ])("reads the number %s", (sql, text) => expect(bodies(sql)).toEqual([{ _tag: "Number", text }]))

  it.each([
    ["SELECT 'a", 7],
    ['SELECT "a', 7],
    ["SELECT `a", 7],
    ["SELECT /* a", 7],
    ["SELECT \\", 7]
  ])("says where %s goes wrong", (sql, at) =>
    expect(readSql(sql)).toMatchObject({ _tag: "SqlRejected", at, hint: expect.any(String) })
  )

  it("reads any text or says where it stops", () =>
    fc.assert(
      fc.property(fc.string(), (sql) => {
        const read = readSql(sql)
        if (isSqlRejected(read)) expect(read.at).toBeLessThan(sql.length)
        else expect(read.every(({ at }, i) => at > (read[i - 1]?.at ?? -1))).toBe(true)
      })
    ))
})
