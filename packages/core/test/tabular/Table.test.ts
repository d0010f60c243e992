import * as Schema from "effect/Schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { isPathRejected, parsePath, printPath, stepsOf, type SchemaPath } from "../../src/tabular/SchemaPath.ts"
import { jsonSchemaOf, shapeOf } from "../../src/tabular/Shape.ts"
import {
  fieldsOf,
  layoutOf,
  MAX_COLUMNS,
  type Table,
  tableWithHeader,
  tableWithoutHeader,
  widthOf
} from "../../src/tabular/Table.ts"
import { plain } from "./support.ts"

const table = (header: ReadonlyArray<string>): Table => {
  const made = tableWithHeader(header)
  if ("_tag" in made) throw new Error(made.message)
  return made
}

const record = (header: ReadonlyArray<string>, cells: ReadonlyArray<string>) => plain(table(header).record(cells))

const path = (text: string): SchemaPath => {
  const read = parsePath(text)
  if (isPathRejected(read)) throw new Error(read.hint)
  return read
}

describe("a table", () => {
  it.each([
    ["names", ["x", "y"], ["1", "2"], { x: "1", y: "2" }],
    ["paths", ["a/b", "a/c", "/d"], ["1", "2", "3"], { a: { b: "1", c: "2" }, d: "3" }],
    ["positions", ["v[1]", "v[0]", "w[0]/n"], ["1", "2", "3"], { v: ["2", "1"], w: [{ n: "3" }] }],
    ["a repeated header", ["v", "k", "v", "v"], ["1", "2", "3", "4"], { v: ["1", "3", "4"], k: "2" }],
    ["a repeated path", ["a/v", "a/v"], ["1", "2"], { a: { v: ["1", "2"] } }],
    [
      "other characters",
      ["Speed [km/h]", "a[*]", "b[0-1]"],
      ["1", "2", "3"],
      { "Speed [km/h]": "1", "a[*]": "2", "b[0-1]": "3" }
    ],
    ["no name", ["", "x", ""], ["1", "2", "3"], { x: "2" }],
    ["a name that objects have by themselves", ["__proto__", "constructor"], ["1", "2"], { constructor: "2" }],
    ["blanks, which count", [" x", "x "], ["1", "2"], { " x": "1", "x ": "2" }]
  ])("reads columns with %s", (_, header, cells, expected) => {
    expect(record(header, cells)).toEqual(expected)
  })

  it("without a header calls its columns 1, 2 and so on", () => {
    const made = tableWithoutHeader(3) as Table
    expect(made.columns).toEqual(["1", "2", "3"])
    expect(made.record(["a", "b", "c"])).toEqual({ 1: "a", 2: "b", 3: "c" })
    expect(made.pathOf("2")).toEqual(path("2"))
  })

  it.each([
    [["a", "a/b"], /"a" and "a\/b" name the same place/],
    [["v", "v", "v[0]"], /"v" and "v\[0\]"/],
    [["a", "/a"], /"a" and "\/a"/],
    [Array.from({ length: MAX_COLUMNS + 1 }, (_, i) => `c${i}`), /at most 10000/]
  ])("is refused when columns clash or are too many", (header, message) => {
    expect(tableWithHeader(header)).toMatchObject({ _tag: "TableRejected", message: expect.stringMatching(message) })
  })

  it("knows what it has, within and around a place", () => {
    const made = table(["a/b", "v", "v", "w[3]"])
    const has = (text: string) => made.has(stepsOf(path(text)))
    expect(["a", "a/b", "a/b/c", "v", "v[1]", "w[3]", "w[*]", "w[1+2]/x", "w"].filter((text) => !has(text))).toEqual([])
    expect(["b", "a/c", "x", "w[2]", "w[0+2]", "w[0-2]", "w[4-9]"].filter(has)).toEqual([])
  })

  it("of ten thousand columns within one another is read at once", () => {
    const header = Array.from({ length: MAX_COLUMNS }, (_, i) => `a/${"b/".repeat(i % 20)}c${i}`)
    const since = performance.now()
    const made = table(header)
    for (const name of header) made.has(stepsOf(path(name)))
    expect(plain(made.record(header.map(String)))).toHaveProperty("a")
    expect(performance.now() - since).toBeLessThan(5_000)
  })
})

describe("a layout", () => {
  const cells = fc.constantFrom("x", "", "1", "é")

  it("gives back the cells of a table with the same header", () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom("a", "b/c", "b/d", "v[0]", "v[1]", "w[0]/n", "w[1]/n"), { minLength: 1 }),
        fc.array(cells, { minLength: 7, maxLength: 7 }),
        (columns, texts) => {
          const layout = layoutOf(columns.map(path))
          const values = columns.map((_, i) => texts[i] as string)
          const made = table(columns).record(values)
          expect(layout.row(made)).toEqual(values)
          // What is written is read again under the header that it is written with.
          if (!columns.includes("v[1]") || columns.indexOf("v[0]") < columns.indexOf("v[1]")) {
            expect(plain(table(layout.header).record(layout.row(made)))).toEqual(plain(made))
          }
        }
      )
    ))

  it.each([
    [["z"], ["z"]],
    [
      ["a/b", "c"],
      ["a/b", "c"]
    ],
    [
      ["v[0]", "v[1]", "v[2]"],
      ["v", "v", "v"]
    ],
    [["v[0-2]"], ["v", "v", "v"]],
    [["v[0]"], ["v[0]"]],
    [
      ["v[1]", "v[3]"],
      ["v[1]", "v[3]"]
    ],
    [["v[*]"], ["v"]],
    [["v[0+2]", "v[1+2]"], ["v"]],
    [["g[0-1][0-1]"], ["g[0]", "g[0]", "g[1]", "g[1]"]],
    [["w[0-1]/n"], ["w[0]/n", "w[1]/n"]]
  ])("for %j has the header %j", (paths, header) => {
    expect(layoutOf(paths.map(path)).header).toEqual(header)
  })

  it("writes nothing for nothing, and JSON for what is no single value", () => {
    const layout = layoutOf(["a", "b", "c", "d", "e", "f", "g/h"].map(path))
    expect(layout.row({ a: null, b: true, c: 1.5, d: "x", e: [1, "y"], f: { n: 1 }, g: 3 })).toEqual([
      "",
      "true",
      "1.5",
      "x",
      '[1,"y"]',
      '{"n":1}',
      ""
    ])
  })

  it("counts its columns before it makes them", () => {
    for (const paths of [["z"], ["v[0-2]"], ["g[0-1][0-1]", "a"], ["v[*]"], ["v[0-4]/w[*]/x"]].map((some) =>
      some.map(path)
    )) {
      expect(widthOf(paths)).toBe(layoutOf(paths).header.length)
    }
    expect(widthOf(Array.from({ length: 1_000 }, (_, i) => path(`v${i}[0-9999]`)))).toBe(10_000_000)
  })

  it("of a schema goes into structs and lists of a fixed length", () => {
    const shape = shapeOf(
      jsonSchemaOf(
        Schema.Struct({
          z: Schema.Finite,
          at: Schema.Struct({ x: Schema.Finite, y: Schema.Finite }),
          pair: Schema.Tuple([Schema.Finite, Schema.Finite]),
          list: Schema.Array(Schema.Finite)
        }) as never
      )
    )
    const fields = fieldsOf(shape)
    expect(fields.map(printPath)).toEqual(["z", "at/x", "at/y", "pair[0]", "pair[1]", "list"])
    expect(layoutOf(fields).header).toEqual(["z", "at/x", "at/y", "pair", "pair", "list"])
  })
})
