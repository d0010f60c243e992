import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { fromHex } from "../../src/internal/Bytes.ts"
import { chachaBlock } from "../../src/noise/ChaChaBlock.ts"
import { keyWords, littleEndian } from "../../src/noise/Words.ts"
import { Stream } from "./Stream.ts"
import { opensslBlock } from "./Reference.ts"

const block = (key: Uint8Array, bucket: Uint8Array): Buffer => {
  const out = new Int32Array(18).fill(-1)
  const input = [0, 4, 8, 12].map((at) => littleEndian(bucket, at)) as [number, number, number, number]
  chachaBlock(keyWords(key), ...input, out, 1)
  expect([out[0], out[17]]).toEqual([-1, -1])
  return Buffer.from(out.buffer, 4, 64)
}

describe("ChaChaBlock", () => {
  it("computes the example of RFC 8439 §2.3.2", () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => i)
    const input = fromHex("01000000000000090000004a00000000") as Uint8Array
    expect(block(key, input).toString("hex")).toBe(
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
    )
  })

  it("is the first block of OpenSSL's chacha20 for 100 000 random keys and buckets", () => {
    const stream = new Stream("chacha blocks")
    const [ours, theirs] = [createHash("sha256"), createHash("sha256")]
    const out = new Int32Array(16)
    for (let i = 0; i < 100_000; i++) {
      const key = stream.bytes(32)
      const bucket = stream.bytes(16)
      const w = keyWords(key)
      const at = (byte: number) => littleEndian(bucket, byte)
      chachaBlock(w, at(0), at(4), at(8), at(12), out, 0)
      ours.update(out)
      theirs.update(opensslBlock(key, bucket))
    }
    expect(ours.digest("hex")).toBe(theirs.digest("hex"))
  })
})
