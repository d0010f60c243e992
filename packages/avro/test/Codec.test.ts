import fc from "fast-check"
import { deflateRawSync, deflateSync } from "node:zlib"
import { compress } from "snappyjs"
import { describe, expect, it } from "vitest"
import { AVRO_LIMITS, decompress, isRejected } from "@sotto/avro"
import { codecs, join, store, varint } from "./Files.ts"

const blockOf = (bytes: Uint8Array) => ({ offset: 77, rows: 1, bytes })
const rejected = (reason: string) => ({ _tag: "AvroRejected", file: "f.avro", offset: 77, reason })
const tooLarge = "the block has more than 67108864 bytes after decompression"

/** Bytes with repetitions, so that codecs have something to do. */
const data = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 30 })), { maxLength: 10 })
  .map((parts) => join(...parts.flatMap(([part, times]) => Array.from({ length: times }, () => part))))

describe("decompress", () => {
  it("gives back what was compressed", () => {
    fc.assert(
      fc.property(codecs, data, (codec, bytes) => {
        expect(decompress("f.avro", codec, blockOf(store(codec, bytes)))).toEqual(bytes)
      })
    )
    const large = new Uint8Array(3_000_000).map((_, i) => (i * i) >>> 7)
    for (const codec of ["null", "deflate", "snappy"] as const)
      expect(Buffer.compare(decompress("f.avro", codec, blockOf(store(codec, large))) as Uint8Array, large)).toBe(0)
  })

  it("answers damaged data with a rejection, or with other data of the same checksum's luck", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("deflate" as const, "snappy" as const),
        data,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (codec, bytes, at, flip) => {
          const stored = store(codec, bytes).slice()
          const i = at % stored.length
          stored[i] = stored[i]! ^ flip
          const found = decompress("f.avro", codec, blockOf(stored))
          expect(found instanceof Uint8Array || isRejected(found)).toBe(true)
          if (codec === "snappy" && found instanceof Uint8Array) expect(found).toEqual(bytes)
        }
      ),
      { numRuns: 2000 }
    )
  })

  it("stops a deflate bomb at the limit", () => {
    const bomb = new Uint8Array(deflateRawSync(Buffer.alloc(AVRO_LIMITS.blockBytes + 1)))
    expect(bomb.length).toBeLessThan(100_000)
    const found = decompress("f.avro", "deflate", blockOf(bomb))
    // Not compared as a whole: a failure would print 64 MiB.
    expect(isRejected(found) ? found.reason : "inflated").toBe(tooLarge)
    expect(decompress("f.avro", "deflate", blockOf(bomb), { ...AVRO_LIMITS, blockBytes: 2 ** 27 })).toHaveLength(
      2 ** 26 + 1
    )
  })

  it("does not believe the length that Snappy data announces", () => {
    const crc = new Uint8Array(4)
    expect(decompress("f.avro", "snappy", blockOf(join(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), crc)))).toEqual(
      rejected(tooLarge)
    )
    // 60 MiB announced, three bytes given.
    const lie = join(Uint8Array.of(0x80, 0x80, 0x80, 0x1e, 0, 1), crc)
    expect(decompress("f.avro", "snappy", blockOf(lie))).toEqual(rejected("the block is not valid Snappy data"))
  })

  const small = compress(new Uint8Array([1, 2, 3]))
  it.each<[string, "null" | "deflate" | "snappy", Uint8Array, string]>([
    ["nothing", "deflate", new Uint8Array(0), "the block is not valid deflate data"],
    ["noise", "deflate", Uint8Array.of(0xff, 1, 2, 3), "the block is not valid deflate data"],
    [
      "cut data",
      "deflate",
      store("deflate", new Uint8Array(99)).subarray(0, -1),
      "the block is not valid deflate data"
    ],
    ["three bytes", "snappy", new Uint8Array(3), "the block is too short for Snappy"],
    ["no data", "snappy", new Uint8Array(4).fill(255), "the block is not valid Snappy data"],
    ["another checksum", "snappy", join(small, new Uint8Array(4)), "the checksum of the block does not fit its data"],
    [
      "a copy from before the start",
      "snappy",
      join(varint(2), Uint8Array.of(0x01, 0x01), new Uint8Array(4)),
      "the block is not valid Snappy data"
    ],
    [
      "more than it announces",
      "snappy",
      join(Uint8Array.of(1, 4, 1, 2), new Uint8Array(4)),
      "the block is not valid Snappy data"
    ],
    [
      "less than it announces",
      "snappy",
      join(Uint8Array.of(3, 4, 1, 2), new Uint8Array(4)),
      "the block is not valid Snappy data"
    ]
  ])("rejects %s as %s", (_, codec, bytes, reason) => {
    expect(decompress("f.avro", codec, blockOf(bytes))).toEqual(rejected(reason))
  })

  it("reads a four-byte copy offset, which no usual writer makes", () => {
    const raw = join(Uint8Array.of(8, (4 - 1) << 2, 1, 2, 3, 4, (3 << 2) | 3, 4, 0, 0, 0))
    const sum = store("snappy", Uint8Array.of(1, 2, 3, 4, 1, 2, 3, 4)).slice(-4)
    expect(decompress("f.avro", "snappy", blockOf(join(raw, sum)))).toEqual(Uint8Array.of(1, 2, 3, 4, 1, 2, 3, 4))
  })

  it("takes deflate data with the rest of a checksum behind it, as Python writes it", () => {
    const data = Uint8Array.from({ length: 99 }, (_, i) => i)
    const framed = new Uint8Array(deflateSync(data)).subarray(2, -1)
    expect(decompress("f.avro", "deflate", blockOf(framed))).toEqual(data)
  })

  it("holds uncompressed blocks to the same limit", () => {
    const limits = { ...AVRO_LIMITS, blockBytes: 10 }
    expect(isRejected(decompress("f.avro", "null", blockOf(new Uint8Array(11)), limits))).toBe(true)
    expect(decompress("f.avro", "null", blockOf(new Uint8Array(10)), limits)).toHaveLength(10)
  })
})
