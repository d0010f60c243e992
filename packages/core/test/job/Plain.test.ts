import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { samePlain } from "../../src/job/Plain.ts"

describe("samePlain", () => {
  it("finds a copy with its names in another order equal", () => {
    const turned = (value: unknown): unknown =>
      Array.isArray(value)
        ? value.map(turned)
        : typeof value === "object" && value !== null
          ? Object.fromEntries(
              Object.entries(value)
                .toReversed()
                .map(([name, member]) => [name, turned(member)])
            )
          : value
    fc.assert(
      fc.property(fc.jsonValue(), (value) => samePlain(value, turned(value)) && samePlain(turned(value), value))
    )
  })

  it("tells what differs in its text apart", () => {
    const text = (value: unknown) => JSON.stringify(value)
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
        if (samePlain(a, b)) expect([...text(a)].sort()).toEqual([...text(b)].sort())
      })
    )
  })

  it.each([
    [{ a: 1 }, { a: 1, b: undefined }, true],
    [{ a: 1 }, { a: 1, b: null }, false],
    [{ a: 1, c: 2 }, { a: 1, b: 2 }, false],
    [[], {}, false],
    [[1], [1, 2], false],
    [{ 0: 1 }, [1], false],
    [null, {}, false],
    [null, null, true],
    [1, "1", false],
    [0, -0, true]
  ])("%j and %j: %j", (a, b, same) => {
    expect(samePlain(a, b)).toBe(same)
    expect(samePlain(b, a)).toBe(same)
  })
})
