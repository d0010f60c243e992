/**
 * Requests of real clients, byte for byte as their libraries write them: multipart bodies of Python's requests, of .NET's
 * HttpClient and of curl differ in nearly everything that may differ.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { openServer, pythagoras, sendRaw, type Server, shout } from "./Rig.ts"

let server: Server
beforeAll(async () => void (server = await openServer({ models: [pythagoras, shout] })))
afterAll(() => server.close())

const CSV = "x,y\n3,4\n6,8\n5,12\n"

/** As one request of HTTP/1.1, with CRLF at the end of every line. */
const request = (head: ReadonlyArray<string>, body: ReadonlyArray<string | Uint8Array>): Uint8Array => {
  const bytes = Buffer.concat(body.map((part) => (typeof part === "string" ? Buffer.from(`${part}\r\n`) : part)))
  return Buffer.concat([Buffer.from([...head, `Content-Length: ${bytes.length}`, "", ""].join("\r\n")), bytes])
}

const post = (key: string, type: string, more: ReadonlyArray<string> = []): ReadonlyArray<string> => [
  `POST /api/v1/jobs${key === server.keys.shout ? "" : "?model=pythagoras"} HTTP/1.1`,
  `Host: 127.0.0.1:${server.port}`,
  ...more,
  `Content-Type: ${type}`
]

const send = async (bytes: Uint8Array) => {
  const { status, body } = await sendRaw(server.port, bytes)
  return { status, ...JSON.parse(body) }
}

const done = { status: "success", inputFileName: "example.csv", recordCount: 3, billedUsage: 20 }

describe("The Python client", () => {
  const BOUNDARY = "d1f4c7a09b7e4f0d9a1c6f3b8e2a5d70"
  const head = (key: string) =>
    post(key, `multipart/form-data; boundary=${BOUNDARY}`, [
      "User-Agent: python-requests/2.31.0",
      "Accept-Encoding: gzip, deflate",
      "Accept: */*",
      "Connection: keep-alive",
      `x-api-key: ${key}`
    ])
  const form = (config: string, fileName: string, content: string | Uint8Array) => [
    `--${BOUNDARY}`,
    'Content-Disposition: form-data; name="data"',
    "",
    config,
    `--${BOUNDARY}`,
    `Content-Disposition: form-data; name="file"; filename="${fileName}"`,
    "",
    Buffer.concat([typeof content === "string" ? Buffer.from(content) : content, Buffer.from("\r\n")]),
    `--${BOUNDARY}--`
  ]
  const config = (name: string, mime: string | null) =>
    `{"version": null, "mimeType": ${JSON.stringify(mime)}, ${name}, "mapping": null, "outputMapping": null, "data": null, ` +
    '"groupId": null, "isGrouped": false, "versionId": null, "containerId": null}'

  it("posts a file: jobName, nulls, members of its own, a part without a type", async () => {
    const bytes = request(
      head(server.keys.acme),
      form(config('"jobName": "in/example.csv"', "text/csv"), "example.csv", CSV)
    )
    const answer = await send(bytes)
    expect(answer).toMatchObject({ status: 200, isError: false, errorMessage: null })
    expect(answer.data).toMatchObject({ ...done, name: "in/example.csv", inputMime: "text/csv", errorMessage: null })
  })

  it("posts a file of whose type it knows nothing", async () => {
    const bytes = request(head(server.keys.acme), form(config('"jobName": "a"', null), "example.csv", CSV))
    expect((await send(bytes)).data).toMatchObject({ ...done, inputMime: "text/csv" })
  })

  it("posts a text that it calls file", async () => {
    const bytes = request(head(server.keys.shout), form(config('"name": null', "text/plain"), "file", "héllo"))
    expect((await send(bytes)).data).toMatchObject({ status: "success", name: "file", inputFileName: "file" })
  })

  it("posts JSON that it calls file", async () => {
    const json = JSON.stringify([{ x: 3, y: 4 }])
    const bytes = request(head(server.keys.acme), form(config('"name": null', "application/json"), "file", json))
    expect((await send(bytes)).data).toMatchObject({ status: "success", inputFileName: "file", recordCount: 1 })
  })

  it("posts an image, whose bytes are no text", async () => {
    const image = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0xff, 0x00, 0x2d, 0x2d])
    const bytes = request(head(server.keys.shout), form(config('"name": null', "image/png"), "file", image))
    expect((await send(bytes)).data).toMatchObject({ status: "success", inputMime: "image/png", billedUsage: 7 })
  })

  it("renames a job, asks for the latest and for a link, which it opens without its key", async () => {
    const { data } = await send(request(head(server.keys.acme), form(config('"name": null', "text/csv"), "a.csv", CSV)))
    const key = `x-api-key: ${server.keys.acme}`
    const host = `Host: 127.0.0.1:${server.port}`
    const body = Buffer.from('{"name": "Renamed"}')
    const renamed = await send(
      request([`PUT /api/v1/jobs/${data.id} HTTP/1.1`, host, key, "Content-Type: application/json"], [body])
    )
    expect([renamed.status, renamed.data.name]).toEqual([200, "Renamed"])
    const latest = await send(request(["GET /api/v1/jobs/latest HTTP/1.1", host, key], []))
    expect(latest.data[0]).toEqual(renamed.data)
    const link = await send(request([`GET /api/v1/jobs/result-link/${data.id} HTTP/1.1`, host, key], []))
    expect(await (await fetch(link.data)).text()).toBe("z\n5\n10\n13\n")
  })
})

describe("The .NET client", () => {
  const BOUNDARY = "5c3a2f9e-07b4-4a55-8f0e-3c2d7d9a6b11"
  const form = (data: string, file: ReadonlyArray<string>, content: string) => [
    `--${BOUNDARY}`,
    "Content-Type: application/json; charset=utf-8",
    "Content-Disposition: form-data; name=data",
    "",
    data,
    `--${BOUNDARY}`,
    ...file,
    "",
    content,
    `--${BOUNDARY}--`
  ]
  const head = () =>
    post(server.keys.acme, `multipart/form-data; boundary="${BOUNDARY}"`, [`X-Api-Key: ${server.keys.acme}`])
  const MAPPING =
    '"mapping":[{"Source":"x1","Destination":"x","DefaultValue":null},{"Source":"y1","Destination":"y","DefaultValue":"4"}]'

  it("posts names without quotes, mappings in PascalCase with defaults as texts, and the type on the part", async () => {
    const data = `{"version":null,"jobName":null,"mimeType":null,${MAPPING},"outputMapping":null}`
    const file = [
      "Content-Type: text/csv; header=present",
      "Content-Disposition: form-data; name=file; filename=input.dat; filename*=utf-8''input.dat"
    ]
    const answer = await send(request(head(), form(data, file, "x1,y1\n3,4\n3,\n")))
    expect(answer.data).toMatchObject({
      status: "success",
      name: "input.dat",
      inputMime: "text/csv; header=present",
      recordCount: 2
    })
    const link = await server.ask(`GET /api/v1/jobs/result-link/${answer.data.id}`)
    const { data: url } = (await link.json()) as { data: string }
    const content = await fetch(url, { headers: { "X-Api-Key": server.keys.acme } })
    expect(await content.text()).toBe("z\n5\n5\n")
  })

  it("posts a file of which nothing tells the type, and is told so with 400", async () => {
    const data = '{"version":null,"jobName":null,"mimeType":null,"mapping":null,"outputMapping":null}'
    const file = ["Content-Disposition: form-data; name=file; filename=input.dat; filename*=utf-8''input.dat"]
    const answer = await send(request(head(), form(data, file, CSV)))
    expect(answer).toEqual({
      status: 400,
      data: null,
      isError: true,
      errorMessage: expect.stringContaining("mimeType")
    })
  })

  it("asks for ids without dashes", async () => {
    const data = '{"mimeType":null}'
    const file = ["Content-Disposition: form-data; name=file; filename=example.csv"]
    const { data: job } = await send(request(head(), form(data, file, CSV)))
    const answer = await server.ask(`GET /api/v1/jobs/${job.id.replaceAll("-", "")}`)
    expect([answer.status, ((await answer.json()) as { data: object }).data]).toEqual([200, job])
  })

  it("names a file in letters of any alphabet", async () => {
    const file = [
      "Content-Disposition: form-data; name=file; filename=\"=?utf-8?B?w6Q=?=\"; filename*=utf-8''%C3%A4.csv"
    ]
    const { data } = await send(request(head(), form("{}", file, CSV)))
    expect(data).toMatchObject({ status: "success", inputFileName: "ä.csv" })
  })
})

describe("Other clients", () => {
  const BOUNDARY = "------------------------a1b2c3d4e5f60718"
  const head = (more: ReadonlyArray<string> = []) =>
    post(server.keys.acme, `multipart/form-data; boundary=${BOUNDARY}`, [`x-api-key: ${server.keys.acme}`, ...more])
  const data = [`--${BOUNDARY}`, 'Content-Disposition: form-data; name="data"', "", '{"mimeType": "text/csv"}']

  it("send a file part without a name and without a type", async () => {
    const file = [`--${BOUNDARY}`, 'Content-Disposition: form-data; name="file"', "", CSV]
    const answer = await send(request(head(), [...data, ...file, `--${BOUNDARY}--`]))
    expect(answer.data).toMatchObject({ status: "success", name: "file", recordCount: 3 })
  })

  it("send the file first and data as a file", async () => {
    const file = [`--${BOUNDARY}`, 'Content-Disposition: form-data; name="file"; filename="example.csv"', "", CSV]
    const named = [
      `--${BOUNDARY}`,
      'Content-Disposition: form-data; name="data"; filename="blob"',
      "Content-Type: application/json",
      "",
      '{"mimeType": "text/csv"}'
    ]
    const answer = await send(request(head(), [...file, ...named, `--${BOUNDARY}--`]))
    expect(answer.data).toMatchObject(done)
  })

  it("wait to be asked for the body", async () => {
    const file = [`--${BOUNDARY}`, 'Content-Disposition: form-data; name="file"; filename="example.csv"', "", CSV]
    const bytes = request(head(["Expect: 100-continue"]), [...data, ...file, `--${BOUNDARY}--`])
    const { body } = await sendRaw(server.port, bytes)
    expect(body).toContain('"status":"success"')
  })

  it("break off, and leave nothing", async () => {
    const before = await server.files()
    const file = [`--${BOUNDARY}`, 'Content-Disposition: form-data; name="file"; filename="example.csv"', "", CSV]
    const answer = await send(request(head(), [...data, ...file]))
    expect(answer).toMatchObject({ status: 400, isError: true, errorMessage: expect.stringContaining("last boundary") })
    expect(await server.files()).toEqual(before)
  })

  it("forget the boundary", async () => {
    const answer = await send(request(post("", "multipart/form-data", [`x-api-key: ${server.keys.acme}`]), data))
    expect(answer).toMatchObject({ status: 400, isError: true, errorMessage: expect.stringContaining("boundary") })
  })
})
