/** Every sentence about getJob: spec aggregation §1.4; and the statuses that a job goes through. */
import { setTimeout as wait } from "node:timers/promises"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { flat, VALID } from "./Requests.ts"
import { type Received, type Server, serveIdle, serveScripted } from "./Server.ts"

let idle: Server
let scripted: Server
beforeAll(async () => {
  idle = await serveIdle()
  scripted = await serveScripted()
})
afterAll(() => Promise.all([idle.stop(), scripted.stop()]))

let used = 0
const create = async (server: Server, changes: object = {}, parameters: object = {}): Promise<string> => {
  const id = `job-${++used}`
  const body = JSON.stringify({
    ...VALID,
    job_request_id: id,
    job_parameters: { ...VALID.job_parameters, ...parameters },
    ...changes
  })
  const answer = await server.send({ method: "POST", path: "/stage/v1alpha/createJob", body })
  expect(answer.status, answer.body).toBe(202)
  return JSON.parse(body).job_request_id
}

const query = (server: Server, text: string): Promise<Received> =>
  server.send({ method: "GET", path: `/stage/v1alpha/getJob${text}` })

const get = async (server: Server, id: string): Promise<Record<string, any>> => {
  const { status, body } = await query(server, `?job_request_id=${encodeURIComponent(id)}`)
  expect(status, body).toBe(200)
  return JSON.parse(body)
}

/** Asks until the job is as it should be; a test that waits in vain runs out of its time. */
const getWhen = async (server: Server, id: string, is: (job: Record<string, any>) => boolean) => {
  for (;;) {
    const job = await get(server, id)
    if (is(job)) return job
    await wait(10)
  }
}

const finished = (server: Server, id: string) => getWhen(server, id, (job) => job["job_status"] === "FINISHED")

const refused = async (text: string, status: number, code: number, reason: string, message: string) => {
  const answer = await query(idle, text)
  expect({ status: answer.status, body: answer.body }).toEqual(flat(status, { code, reason, message }))
  expect(answer.headers["content-type"]).toBe("application/json")
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3}(\d{3}){0,2})?Z$/

describe("getJob: the question (§1.4)", () => {
  it("without the parameter is ARGUMENT_MISSING", async () => {
    for (const text of ["", "?", "?id=1", "?JOB_REQUEST_ID=1", "?jobRequestId=1"]) {
      await refused(
        text,
        400,
        3,
        "ARGUMENT_MISSING",
        "Missing required query parameters: [job_request_id] must be specified"
      )
    }
  })

  it("with a blank parameter is VALIDATION_FAILED", async () => {
    for (const text of ["?job_request_id=", "?job_request_id", "?job_request_id=%20%09"]) {
      await refused(text, 400, 3, "VALIDATION_FAILED", "Required query parameter 'job_request_id' must not be empty")
    }
  })

  it("about an id that nobody used is JOB_NOT_FOUND", () =>
    refused(
      "?job_request_id=un%3Ck%27nown",
      404,
      5,
      "JOB_NOT_FOUND",
      "Job with job_request_id 'un<k'nown' could not be found"
    ))

  it("takes an id with any character, percent-encoded in full, in part, or as forms encode", async () => {
    const allowed = Array.from({ length: 0x7f - 0x21 }, (_, i) => String.fromCharCode(0x21 + i)).filter(
      (c) => c !== "|"
    )
    for (const c of allowed) {
      const id = await create(idle, { job_request_id: `${c}a${c}${++used}` })
      const full = [...id].map((one) => `%${one.charCodeAt(0).toString(16).padStart(2, "0")}`).join("")
      const form = new URLSearchParams({ job_request_id: id }).toString()
      for (const text of [`job_request_id=${full}`, `job_request_id=${encodeURIComponent(id)}`, form]) {
        const { status, body } = await query(idle, `?${text}`)
        expect([status, JSON.parse(body).job_request_id], text).toEqual([200, id])
      }
    }
  })

  it("takes a plus sign for itself, as no id holds a blank", async () => {
    const id = await create(idle, { job_request_id: `2024-01-31T10:00+01:00/${++used}` })
    expect((await query(idle, `?job_request_id=${id}`)).status).toBe(200)
  })

  it("does not mind other parameters, and takes the last of several", async () => {
    const id = await create(idle)
    expect((await query(idle, `?a=b&job_request_id=x&job_request_id=${id}&c`)).status).toBe(200)
  })

  it("is answered from every stage and without one", async () => {
    const id = await create(idle)
    for (const path of ["/v1alpha/getJob", "/prod/v1alpha/getJob"]) {
      expect(await idle.send({ method: "GET", path: `${path}?job_request_id=${id}` })).toMatchObject({ status: 200 })
    }
  })
})

describe("getJob: the answer (§1.4)", () => {
  it("has its members in their order, with defaults, pretty-printed as application/json", async () => {
    const id = await create(idle, {}, { unknown: "<kept> 'as' it=is & was" })
    const { status, headers, body } = await query(idle, `?job_request_id=${id}`)
    expect([status, headers["content-type"]]).toEqual([200, "application/json"])
    expect(body.replaceAll(/"20\d\d-[^"]*Z"/g, '"TIME"')).toBe(String.raw`{
  "job_status": "RECEIVED",
  "request_received_at": "TIME",
  "request_updated_at": "TIME",
  "job_request_id": "${id}",
  "input_data_blob_prefix": "reports/",
  "input_data_bucket_name": "data",
  "output_data_blob_prefix": "summaries/out.avro",
  "output_data_bucket_name": "data",
  "postback_url": "",
  "job_parameters": {
    "reporting_site": "https://example.com",
    "output_domain_bucket_name": "data",
    "output_domain_blob_prefix": "domain/",
    "unknown": "\u003ckept\u003e \u0027as\u0027 it\u003dis \u0026 was"
  },
  "input_data_blob_prefixes": []
}`)
  })

  it("has all members in their order once a job is finished", async () => {
    const id = await create(scripted, { input_data_blob_prefix: null, input_data_blob_prefixes: ["a", "b"] })
    const job = await finished(scripted, id)
    expect(Object.keys(job)).toEqual([
      "job_status",
      "request_received_at",
      "request_updated_at",
      "job_request_id",
      "input_data_blob_prefix",
      "input_data_bucket_name",
      "output_data_blob_prefix",
      "output_data_bucket_name",
      "postback_url",
      "result_info",
      "job_parameters",
      "request_processing_started_at",
      "input_data_blob_prefixes"
    ])
    expect(job).toMatchObject({ input_data_blob_prefix: "", input_data_blob_prefixes: ["a", "b"] })
  })

  it("has a result_info of return code, message, counts, messages and time", async () => {
    const id = await create(scripted)
    await finished(scripted, id)
    const { body } = await query(scripted, `?job_request_id=${id}`)
    const info = body.slice(body.indexOf('  "result_info"'), body.indexOf('  "job_parameters"'))
    expect(info.replace(/"20\d\d-[^"]*Z"/, '"TIME"')).toBe(String.raw`  "result_info": {
    "return_code": "SUCCESS_WITH_ERRORS",
    "return_message": "Aggregation job successfully processed but some reports have errors.",
    "error_summary": {
      "error_counts": [{
        "category": "DECRYPTION_ERROR",
        "count": 3,
        "description": "It\u0027s unreadable."
      }, {
        "category": "NUM_REPORTS_WITH_ERRORS",
        "count": 3,
        "description": "All."
      }],
      "error_messages": []
    },
    "finished_at": "TIME"
  },
`)
  })

  it("prints times in UTC with the fewest of 0, 3, 6 or 9 digits, in the order in which things happened", async () => {
    const job = await finished(scripted, await create(scripted))
    const times = [
      job["request_received_at"],
      job["request_processing_started_at"],
      job["result_info"].finished_at,
      job["request_updated_at"]
    ]
    for (const time of times) {
      expect(time).toMatch(TIME)
      expect(time).not.toMatch(/000Z$/)
    }
    const millis = times.map((time) => Date.parse(time))
    expect(millis).toEqual(millis.toSorted((a, b) => a - b))
  })

  it("is RECEIVED, then IN_PROGRESS with a start, then FINISHED", async () => {
    const waiting = await get(idle, await create(idle))
    expect(waiting["job_status"]).toBe("RECEIVED")
    expect(waiting).not.toHaveProperty("request_processing_started_at")
    expect(waiting).not.toHaveProperty("result_info")
    const id = await create(scripted, {}, { script: "hold" })
    const running = await getWhen(scripted, id, (job) => job["job_status"] === "IN_PROGRESS")
    expect(running["request_processing_started_at"]).toMatch(TIME)
    expect(running).not.toHaveProperty("result_info")
    await scripted.cancel("default", id)
    expect(await get(scripted, id)).toMatchObject({
      job_status: "FINISHED",
      request_processing_started_at: running["request_processing_started_at"],
      result_info: { return_code: "JOB_CANCELLED" }
    })
  })

  it("of a job that was cancelled is FINISHED with JOB_CANCELLED and no message of an error", async () => {
    const id = await create(idle)
    await idle.cancel("default", id)
    const job = await get(idle, id)
    expect(job).toMatchObject({
      job_status: "FINISHED",
      result_info: {
        return_code: "JOB_CANCELLED",
        return_message: "The job was cancelled before it finished. No summary was published.",
        error_summary: { error_counts: [], error_messages: [] }
      }
    })
    expect(job["result_info"].finished_at).toBe(job["request_updated_at"])
    expect(job).not.toHaveProperty("request_processing_started_at")
  })

  it("has a result_info before FINISHED, after an unexpected error, and loses its message at the end", async () => {
    const id = await create(scripted, {}, { script: "falter" })
    const between = await getWhen(scripted, id, (job) => job["result_info"] !== undefined)
    expect(between).toMatchObject({
      job_status: "IN_PROGRESS",
      result_info: {
        return_code: "",
        return_message: "",
        error_summary: { error_counts: [], error_messages: ["The disk is full."] }
      }
    })
    expect(between["result_info"].finished_at).toMatch(TIME)
    const job = await finished(scripted, id)
    expect(job["result_info"]).toMatchObject({
      return_code: "SUCCESS_WITH_ERRORS",
      error_summary: { error_messages: [] }
    })
    expect(Date.parse(job["request_processing_started_at"])).toBeGreaterThan(
      Date.parse(between["request_processing_started_at"])
    )
  })
})
