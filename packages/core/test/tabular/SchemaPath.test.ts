import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  countOf,
  isPathRejected,
  isSingle,
  MAX_POSITION,
  overlap,
  parsePath,
  positionOf,
  printPath,
  type SchemaPath,
  stepsOf,
  type Vector
} from "../../src/tabular/SchemaPath.ts"
import { paths } from "./support.ts"

const path = (text: string): SchemaPath => {
  const read = parsePath(text)
  if (isPathRejected(read)) throw new Error(read.hint)
  return read
}

const vector = (inside: string): Vector => path(`a[${inside}]`)[0]?.vectors[0] as Vector

/** The positions of a vector below a limit, counted out by the words of the notation. */
const positions = (inside: string, limit: number): ReadonlyArray<number> => {
  const one = vector(inside)
  const all: Array<number> = []
  for (let n = 0; ; n++) {
    const position = positionOf(one, n)
    if (position === undefined || position >= limit) return all
    all.push(position)
  }
}

describe("a schema path", () => {
  it("is read back from what is printed", () =>
    fc.assert(
      fc.property(paths, (one) => {
        expect(path(printPath(one))).toEqual(one)
      })
    ))

  it("may begin with a slash or not", () => {
    expect(path("/field/subfield")).toEqual(path("field/subfield"))
    expect(path("field/subfield").map(({ name }) => name)).toEqual(["field", "subfield"])
  })

  it("goes through lists of objects", () => {
    expect(stepsOf(path("field[1]/object2field/arrayfield[*]"))).toEqual([
      "field",
      { start: 1, step: 1, end: 1 },
      "object2field",
      "arrayfield",
      { start: 0, step: 1, end: null }
    ])
  })

  it("chains vectors for lists of lists", () => {
    expect(path("grid[2+2,3][2]")[0]?.vectors).toEqual([
      { start: 2, step: 2, end: 6 },
      { start: 2, step: 1, end: 2 }
    ])
    expect(path("a[0][3][0]")[0]?.vectors).toHaveLength(3)
  })

  it.each([
    ["*", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ["0", [0]],
    ["7", [7]],
    ["0+2", [0, 2, 4, 6, 8]],
    ["1+2", [1, 3, 5, 7, 9]],
    ["0+3", [0, 3, 6, 9]],
    ["0,3", [0, 1, 2]],
    ["0+1,3", [0, 1, 2]],
    ["3,3", [3, 4, 5]],
    ["3+2,4", [3, 5, 7, 9]],
    ["3+2,*", [3, 5, 7, 9]],
    ["3+2", [3, 5, 7, 9]],
    ["0-3", [0, 1, 2, 3]],
    ["0+1-3", [0, 1, 2, 3]],
    ["3-3", [3]],
    ["3+1-3", [3]],
    ["3+2-7", [3, 5, 7]],
    ["2+2-7", [2, 4, 6]],
    ["3+2-*", [3, 5, 7, 9]],
    ["2+2-*", [2, 4, 6, 8]],
    ["3-*", [3, 4, 5, 6, 7, 8, 9]],
    [" 0 + 1 - 3 ", [0, 1, 2, 3]]
  ])("with the vector [%s] means the positions %j below 10", (inside, expected) => {
    expect(positions(inside, 10)).toEqual(expected)
  })

  it("has as many positions as it counts", () =>
    fc.assert(
      fc.property(paths, (one) => {
        for (const v of one.flatMap(({ vectors }) => vectors)) {
          const count = countOf(v)
          if (count === null) expect(positionOf(v, 1_000)).toBe(v.start + 1_000 * v.step)
          else expect([positionOf(v, count - 1), positionOf(v, count)]).toEqual([v.end, undefined])
          expect(isSingle(v)).toBe(count === 1)
        }
      })
    ))

  it.each([
    ["", /instead of ""/],
    ["/", /instead of ""/],
    ["a//b", /instead of ""/],
    ["a/", /instead of ""/],
    ["[0]", /instead of "\[0\]"/],
    ["a[0", /instead of "a\[0"/],
    ["a]0[", /instead of/],
    ["a[0]b", /instead of "a\[0\]b"/],
    ["__proto__/x", /instead of "__proto__"/],
    ["a[]", /not \[\]/],
    ["a[x]", /not \[x\]/],
    ["a[-1]", /not \[-1\]/],
    ["a[1.5]", /not \[1\.5\]/],
    ["a[0-3,2]", /not \[0-3,2\]/],
    ["a[3-2]", /lies before the first/],
    ["a[0+0]", /step of/],
    ["a[0,0]", /count of/],
    [`a[${MAX_POSITION + 1}]`, /must not pass/],
    ["a[0-200]/b[0-200]", /names at most/],
    [`a${"[0]".repeat(17)}`, /at most 16 dimensions/],
    ["a/".repeat(70) + "b", /at most 64 levels/]
  ])("refuses %j and says what to write", (text, hint) => {
    expect(parsePath(text)).toMatchObject({ _tag: "PathRejected", text, hint: expect.stringMatching(hint) })
  })
})

describe("overlap", () => {
  const small = fc
    .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 5 }), fc.option(fc.integer({ min: 0, max: 6 })))
    .map(([start, step, more]): Vector => ({ start, step, end: more === null ? null : start + more * step }))

  it("of two vectors is a position that both meet", () =>
    fc.assert(
      fc.property(small, small, (a, b) => {
        const met = (v: Vector) => Array.from({ length: 60 }, (_, n) => positionOf(v, n)).filter((p) => p !== undefined)
        const common = met(a).some((position) => met(b).includes(position))
        expect(overlap(["x", a], ["x", b])).toBe(common)
      })
    ))

  it("is symmetric, and every path overlaps itself", () =>
    fc.assert(
      fc.property(paths, paths, (a, b) => {
        expect(overlap(stepsOf(a), stepsOf(b))).toBe(overlap(stepsOf(b), stepsOf(a)))
        expect(overlap(stepsOf(a), stepsOf(a))).toBe(true)
      })
    ))

  it.each([
    ["a", "a/b", true],
    ["a/b", "a/c", false],
    ["a[0]", "a[1]", false],
    ["a[*]", "a[7]/x", true],
    ["a[0+2]", "a[1+2]", false]
  ])("of %s and %s is %s", (one, other, expected) => {
    expect(overlap(stepsOf(path(one)), stepsOf(path(other)))).toBe(expected)
  })
})
