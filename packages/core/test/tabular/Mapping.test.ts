import * as Schema from "effect/Schema"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Plain } from "../../src/job/Plain.ts"
import { inputMapping, type MappingEntry, outputMapping } from "../../src/tabular/Mapping.ts"
import {
  countOf,
  isPathRejected,
  isSingle,
  parsePath,
  positionOf,
  printPath,
  type SchemaPath,
  stepsOf,
  type Vector
} from "../../src/tabular/SchemaPath.ts"
import { ANY, jsonSchemaOf, shapeOf } from "../../src/tabular/Shape.ts"
import { tableWithHeader, tableWithoutHeader, type Table } from "../../src/tabular/Table.ts"
import { plain, vectors } from "./support.ts"

const entry = (
  source: string,
  destination: string,
  defaultValue: MappingEntry["defaultValue"] = null
): MappingEntry => ({
  source,
  destination,
  defaultValue
})

const sound = <M extends { readonly _tag: string }>(mapping: M): Exclude<M, { readonly _tag: "MappingRejected" }> => {
  if (mapping._tag === "MappingRejected") throw new Error(JSON.stringify(mapping))
  return mapping as Exclude<M, { readonly _tag: "MappingRejected" }>
}

/** What entries make of a record when nothing is known of its fields. */
const mapped = (entries: ReadonlyArray<MappingEntry>, record: Plain) => {
  const answer = sound(outputMapping(entries, ANY)).apply(record as never)
  return answer._tag === "Mapped" ? plain(answer.record) : answer
}

const shape = (schema: Schema.Codec<never, unknown> | Schema.Codec<unknown, unknown>) =>
  shapeOf(jsonSchemaOf(schema as Schema.Codec<unknown, unknown>))

const table = (...header: ReadonlyArray<string>): Table => {
  const made = tableWithHeader(header)
  if ("_tag" in made) throw new Error(made.message)
  return made
}

const XY = shape(Schema.Struct({ x: Schema.Finite, y: Schema.Finite }) as never)

// ---- a second evaluator, which walks one place at a time ----

const openOf = (path: SchemaPath): ReadonlyArray<Vector> =>
  path.flatMap((level) => level.vectors).filter((one) => !isSingle(one))

/** Where a path leads when its open vectors are at these ordinals: names and positions. */
const placeOf = (path: SchemaPath, ordinals: ReadonlyArray<number>): ReadonlyArray<string | number> => {
  const rest = [...ordinals]
  return stepsOf(path).map((step) =>
    typeof step === "string" ? step : isSingle(step) ? step.start : (positionOf(step, rest.shift() as number) ?? -1)
  )
}

const lookUp = (value: Plain | undefined, place: ReadonlyArray<string | number>): Plain | undefined =>
  place.reduce<Plain | undefined>(
    (at, key) =>
      typeof at === "object" && at !== null && Array.isArray(at) === (typeof key === "number")
        ? (at as Record<string | number, Plain>)[key]
        : undefined,
    value
  )

/** The places that an entry fills, and with what. */
const reference = (source: Plain, from: SchemaPath, to: SchemaPath, fallback: Plain | undefined) => {
  const filled = new Map<string, Plain>()
  const [fromOpen, toOpen] = [openOf(from), openOf(to)]
  const visit = (ordinals: ReadonlyArray<number>): void => {
    const depth = ordinals.length
    const vector = fromOpen[depth]
    if (vector === undefined) {
      const value = lookUp(source, placeOf(from, ordinals)) ?? fallback
      if (value !== undefined) filled.set(JSON.stringify(placeOf(to, ordinals)), value)
      return
    }
    const prefix = placeOf(from, [...ordinals, ...fromOpen.slice(depth).map(() => 0)])
    const at = stepsOf(from).findIndex(
      (_, i) =>
        stepsOf(from)
          .slice(0, i + 1)
          .filter((step) => typeof step !== "string" && !isSingle(step)).length > depth
    )
    const list = lookUp(source, prefix.slice(0, at))
    const length = Array.isArray(list) ? list.length : 0
    const there =
      countOf(vector) ?? Array.from({ length }, (_, n) => positionOf(vector, n)!).filter((p) => p < length).length
    const wanted = countOf(toOpen[depth] as Vector) ?? there
    // What the destination has no place for is left out; what it has too many places for is filled by the default.
    for (let n = 0; n < wanted; n++) visit([...ordinals, n])
  }
  visit([])
  return filled
}

const leaves = (value: Plain, place: ReadonlyArray<string | number> = []): ReadonlyArray<readonly [string, Plain]> =>
  typeof value === "object" && value !== null
    ? Array.isArray(value)
      ? value.flatMap((item: Plain, i) => leaves(item, [...place, i]))
      : Object.entries(value).flatMap(([name, member]) => leaves(member as Plain, [...place, name]))
    : [[JSON.stringify(place), value]]

/** A source path, a destination with as many open dimensions, and a record in which something is there. */
const cases = fc
  .array(
    fc.record({
      name: fc.constantFrom("a", "b"),
      goal: fc.constantFrom("k", "l"),
      vectors: fc.array(fc.tuple(vectors, vectors), { maxLength: 2 })
    }),
    { minLength: 1, maxLength: 3 }
  )
  .map((levels) => {
    const side = (i: 0 | 1): SchemaPath =>
      levels.map((level) => ({
        name: i === 0 ? level.name : level.goal,
        vectors: level.vectors.filter(([from, to]) => isSingle(from) === isSingle(to)).map((pair) => pair[i])
      }))
    return { from: side(0), to: side(1) }
  })
  .filter(({ from, to }) => !isPathRejected(parsePath(printPath(from))) && !isPathRejected(parsePath(printPath(to))))
  .chain(({ from, to }) => {
    const grow = (steps: ReadonlyArray<string | Vector>): fc.Arbitrary<Plain> => {
      const [step, ...rest] = steps
      if (step === undefined)
        return fc.oneof({ weight: 5, arbitrary: fc.integer() as fc.Arbitrary<Plain> }, fc.constant(null))
      return typeof step === "string"
        ? fc.record({ [step]: grow(rest) }, { requiredKeys: [] }).map((o) => o as Plain)
        : (fc.array(grow(rest), { maxLength: 7 }) as fc.Arbitrary<Plain>)
    }
    return grow(stepsOf(from)).map((source) => ({ from, to, source }))
  })

describe("a mapping", () => {
  it("fills just the places that a walk from place to place fills, and holes with null", () =>
    fc.assert(
      fc.property(cases, fc.option(fc.constant("none"), { nil: null }), ({ from, to, source }, fallback) => {
        const result = mapped([entry(printPath(from), printPath(to), fallback)], source)
        const expected = reference(source, from, to, fallback ?? undefined)
        const found = leaves(result as Plain)
        for (const [place, value] of expected) expect(new Map(found).get(place) ?? null).toEqual(value)
        for (const [place, value] of found) if (value !== null) expect(expected.get(place)).toEqual(value)
      }),
      { numRuns: 500 }
    ))

  it("there and back again is where it was, for what it moves", () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 }),
        fc.array(fc.integer(), { minLength: 4, maxLength: 4 }),
        (fields, numbers) => {
          const record = Object.fromEntries(fields.map((name, i) => [name, numbers[i] as number]))
          const there = fields.map((name) => entry(name, `deep/${name}[2]`))
          const back = fields.map((name) => entry(`deep/${name}[2]`, name))
          expect(mapped(back, mapped(there, record) as Plain)).toEqual(record)
        }
      )
    ))

  it.each<[string, ReadonlyArray<MappingEntry>, Plain, Plain]>([
    ["renames a field", [entry("x1", "x")], { x1: 3 }, { x: 3 }],
    ["takes paths with a leading slash", [entry("/a/b", "/c")], { a: { b: 1 } }, { c: 1 }],
    ["takes a whole list without a vector", [entry("a", "b")], { a: [1, 2] }, { b: [1, 2] }],
    ["picks one of a list", [entry("a[1]", "b")], { a: [1, 2] }, { b: 2 }],
    ["puts one into a list", [entry("a", "b[1]")], { a: 7 }, { b: [null, 7] }],
    ["takes the even ones", [entry("a[0+2]", "b[*]")], { a: [1, 2, 3, 4, 5] }, { b: [1, 3, 5] }],
    ["spreads over the odd ones", [entry("a[*]", "b[1+2]")], { a: [1, 2] }, { b: [null, 1, null, 2] }],
    ["collects a field of objects", [entry("a[*]/n", "b")], { a: [{ n: 1 }, { n: 2 }] }, { b: [1, 2] }],
    ["makes objects of a list", [entry("a", "b[*]/n")], { a: [1, 2] }, { b: [{ n: 1 }, { n: 2 }] }],
    [
      "takes a column of a grid",
      [entry("g[*][2]", "c[*]")],
      {
        g: [
          [1, 2, 3],
          [4, 5, 6]
        ]
      },
      { c: [3, 6] }
    ],
    ["takes a value for a list of one", [entry("a[*]", "b[*]")], { a: 5 }, { b: [5] }],
    ["keeps an empty list", [entry("a[*]", "b[*]")], { a: [] }, { b: [] }],
    ["leaves out what has no place", [entry("a[*]", "b[0-1]")], { a: [1, 2, 3] }, { b: [1, 2] }],
    ["leaves out what is not there", [entry("a", "b"), entry("c", "d")], { c: 1 }, { d: 1 }],
    ["fills what is missing", [entry("a", "b", 9)], {}, { b: 9 }],
    ["fills what is null", [entry("a", "b", false)], { a: null }, { b: false }],
    ["does not fill what is there", [entry("a", "b", 9), entry("c", "d", "x")], { a: 0, c: "" }, { b: 0, d: "" }],
    ["fills each position of a vector with an end", [entry("a[0,3]", "b[*]", 0)], { a: [5] }, { b: [5, 0, 0] }],
    ["fills each place of a destination with an end", [entry("a[*]", "b[0-2]", 0)], {}, { b: [0, 0, 0] }],
    ["never makes a list without end longer", [entry("a[*]", "b[*]", 0)], { a: [1, null] }, { b: [1, 0] }],
    ["puts in a constant without a source", [entry("", "b", "x")], { a: 1 }, { b: "x" }],
    [
      "takes names of inherited members for names",
      [entry("constructor", "a", 1), entry("toString", "b", 2)],
      {},
      { a: 1, b: 2 }
    ]
  ])("%s", (_, entries, record, expected) => {
    expect(mapped(entries, record)).toEqual(expected)
  })

  it("of a thousand entries that nearly meet is judged at once", () => {
    const entries = Array.from({ length: 1_000 }, (_, i) => entry("a", `v[${i}+9973]`))
    const since = performance.now()
    expect(outputMapping(entries, ANY)).toMatchObject({ _tag: "OutputMapping" })
    expect(performance.now() - since).toBeLessThan(5_000)
  })

  it("does not move more than a million values of a record", () => {
    const record = { a: Array.from({ length: 200 }, () => Array.from({ length: 200 }, () => 1)) }
    const answer = mapped([entry("a[*][*]/b[0-99]", "c[*][*]/d[0-99]")], record)
    expect(answer).toMatchObject({ _tag: "NotMapped", faults: [{ hint: expect.stringMatching(/at most 1000000/) }] })
    expect(mapped([entry("a[*][*]", "c[0+9999][*]")], record)).toMatchObject({ _tag: "NotMapped" })
  })
})

describe("a mapping of input", () => {
  const applied = (
    entries: ReadonlyArray<MappingEntry>,
    header: ReadonlyArray<string>,
    cells: ReadonlyArray<string>,
    of = XY
  ) => {
    const columns = table(...header)
    const answer = sound(inputMapping(entries, { shape: of, table: columns })).apply(columns.record(cells))
    return answer._tag === "Mapped" ? plain(answer.record) : answer.faults
  }
  const faults = (entries: ReadonlyArray<MappingEntry>, header?: ReadonlyArray<string>, of = XY) => {
    const answer = inputMapping(entries, { shape: of, ...(header === undefined ? {} : { table: table(...header) }) })
    return answer._tag === "MappingRejected" ? answer.faults : []
  }

  it("maps x1 to x and y1 to y", () => {
    expect(applied([entry("x1", "x"), entry("y1", "y")], ["x1", "y1"], ["3", "4"])).toEqual({ x: 3, y: 4 })
  })

  it("takes fields that no entry names from the columns of their names, and no others", () => {
    expect(applied([entry("x1", "x")], ["x1", "x", "y", "other"], ["3", "9", "4", "5"])).toEqual({ x: 3, y: 4 })
  })

  it("maps columns without a header by their positions from 1", () => {
    const columns = tableWithoutHeader(3) as Table
    const answer = sound(inputMapping([entry("/3", "x"), entry("1", "y")], { shape: XY, table: columns }))
    expect(answer.apply(columns.record(["1", "2", "3"]))).toEqual({ _tag: "Mapped", record: { x: 3, y: 1 } })
  })

  it("takes a header that occurs several times for a list, the leftmost at 0", () => {
    const of = shape(Schema.Struct({ x: Schema.Finite, y: Schema.Array(Schema.Finite) }) as never)
    expect(applied([entry("v[1]", "x"), entry("v[*]", "y[*]")], ["v", "k", "v"], ["1", "0", "2"], of)).toEqual({
      x: 2,
      y: [1, 2]
    })
    expect(applied([], ["y", "x", "y"], ["1", "0", "2"], of)).toEqual({ x: 0, y: [1, 2] })
  })

  it("finds a column by its header as it is written, whatever characters it has", () => {
    expect(applied([entry("Speed [km/h]", "x"), entry("/a[*]", "y")], ["Speed [km/h]", "a[*]"], ["3", "4"])).toEqual({
      x: 3,
      y: 4
    })
  })

  it("fills an empty cell with the default, in the type of its field", () => {
    expect(applied([entry("x", "x", "7"), entry("y", "y", 8)], ["x", "y"], ["", " "])).toEqual({ x: 7, y: 8 })
    expect(applied([entry("x", "x", "7"), entry("y", "y", 8)], ["x", "y"], ["", "4"])).toEqual({ x: 7, y: 4 })
  })

  it("fills a column that is not there with the default", () => {
    expect(applied([entry("x1", "x", "7.5")], ["y"], ["4"])).toEqual({ x: 7.5, y: 4 })
  })

  it("takes an empty cell for nothing, unless its field is a text", () => {
    const of = shape(
      Schema.Struct({
        t: Schema.String,
        n: Schema.NullOr(Schema.Finite),
        o: Schema.optionalKey(Schema.Finite)
      }) as never
    )
    expect(applied([], ["t", "n", "o"], ["", "", ""], of)).toEqual({ t: "", n: null })
  })

  it("says of each cell that is not what it should be where it is and what was expected", () => {
    expect(applied([entry("a", "x")], ["a", "y"], ["1,5", "true"])).toEqual([
      { path: "y", hint: 'expected a number such as 12 or 0.5 and not "true"' },
      { path: "x", hint: 'expected a number such as 12 or 0.5 and not "1,5"' }
    ])
  })

  it("leaves values of JSON as they are: a text is no number there", () => {
    const mapping = sound(inputMapping([], { shape: XY }))
    expect(mapping.apply({ x: "3", y: 4 })).toEqual({ _tag: "Mapped", record: { x: "3", y: 4 } })
    expect(mapping.apply([1])).toMatchObject({ _tag: "NotMapped", faults: [{ path: "", hint: expect.any(String) }] })
  })

  it.each<[string, ReadonlyArray<MappingEntry>, ReadonlyArray<string> | undefined, RegExp]>([
    [
      "a column that is not there",
      [entry("x1", "x")],
      ["a", "y"],
      /Entry 1 of mapping reads "x1".*columns are "a", "y"/
    ],
    ["a field without a column", [], ["x"], /wants "y".*Map one of them/],
    ["a source that is no path", [entry("a[", "x")], undefined, /source "a\[" is no schema path: write/],
    ["a destination that is no path", [entry("a", "x//y")], undefined, /destination "x\/\/y" is no schema path/],
    ["a destination that the model has not", [entry("a", "w")], undefined, /no input "w"/],
    ["a destination within a field", [entry("a", "x/w")], undefined, /no input "x\/w"/],
    ["one destination twice", [entry("a", "x"), entry("b", "/x")], undefined, /already the destination of entry 1/],
    ["a default that is no number", [entry("a", "x", "seven")], undefined, /another type: expected a number/],
    ["a boolean default for a number", [entry("a", "x", true)], undefined, /expected a number and not true/],
    ["too many entries", Array.from({ length: 1_001 }, () => entry("a", "x")), undefined, /at most 1000 entries/]
  ])("refuses %s", (_, entries, header, message) => {
    expect(faults(entries, header).join("\n")).toMatch(message)
  })

  it("tells every fault at once", () => {
    expect(faults([entry("a", "w"), entry("b", "x", "no"), entry("c", "y")], ["y"])).toHaveLength(4)
  })

  it("wants a default of the type of its field", () => {
    const of = shape(
      Schema.Struct({
        t: Schema.String,
        n: Schema.Finite,
        i: Schema.Int,
        b: Schema.Boolean,
        l: Schema.Array(Schema.Int)
      }) as never
    )
    const accepts = (destination: string, value: string | number | boolean, source = "a") =>
      inputMapping([entry(source, destination, value)], { shape: of })._tag === "InputMapping"
    expect([accepts("t", "x"), accepts("t", 1), accepts("t", true)]).toEqual([true, false, false])
    expect([accepts("n", 1.5), accepts("n", "1.5"), accepts("n", "x"), accepts("n", false)]).toEqual([
      true,
      true,
      false,
      false
    ])
    expect([accepts("i", 2), accepts("i", 1.5), accepts("i", "2"), accepts("i", "1.5")]).toEqual([
      true,
      false,
      true,
      false
    ])
    expect([accepts("b", true), accepts("b", "True"), accepts("b", 1)]).toEqual([true, true, false])
    expect([accepts("l[0]", 1), accepts("l[*]", "1"), accepts("l", 1, "a[*]"), accepts("l", 1)]).toEqual([
      true,
      true,
      true,
      false
    ])
  })
})

describe("a mapping of output", () => {
  const ABC = shape(Schema.Struct({ a: Schema.Finite, b: Schema.NullOr(Schema.Finite), c: Schema.Finite }) as never)

  it("gives a, b and c the names Alpha, Bravo and Charlie", () => {
    const mapping = sound(outputMapping([entry("a", "Alpha"), entry("b", "Bravo"), entry("c", "Charlie")], ABC))
    expect(mapping.apply({ a: 1, b: 2, c: 3 })).toEqual({ _tag: "Mapped", record: { Alpha: 1, Bravo: 2, Charlie: 3 } })
  })

  it("gives just what its entries say, in their order", () => {
    const mapping = sound(outputMapping([entry("c", "z"), entry("a", "y")], ABC))
    expect(mapping.destinations?.map(printPath)).toEqual(["z", "y"])
    expect(mapping.apply({ a: 1, b: 2, c: 3 })).toEqual({ _tag: "Mapped", record: { z: 3, y: 1 } })
  })

  it("without entries leaves a record as it is", () => {
    const mapping = sound(outputMapping([], ABC))
    expect(mapping.destinations).toBeUndefined()
    expect(mapping.apply({ a: 1 })).toEqual({ _tag: "Mapped", record: { a: 1 } })
  })

  it("fills what the model left out with a default of the type of the model's field", () => {
    const mapping = sound(outputMapping([entry("b", "Bravo", "0")], ABC))
    expect(mapping.apply({ a: 1, b: null, c: 3 })).toEqual({ _tag: "Mapped", record: { Bravo: 0 } })
    expect(outputMapping([entry("b", "Bravo", "none")], ABC)).toMatchObject({ _tag: "MappingRejected" })
  })

  it("refuses a source that the model does not give, and a place that is taken", () => {
    expect(outputMapping([entry("d", "x")], ABC)).toMatchObject({ faults: [expect.stringMatching(/no output "d"/)] })
    expect(outputMapping([entry("a", "x"), entry("b", "x/y")], ABC)).toMatchObject({
      faults: [expect.stringMatching(/already the destination of entry 1/)]
    })
  })
})
