import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { poly } from "../../src/hpke/Poly1305.ts"

const NONE = new Uint8Array(0)

const tagOf = (keyBytes: Uint8Array, message: Uint8Array): string => {
  const key = new Int32Array(Uint8Array.from(keyBytes).buffer)
  const out = new Int32Array(4)
  const half = 16 * Math.floor(message.length / 32)
  const second = message.slice(half)
  poly(key, message, 0, half, second, 0, second.length, out)
  return Buffer.from(out.buffer).toString("hex")
}

/** RFC 8439 §2.5.1, word for word. */
const oracle = (key: Uint8Array, message: Uint8Array): string => {
  const number = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const r = number(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn
  let accumulator = 0n
  for (let at = 0; at < message.length; at += 16) {
    accumulator = ((accumulator + number(message.subarray(at, at + 16)) + (1n << 128n)) * r) % ((1n << 130n) - 5n)
  }
  let tag = accumulator + number(key.subarray(16))
  const out = new Uint8Array(16)
  for (let i = 0; i < 16; i++, tag >>= 8n) out[i] = Number(tag & 255n)
  return Buffer.from(out).toString("hex")
}

const R = (hex: string) => Buffer.from(hex + "00".repeat(32 - hex.length / 2), "hex")
const ff = "ff".repeat(16)

describe("Poly1305", () => {
  // RFC 8439 A.3, #7 to #11 and the two after them: sums beyond 2^128 and 2^130 − 5, carries through every limb.
  it.each([
    [R("02"), ff, "03000000000000000000000000000000"],
    [Buffer.from("02" + "00".repeat(15) + ff, "hex"), "02" + "00".repeat(15), "03000000000000000000000000000000"],
    [R("01"), `${ff}f0${"ff".repeat(15)}11${"00".repeat(15)}`, "05000000000000000000000000000000"],
    [R("01"), `${ff}fb${"fe".repeat(15)}${"01".repeat(16)}`, "00000000000000000000000000000000"],
    [R("02"), `fd${"ff".repeat(15)}`, `fa${"ff".repeat(15)}`],
    [
      R("01000000000000000400000000000000"),
      "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000000000000000000001000000000000000000000000000000",
      "14000000000000005500000000000000"
    ],
    [
      R("01000000000000000400000000000000"),
      "e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000000000000000",
      "13000000000000000000000000000000"
    ]
  ])("computes the edge vectors of RFC 8439 (%#)", (key, message, tag) =>
    expect(tagOf(key, Buffer.from(message, "hex"))).toBe(tag)
  )

  it("is empty of message: the tag is s", () => expect(tagOf(Buffer.from("00".repeat(16) + ff, "hex"), NONE)).toBe(ff))

  it("agrees with big integers, near the modulus more often than by chance", () => {
    const extreme = fc.constantFrom(0, 1, 2, 3, 4, 5, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff)
    const byte = fc.oneof({ weight: 6, arbitrary: fc.constant(0xff) }, { weight: 2, arbitrary: extreme }, fc.nat(255))
    const bytes = (length: number) =>
      fc.array(byte, { minLength: length, maxLength: length }).map((list) => Uint8Array.from(list))
    fc.assert(
      fc.property(
        bytes(32),
        fc.nat(9).chain((blocks) => bytes(16 * blocks)),
        (key, message) => tagOf(key, message) === oracle(key, message)
      ),
      { numRuns: 1000 }
    )
  })
})
