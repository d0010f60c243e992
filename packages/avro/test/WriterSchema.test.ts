import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AVRO_LIMITS } from "@sotto/avro"
import { parseSchema } from "../src/WriterSchema.ts"
import { DEBUG_SCHEMA, REPORT_SCHEMA, tables } from "./Files.ts"

const parse = (schema: unknown) => parseSchema(JSON.stringify(schema), AVRO_LIMITS)
const refused = (reason: string) => ({ _tag: "SchemaRejected", reason })
const nested = (depth: number): unknown => (depth === 1 ? "int" : { type: "array", items: nested(depth - 1) })
const record = (fields: unknown, more = {}) => ({ type: "record", name: "R", fields, ...more })

describe("WriterSchema", () => {
  it("takes every schema that Avro has, and answers a changed text without throwing", () => {
    fc.assert(
      fc.property(tables([]), fc.nat(), fc.string({ maxLength: 3 }), ({ schema }, at, noise) => {
        expect(parseSchema(schema, AVRO_LIMITS)).toMatchObject({ kind: "record" })
        const i = at % schema.length
        parseSchema(schema.slice(0, i) + noise + schema.slice(i + 1), AVRO_LIMITS)
      }),
      { numRuns: 300 }
    )
    for (const schema of [REPORT_SCHEMA, DEBUG_SCHEMA])
      expect(parseSchema(schema, AVRO_LIMITS)).toMatchObject({ kind: "record" })
  })

  it("finds names in their namespace", () => {
    const inner = { type: "fixed", name: "F", size: 2 }
    const found = parse(
      record(
        [
          { name: "a", type: inner },
          { name: "b", type: "F" },
          { name: "c", type: "x.y.F" }
        ],
        { namespace: "x.y" }
      )
    )
    const fixed = { kind: "fixed", size: 2 }
    expect(found).toMatchObject({ name: "x.y.R", fields: [{ type: fixed }, { type: fixed }, { type: fixed }] })
    expect(parse(record([{ name: "a", type: "z.F" }]))).toEqual(refused('the schema names an unknown type "z.F"'))
  })

  it("allows 32 levels and 4096 types, not one more", () => {
    expect(parse(nested(32))).toMatchObject({ kind: "array" })
    expect(parse(nested(33))).toEqual(refused("the schema nests deeper than 32"))
    const many = (n: number) => record(Array.from({ length: n }, (_, i) => ({ name: `f${i}`, type: "int" })))
    expect(parse(many(4095))).toMatchObject({ kind: "record" })
    expect(parse(many(4096))).toEqual(refused("the schema has more than 4096 types and fields"))
  })

  it("does not overflow the stack on 300 000 brackets", () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"type":', "}"]
    ] as const)
      expect(parseSchema(open.repeat(100_000) + '"int"' + close.repeat(100_000), AVRO_LIMITS)).toEqual(
        refused("the schema nests deeper than 32")
      )
  })

  it.each<[unknown, string]>([
    [[], "a union of the schema has no branches"],
    [["null", ["int"]], "a union of the schema holds a union"],
    [7, "the schema holds something that is no type"],
    [null, "the schema holds something that is no type"],
    ["integer", 'the schema names an unknown type "integer"'],
    [{ type: "record", fields: [] }, "a named type of the schema has no name"],
    [{ type: "record", name: "R" }, "a record of the schema has no fields"],
    [record([{ type: "int" }]), "a field of the schema has no name"],
    [
      record([
        { name: "a", type: "int" },
        { name: "a", type: "int" }
      ]),
      'the schema declares a field "a" twice'
    ],
    [record([{ name: "a", type: record([]) }]), 'the schema declares "R" twice'],
    [{ type: "enum", name: "E" }, "an enum of the schema has no symbols"],
    [{ type: "fixed", name: "F", size: -1 }, "a fixed type of the schema has no valid size"],
    [{ type: "fixed", name: "F", size: 1e300 }, "a fixed type of the schema has no valid size"],
    [{ type: "array" }, "the schema holds something that is no type"]
  ])("refuses %j", (schema, reason) => {
    expect(parse(schema)).toEqual(refused(reason))
  })

  it("refuses what is not JSON", () => {
    expect(parseSchema("{", AVRO_LIMITS)).toEqual(refused("the schema is not JSON"))
  })
})
