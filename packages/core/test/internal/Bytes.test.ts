import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { concat, equalBytes, fromHex, i64, lp, toHex, u32, u64, utf8 } from "../../src/internal/Bytes.ts"

describe("Bytes", () => {
  it("encodes UTF-8 as TextEncoder does, unpaired surrogates included", () =>
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        (text) => void expect(utf8(text)).toEqual(new TextEncoder().encode(text))
      )
    ))

  it("replaces unpaired surrogates", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0xd700, max: 0xe100 })), (codes) => {
        const text = String.fromCharCode(...codes)
        expect(utf8(text)).toEqual(new TextEncoder().encode(text))
      })
    ))

  it("reads back the hexadecimal it prints", () =>
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void expect(fromHex(toHex(bytes))).toEqual(bytes))))

  it.each(["0", "0g", "zz"])("refuses %j as hexadecimal", (text) => expect(fromHex(text)).toBeUndefined())

  it("writes integers big-endian", () => {
    expect(toHex(concat(u32(1), u64(2n ** 64n - 1n), i64(-1), i64(447072)))).toBe(
      "00000001ffffffffffffffffffffffffffffffff000000000006d260"
    )
  })

  it("prefixes text with its length in bytes, not characters", () => expect(toHex(lp("é"))).toBe("00000002c3a9"))

  it("compares bytes", () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 0))).toBe(false)
  })
})
