import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { BUCKET_BYTES, decompress, domainScanner, isRejected, readContainer } from "@sotto/avro"
import { block, codecs, DOMAIN_SCHEMA, file, header, join, tables, varint } from "./Files.ts"

const scanned = (bytes: Uint8Array) => {
  const container = readContainer("domain.avro", bytes)
  if (isRejected(container)) return container
  if (container.header === undefined) return new Uint8Array(0)
  const scanner = domainScanner("domain.avro", container.header)
  if (isRejected(scanner)) return scanner
  const out: Array<Uint8Array> = []
  for (const block of container.blocks) {
    const data = decompress("domain.avro", container.header.codec, block)
    if (isRejected(data)) return data
    const keys = scanner.scan(block, data)
    if ("_tag" in keys) return keys
    out.push(keys)
  }
  return join(...out)
}

const bucket = {
  name: "bucket",
  schema: "bytes",
  value: fc.uint8Array({ maxLength: BUCKET_BYTES }).map((value) => Buffer.from(value))
}

describe("DomainScanner", () => {
  it("reads what avsc wrote, padded in front to 16 bytes, among any other fields", () => {
    fc.assert(
      fc.property(tables([bucket]), codecs, ({ schema, blocks }, codec) => {
        const expected = blocks.flat().map((row) => {
          const short = row["bucket"] as Buffer
          return join(new Uint8Array(BUCKET_BYTES - short.length), short)
        })
        expect(scanned(file(schema, blocks, codec))).toEqual(join(...expected))
      }),
      { numRuns: 200 }
    )
  })

  it("reads the original's files", () => {
    const keys = scanned(readFileSync("test/fixtures/library/attribution_1/domain.avro")) as Uint8Array
    expect(Buffer.from(keys).toString("latin1").replaceAll("\0", "")).toMatch(/^(key\d){6,}$/)
    expect(scanned(readFileSync("test/fixtures/sample/output_domain.avro"))).toHaveLength(2 * BUCKET_BYTES)
  })

  it("overwrites all of a used array", () => {
    const container = readContainer("f", file(DOMAIN_SCHEMA, [[{ bucket: Buffer.of(7) }]]))
    if (isRejected(container)) throw new Error(container.reason)
    const scanner = domainScanner("f", container.header!)
    if (isRejected(scanner)) throw new Error(scanner.reason)
    const used = new Uint8Array(20).fill(0xff)
    const block = container.blocks[0]!
    expect(scanner.scan(block, block.bytes, used)).toEqual(join(new Uint8Array(15), Uint8Array.of(7)))
    expect(used.subarray(16)).toEqual(new Uint8Array(4).fill(0xff))
  })

  it("tells a bucket of more than 16 bytes from a broken file", () => {
    const rows = [{ bucket: Buffer.alloc(16) }, { bucket: Buffer.alloc(17) }]
    expect(scanned(file(DOMAIN_SCHEMA, [rows]))).toEqual({
      _tag: "BucketTooLong",
      file: "domain.avro",
      offset: header(DOMAIN_SCHEMA).length,
      row: 1,
      bytes: 17
    })
  })

  it("refuses files without a bucket, and rows that are not there", () => {
    expect(scanned(header('{"type":"record","name":"R","fields":[]}'))).toMatchObject({
      reason: "its rows have no field bucket"
    })
    expect(scanned(header('"bytes"'))).toMatchObject({ reason: "its rows are bytes values, not records" })
    expect(scanned(join(header(DOMAIN_SCHEMA), block(2 ** 50, varint(0))))).toMatchObject({
      reason: "the block announces 1125899906842624 rows, its 1 bytes hold fewer"
    })
  })
})
