/** Every address over a socket: each method that it takes and does not take, and addresses that nobody means well. */
import { Api } from "@sotto/http"
import * as OpenApi from "effect/http-api/OpenApi"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type House, open } from "./House.ts"
import { FILE } from "./Server.ts"
import { type Answer, request, wire } from "./Wire.ts"

let house: House
let job = ""

beforeAll(async () => {
  house = await open()
  job = await house.submit("writer")
  await house.ask(`/v1/jobs/${job}`, { headers: { prefer: "wait=5" } })
})
afterAll(async () => {
  expect((await house.held()).faults).toEqual([])
  await house.stop()
})

/** What is answered; the answer to HEAD is all head. */
const answered = async (sent: string): Promise<Answer> => {
  const one = await wire(house.port)
  try {
    one.send(sent)
    if (!sent.startsWith("HEAD ")) return (await one.answers(1))[0]!
    await one.until("\r\n\r\n")
    const [first = "", ...lines] = one.text().split("\r\n\r\n", 1)[0]!.split("\r\n")
    const headers = Object.fromEntries(lines.map((line) => line.split(": ", 2) as [string, string]))
    // Whatever followed would be taken for the next answer.
    one.send(request("GET /healthz", { connection: "close" }))
    const rest = (await one.closed).split("\r\n\r\n").slice(1).join("\r\n\r\n")
    expect(rest).toMatch(/^HTTP\/1\.1 200 /)
    return { status: Number(first.split(" ")[1]), headers, body: "" }
  } finally {
    one.cut()
  }
}

type Paths = Readonly<Record<string, Readonly<Record<string, unknown>>>>
const paths = Object.entries(OpenApi.fromApi(Api).paths as unknown as Paths).map(
  ([path, operations]) => [path, Object.keys(operations).map((method) => method.toUpperCase())] as const
)

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]

const real = (path: string) =>
  path
    .replace("{job}", job)
    .replace("{kind}", "notes")
    .replace("{file}", FILE)
    .replaceAll(/\{\w+\}/g, "1")

describe("Every address", () => {
  it.each(paths)("%s says what it takes, and refuses everything else", async (path, methods) => {
    const allowed = [...methods, "OPTIONS", ...(methods.includes("GET") ? ["HEAD"] : [])].toSorted()
    const options = await answered(request(`OPTIONS ${real(path)}`))
    expect([options.status, options.body]).toEqual([204, ""])
    expect(options.headers["allow"]?.split(", ").toSorted()).toEqual(allowed)
    // spec: aggregation §1.6: there it is 400.
    const refused = path.includes("/v1alpha/") ? 400 : 405
    for (const method of METHODS.filter((one) => !allowed.includes(one) && one !== "HEAD")) {
      const answer = await answered(request(`${method} ${real(path)}`))
      expect([method, answer.status, answer.headers["allow"]?.split(", ").toSorted()]).toEqual([
        method,
        refused,
        allowed
      ])
      expect(JSON.parse(answer.body)).toBeTypeOf("object")
    }
  })

  it.each(paths.filter(([, methods]) => methods.includes("GET")))(
    "%s answers HEAD as GET, without the body",
    async (path) => {
      const [get, head] = [await answered(request(`GET ${real(path)}`)), await answered(request(`HEAD ${real(path)}`))]
      expect([head.status, head.headers["content-type"]]).toEqual([get.status, get.headers["content-type"]])
    }
  )

  it("ends the answer to HEAD for a stream that goes on", async () => {
    const id = await house.submit("notes")
    const { status, headers } = await answered(request(`HEAD /v1/jobs/${id}/events`, { accept: "text/event-stream" }))
    expect([status, headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"])
  })
})

/** Ways to write a path that leads out of where it is. */
const OUTSIDE = [
  "..",
  "../..",
  "%2e%2e",
  "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
  "..%2f..%2fkeys.json",
  "..%5c..%5ckeys.json",
  "%252e%252e%252fkeys.json",
  "%c0%ae%c0%ae%c0%afkeys.json",
  "%2fetc%2fpasswd",
  "/etc/passwd",
  "file:%2f%2f%2fetc%2fpasswd",
  "%00",
  `${FILE}%00.txt`,
  `${FILE}/..`,
  "%",
  "%zz",
  "%ff%fe",
  ".",
  "%2e",
  "%20",
  "a".repeat(2_500),
  `${"../".repeat(500)}etc/passwd`,
  "%f0%9f%94%91",
  "con",
  "*",
  "{file}",
  "';drop table jobs;--"
]

describe("Absurd addresses", () => {
  const bases = () => [
    `/v1/blobs/`,
    `/v1/jobs/${job}/result/`,
    `/v1/jobs/`,
    `/v1/jobs/${job}/outputs/`,
    `/v1/kinds/`,
    `/v1/webhooks/`,
    `/v1/budget/questions/`,
    `/`,
    `/docs/`
  ]
  it.each(OUTSIDE)("%j lead to nothing, whatever they are put behind", async (outside) => {
    for (const base of bases()) {
      for (const path of [`${base}${outside}`, `${base}${outside}?token=${outside}`]) {
        const { status, body } = await answered(request(`GET ${path.replaceAll(" ", "%20")}`))
        // A path that says nothing else may be another one that is there.
        if (status === 200) expect(body).not.toMatch(/root:|"keys"/)
        else expect([400, 401, 403, 404, 405, 501]).toContain(status)
        if (base.startsWith("/v1/blobs") || base.includes("/result/")) expect(status).not.toBe(200)
      }
    }
  })

  it.each([
    ["the form for proxies", "GET http://127.0.0.1/healthz", 200],
    ["the form for proxies, of elsewhere", "GET http://example.com/etc/passwd", 404],
    ["another scheme", "GET file:///etc/passwd", 404],
    ["two slashes", "GET //etc/passwd", 404],
    ["a fragment", "GET /healthz#x", 200],
    ["the server itself", "OPTIONS *", 204]
  ])("in %s are answered", async (_, line, status) => {
    expect((await answered(request(line))).status).toBe(status)
  })

  it("with a link for another file are refused", async () => {
    const { headers } = await house.ask(`/v1/jobs/${job}/result/${FILE}`, { redirect: "manual" })
    const link = headers.get("location") ?? ""
    const [, token = ""] = link.split("token=")
    for (const broken of [`${token}x`, token.slice(0, -1), token.slice(1), "", "null", token.toUpperCase()]) {
      const { status } = await answered(request(`GET /v1/blobs/${FILE}?token=${broken}`, { authorization: "" }))
      expect([400, 401, 403, 404]).toContain(status)
    }
  })
})
