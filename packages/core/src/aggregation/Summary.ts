import { jacksonString } from "./ExhaustedReport.ts"

/** One row of a summary. */
export interface SummaryRow {
  /** Big-endian without leading zeros; bucket 0 has no bytes. */
  readonly bucket: Uint8Array
  /** The noised sum, a signed 64-bit integer; may be negative. */
  readonly metric: bigint
}

/** One row of a debug summary: `unnoisedMetric + noise` is the metric of the summary. */
export interface DebugRow {
  readonly bucket: Uint8Array
  readonly unnoisedMetric: bigint
  readonly noise: bigint
  readonly inDomain: boolean
  readonly inReports: boolean
}

export type BucketTag = "in_domain" | "in_reports"

/** Symbols of the Avro enum in its order. */
export const BUCKET_TAGS: ReadonlyArray<BucketTag> = ["in_domain", "in_reports"]

/** The annotations of a debug row in the order in which the original writes them. */
export const annotations = (row: {
  readonly inDomain: boolean
  readonly inReports: boolean
}): ReadonlyArray<BucketTag> => [
  ...(row.inReports ? (["in_reports"] as const) : []),
  ...(row.inDomain ? (["in_domain"] as const) : [])
]

const BUCKET_DOC =
  "Histogram bucket used in aggregation. 128-bit integer encoded as a 16-byte big-endian bytestring. Leading 0-bits will be left out."

/**
 * The Avro schemas of the four kinds of file, as text for a file's header (spec: aggregation §3.1). Two are read, two
 * written; with the docs a summary's plain header has the original's size.
 */
export const AVRO_SCHEMAS = {
  reports:
    '{"type":"record","name":"AggregatableReport","fields":[{"name":"payload","type":"bytes"},{"name":"key_id","type":"string"},{"name":"shared_info","type":"string"}]}',
  domain:
    '{"type":"record","name":"AggregationBucket","fields":[{"name":"bucket","type":"bytes","doc":"A single bucket that appears in the aggregation service output. 128-bit integer encoded as a 16-byte big-endian bytestring."}]}',
  summary: `{"type":"record","name":"AggregatedFact","fields":[{"name":"bucket","type":"bytes","doc":"${BUCKET_DOC}"},{"name":"metric","type":"long","doc":"Metric associated with the bucket"}]}`,
  debugSummary: `{"type":"record","name":"DebugAggregatedFact","fields":[{"name":"bucket","type":"bytes","doc":"${BUCKET_DOC}"},{"name":"unnoised_metric","type":"long","doc":"Unnoised metric associated with the bucket."},{"name":"noise","type":"long","doc":"The noise applied to metric in the regular result."},{"name":"annotations","type":{"type":"array","items":{"type":"enum","name":"bucket_tags","symbols":["in_domain","in_reports"]}}}]}`
} as const

/** Names of the local tool's output files (spec: aggregation §11.1). */
export const LOCAL_FILES = {
  summary: { avro: "output.avro", json: "output.json" },
  debugSummary: { avro: "debug_output.avro", json: "debug_output.json" }
} as const

/** The local tool's JSON of summary rows, in pieces to be written one after another. */
export const printSummaryJson = (rows: Iterable<SummaryRow>): Iterable<string> =>
  printRows(rows, (row) => [bucketMember(row.bucket), `  "metric" : ${row.metric}`])

/** The local tool's JSON of debug rows, in pieces to be written one after another. */
export const printDebugJson = (rows: Iterable<DebugRow>): Iterable<string> =>
  printRows(rows, (row) => {
    const tags = annotations(row).map((tag) => `"${tag}"`)
    return [
      bucketMember(row.bucket),
      `  "unnoised_metric" : ${row.unnoisedMetric}`,
      `  "noise" : ${row.noise}`,
      `  "annotations" : ${tags.length === 0 ? "[ ]" : `[ ${tags.join(", ")} ]`}`
    ]
  })

// Jackson's layout, with the final line break of the original's expected files.
function* printRows<A>(rows: Iterable<A>, members: (row: A) => ReadonlyArray<string>): Iterable<string> {
  let open = "[ "
  for (const row of rows) {
    yield `${open}{\n${members(row).join(",\n")}\n}`
    open = ", "
  }
  yield open === "[ " ? "[ ]\n" : " ]\n"
}

/** A bucket is a string whose code points are its bytes (ISO 8859-1). */
const bucketMember = (bucket: Uint8Array): string => `  "bucket" : ${jacksonString(String.fromCharCode(...bucket))}`
