import { createCipheriv, createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { fromHex, toHex } from "../../src/internal/Bytes.ts"
import { chachaBlock } from "../../src/noise/ChaChaBlock.ts"
import { rateOf } from "../../src/noise/Rate.ts"
import { freshSeed, questionSeed } from "../../src/noise/Seed.ts"
import { thresholds } from "../../src/noise/Thresholds.ts"
import { blockKey, keyedWords, keyWords, littleEndian } from "../../src/noise/Words.ts"
import { bucketBytes, word } from "./Reference.ts"
import { Stream } from "./Stream.ts"
import { digitLags, repeatedPairs } from "./WordStructure.ts"

const seed = questionSeed(fromHex("550562a95b8c3cf8dd2792b0dda8b38821a15342eb397d53a747efabf52903eb") as Uint8Array)
const other = questionSeed(createHash("sha256").update("another fingerprint").digest())

describe("Words", () => {
  it("have the block key and the words of the published vector", () => {
    expect(toHex(blockKey(seed, 0, 0))).toBe("7c6528f72986b0c103c57732103186493626da31cf6331dd326a36644cbe7a59")
    const words = keyedWords(seed)
    const first = (coin: number, bucket: bigint) => words(coin, 0, bucketBytes(bucket)).toString(16)
    expect([first(0, 0n), first(16, 0n)]).toEqual(["4f09efda", "834cfdb7"])
    expect([first(0, 1n), first(16, 1n)]).toEqual(["23ba8696", "19b06d74"])
  })

  it("are those of Node's HMAC and OpenSSL's ChaCha20 at any coin, depth and bucket", () => {
    const stream = new Stream("word addresses")
    for (let i = 0; i < 300; i++) {
      const drawn = freshSeed(stream.bytes(32))
      const coin = Number(stream.below(70n))
      const depth = Number(stream.below(65_536n))
      const bucket = stream.bytes(16)
      expect(keyedWords(drawn)(coin, depth, bucket)).toBe(word(drawn, coin, depth, bucket))
    }
  })

  it("do not depend on what was read before", () => {
    const words = keyedWords(seed)
    words(3, 1, bucketBytes(9n))
    words(40, 0, bucketBytes(8n))
    expect(words(3, 0, bucketBytes(7n))).toBe(keyedWords(seed)(3, 0, bucketBytes(7n)))
  })

  it("come from another key for another seed, depth or group", () => {
    const keys = [seed, other].flatMap((s) =>
      [0, 1, 256].flatMap((depth) => [0, 1, 256].map((group) => toHex(blockKey(s, depth, group))))
    )
    expect(new Set(keys).size).toBe(18)
  })

  it("refuse a bucket that is not 16 bytes", () =>
    expect(() => keyedWords(seed)(0, 0, new Uint8Array(15))).toThrow(RangeError))

  describe("of 100 000 consecutive buckets", () => {
    const N = 100_000
    const WIDTH = 32
    const { m, word: limit } = thresholds(rateOf(10_000_000, 65_536))
    const limits = Array.from({ length: m }, (_, coin) => limit(coin, 0))

    /** Words 0 … 31 of buckets 0 … N − 1, row by row. */
    const ours = (): Uint32Array => {
      const keys = [0, 1].map((group) => keyWords(blockKey(seed, 0, group)))
      const all = new Int32Array(N * WIDTH)
      for (let b = 0; b < N; b++) {
        const last = littleEndian(bucketBytes(BigInt(b)), 12)
        for (const [group, key] of keys.entries()) chachaBlock(key, 0, 0, 0, last, all, b * WIDTH + 16 * group)
      }
      return new Uint32Array(all.buffer)
    }

    // The mistake that the construction avoids: a stream from iv = bucket runs into the next bucket's stream.
    const counterMode = (n: number): Uint32Array => {
      const stream = createCipheriv("aes-256-ctr", blockKey(seed, 0, 0), Buffer.alloc(16)).update(
        Buffer.alloc(16 * (n + 8))
      )
      return Uint32Array.from({ length: n * WIDTH }, (_, i) =>
        stream.readUInt32LE(16 * Math.floor(i / WIDTH) + 4 * (i % WIDTH))
      )
    }

    it("repeat no pair of neighbouring words, and digits do not follow other buckets' digits", () => {
      const words = ours()
      expect(words[16]).toBe(0x834cfdb7)
      expect(repeatedPairs(words)).toBe(0)
      expect(digitLags(words, WIDTH, limits)).toEqual([])
    })

    it("would do both if the bucket were the start of a stream", () => {
      const words = counterMode(10_000)
      expect(repeatedPairs(words)).toBeGreaterThan(10_000)
      const lags = digitLags(words, WIDTH, limits)
      expect(lags).toContainEqual({ digit: 0, lag: 4, buckets: 1 })
      expect(lags).toContainEqual({ digit: 3, lag: 8, buckets: 2 })
    })
  })
})
