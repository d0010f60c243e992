import avsc from "avsc"
import fc from "fast-check"
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import {
  isRejected,
  readContainer,
  readHeader,
  rowReader,
  RowWriter,
  writeBlock,
  writeHeader,
  type Rows
} from "@sotto/avro"
import { DEBUG_SCHEMA, DOMAIN_SCHEMA, FACT_SCHEMA, join, REPORT_SCHEMA, SYNC } from "./Files.ts"

/** Rows as avsc decodes them, from a file as our writer wrote it. */
const decoded = (
  schema: string,
  blocks: ReadonlyArray<Rows>,
  metadata: ReadonlyArray<readonly [string, string]> = []
) => {
  const bytes = join(writeHeader({ schema, metadata, sync: SYNC }), ...blocks.map((rows) => writeBlock(rows, SYNC)))
  const container = readContainer("f.avro", bytes)
  if (isRejected(container)) throw new Error(container.reason)
  const reader = rowReader<Record<string, unknown>>("f.avro", container.header!, schema)
  if (isRejected(reader)) throw new Error(reader.reason)
  const rows: Array<unknown> = []
  for (const block of container.blocks) {
    const rejected = reader.each(block, block.bytes, (row) => rows.push({ ...row }))
    if (rejected !== undefined) throw new Error(rejected.reason)
  }
  return rows
}

const buckets = fc.uint8Array({ minLength: 16, maxLength: 16 })
const sparse = fc.tuple(buckets, fc.nat(16)).map(([bucket, zeros]) => bucket.map((byte, i) => (i < zeros ? 0 : byte)))
const numbers = fc.integer({ min: -(2 ** 51), max: 2 ** 51 })
const longs = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const shortest = (bucket: Uint8Array) => {
  const from = bucket.findIndex((byte) => byte !== 0)
  return Buffer.from(from < 0 ? [] : bucket.subarray(from))
}

describe("ContainerWriter", () => {
  it("writes facts that avsc reads, buckets without leading zeros", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(sparse, longs), { minLength: 1, maxLength: 20 }), fc.nat(20), (facts, cut) => {
        const writer = new RowWriter(64)
        const keys = join(...facts.map(([bucket]) => bucket))
        const metrics = BigInt64Array.from(facts.map(([, metric]) => metric))
        const first = Math.min(cut, facts.length)
        writer.facts(keys, metrics, 0, first)
        expect(writer.count).toBe(first)
        const one = writer.take()
        expect([writer.count, writer.bytes]).toEqual([0, 0])
        writer.facts(keys, metrics, first, facts.length - first)
        const rows = decoded(FACT_SCHEMA, [one, writer.take()])
        expect(rows).toEqual(facts.map(([bucket, metric]) => ({ bucket: shortest(bucket), metric })))
      })
    )
  })

  it("writes the same bytes as avsc", () => {
    const type = avsc.Type.forSchema(JSON.parse(FACT_SCHEMA))
    fc.assert(
      fc.property(sparse, numbers, (bucket, metric) => {
        const writer = new RowWriter()
        writer.fact(bucket, 0, BigInt(metric))
        expect(Buffer.from(writer.take().data)).toEqual(type.toBuffer({ bucket: shortest(bucket), metric }))
      })
    )
  })

  it("writes reports, output domains and debug facts that avsc reads", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ unit: "grapheme" }),
        sparse,
        longs,
        longs,
        fc.subarray([0, 1]).chain((set) => fc.shuffledSubarray(set, { minLength: set.length })),
        (payload, text, bucket, unnoised, noise, annotations) => {
          const reports = new RowWriter()
          reports.report(payload, text, new TextEncoder().encode(text))
          const shared = Buffer.from(text.toWellFormed()).toString()
          expect(decoded(REPORT_SCHEMA, [reports.take()])).toEqual([
            { payload: Buffer.from(payload), key_id: shared, shared_info: shared }
          ])
          const domain = new RowWriter()
          domain.domainKey(bucket)
          expect(decoded(DOMAIN_SCHEMA, [domain.take()])).toEqual([{ bucket: Buffer.from(bucket) }])
          const debug = new RowWriter()
          debug.debugFact(bucket, 0, unnoised, noise, annotations)
          expect(decoded(DEBUG_SCHEMA, [debug.take()])).toEqual([
            {
              bucket: shortest(bucket),
              unnoised_metric: unnoised,
              noise,
              annotations: annotations.map((symbol) => ["in_domain", "in_reports"][symbol])
            }
          ])
        }
      )
    )
  })

  it("writes no codec, the schema as given, then the entries in order", () => {
    const metadata = [
      ["sotto.epsilon", "10"],
      ["sotto.note", Uint8Array.of(0xff)]
    ] as const
    const bytes = writeHeader({ schema: FACT_SCHEMA, metadata, sync: SYNC })
    const header = readHeader("f.avro", bytes)
    if ("_tag" in header) throw new Error(JSON.stringify(header))
    expect([...header.metadata.keys()]).toEqual(["avro.schema", "sotto.epsilon", "sotto.note"])
    expect(header).toMatchObject({ schema: FACT_SCHEMA, codec: "null", sync: SYNC, length: bytes.length })
    expect(header.metadata.get("sotto.note")).toEqual(Uint8Array.of(0xff))
  })

  it("writes these very bytes, now and later", () => {
    const writer = new RowWriter()
    for (let n = 0; n < 1000; n++)
      writer.fact(new Uint8Array(16).fill(n, n % 17), 0, BigInt(n) ** 6n * (n % 2 === 0 ? 1n : -1n))
    const bytes = join(writeHeader({ schema: FACT_SCHEMA, sync: SYNC }), writeBlock(writer.take(), SYNC))
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(
      "91f69eddead8a6b1d1cf492ff496402c4127c41a73f852e0726b5e0e34b09e5f"
    )
  })

  it("writes nothing for no rows, and refuses what no reader could take", () => {
    expect(writeBlock(new RowWriter().take(), SYNC)).toHaveLength(0)
    expect(() => writeHeader({ schema: FACT_SCHEMA, sync: new Uint8Array(15) })).toThrow("16 bytes")
    expect(() => writeBlock({ rows: 1, data: new Uint8Array(1) }, new Uint8Array(17))).toThrow("16 bytes")
    expect(() => writeHeader({ schema: FACT_SCHEMA, metadata: [["avro.codec", "null"]], sync: SYNC })).toThrow(
      "reserved"
    )
  })
})
