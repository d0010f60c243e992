import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  AVRO_LIMITS,
  blockScanner,
  decompress,
  domainScanner,
  isRejected,
  printRejected,
  REPORT_COLUMNS,
  reportScanner,
  rowReader
} from "@sotto/avro"
import { block, codecs, file, header, join, REPORT_SCHEMA, store, tables, varint } from "./Files.ts"

// Small limits, so that even an input that asks for much is cheap to answer.
const limits = { ...AVRO_LIMITS, blockBytes: 100_000, storedBlockBytes: 100_000, emptyValues: 1000 }

/** Everything that can be done with a file; the number of rows, or why not. */
const read = (bytes: Uint8Array, step = bytes.length): number | string => {
  const scanner = blockScanner("any.avro", limits)
  let rows = 0
  let open: ReturnType<typeof readers> | undefined
  for (let at = 0; at < bytes.length; at += step) {
    const blocks = scanner.push(bytes.subarray(at, at + step))
    if (isRejected(blocks)) return said(blocks, bytes)
    for (const block of blocks) {
      const data = decompress("any.avro", scanner.header!.codec, block, limits)
      if (isRejected(data)) return said(data, bytes)
      const { reports, domain, reader } = (open ??= readers(scanner.header!.schema))
      if (!isRejected(domain)) domain.scan(block, data)
      let decoded = 0
      const rejected = isRejected(reader) ? reader : reader.each(block, data, () => decoded++)
      if (isRejected(reports)) return said(reports, bytes)
      const table = reports.scan(block, data)
      if (isRejected(table)) return said(table, bytes)
      // What the fast scanner takes, avsc takes too.
      if (rejected === undefined) expect(table.length).toBe(REPORT_COLUMNS * decoded)
      else expect(rejected.reason).toContain("does not resolve")
      for (let i = 0; i < table.length; i += 2) expect(table[i]! + table[i + 1]!).toBeLessThanOrEqual(data.length)
      rows += decoded
    }
  }
  const rejected = scanner.end()
  return rejected === undefined ? rows : said(rejected, bytes)
}

const readers = (schema: string) => ({
  reports: reportScanner("any.avro", { schema }, limits),
  domain: domainScanner("any.avro", { schema }, limits),
  reader: rowReader("any.avro", { schema }, REPORT_SCHEMA, limits)
})

const said = (rejected: Parameters<typeof printRejected>[0], bytes: Uint8Array): string => {
  expect(rejected.file).toBe("any.avro")
  expect(rejected.offset).toBeGreaterThanOrEqual(0)
  expect(rejected.offset).toBeLessThanOrEqual(bytes.length)
  expect(rejected.reason.length).toBeGreaterThan(10)
  return printRejected(rejected)
}

const text = (name: string) => ({ name, schema: "string", value: fc.string({ maxLength: 20 }) })
const reports = tables([
  { name: "payload", schema: "bytes", value: fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value)) },
  text("key_id"),
  text("shared_info")
])
// A few files of many shapes, changed in many ways: compiling a schema costs more than reading a file.
const files = fc.constantFrom(
  ...fc.sample(
    fc.tuple(reports, codecs).map(([{ schema, blocks }, codec]) => file(schema, blocks, codec)),
    { numRuns: 60, seed: 60 }
  )
)

const odd = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 4 }),
  fc.constantFrom(
    varint(2n ** 63n - 1n),
    varint(-(2n ** 63n)),
    varint(-1),
    varint(2 ** 31),
    new Uint8Array(11).fill(0xff)
  )
)

describe("any bytes", () => {
  it("are rows or a rejection: random files", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (bytes, step) => {
        read(bytes, step)
      }),
      { numRuns: 2000 }
    )
    const start = header(REPORT_SCHEMA)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.integer(), codecs, (data, rows, codec) => {
        read(join(header(REPORT_SCHEMA, codec), block(rows & 15, data)))
        read(join(header(REPORT_SCHEMA, codec), block(rows & 15, store(codec, data))))
        read(join(start, data))
      }),
      { numRuns: 2000 }
    )
  })

  it("are rows or a rejection: files with bytes changed, put in, taken out", () => {
    fc.assert(
      fc.property(
        files,
        fc.array(fc.tuple(fc.nat(), fc.nat(6), odd), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 100 }),
        (bytes, edits, step) => {
          let changed = bytes
          for (const [at, drop, put] of edits) {
            const i = at % (changed.length + 1)
            changed = join(changed.subarray(0, i), put, changed.subarray(i + drop))
          }
          read(changed, step)
        }
      ),
      { numRuns: 6000 }
    )
  })

  it("are rows or a rejection: every byte of a file changed in turn", () => {
    const row = { payload: Buffer.of(1, 2, 3), key_id: "key", shared_info: "{}" }
    for (const codec of ["null", "deflate", "snappy"] as const) {
      const bytes = file(REPORT_SCHEMA, [[row, row], [row]], codec)
      expect(read(bytes)).toBe(3)
      let rejected = 0
      for (let i = 0; i < bytes.length; i++)
        for (const flip of [1, 0x80, 0xff]) {
          const changed = bytes.slice()
          changed[i] = changed[i]! ^ flip
          if (typeof read(changed) === "string") rejected++
        }
      expect(rejected).toBeGreaterThan(bytes.length)
    }
  })

  it("are rejected by name and place when a file is cut", () => {
    fc.assert(
      fc.property(files, fc.nat(), (bytes, at) => {
        const cut = bytes.subarray(0, at % bytes.length)
        const found = read(cut)
        const whole = read(bytes)
        if (typeof found === "string") expect(found).toMatch(/^any\.avro: byte \d+: the file ends /)
        else expect(found).toBeLessThanOrEqual(whole as number)
      }),
      { numRuns: 1000 }
    )
  })
})
