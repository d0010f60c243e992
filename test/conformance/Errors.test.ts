/** Error bodies, wrong addresses, large bodies, and who may ask: spec aggregation §1.5, §1.6; ledger §7. */
import { connect } from "node:net"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { flat, VALID } from "./Requests.ts"
import { keyOf, type Received, type Sent, type Server, serveBroken, serveIdle, tenant } from "./Server.ts"

const CREATE = "/v1alpha/createJob"
const GET = "/v1alpha/getJob"

const shown = ({ status, body }: Received) => ({ status, body })

describe("errors (§1.5, §1.6)", () => {
  let server: Server
  beforeAll(async () => {
    server = await serveIdle()
  })
  afterAll(() => server.stop())
  const send = (sent: Sent) => server.send(sent)

  it("are flat, pretty-printed, with application/json, without an outer object or a status", async () => {
    const { status, headers, body } = await send({ method: "GET", path: GET })
    expect([status, headers["content-type"]]).toEqual([400, "application/json"])
    expect(body).toBe(`{
  "code": 3,
  "message": "Missing required query parameters: [job_request_id] must be specified",
  "details": [{
    "reason": "ARGUMENT_MISSING",
    "domain": "",
    "metadata": {
    }
  }]
}`)
  })

  it("escape the five characters that HTML knows, and are the same JSON", async () => {
    const { body } = await send({ method: "POST", path: CREATE, body: `{"it's": "<a> = b & c"}` })
    expect(body).toContain(String.raw`Cannot find field: it\u0027s in message`)
    const missing = await send({ method: "POST", path: CREATE, body: `{"postback_url": "<a>=b&c"}` })
    expect(missing.body).toContain(String.raw`\u003ca\u003e\u003db\u0026c`)
    expect(JSON.parse(missing.body).message).toContain(`in: {"postback_url": "<a>=b&c"}`)
  })

  it.each([
    ["PUT", CREATE, "OPTIONS, POST"],
    ["GET", CREATE, "OPTIONS, POST"],
    ["DELETE", `/stage${CREATE}`, "OPTIONS, POST"],
    ["POST", GET, "GET, HEAD, OPTIONS"]
  ])("a wrong method is told, and which are right: %s %s", async (method, path, allow) => {
    const answer = await send({ method, path, body: method === "GET" ? "" : "{}" })
    expect(shown(answer)).toEqual(
      flat(400, { code: 3, reason: "INVALID_HTTP_METHOD", message: `Unsupported HTTP method: '${method}'` })
    )
    expect(answer.headers["allow"]).toBe(allow)
  })

  it.each(["/v1alpha/x", "/v1alpha", "/stage/v1alpha/listJobs", "/v1alpha/createjob", "/v1alpha/getJob/1"])(
    "a wrong path is told: %s",
    async (path) =>
      expect(shown(await send({ method: "GET", path: `${path}?a=b` }))).toEqual(
        flat(404, {
          code: 5,
          reason: "INVALID_URL_PATH_OR_VARIABLE",
          message: `Request handler for URL path not found: '${path}'`
        })
      )
  )

  it("other interfaces keep their own form", async () => {
    const answer = await send({ method: "GET", path: "/a/b/v1alpha/getJob" })
    expect([answer.status, answer.headers["content-type"]]).toEqual([404, "application/problem+json"])
  })

  it("a body of up to 1 MiB is read, a larger one is refused, also if it does not say so", async () => {
    const body = (length: number) => {
      const text = JSON.stringify({ ...VALID, job_request_id: `large-${length}`, postback_url: "" })
      return text.replace('"postback_url":""', `"postback_url":"${"x".repeat(length - text.length)}"`)
    }
    const limit = 1024 * 1024
    const largest = body(limit)
    expect(Buffer.byteLength(largest)).toBe(limit)
    expect((await send({ method: "POST", path: CREATE, body: largest })).status).toBe(202)
    const refused = flat(413, { code: 3, reason: "REQUEST_TOO_LARGE", message: "Send a smaller body." })
    expect(await declared(server, limit + 1)).toEqual(refused)
    expect(await chunked(server, limit + 1)).toEqual(refused)
  })

  it("HEAD is answered as GET is, without the body", async () => {
    const answer = await send({ method: "HEAD", path: `${GET}?job_request_id=unknown` })
    expect([answer.status, answer.headers["content-type"], answer.body]).toEqual([404, "application/json", ""])
  })

  it.each([
    ["a cloud's identity token", "bearer eyJhbGciOiJSUzI1NiJ9.eyJlbWFpbCI6Im1lQGV4YW1wbGUuY29tIn0.c2ln"],
    ["a cloud's signature", "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/execute-api/aws4_request, Signature=0"]
  ])("a server without keys does not mind %s, which the original's clients send", async (_, authorization) => {
    const answer = await send({ method: "GET", path: `${GET}?job_request_id=x`, headers: { authorization } })
    expect(answer.status).toBe(404)
  })

  it("every answer has a request id", async () => {
    for (const sent of [
      { method: "GET", path: GET },
      { method: "POST", path: CREATE, body: JSON.stringify({ ...VALID, job_request_id: "with-id" }) },
      { method: "GET", path: "/v1alpha/x" }
    ]) {
      expect((await send(sent)).headers["x-request-id"]).toMatch(/^[0-9a-f]{32}$/)
    }
  })
})

describe("faults of the server (§1.3-10, §1.5)", () => {
  let server: Server
  beforeAll(async () => {
    server = await serveBroken()
  })
  afterAll(() => server.stop())

  const both = (id: string): ReadonlyArray<Sent> => [
    { method: "POST", path: CREATE, body: JSON.stringify({ ...VALID, job_request_id: id }) },
    { method: "GET", path: `${GET}?job_request_id=${id}` }
  ]

  it("a database that fails is 500, code 13", async () => {
    for (const sent of both("any")) {
      expect(shown(await server.send(sent))).toEqual(
        flat(500, { code: 13, reason: "SERVER_ERROR", message: "Internal error occurred when reaching the DB" })
      )
    }
  })

  it("anything unexpected is 500, code 2, and tells nothing of what it was", async () => {
    for (const sent of both("defect")) {
      expect(shown(await server.send(sent))).toEqual(
        flat(500, { code: 2, reason: "SERVER_ERROR", message: "An unknown error occurred" })
      )
    }
  })
})

/** Says in its head how long its body is, and sends none of it. */
const declared = (server: Server, length: number) =>
  exchange(server, `POST ${CREATE} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`)

/** Sends its body in one chunk, without saying before how long it is. */
const chunked = (server: Server, length: number) =>
  exchange(
    server,
    `POST ${CREATE} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${" ".repeat(length)}\r\n0\r\n\r\n`
  )

/** Writes bytes and reads the one answer. */
const exchange = (server: Server, bytes: string): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(server.url).port) })
    let text = ""
    const look = () => {
      const [head = "", body = ""] = text.split(/\r\n\r\n(.*)/s)
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN)
      if (Buffer.byteLength(body) !== length) return
      resolve({ status: Number(head.split(" ")[1]), body })
      socket.destroy()
    }
    socket
      .on("data", (chunk) => {
        text += chunk.toString("utf8")
        look()
      })
      // What it refuses it need not read to its end.
      .on("error", (error: NodeJS.ErrnoException) => (text === "" ? reject(error) : look()))
      .on("close", () => reject(new Error(`closed after ${JSON.stringify(text.slice(0, 200))}`)))
    socket.write(bytes)
  })

describe("who may ask (ledger §7)", () => {
  let server: Server
  beforeAll(async () => {
    server = await serveIdle({
      tenants: [
        tenant("acme", { sites: ["https://example.com", "https://one.example.org"], buckets: ["data"] }),
        tenant("other"),
        tenant("small", { limits: { requestsPerMinute: 5, jobs: 1, streams: null } })
      ]
    })
  })
  afterAll(() => server.stop())

  let used = 0
  const create = (name: string, changes: object = {}, parameters: object = {}) =>
    server.send({
      method: "POST",
      path: CREATE,
      headers: { authorization: `Bearer ${keyOf(name)}` },
      body: JSON.stringify({
        ...VALID,
        job_request_id: `job-${++used}`,
        job_parameters: { ...VALID.job_parameters, ...parameters },
        ...changes
      })
    })
  const get = (name: string, id: string) =>
    server.send({
      method: "GET",
      path: `${GET}?job_request_id=${id}`,
      headers: { authorization: `Bearer ${keyOf(name)}` }
    })

  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`

  it.each([
    ["no key", {}],
    ["an unknown key", { authorization: `Bearer ${keyOf("nobody")}` }],
    ["an empty key", { authorization: "Bearer " }],
    ["a wrong password", { authorization: basic(`${keyOf("acme").slice(6, 22)}:wrong`) }],
    ["an unknown x-api-key", { "x-api-key": "x" }]
  ])("%s is answered 401 with a flat body and WWW-Authenticate, by both calls", async (_, headers) => {
    for (const sent of [
      { method: "POST", path: CREATE, headers, body: JSON.stringify(VALID) },
      { method: "GET", path: `/stage${GET}?job_request_id=x`, headers }
    ]) {
      const answer = await server.send(sent)
      const { message } = JSON.parse(answer.body)
      expect(shown(answer)).toEqual(flat(401, { code: 16, reason: "UNAUTHENTICATED", message }))
      expect(message).toContain("credential")
      expect(answer.headers["www-authenticate"]).toMatch(/^Bearer realm="[^"]+"/)
    }
  })

  it.each([
    ["bearer", { authorization: `Bearer ${keyOf("acme")}` }],
    ["Basic, as user", { authorization: basic(`${keyOf("acme")}:`) }],
    ["x-api-key", { "x-api-key": keyOf("acme") }]
  ])("a key is taken as %s", async (_, headers) => {
    expect((await server.send({ method: "GET", path: `${GET}?job_request_id=x`, headers })).status).toBe(404)
  })

  it("a site that is not the tenant's: 403, code 7, PERMISSION_DENIED, and no job", async () => {
    const answer = await create("acme", { job_request_id: "denied" }, { reporting_site: "https://example.net" })
    const { message } = JSON.parse(answer.body)
    expect(shown(answer)).toEqual(flat(403, { code: 7, reason: "PERMISSION_DENIED", message }))
    expect(message).toContain("https://example.net")
    expect((await get("acme", "denied")).status).toBe(404)
  })

  it.each([
    ["https://a.example.com", 202],
    ["https://example.com:8443", 202],
    ["https://one.example.org", 202],
    ["https://two.example.org", 403],
    ["https://example.com.evil.net", 403],
    ["https://localhost", 403]
  ])("an origin is the tenant's by its site or its name: %s %i", async (origin, status) => {
    const answer = await create("acme", {}, { reporting_site: undefined, attribution_report_to: origin })
    expect(answer.status).toBe(status)
  })

  it("a bucket that is not the tenant's is refused in the same way", async () => {
    for (const [changes, parameters] of [
      [{ input_data_bucket_name: "theirs" }, {}],
      [{ output_data_bucket_name: "theirs" }, {}],
      [{}, { output_domain_bucket_name: "theirs" }]
    ] as const) {
      const answer = await create("acme", changes, parameters)
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([403, 7])
    }
  })

  it("faults of the request are told before, a duplicate after it", async () => {
    expect((await create("other", { job_request_id: "mine" })).status).toBe(202)
    expect((await create("acme", { job_request_id: "mine" })).status).toBe(202)
    const foreign = { reporting_site: "https://example.net" }
    expect((await create("acme", { job_request_id: "mine" }, foreign)).status).toBe(403)
    expect((await create("acme", {}, { ...foreign, filtering_ids: "x" })).status).toBe(400)
  })

  it("jobs are per tenant: one id is two jobs, and nobody sees the other's", async () => {
    expect((await create("acme", { job_request_id: "same", output_data_blob_prefix: "acme" })).status).toBe(202)
    expect((await get("other", "same")).status).toBe(404)
    expect((await create("other", { job_request_id: "same", output_data_blob_prefix: "other" })).status).toBe(202)
    for (const name of ["acme", "other"]) {
      expect(JSON.parse((await get(name, "same")).body).output_data_blob_prefix).toBe(name)
    }
    expect((await create("other", { job_request_id: "same" })).status).toBe(409)
  })

  it("more jobs or requests than a tenant may have are refused with 429, code 8, RESOURCE_EXHAUSTED", async () => {
    expect((await create("small")).status).toBe(202)
    const answer = await create("small")
    const { message } = JSON.parse(answer.body)
    expect(shown(answer)).toEqual(flat(429, { code: 8, reason: "RESOURCE_EXHAUSTED", message }))
    expect(message).toContain("jobs that are not over")
    for (let n = 3; n <= 5; n++) expect((await get("small", "x")).status).toBe(404)
    const late = await get("small", "x")
    expect([late.status, JSON.parse(late.body).code]).toEqual([429, 8])
    expect(Number(late.headers["retry-after"])).toBeGreaterThan(0)
  })
})
