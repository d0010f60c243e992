import {
  bucketBytes,
  categoriesOf,
  Contributions,
  decodePayload,
  filteringIds,
  Histogram,
  OutputDomain,
  parseSharedInfo,
  PAYLOAD_HISTOGRAM,
  PAYLOAD_MALFORMED,
  printSummaryJson,
  reportChecker,
  ReportIds,
  type ReportRules,
  type SharedInfo,
  UNBOUNDED
} from "@sotto/core/aggregation"
import avro from "avsc"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { fixture, HASH_KEY } from "./support.ts"

/** Rows of an Avro file through avsc, a reader that is not ours. */
const rows = async <A>(path: string): Promise<ReadonlyArray<A>> => {
  const list: Array<A> = []
  const decoder = avro.createFileDecoder(fixture(path).pathname)
  decoder.on("data", (row: A) => list.push(row))
  await once(decoder, "end")
  return list
}

interface Report {
  readonly payload: Uint8Array
  readonly shared_info: string
}

const RULES: ReportRules = {
  reporter: { _tag: "Origin", attributionReportTo: "https://report.test" },
  siteOf: () => undefined,
  filteringIds: filteringIds([]),
  debugRun: false,
  asOf: 1_234_486_400_000,
  checks: "reduced"
}

/** What the whole report path makes of cleartext reports: sums as [bucket as text, sum], and categories of the refused. */
const aggregate = (reports: ReadonlyArray<Report>, rules: Partial<ReportRules> = {}) => {
  const all = { ...RULES, ...rules }
  const check = reportChecker(all)
  const seen = new ReportIds(HASH_KEY)
  const histogram = new Histogram(HASH_KEY)
  const sink = new Contributions()
  const id = new Uint32Array(4)
  const refused: Array<ReadonlyArray<string>> = []
  for (const { payload, shared_info } of reports) {
    const info = parseSharedInfo(shared_info) as SharedInfo
    sink.clear()
    const outcome = decodePayload(payload, 0, payload.length, sink)
    expect(outcome).not.toBe(PAYLOAD_MALFORMED)
    const mask = check(info, outcome === PAYLOAD_HISTOGRAM, id)
    if (mask !== 0) refused.push(categoriesOf(mask))
    else if (seen.add(id[0] as number, id[1] as number, id[2] as number, id[3] as number)) {
      histogram.addReport(sink, 0, sink.length, all.filteringIds, UNBOUNDED)
    }
  }
  return { histogram, refused }
}

const project = (histogram: Histogram, domain: ReadonlyArray<{ readonly bucket: Uint8Array }>) => {
  const keys = new OutputDomain()
  for (const { bucket } of domain) keys.add(bucket)
  const words = keys.take()
  return Array.from({ length: words.length / 4 }, (_, row) => ({
    bucket: bucketBytes(words, row),
    metric: histogram.get(words, row) ?? 0n
  }))
}

describe("real data", () => {
  it("gives the expected sums of the original's library set", async () => {
    const { histogram, refused } = aggregate(await rows<Report>("library/attribution_1/batch.avro"))
    const summary = project(histogram, await rows("library/attribution_1/domain.avro"))
    const byBucket = (text: string) =>
      (JSON.parse(text) as ReadonlyArray<{ bucket: string }>).toSorted((a, b) => (a.bucket < b.bucket ? -1 : 1))
    const expected = readFileSync(fixture("library/attribution_1/expected.json"), "utf8")
    expect(refused).toEqual([])
    expect(byBucket([...printSummaryJson(summary)].join(""))).toEqual(byBucket(expected))
  })

  it("gives 32768 and 4400 for the sample", async () => {
    const { histogram } = aggregate(await rows<Report>("sample/output_debug_reports.avro"))
    const summary = project(histogram, await rows("sample/output_domain.avro"))
    expect(summary.map((row) => Number(row.metric)).sort()).toEqual([32768, 4400])
    expect(histogram.size).toBe(2)
  })

  const golden = (path: string): Report => {
    const report = JSON.parse(readFileSync(fixture(`goldens/${path}.json`), "utf8")) as { shared_info: string }
    const [payload = ""] = JSON.parse(
      readFileSync(fixture(`goldens/${path}_cleartext_payloads.json`), "utf8")
    ) as ReadonlyArray<string>
    return { payload: new Uint8Array(Buffer.from(payload, "base64")), shared_info: report.shared_info }
  }

  it.each(["attribution-0.1/report_1", "attribution-1.0/report_1", "private-aggregation-1.0/report_1"])(
    "accepts the report that Chrome made, at its own time: %s",
    (path) => {
      const full = { checks: "full" } as const
      expect(aggregate([golden(path)], full).refused).toEqual([])
      const late = { ...full, asOf: RULES.asOf + 90 * 86_400_000 }
      expect(aggregate([golden(path)], late).refused).toEqual([["ORIGINAL_REPORT_TIME_TOO_OLD"]])
      const site = { ...full, reporter: { _tag: "Site", reportingSite: "https://report.test" } } as const
      expect(aggregate([golden(path)], site).refused).toEqual([["ATTRIBUTION_REPORT_TO_MALFORMED"]])
    }
  )

  it("counts reports with one id once", () => {
    const first = golden("attribution-0.1/report_1")
    const once = aggregate([first]).histogram
    const twice = aggregate([first, first, golden("attribution-1.0/report_1")]).histogram
    expect(twice.buckets()).toEqual(once.buckets())
    expect(twice.get(once.buckets())).toBe(once.get(once.buckets()))
  })

  it("finds the contribution with the largest id only when it is asked for", () => {
    const report = golden("private-aggregation-1.0/report_17")
    expect(aggregate([report], { filteringIds: filteringIds([2n ** 64n - 1n]) }).histogram.size).toBe(1)
    expect(aggregate([report]).histogram.size).toBe(0)
  })

  it("refuses the report without a version", () =>
    expect(aggregate([golden("attribution-no-version/report_1")]).refused).toEqual([
      ["REQUIRED_SHAREDINFO_FIELD_INVALID", "UNSUPPORTED_SHAREDINFO_VERSION"]
    ]))
})
