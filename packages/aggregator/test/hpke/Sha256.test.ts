import { createHash, createHmac } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  absorb,
  blocksFor,
  copyWords,
  INITIAL,
  macKey,
  macPadded,
  pad,
  putWords,
  setMacKey,
  words
} from "../../src/hpke/Sha256.ts"

const hex = (digest: Int32Array): string => {
  const out = new Uint8Array(34)
  putWords(digest, out, 1)
  return Buffer.from(out.subarray(1, 33)).toString("hex")
}

const padded = (message: Uint8Array, before: number): Uint8Array => {
  const bytes = new Uint8Array(64 * blocksFor(message.length)).fill(0xee)
  bytes.set(message)
  pad(bytes, message.length, before)
  return bytes
}

const hash = (message: Uint8Array): string => {
  const state = words()
  copyWords(state, INITIAL)
  // Inside a larger buffer, because offsets are part of what is tested.
  absorb(state, Buffer.concat([Buffer.alloc(3, 7), padded(message, 0)]), 3, blocksFor(message.length))
  return hex(state)
}

describe("SHA-256", () => {
  it.each([
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ]
  ])("hashes the example %s of FIPS 180-4", (text, digest) => expect(hash(Buffer.from(text))).toBe(digest))

  it("agrees with node:crypto at every length around block borders", () => {
    for (let length = 0; length <= 200; length++) {
      const message = Buffer.alloc(length, length)
      expect(hash(message)).toBe(createHash("sha256").update(message).digest("hex"))
    }
  })

  it("agrees with node:crypto on any message, long ones too", () =>
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 5000 }),
        (message) => hash(message) === createHash("sha256").update(message).digest("hex")
      ),
      { numRuns: 50 }
    ))
})

describe("HMAC", () => {
  it.each([0, 1, 54, 55, 56, 63, 64, 96, 119, 120, 200])("is HMAC-SHA256 of %i bytes", (length) => {
    const key = new Int32Array(8).fill(0x03030303)
    const mac = macKey()
    setMacKey(mac, key)
    const out = words()
    for (const fill of [1, 255]) {
      const message = Buffer.alloc(length, fill)
      macPadded(mac, padded(message, 64), blocksFor(length), out)
      expect(hex(out)).toBe(createHmac("sha256", Buffer.alloc(32, 3)).update(message).digest("hex"))
    }
  })
})
