import { createHash, createHmac } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fixedMac } from "../../src/hpke/KeySchedule.ts"
import { putWords, sha256, words } from "../../src/hpke/Sha256.ts"

const hash = (prefix: Uint8Array, message: Uint8Array): string => {
  const digest = words()
  // Inside a larger buffer, because offsets are part of what is tested.
  const inside = Buffer.concat([Buffer.alloc(3, 7), message, Buffer.alloc(5, 9)])
  sha256(prefix, inside, 3, message.length, digest)
  const out = new Uint8Array(32)
  putWords(digest, out, 0)
  return Buffer.from(out).toString("hex")
}

describe("sha256", () => {
  it("hashes the examples of FIPS 180-4", () => {
    expect(hash(new Uint8Array(0), Buffer.from("abc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    expect(hash(new Uint8Array(0), Buffer.from("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))).toBe(
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    )
  })

  it("agrees with node:crypto at every length around block borders", () => {
    for (let length = 0; length <= 200; length++) {
      const message = Buffer.alloc(length, length)
      const prefix = Buffer.alloc(length % 23, 1)
      expect(hash(prefix, message)).toBe(createHash("sha256").update(prefix).update(message).digest("hex"))
    }
  })

  it("agrees with node:crypto on any message, long ones too", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (message) => {
        return hash(Buffer.from("p"), message) === createHash("sha256").update("p").update(message).digest("hex")
      }),
      { numRuns: 50 }
    ))
})

describe("fixedMac", () => {
  it.each([0, 1, 54, 55, 56, 63, 64, 96, 119, 120, 200])("is HMAC-SHA256 of %i bytes", (length) => {
    const key = Buffer.alloc(32, 3)
    const mac = fixedMac(key, length)
    const out = new Uint8Array(40)
    for (const fill of [1, 255]) {
      const message = Buffer.alloc(length, fill)
      mac(message, out, 4)
      expect(Buffer.from(out.subarray(4, 36)).toString("hex")).toBe(
        createHmac("sha256", key).update(message).digest("hex")
      )
    }
  })
})
