import avsc from "avsc"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AVRO_LIMITS, decompress, isRejected, readContainer, rowReader, type AvroRejected } from "@sotto/avro"
import { block, codecs, DEBUG_SCHEMA, extras, FACT_SCHEMA, file, header, join, longs, tables, varint } from "./Files.ts"

const read = (bytes: Uint8Array, schema: string): ReadonlyArray<Record<string, unknown>> | AvroRejected => {
  const container = readContainer("f.avro", bytes)
  if (isRejected(container)) return container
  const reader = rowReader<Record<string, unknown>>("f.avro", container.header!, schema)
  if (isRejected(reader)) return reader
  const rows: Array<Record<string, unknown>> = []
  for (const block of container.blocks) {
    const data = decompress("f.avro", container.header!.codec, block)
    if (isRejected(data)) return data
    const rejected = reader.each(block, data, (row) => rows.push({ ...row }))
    if (rejected !== undefined) return rejected
  }
  return rows
}

const fact = [
  { name: "bucket", schema: "bytes", value: fc.uint8Array({ maxLength: 16 }).map((value) => Buffer.from(value)) },
  { name: "metric", schema: "long", value: longs }
]

const record = (...fields: ReadonlyArray<readonly [string, unknown]>) =>
  JSON.stringify({ type: "record", name: "R", fields: fields.map(([name, type]) => ({ name, type })) })

describe("RowReader", () => {
  it("resolves any other fields, order and name into the wanted rows", () => {
    fc.assert(
      fc.property(tables(fact), codecs, ({ schema, blocks }, codec) => {
        const expected = blocks.flat().map(({ bucket, metric }) => ({ bucket, metric: BigInt(metric as number) }))
        expect(read(file(schema, blocks, codec), FACT_SCHEMA)).toEqual(expected)
      }),
      { numRuns: 150 }
    )
  })

  it("gives longs in full, as bigint", () => {
    for (const metric of [0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const row = join(varint(1), Uint8Array.of(9), varint(metric))
      expect(read(join(header(FACT_SCHEMA), block(1, row)), FACT_SCHEMA)).toEqual([{ bucket: Buffer.of(9), metric }])
    }
  })

  it("reads annotations", () => {
    const rows = [{ bucket: Buffer.of(1), unnoised_metric: 5, noise: -2, annotations: ["in_reports", "in_domain"] }]
    expect(read(file(DEBUG_SCHEMA, [rows]), DEBUG_SCHEMA)).toEqual([{ ...rows[0], unnoised_metric: 5n, noise: -2n }])
  })

  it("refuses a missing field and names it", () => {
    expect(read(header(record(["bucket", "bytes"])), FACT_SCHEMA)).toMatchObject({
      _tag: "AvroRejected",
      reason: expect.stringMatching(/does not resolve: .*metric/)
    })
  })

  it("walks any value of any type to its end, and rejects it when its last byte is missing", () => {
    fc.assert(
      fc.property(
        extras().chain(({ schema, value }) => value.map((value) => ({ schema, value }))),
        ({ schema, value }) => {
          const type = avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: "always" })
          const bytes = new Uint8Array(type.toBuffer(value))
          const text = record(["x", schema], ["end", "boolean"])
          expect(read(join(header(text), block(1, join(bytes, Uint8Array.of(1)))), record(["end", "boolean"]))).toEqual(
            [{ end: true }]
          )
          expect(isRejected(read(join(header(text), block(1, bytes)), record(["end", "boolean"])))).toBe(true)
        }
      ),
      { numRuns: 300 }
    )
  })

  const END = record(["end", "boolean"])
  const rejects = (type: unknown, bytes: ReadonlyArray<number>, reason: string) =>
    expect(
      read(join(header(record(["x", type], ["end", "boolean"])), block(1, Uint8Array.from([...bytes, 1]))), END)
    ).toMatchObject({ _tag: "AvroRejected", reason: expect.stringContaining(reason) })

  const HUGE = [...varint(2n ** 63n - 1n)]
  const list = { type: "record", name: "L", fields: [{ name: "next", type: ["null", "L"] }] }
  const endless = { type: "record", name: "E", fields: [{ name: "e", type: "E" }] }
  const twins = (depth: number): unknown =>
    depth === 0
      ? "null"
      : {
          type: "record",
          name: `T${depth}`,
          fields: [
            { name: "a", type: twins(depth - 1) },
            { name: "b", type: depth === 1 ? "null" : `T${depth - 1}` }
          ]
        }

  it.each<[string, unknown, ReadonlyArray<number>, string]>([
    ["2⁶³ nulls in an array", { type: "array", items: "null" }, [...HUGE, 0], "more than 1048576 values of no bytes"],
    ["2⁶³ bytes in an array", { type: "array", items: "bytes" }, [...HUGE, 0, 0], "a length is negative: -1"],
    ["2⁶³ entries in a map", { type: "map", values: "null" }, [...HUGE, 0], "a length is negative: -1"],
    ["2³⁰ nulls in nested records", twins(30), [], "more than 1048576 values of no bytes"],
    ["a list deeper than a value may be", list, [...Array.from({ length: 65 }, () => 2), 0], "nests deeper than 64"],
    ["a record that holds itself", endless, [], "nests deeper than 64"],
    ["a string of 2⁶³ bytes", "string", HUGE, "bytes are announced, fewer follow"],
    ["a string of −1 bytes", "string", [1], "a length is negative: -1"],
    ["a boolean of 2", "boolean", [2], "a boolean is neither 0 nor 1"],
    ["an int of 33 bits", "int", [...varint(2n ** 31n)], "an int has more than 32 bits"],
    ["a long of eleven bytes", "long", Array.from({ length: 11 }, () => 0x80), "more than 64 bits"],
    ["an enum without that symbol", { type: "enum", name: "E", symbols: ["A"] }, [2], "an enum has no symbol 1"],
    ["a union without that branch", ["null", "int"], [4], "a union has no branch 2"],
    ["a union's branch −1", ["null", "int"], [1], "a union has no branch -1"],
    ["items shorter than they say", { type: "array", items: "int" }, [1, 4, 0, 0], "not as long as it says"],
    ["items whose size is negative", { type: "array", items: "int" }, [1, 1, 0, 0], "a length is negative"]
  ])("rejects %s", (_, type, bytes, reason) => rejects(type, bytes, reason))

  it("bounds rows that take no bytes", () => {
    const empty = record(["x", "null"])
    expect(read(join(header(empty), block(3, new Uint8Array(0))), empty)).toEqual([
      { x: null },
      { x: null },
      { x: null }
    ])
    for (const rows of [AVRO_LIMITS.emptyValues + 1, Number.MAX_SAFE_INTEGER])
      expect(read(join(header(empty), block(rows, new Uint8Array(0))), empty)).toMatchObject({
        reason: expect.stringContaining("values of no bytes")
      })
  })
})
