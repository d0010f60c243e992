import { createCipheriv } from "node:crypto"
import { describe, expect, it } from "vitest"
import { block, chachaBlock, chachaStream } from "../../src/hpke/ChaCha20.ts"

const littleEndian = (hex: string): Int32Array => new Int32Array(new Uint8Array(Buffer.from(hex, "hex")).buffer)
const KEY = littleEndian("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")

describe("ChaCha20", () => {
  it("computes the block of RFC 8439 §2.3.2", () => {
    chachaBlock(KEY, littleEndian("000000090000004a00000000"), 1)
    expect(Buffer.from(block.buffer).toString("hex")).toBe(
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4ed2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
    )
  })

  it("encrypts the text of RFC 8439 §2.4.2", () => {
    const text = Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    )
    chachaStream(KEY, littleEndian("000000000000004a00000000"), 1, text, 0, text.length)
    expect(text.toString("hex")).toMatch(/^6e2e359a2568f98041ba0728dd0d6981.*8eedf2785e42874d$/)
  })

  it("agrees with OpenSSL at every length around block borders, touching nothing else", () => {
    for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 200, 1000]) {
      const bytes = Buffer.alloc(length + 10, length & 255)
      const expected = Buffer.from(bytes)
      // OpenSSL's iv is the little-endian counter, then the nonce.
      const iv = Buffer.concat([Uint8Array.of(1, 0, 0, 0), Buffer.alloc(12, 5)])
      const stream = createCipheriv("chacha20", Buffer.from(KEY.buffer), iv).update(Buffer.alloc(length))
      for (let i = 0; i < length; i++) expected[i + 5]! ^= stream[i]!
      chachaStream(KEY, littleEndian("05".repeat(12)), 1, bytes, 5, length)
      expect(bytes.equals(expected)).toBe(true)
    }
  })
})
