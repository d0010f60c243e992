import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AVRO_LIMITS, blockScanner, isRejected, readContainer, readHeader, type Block } from "@sotto/avro"
import { block, DOMAIN_SCHEMA, file, header, join, REPORT_SCHEMA, SYNC, varint } from "./Files.ts"

const rows = (n: number) => Array.from({ length: n }, (_, i) => ({ bucket: Buffer.alloc(i % 17, i) }))
const small = file(DOMAIN_SCHEMA, [rows(3), rows(2)])
const start = header(DOMAIN_SCHEMA).length
const ascii = (text: string) => new TextEncoder().encode(text)

/** A header made of raw metadata blocks. */
const raw = (...blocks: ReadonlyArray<Uint8Array>) => join(ascii("Obj\u0001"), ...blocks, varint(0), SYNC)
const text = (value: string) => join(varint(ascii(value).length), ascii(value))
const entry = (name: string, value: string) => join(text(name), text(value))
const rejection = (offset: number, reason: string) => ({ _tag: "AvroRejected", file: "f.avro", offset, reason })

const scan = (chunks: ReadonlyArray<Uint8Array>) => {
  const scanner = blockScanner("f.avro")
  const blocks: Array<Block> = []
  for (const chunk of chunks) {
    const found = scanner.push(chunk)
    if (isRejected(found)) return found
    blocks.push(...found)
  }
  return scanner.end() ?? blocks.map(({ offset, rows, bytes }) => ({ offset, rows, bytes: [...bytes] }))
}

describe("Container", () => {
  it("cuts the same blocks however a file arrives", () => {
    const whole = scan([small])
    expect(whole).toHaveLength(2)
    expect(whole).toMatchObject([{ offset: start, rows: 3 }, { rows: 2 }])
    fc.assert(
      fc.property(fc.array(fc.nat(small.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), small.length]
        expect(scan(at.slice(1).map((end, i) => small.subarray(at[i], end)))).toEqual(whole)
      })
    )
    expect(scan(Array.from(small, (byte) => Uint8Array.of(byte)))).toEqual(whole)
  })

  it("gives views of the chunk, and a copy only for a block that spans chunks", () => {
    const scanner = blockScanner("f.avro")
    const blocks = scanner.push(small)
    if (isRejected(blocks)) throw new Error(blocks.reason)
    expect(blocks.every((block) => block.bytes.buffer === small.buffer)).toBe(true)
  })

  it("rejects a file that is cut at any byte but the end of its header or of a block, and says where", () => {
    const blocks = readContainer("f.avro", small)
    if (isRejected(blocks)) throw new Error(blocks.reason)
    const second = blocks.blocks[1]!.offset
    for (let length = 1; length < small.length; length++) {
      const found = readContainer("f.avro", small.subarray(0, length))
      if (length === start || length === second) expect(isRejected(found)).toBe(false)
      else if (length < start) expect(found).toEqual(rejection(length, "the file ends inside its header"))
      else
        expect(found).toEqual(
          rejection(length < second ? start : second, `the file ends at byte ${length}, inside this block`)
        )
    }
  })

  it("takes no bytes for an empty object, and a header alone for no rows", () => {
    expect(readContainer("f.avro", new Uint8Array(0))).toEqual({ header: undefined, blocks: [] })
    expect(readContainer("f.avro", header(REPORT_SCHEMA))).toMatchObject({ header: { codec: "null" }, blocks: [] })
    expect(scan([])).toEqual([])
  })

  it("keeps its first rejection", () => {
    const scanner = blockScanner("f.avro")
    const first = scanner.push(ascii("Nonsense"))
    expect(first).toMatchObject({ _tag: "AvroRejected", offset: 0 })
    expect(scanner.push(small)).toBe(first)
    expect(scanner.end()).toBe(first)
  })

  it("reads metadata in several blocks, with and without sizes", () => {
    const a = entry("avro.schema", DOMAIN_SCHEMA)
    const b = entry("note", "x")
    const found = readHeader("f.avro", raw(varint(-1), varint(a.length), a, varint(1), b))
    expect(found).toMatchObject({ schema: DOMAIN_SCHEMA, codec: "null", length: expect.any(Number) })
    if (!("_tag" in found)) expect([...found.metadata.keys()]).toEqual(["avro.schema", "note"])
  })

  const schema = entry("avro.schema", DOMAIN_SCHEMA)
  it.each<[string, Uint8Array, ReturnType<typeof rejection>]>([
    [
      "other files",
      ascii("PAR1...."),
      rejection(0, "this is not an Avro object container (it does not begin with Obj1)")
    ],
    ["no schema", raw(varint(1), entry("x", "y")), rejection(0, "the header has no avro.schema")],
    [
      "an unknown codec",
      header(DOMAIN_SCHEMA, "zstandard"),
      rejection(0, 'codec "zstandard" is not supported, only null, deflate, snappy')
    ],
    [
      "a size that lies",
      raw(varint(-1), varint(3), schema),
      rejection(4, "a block of metadata is not as long as it says")
    ],
    [
      "a negative size",
      raw(varint(-1), varint(-5), schema),
      rejection(4, "a block of metadata is not as long as it says")
    ],
    ["a negative length", raw(varint(1), varint(-7)), rejection(5, "a length is negative: -7")],
    [
      "2⁶³ entries",
      raw(varint(2n ** 63n - 1n)),
      rejection(4, `the header has more than ${AVRO_LIMITS.metadataEntries} metadata entries`)
    ],
    [
      "−2⁶³ entries",
      raw(varint(-(2n ** 63n)), varint(0)),
      rejection(4, `the header has more than ${AVRO_LIMITS.metadataEntries} metadata entries`)
    ],
    [
      "more entries than the limit, one by one",
      raw(...Array.from({ length: 1025 }, (_, i) => join(varint(1), entry(`k${i}`, "")))),
      { ...rejection(0, "the header has more than 1024 metadata entries"), offset: expect.any(Number) }
    ],
    [
      "an entry larger than a header may be",
      raw(varint(1), text("avro.schema"), varint(2n ** 40n)),
      rejection(0, "the header is longer than 1048576 bytes")
    ],
    ["a number of eleven bytes", raw(new Uint8Array(11).fill(0xff)), rejection(4, "a number has more than 64 bits")],
    [
      "a schema that is not UTF-8",
      raw(varint(1), text("avro.schema"), varint(2), Uint8Array.of(0xc3, 0x28)),
      rejection(0, "the schema is not UTF-8")
    ]
  ])("rejects a header with %s", (_, bytes, expected) => {
    expect(readContainer("f.avro", bytes)).toEqual(expected)
  })

  const after = (...parts: ReadonlyArray<Uint8Array>) => readContainer("f.avro", join(header(DOMAIN_SCHEMA), ...parts))
  it.each<[string, ReadonlyArray<Uint8Array>, string]>([
    ["a negative number of rows", [varint(-1)], "the number of rows is negative: -1"],
    ["2⁶³ − 1 rows", [varint(2n ** 63n - 1n)], "the number of rows is too large: 9223372036854776000"],
    ["a negative size", [varint(1), varint(-1)], "the size of the block is negative: -1"],
    [
      "a size beyond the limit",
      [varint(1), varint(AVRO_LIMITS.storedBlockBytes + 1)],
      "the block has 67108865 bytes, more than 67108864"
    ],
    [
      "a size of 2⁶³ − 1",
      [varint(1), varint(2n ** 63n - 1n)],
      "the block has 9223372036854776000 bytes, more than 67108864"
    ],
    ["a number of eleven bytes", [new Uint8Array(11).fill(0x80)], "a number has more than 64 bits"],
    ["a number of 65 bits", [join(new Uint8Array(9).fill(0xff), Uint8Array.of(2))], "a number has more than 64 bits"],
    [
      "another sync marker",
      [varint(1), varint(1), Uint8Array.of(0), SYNC.toReversed()],
      "the block does not end with the sync marker of the file"
    ]
  ])("rejects a block with %s", (_, parts, reason) => {
    expect(after(...parts)).toEqual(rejection(start, reason))
    // The offset is that of the block, also behind others.
    const first = block(1, Uint8Array.of(0))
    expect(after(first, ...parts)).toEqual(rejection(start + first.length, reason))
  })
})
