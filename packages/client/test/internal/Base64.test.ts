import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fromBase64, toBase64 } from "../../src/internal/Base64.ts"

describe("Base64", () => {
  it("writes what Buffer writes and reads it back", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"))
        expect(fromBase64(toBase64(bytes))).toEqual(bytes)
      })
    ))

  it("reads exactly what it writes", () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."AQgw/+-_= \n"), maxLength: 12 }), (text) => {
        const bytes = fromBase64(text)
        if (bytes !== undefined) expect(toBase64(bytes)).toBe(text)
      })
    ))

  it.each(["A", "AA", "AAA", "AA=", "AAA==", "AB==", "A A=", "AA==AA==", "===="])("refuses %j", (text) => {
    expect(fromBase64(text)).toBeUndefined()
  })
})
