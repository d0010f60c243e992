/**
 * A client written from the documentation of the Aggregation Service alone: its request bodies, its polling loop, its way to
 * read a summary report. It knows an address, and nothing of Sotto.
 */
import { setTimeout as wait } from "node:timers/promises"
import avro from "avsc"

export interface Ended {
  readonly job_status: string
  readonly job_request_id: string
  readonly request_received_at: string
  readonly request_updated_at: string
  readonly request_processing_started_at: string
  readonly result_info: {
    readonly return_code: string
    readonly return_message: string
    readonly error_summary: {
      readonly error_counts: ReadonlyArray<{ category: string; count: number; description: string }>
      readonly error_messages: ReadonlyArray<string>
    }
    readonly finished_at: string
  }
}

/** Creates a job, polls until it is finished, and answers the last answer. */
export const runJob = async (address: string, request: object): Promise<Ended> => {
  const created = await fetch(`${address}/stage/v1alpha/createJob`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request)
  })
  if (created.status !== 202) throw new Error(`createJob: ${created.status} ${await created.text()}`)
  const { job_request_id } = request as { job_request_id: string }
  for (;;) {
    const got = await fetch(`${address}/stage/v1alpha/getJob?job_request_id=${encodeURIComponent(job_request_id)}`)
    if (got.status !== 200) throw new Error(`getJob: ${got.status} ${await got.text()}`)
    const job = (await got.json()) as Ended
    if (job.job_status === "FINISHED") return job
    if (job.job_status !== "RECEIVED" && job.job_status !== "IN_PROGRESS") throw new Error(job.job_status)
    await wait(25)
  }
}

const DOMAIN = avro.Type.forSchema({
  type: "record",
  name: "AggregationBucket",
  fields: [{ name: "bucket", type: "bytes" }]
})

const REPORT = avro.Type.forSchema({
  type: "record",
  name: "AggregatableReport",
  fields: [
    { name: "payload", type: "bytes" },
    { name: "key_id", type: "string" },
    { name: "shared_info", type: "string" }
  ]
})

const write = async (file: string, type: avro.Type, rows: ReadonlyArray<object>): Promise<void> => {
  const encoder = avro.createFileEncoder(file, type)
  for (const row of rows) encoder.write(row)
  await new Promise<void>((resolve, reject) => {
    encoder.on("error", reject).on("finish", resolve).end()
  })
}

/** A report as a browser sends it. */
export interface BrowserReport {
  readonly aggregation_service_payloads: ReadonlyArray<{ readonly payload: string; readonly key_id: string }>
  readonly shared_info: string
}

/** Collects browsers' reports in an Avro file. */
export const writeReports = (file: string, reports: ReadonlyArray<BrowserReport>): Promise<void> =>
  write(
    file,
    REPORT,
    reports.map(({ aggregation_service_payloads: [sealed], shared_info }) => ({
      payload: Buffer.from(sealed?.payload ?? "", "base64"),
      key_id: sealed?.key_id ?? "",
      shared_info
    }))
  )

const bucketBytes = (bucket: bigint): Buffer => Buffer.from(bucket.toString(16).padStart(32, "0"), "hex")

export const writeDomain = (file: string, buckets: ReadonlyArray<bigint>): Promise<void> =>
  write(
    file,
    DOMAIN,
    buckets.map((bucket) => ({ bucket: bucketBytes(bucket) }))
  )

/** The rows of a summary report, or of its debug counterpart. */
export const readSummary = async (file: string): Promise<ReadonlyArray<Record<string, any>>> => {
  const rows: Array<Record<string, any>> = []
  for await (const row of avro.createFileDecoder(file)) {
    rows.push({ ...row, bucket: BigInt(`0x0${(row.bucket as Buffer).toString("hex")}`) })
  }
  return rows
}
