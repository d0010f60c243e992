import {
  annotations,
  AVRO_SCHEMAS,
  type DebugRow,
  printDebugJson,
  printSummaryJson,
  type SummaryRow
} from "@sotto/core/aggregation"
import avro from "avsc"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ascii, readFixture } from "./support.ts"

const rows = fc.array(
  fc.record({ bucket: fc.uint8Array({ maxLength: 16 }), metric: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) })
)
const print = (list: ReadonlyArray<SummaryRow>) => [...printSummaryJson(list)].join("")
const printDebug = (list: ReadonlyArray<DebugRow>) => [...printDebugJson(list)].join("")

describe("Summary", () => {
  it("writes the expected file of the original's library set, byte for byte", () => {
    const expected = new TextDecoder().decode(readFixture("library/attribution_1/expected.json"))
    const list = (JSON.parse(expected) as ReadonlyArray<{ bucket: string; metric: number }>).map(
      ({ bucket, metric }) => ({
        bucket: ascii(bucket),
        metric: BigInt(metric)
      })
    )
    expect(list).toHaveLength(6)
    expect(print(list)).toBe(expected)
  })

  it("writes JSON whose buckets are strings of the bytes", () =>
    fc.assert(
      fc.property(rows, (list) => {
        const text = print(list)
        const parsed = JSON.parse(text) as ReadonlyArray<{ bucket: string; metric: number }>
        expect(parsed.map((row) => ascii(row.bucket))).toEqual(list.map((row) => row.bucket))
        expect([...text.matchAll(/"metric" : (-?\d+)\n/g)].map((match) => BigInt(match[1] as string))).toEqual(
          list.map((row) => row.metric)
        )
      })
    ))

  it("escapes as Jackson does", () =>
    expect(print([{ bucket: Uint8Array.of(0x1b, 10, 34, 92, 0x7f, 0xe9), metric: -1n }])).toBe(
      '[ {\n  "bucket" : "\\u001B\\n\\"\\\\\u007f\u00e9",\n  "metric" : -1\n} ]\n'
    ))

  it("keeps a backslash in front of what looks like an escape", () =>
    expect(print([{ bucket: ascii("\\u001b"), metric: 0n }])).toContain('"\\\\u001b"'))

  it("writes an empty list", () => expect(print([])).toBe("[ ]\n"))

  it("writes debug rows with their annotations, in_reports first", () => {
    const row = (inDomain: boolean, inReports: boolean): DebugRow => ({
      bucket: ascii("k"),
      unnoisedMetric: 5n,
      noise: -7n,
      inDomain,
      inReports
    })
    expect(printDebug([row(true, true)])).toBe(
      '[ {\n  "bucket" : "k",\n  "unnoised_metric" : 5,\n  "noise" : -7,\n  "annotations" : [ "in_reports", "in_domain" ]\n} ]\n'
    )
    expect(annotations(row(true, false))).toEqual(["in_domain"])
    expect(annotations(row(false, true))).toEqual(["in_reports"])
  })

  it("has schemas that an Avro library takes, with the fields in their order", () => {
    const fields = Object.values(AVRO_SCHEMAS).map((text) => {
      const type = avro.Type.forSchema(JSON.parse(text)) as avro.types.RecordType
      return [type.name, ...type.fields.map((field) => field.name)]
    })
    expect(fields).toEqual([
      ["AggregatableReport", "payload", "key_id", "shared_info"],
      ["AggregationBucket", "bucket"],
      ["AggregatedFact", "bucket", "metric"],
      ["DebugAggregatedFact", "bucket", "unnoised_metric", "noise", "annotations"]
    ])
  })

  it("has the original's schema texts: those of its files, and the size of its summary's header", () => {
    const schemaIn = (path: string) =>
      /\{"type":"record".*\}/.exec(new TextDecoder("latin1").decode(readFixture(path)).split("\0")[0] as string)?.[0]
    expect(schemaIn("library/attribution_1/batch.avro")).toBe(AVRO_SCHEMAS.reports)
    expect(schemaIn("library/attribution_1/domain.avro")).toBe(AVRO_SCHEMAS.domain)
    // Magic, map of one entry (count, key, value of two bytes' length, end), sync marker.
    expect(4 + 1 + 12 + 2 + AVRO_SCHEMAS.summary.length + 1 + 16).toBe(334)
  })
})
