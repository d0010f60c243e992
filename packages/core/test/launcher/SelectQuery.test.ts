import { parseSelectQuery, selectCondition } from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const fields = fc.stringMatching(/^[A-Za-z_][\w.]{0,8}$/)

describe("SelectQuery", () => {
  it("reads any terms joined by AND", () =>
    fc.assert(
      fc.property(
        fc.array(fc.record({ field: fields, value: fc.string() }), { minLength: 1, maxLength: 5 }),
        (terms) => {
          const text = terms.map(({ field, value }) => `${field}:"${value.replace(/["\\]/g, "\\$&")}"`).join(" AND ")
          expect(parseSelectQuery(text)).toEqual(terms)
        }
      )
    ))

  it("selects everything by *:*", () => {
    expect(parseSelectQuery("*:*")).toEqual([])
    expect(selectCondition([], "duckdb")).toBe("TRUE")
    expect(parseSelectQuery("*:* AND type:click")).toEqual([{ field: "type", value: "click" }])
  })

  it("compares texts in the words of each dialect", () => {
    const terms = [
      { field: "type", value: "it's" },
      { field: "a.b", value: "1" }
    ]
    expect(selectCondition(terms, "duckdb")).toBe(`CAST("type" AS VARCHAR) = 'it''s' AND CAST("a.b" AS VARCHAR) = '1'`)
    expect(selectCondition(terms, "spark")).toBe("CAST(`type` AS STRING) = 'it\\'s' AND CAST(`a.b` AS STRING) = '1'")
  })

  it.each([
    "",
    "click",
    "*:x",
    "type:*",
    "type:cl*ck",
    "a:1 OR b:2",
    "a:1 b:2",
    "NOT a:1",
    "a:[1 TO 2]",
    "a:1 AND",
    "(a:1)",
    'a:"x',
    "a:1 and b:2"
  ])("refuses %j and says where", (text) =>
    expect(parseSelectQuery(text)).toMatchObject({ _tag: "SqlRejected", hint: expect.any(String) })
  )
})
