import { utf8 } from "@sotto/core/Bytes"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { digestFromHex, digestOf, hmacSha256, isDigestText, sameDigest, sha256 } from "../../src/access/Digest.ts"

const bytes = fc.uint8Array({ maxLength: 200 })

describe("A digest", () => {
  it("is what another implementation makes of the same bytes", () =>
    fc.assert(
      fc.asyncProperty(
        fc.string({ unit: "binary" }),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        bytes,
        async (text, key, message) => {
          const { subtle } = globalThis.crypto
          const hash = new Uint8Array(await subtle.digest("SHA-256", Uint8Array.from(utf8(text))))
          expect(Uint8Array.from(sha256(text))).toEqual(hash)
          const algorithm = { name: "HMAC", hash: "SHA-256" }
          const imported = await subtle.importKey("raw", Uint8Array.from(key), algorithm, false, ["sign"])
          const signed = new Uint8Array(await subtle.sign("HMAC", imported, Uint8Array.from(message)))
          expect(Uint8Array.from(hmacSha256(key, message))).toEqual(signed)
        }
      )
    ))

  it("always has 32 bytes, so that any two can be compared in constant time", () =>
    fc.assert(
      fc.property(fc.string(), bytes, (text, key) => {
        expect([sha256(text).length, hmacSha256(key, key).length, digestFromHex("ab".repeat(32)).length]).toEqual([
          32, 32, 32
        ])
        expect(digestOf(key)).toEqual(key.length === 32 ? key : undefined)
      })
    ))

  it("equals itself, and no digest that differs in one bit", () =>
    fc.assert(
      fc.property(fc.string(), fc.nat(255), (text, bit) => {
        const one = sha256(text)
        const other = sha256(text)
        expect(sameDigest(one, other)).toBe(true)
        other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(sameDigest(one, other)).toBe(false)
      })
    ))

  it("is written as 64 hexadecimal digits of lower case", () => {
    expect(isDigestText("0".repeat(64))).toBe(true)
    for (const text of ["", "0".repeat(63), "0".repeat(65), "A".repeat(64), "g".repeat(64), `${"0".repeat(64)}\n`]) {
      expect(isDigestText(text)).toBe(false)
    }
  })
})
