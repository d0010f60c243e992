/** The example requests of the original's documents, placeholders filled in, and what they are answered. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { flat } from "./Requests.ts"
import { type Server, serveScripted } from "./Server.ts"

let server: Server
beforeAll(async () => {
  server = await serveScripted()
})
afterAll(() => server.stop())

/** As it is printed: the second body lacks a comma, the first has both of what it calls mutually exclusive. */
const body = (id: string, parameters: string): string => `{
  "job_request_id": "${id}",
  "input_data_blob_prefix": "reports/output_reports_2023-07-17T19:11:27.315Z.avro",
  "input_data_bucket_name": "ags-report-bucket",
  "output_data_blob_prefix": "summary/summary.avro",
  "output_data_bucket_name": "ags-report-bucket",
  "job_parameters": {
    "output_domain_blob_prefix": "output_domain/output_domain.avro",
    "output_domain_bucket_name": "ags-report-bucket",
    ${parameters}
  }
}`

const ORIGIN = `"attribution_report_to": "https://privacy-sandcastle-dev-dsp.web.app"`
const SITE = `"reporting_site": "https://web.app"`
const DEBUG = `"debug_run": "true"`

const createJob = (text: string) => server.send({ method: "POST", path: "/stage/v1alpha/createJob", body: text })

const getJob = async (id: string): Promise<Record<string, unknown>> => {
  const answer = await server.send({ method: "GET", path: `/stage/v1alpha/getJob?job_request_id=${id}` })
  expect(answer.status, answer.body).toBe(200)
  return JSON.parse(answer.body) as Record<string, unknown>
}

describe("the examples of the original's documents", () => {
  it.each([ORIGIN, SITE, `${ORIGIN},\n    ${DEBUG}`])(
    "are taken with one of origin and site: %s",
    async (parameters) => {
      const answer = await createJob(body(`taken-${parameters.length}`, parameters))
      expect([answer.status, answer.body]).toEqual([202, "{\n}"])
    }
  )

  it("are refused with both, as their own text says", async () => {
    const answer = await createJob(body("both", `${ORIGIN},\n    ${SITE}`))
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 3,
      message: expect.stringMatching(/^Exactly one of attribution_report_to and reporting_site/),
      details: [{ reason: "JSON_ERROR" }]
    })
  })

  it("are refused where a comma is missing", async () => {
    const answer = await createJob(body("comma", `${ORIGIN}\n    ${DEBUG}`))
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toMatchObject({ code: 3, details: [{ reason: "JSON_ERROR" }] })
  })

  it("are shown by getJob with the members of their sample, where postback_URL is really postback_url", async () => {
    await createJob(body("PSD_0003", `${ORIGIN},\n    ${DEBUG}`))
    let job = await getJob("PSD_0003")
    while (job["job_status"] !== "FINISHED") job = await getJob("PSD_0003")
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}){1,3})?Z$/)
    expect(job).toEqual({
      job_status: "FINISHED",
      request_received_at: time,
      request_updated_at: time,
      job_request_id: "PSD_0003",
      input_data_blob_prefix: "reports/output_reports_2023-07-17T19:11:27.315Z.avro",
      input_data_bucket_name: "ags-report-bucket",
      output_data_blob_prefix: "summary/summary.avro",
      output_data_bucket_name: "ags-report-bucket",
      postback_url: "",
      result_info: {
        return_code: expect.stringContaining("SUCCESS"),
        return_message: expect.stringContaining("Aggregation job successfully processed"),
        error_summary: { error_counts: expect.any(Array), error_messages: [] },
        finished_at: time
      },
      job_parameters: {
        debug_run: "true",
        output_domain_bucket_name: "ags-report-bucket",
        output_domain_blob_prefix: "output_domain/output_domain.avro",
        attribution_report_to: "https://privacy-sandcastle-dev-dsp.web.app"
      },
      request_processing_started_at: time,
      input_data_blob_prefixes: []
    })
  })

  it("are not found by another id", async () => {
    const answer = await server.send({ method: "GET", path: "/stage/v1alpha/getJob?job_request_id=PSD_0004" })
    expect({ status: answer.status, body: answer.body }).toEqual(
      flat(404, { code: 5, reason: "JOB_NOT_FOUND", message: "Job with job_request_id 'PSD_0004' could not be found" })
    )
  })
})
