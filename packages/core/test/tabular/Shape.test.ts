import * as Schema from "effect/Schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ANY, convert, jsonSchemaOf, type Shape, shapeAt, shapeOf } from "../../src/tabular/Shape.ts"
import { isPathRejected, parsePath } from "../../src/tabular/SchemaPath.ts"

interface Tree {
  readonly name: string
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Codec<Tree, unknown> = Schema.Struct({
  name: Schema.String,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree, unknown> => Tree))
}).annotate({ identifier: "Tree" }) as never

const shape = shapeOf(
  jsonSchemaOf(
    Schema.Struct({
      text: Schema.NonEmptyString,
      number: Schema.Number,
      finite: Schema.Finite,
      integer: Schema.Int,
      yes: Schema.Boolean,
      word: Schema.Literals(["a", "b"]),
      big: Schema.BigInt,
      maybe: Schema.NullOr(Schema.Finite),
      left: Schema.optionalKey(Schema.String),
      either: Schema.Union([Schema.String, Schema.Finite]),
      open: Schema.Json,
      list: Schema.Array(Schema.Struct({ n: Schema.Int })),
      pair: Schema.Tuple([Schema.Finite, Schema.String]),
      record: Schema.Record(Schema.String, Schema.Finite),
      deep: Schema.Struct({ er: Schema.Struct({ yet: Schema.Boolean }) }),
      tree: Tree
    }) as never
  )
)

const at = (text: string): Shape | undefined => {
  const path = parsePath(text)
  return isPathRejected(path) ? undefined : shapeAt(shape, path)
}

describe("the shape of a schema", () => {
  it.each([
    ["text", "text", false],
    ["number", "number", false],
    ["finite", "number", false],
    ["integer", "integer", false],
    ["yes", "boolean", false],
    ["word", "text", false],
    ["big", "text", false],
    ["maybe", "number", true],
    ["left", "text", false],
    ["either", "any", false],
    ["open", "any", true],
    ["list", "list", false],
    ["list[3]/n", "integer", false],
    ["pair[1]", "text", false],
    ["record/whatever", "number", false],
    ["deep/er/yet", "boolean", false],
    ["tree/children[0]/children[1]/name", "text", false]
  ])("says that %s is of type %s", (path, type, nullable) => {
    expect(at(path)).toMatchObject({ type, nullable })
  })

  it.each(["other", "text/more", "pair[2]", "list/n", "deep/other", "text[0]"])("has nothing at %s", (path) => {
    expect(at(path)).toBeUndefined()
  })

  it("knows what is required, and how long a list always is", () => {
    expect(shape.members.filter(({ required }) => !required).map(({ name }) => name)).toEqual(["left"])
    expect([at("pair")?.length, at("list")?.length]).toEqual([2, null])
  })

  it("of an open place goes on for ever", () => {
    expect(ANY.member("a")?.item(3)).toBe(ANY)
  })
})

describe("a text", () => {
  const of = (schema: unknown) => shapeOf(jsonSchemaOf(schema as never))
  const value = (text: string, schema: unknown) => {
    const read = convert(text, of(schema))
    return read._tag === "Converted" ? read.value : read.hint
  }

  it("is read as the number that is written", () =>
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(value(String(number), Schema.Finite)).toBe(Object.is(number, -0) ? 0 : number)
      })
    ))

  it.each(["", " ", "1,5", "0x10", "1_000", "NaN", "Infinity", "1e999", "--1", "1 2", "٣"])(
    "%j is no number",
    (text) => {
      expect(value(text, Schema.Finite)).toMatch(/^expected a number/)
    }
  )

  it("is read as a number with blanks, a sign or an exponent", () => {
    expect([" 1 ", "+1", "-.5", "5.", "1e3"].map((text) => value(text, Schema.Finite))).toEqual([1, 1, -0.5, 5, 1000])
  })

  it("is a whole number only if it is one, and small enough to be one", () => {
    expect([value("7", Schema.Int), value("7.0", Schema.Int)]).toEqual([7, 7])
    expect(value("7.5", Schema.Int)).toMatch(/^expected a whole number/)
    expect(value("9007199254740993", Schema.Int)).toMatch(/^expected a whole number/)
  })

  it("is a boolean in any case, and no other word", () => {
    expect([value("true", Schema.Boolean), value("False ", Schema.Boolean)]).toEqual([true, false])
    expect(value("1", Schema.Boolean)).toMatch(/^expected true or false/)
  })

  it("is a list if it is a JSON list, and otherwise a list of one", () => {
    expect([value("[1, 2]", Schema.Array(Schema.Int)), value("3", Schema.Array(Schema.Int))]).toEqual([[1, 2], [3]])
    expect(value("[x", Schema.Array(Schema.String))).toEqual(["[x"])
    expect(value("x", Schema.Array(Schema.Int))).toMatch(/^expected a number/)
  })

  it("is a struct if it is a JSON object", () => {
    const point = Schema.Struct({ x: Schema.Int })
    expect(value('{"x":1}', point)).toEqual({ x: 1 })
    expect([value("[1]", point), value("x", point)]).toEqual([expect.any(String), expect.any(String)])
  })

  it("stays as it is where a text may be", () => {
    expect([value(" 1 ", Schema.String), value("1", Schema.Json)]).toEqual([" 1 ", "1"])
  })

  it("that is long is not repeated in full", () => {
    expect(String(value("x".repeat(1000), Schema.Int)).length).toBeLessThan(120)
  })
})
