import avsc from "avsc"
import fc from "fast-check"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { decompress, isRejected, readContainer, REPORT_COLUMNS, reportScanner, type AvroRejected } from "@sotto/avro"
import { block, codecs, file, header, join, REPORT_SCHEMA, tables, varint } from "./Files.ts"

interface Report {
  readonly payload: string
  readonly key_id: string
  readonly shared_info: string
}

const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1")

const scanned = (bytes: Uint8Array): ReadonlyArray<Report> | AvroRejected => {
  const container = readContainer("reports.avro", bytes)
  if (isRejected(container)) return container
  const out: Array<Report> = []
  if (container.header === undefined) return out
  const scanner = reportScanner("reports.avro", container.header)
  if (isRejected(scanner)) return scanner
  for (const block of container.blocks) {
    const data = decompress("reports.avro", container.header.codec, block)
    if (isRejected(data)) return data
    const table = scanner.scan(block, data)
    if (isRejected(table)) return table
    for (let at = 0; at < table.length; at += REPORT_COLUMNS) {
      const piece = (n: number) => latin1(data.subarray(table[at + n], table[at + n]! + table[at + n + 1]!))
      out.push({ payload: piece(0), key_id: piece(2), shared_info: piece(4) })
    }
  }
  return out
}

const text = (name: string) => ({ name, schema: "string", value: fc.string({ unit: "grapheme", maxLength: 200 }) })
const fields = [
  {
    name: "payload",
    schema: "bytes",
    value: fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value))
  },
  text("key_id"),
  text("shared_info")
]

const utf8 = (value: unknown) => latin1(new TextEncoder().encode(String(value)))

describe("ReportScanner", () => {
  it("finds what avsc decodes, among any other fields, in any order, with any codec and block size", () => {
    fc.assert(
      fc.property(tables(fields), codecs, ({ schema, blocks }, codec) => {
        const type = avsc.Type.forSchema(JSON.parse(schema), { wrapUnions: "always" })
        const expected = blocks.flat().map((row) => {
          const { payload, key_id, shared_info } = type.fromBuffer(type.toBuffer(row))
          return { payload: latin1(payload), key_id: utf8(key_id), shared_info: utf8(shared_info) }
        })
        expect(scanned(file(schema, blocks, codec))).toEqual(expected)
      }),
      { numRuns: 300 }
    )
  })

  it("reads the original's files", () => {
    const reports = scanned(readFileSync("test/fixtures/library/attribution_1/batch.avro"))
    expect(reports).toHaveLength(10)
    expect(reports).toMatchObject([{ key_id: "no_key" }, ...Array.from({ length: 9 }, () => ({}))])
    expect(scanned(readFileSync("test/fixtures/sample/output_debug_reports.avro"))).toHaveLength(1)
  })

  it("says which row is cut off, in the common file too", () => {
    expect(scanned(join(header(REPORT_SCHEMA), block(2, Uint8Array.of(0, 0, 0, 0, 0, 10, 1))))).toMatchObject({
      reason: "row 1 of this block: 5 bytes are announced, fewer follow (byte 6 of the block's data)"
    })
  })

  it("uses the caller's table when it is large enough", () => {
    const bytes = file(REPORT_SCHEMA, [[{ payload: Buffer.of(1), key_id: "k", shared_info: "{}" }]])
    const container = readContainer("f", bytes)
    if (isRejected(container)) throw new Error(container.reason)
    const scanner = reportScanner("f", container.header!)
    if (isRejected(scanner)) throw new Error(scanner.reason)
    const block = container.blocks[0]!
    const table = new Uint32Array(12)
    expect(scanner.scan(block, block.bytes, table)).toEqual(Uint32Array.of(1, 1, 3, 1, 5, 2))
    expect(table.subarray(0, 6)).toEqual(Uint32Array.of(1, 1, 3, 1, 5, 2))
    expect(scanner.scan(block, block.bytes, new Uint32Array(5))).toHaveLength(6)
  })

  const withField = (name: string, type: unknown) =>
    JSON.stringify({
      type: "record",
      name: "R",
      fields: [
        { name: "payload", type: "bytes" },
        { name: "key_id", type: "string" },
        { name: "shared_info", type: "string" }
      ].flatMap((field) => (field.name !== name ? [field] : type === undefined ? [] : [{ name, type }]))
    })

  it.each([
    ["payload", undefined, "its rows have no field payload"],
    ["key_id", undefined, "its rows have no field key_id"],
    ["shared_info", undefined, "its rows have no field shared_info"],
    ["payload", "int", "its field payload is int, not bytes or string"],
    ["key_id", ["null", "long"], "its field key_id is union, not bytes or string"]
  ])("refuses at open a file whose field %s is %j", (name, type, reason) => {
    expect(scanned(header(withField(name, type)))).toEqual({
      _tag: "AvroRejected",
      file: "reports.avro",
      offset: 0,
      reason
    })
  })

  it("takes nullable fields, and rejects the row that is null", () => {
    const schema = withField("payload", ["null", "bytes"])
    const good = { payload: { bytes: Buffer.of(7) }, key_id: "k", shared_info: "s" }
    expect(scanned(file(schema, [[good]]))).toEqual([{ payload: "\u0007", key_id: "k", shared_info: "s" }])
    expect(scanned(file(schema, [[good, { ...good, payload: null }]]))).toMatchObject({
      reason: expect.stringContaining("row 1 of this block: field payload is null")
    })
  })

  it("rejects rows that are not there before taking memory for them", () => {
    const start = header(REPORT_SCHEMA).length
    for (const rows of [2, 1_000_000, 2 ** 40, Number.MAX_SAFE_INTEGER])
      expect(scanned(join(header(REPORT_SCHEMA), block(rows, Uint8Array.of(0, 0, 0))))).toMatchObject({
        offset: start,
        reason: `the block announces ${rows} rows, its 3 bytes hold fewer`
      })
    expect(scanned(join(header(REPORT_SCHEMA), block(1, Uint8Array.of(0, 0, 0, 0))))).toMatchObject({
      offset: start,
      reason: "1 bytes follow the last row of this block"
    })
    expect(scanned(join(header(REPORT_SCHEMA), block(1, join(varint(-1), Uint8Array.of(0, 0)))))).toMatchObject({
      reason: expect.stringContaining("a length is negative: -1")
    })
  })
})
