import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parseCursor, printCursor } from "../../src/v1/Cursor.ts"

const cursors = fc.record({ createdAt: fc.nat({ max: 4_000_000_000_000 }), id: fc.stringMatching(/^[!-~]{1,200}$/) })

describe("Cursor", () => {
  it("reads what it prints, whatever the id", () =>
    fc.assert(
      fc.property(cursors, (cursor) => {
        expect(printCursor(cursor)).toMatch(/^[\w-]+$/)
        expect(parseCursor(printCursor(cursor))).toEqual(cursor)
      })
    ))

  it("refuses what it did not print", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const cursor = parseCursor(text)
        return cursor === undefined || printCursor(cursor) === text
      })
    )
    expect(parseCursor("")).toBeUndefined()
    expect(parseCursor(`${printCursor({ createdAt: 1, id: "a" })}=`)).toBeUndefined()
  })
})
