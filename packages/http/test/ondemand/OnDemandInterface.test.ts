import * as OpenApi from "effect/http-api/OpenApi"
import fc from "fast-check"
import { afterEach, describe, expect, it } from "vitest"
import { apiWith } from "../../src/Api.ts"
import { OnDemandJobs } from "../../src/ondemand/Endpoints.ts"
import {
  formOf,
  latch,
  openServer,
  pythagoras,
  read,
  type RigOptions,
  sendRaw,
  type Server,
  shout,
  slow
} from "./Rig.ts"

const opened: Array<Server> = []
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close()
})
const open = async (options: RigOptions = {}) => {
  const server = await openServer(options)
  opened.push(server)
  return server
}

const CSV = "x,y\n3,4\n6,8\n5,12\n"
const MIME = { mimeType: "text/csv; header=present" }

const submit = async (server: Server, data: unknown = MIME, file = CSV, init: RequestInit & { key?: string } = {}) =>
  server.ask("POST /api/v1/jobs", { body: formOf(data, file), ...init })

const contentOf = async ({ ask }: Server, id: string, which = "result-link") => {
  const { data } = await read(await ask(`GET /api/v1/jobs/${which}/${id}`))
  return (await fetch(data)).text()
}

const JSON_TYPE = { "content-type": "application/json" }
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const ABSENT = "0d0d0d0d-0d0d-4d0d-8d0d-0d0d0d0d0d0d"

describe("Submitting", () => {
  it("answers 200 with the finished job, twelve fields in an envelope", async () => {
    const server = await open()
    const answer = await submit(server)
    expect(answer.status).toBe(200)
    const { data, ...envelope } = await read(answer)
    expect(envelope).toEqual({ isError: false, errorMessage: null })
    expect(data).toEqual({
      id: expect.stringMatching(UUID),
      name: "example.csv",
      inputFileName: "example.csv",
      inputMime: "text/csv; header=present",
      billedUsage: 20,
      recordCount: 3,
      recordGroupCount: 1,
      processingTimeMS: expect.any(Number),
      status: "success",
      errorMessage: null,
      createdDateUtc: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      lastUpdatedUtc: expect.stringMatching(/Z$/)
    })
    expect(await contentOf(server, data.id)).toBe("z\n5\n10\n13\n")
  })

  it("takes the parts in any order", async () => {
    const server = await open()
    const form = new FormData()
    form.append("file", new Blob([CSV]), "example.csv")
    form.append("data", JSON.stringify(MIME))
    const { data } = await read(await server.ask("POST /api/v1/jobs", { body: form }))
    expect(data).toMatchObject({ status: "success", recordCount: 3 })
  })

  it("answers incomplete when the job takes longer than the limit, and the link waits as long", async () => {
    const gate = latch()
    const server = await open({ models: [slow(gate.await)], waitMs: 50 })
    const { data } = await read(await submit(server, { mimeType: "text/plain" }, "hello"))
    expect(data).toMatchObject({ status: "incomplete", processingTimeMS: 0, billedUsage: 1 })
    const early = await server.ask(`GET /api/v1/jobs/result-link/${data.id}`)
    expect([early.status, await read(early)]).toEqual([
      400,
      { data: null, isError: true, errorMessage: "The job is not done yet. Ask again later." }
    ])
    gate.openUnsafe()
    let job = data
    while (job.status === "incomplete") job = (await read(await server.ask(`GET /api/v1/jobs/${data.id}`))).data
    expect(job.status).toBe("success")
    expect(await contentOf(server, data.id)).toBe("hello")
  })

  it("lets the link wait for the end of the job", async () => {
    const gate = latch()
    const server = await open({ models: [slow(gate.await)] })
    const submitting = submit(server, { mimeType: "text/plain" }, "hello")
    const latest = async () => (await read(await server.ask("GET /api/v1/jobs/latest"))).data
    let jobs = await latest()
    while (jobs.length === 0) jobs = await latest()
    let answered = false
    const linking = server.ask(`GET /api/v1/jobs/result-link/${jobs[0].id}`).finally(() => (answered = true))
    expect((await latest())[0].status).toBe("incomplete")
    expect(answered).toBe(false)
    gate.openUnsafe()
    expect((await linking).status).toBe(200)
    expect((await read(await submitting)).data.status).toBe("success")
  })

  it.each<readonly [what: string, form: () => FormData, says: RegExp]>([
    ["no file", () => partsOf({ data: "{}" }), /part "file" is missing/],
    ["no data", () => formOf("{}", CSV).delete("data") as never, /part "data" is missing/],
    ["data that are no JSON", () => formOf("{", CSV), /must be a JSON object/],
    ["an unknown version", () => formOf({ ...MIME, version: "9" }, CSV), /no active version "9"/],
    ["a type that is not taken", () => formOf({ mimeType: "image/png" }, CSV), /not image\/png/],
    ["a mapping to a field that is not there", () => mapped("x", "w"), /w/],
    ["a file that cannot be read", () => formOf(MIME, 'x,y\n"3,4\n'), /Line 2 /],
    ["a name that is too long", () => formOf({ ...MIME, name: "n".repeat(201) }, CSV), /200 characters/],
    ["two files", () => appended(formOf(MIME, CSV)), /one file/]
  ])("refuses %s with 400, bills nothing and keeps nothing", async (what, form, says) => {
    const server = await open()
    const body = what === "no data" ? withoutData() : form()
    const answer = await server.ask("POST /api/v1/jobs", { body })
    expect(answer.status).toBe(400)
    const said = await read(answer)
    expect(said).toEqual({ data: null, isError: true, errorMessage: expect.stringMatching(says) })
    expect((await read(await server.ask("GET /api/v1/jobs/latest"))).data).toEqual([])
    expect(await server.files()).toEqual([])
  })

  it("refuses a file above the limit with 413 and keeps nothing", async () => {
    const server = await open({ maxUploadBytes: 1_000 })
    const answer = await submit(server, MIME, `x,y\n${"3,4\n".repeat(20_000)}`)
    expect(answer.status).toBe(413)
    expect(await read(answer)).toMatchObject({ isError: true, errorMessage: expect.stringContaining("1000 bytes") })
    expect(await server.files()).toEqual([])
  })

  it("refuses fields above a megabyte with 413", async () => {
    const server = await open()
    const answer = await submit(server, `{"name": "${"n".repeat(1_100_000)}"}`)
    expect([answer.status, (await read(answer)).isError]).toEqual([413, true])
  })

  it("refuses bodies that are no form with 415", async () => {
    const server = await open()
    const answer = await server.ask("POST /api/v1/jobs", {
      body: "{}",
      headers: { "content-type": "application/json" }
    })
    expect([answer.status, (await read(answer)).isError]).toEqual([415, true])
  })

  it("refuses a job too many with 429", async () => {
    const gate = latch()
    const server = await open({ models: [slow(gate.await)], waitMs: 0, limits: { jobs: 1 } })
    expect((await submit(server, { mimeType: "text/plain" }, "a")).status).toBe(200)
    const answer = await submit(server, { mimeType: "text/plain" }, "b")
    expect([answer.status, (await read(answer)).isError]).toEqual([429, true])
    gate.openUnsafe()
  })

  it("takes an upload that is larger than other bodies may be", async () => {
    const server = await open()
    const rows = 400_000
    const { data } = await read(await submit(server, MIME, `x,y\n${"3,4\n".repeat(rows)}`))
    expect(data).toMatchObject({ status: "success", recordCount: rows, billedUsage: (rows / 5) * 20 })
  })
})

describe("A server that stops", () => {
  it("answers who waits with the job as it is", async () => {
    const gate = latch()
    const server = await open({ models: [slow(gate.await)] })
    const submitting = submit(server, { mimeType: "text/plain" }, "hello")
    const latest = async () => (await read(await server.ask("GET /api/v1/jobs/latest"))).data
    while ((await latest()).length === 0) continue
    const closing = opened.pop()?.close()
    const { data } = await read(await submitting)
    expect(data.status).toBe("incomplete")
    gate.openUnsafe()
    await closing
  })
})

describe("An Idempotency-Key", () => {
  const keyed = (server: Server, file = CSV) =>
    submit(server, MIME, file, { headers: { "idempotency-key": '"march"' } })

  it("bills a repeated submission once", async () => {
    const server = await open()
    const first = await read(await keyed(server))
    const second = await read(await keyed(server))
    expect(second).toEqual(first)
    expect((await read(await server.ask("GET /api/v1/usage"))).data).toMatchObject([{ jobs: 1, billedUsage: 20 }])
    expect((await server.files()).filter((key) => key.includes("/input/"))).toHaveLength(1)
  })

  it("bills once when both come at the same time", async () => {
    const server = await open()
    const answers = await Promise.all([keyed(server), keyed(server), keyed(server)])
    const ids = await Promise.all(answers.map(async (answer) => (await read(answer)).data.id))
    expect(new Set(ids).size).toBe(1)
    expect((await read(await server.ask("GET /api/v1/usage"))).data).toMatchObject([{ jobs: 1 }])
  })

  it("is refused for another file", async () => {
    const server = await open()
    await keyed(server)
    const answer = await keyed(server, "x,y\n1,1\n")
    expect([answer.status, (await read(answer)).isError]).toEqual([422, true])
  })

  it("is written in quotes", async () => {
    const server = await open()
    const answer = await submit(server, MIME, CSV, { headers: { "idempotency-key": "march" } })
    expect([answer.status, (await read(answer)).errorMessage]).toEqual([400, expect.stringContaining("in quotes")])
  })
})

describe("A job", () => {
  it("is found by its id with dashes and without, in any case", async () => {
    const server = await open()
    const { data } = await read(await submit(server))
    for (const id of [data.id, data.id.replaceAll("-", ""), data.id.toUpperCase()]) {
      const answer = await server.ask(`GET /api/v1/jobs/${id}`)
      expect([answer.status, (await read(answer)).data]).toEqual([200, data])
    }
  })

  it.each(["GET", "PUT", "DELETE"])("that is not there answers %s with 404 in the envelope", async (method) => {
    const server = await open()
    for (const id of [ABSENT, "latest-", "x"]) {
      const body = method === "PUT" ? { body: '{"name":"a"}', headers: JSON_TYPE } : {}
      const answer = await server.ask(`${method} /api/v1/jobs/${id}`, body)
      expect([answer.status, await read(answer)]).toEqual([
        404,
        { data: null, isError: true, errorMessage: expect.stringContaining(`no job "${id}"`) }
      ])
    }
  })

  it("goes on when its client goes away", async () => {
    const gate = latch()
    const server = await open({ models: [slow(gate.await)] })
    const leaving = new AbortController()
    const submitting = submit(server, { mimeType: "text/plain" }, "hello", { signal: leaving.signal })
    const latest = async () => (await read(await server.ask("GET /api/v1/jobs/latest"))).data
    let jobs = await latest()
    while (jobs.length === 0) jobs = await latest()
    leaving.abort()
    await expect(submitting).rejects.toThrow()
    gate.openUnsafe()
    expect(await contentOf(server, jobs[0].id)).toBe("hello")
  })

  it("is renamed, and called after its file again with null", async () => {
    const server = await open()
    const { data } = await read(await submit(server, { ...MIME, jobName: "First" }))
    expect(data.name).toBe("First")
    const rename = async (name: string | null) => {
      const body = JSON.stringify({ name })
      return (await read(await server.ask(`PUT /api/v1/jobs/${data.id}`, { body, headers: JSON_TYPE }))).data
    }
    const renamed = await rename("JobNameExample")
    expect(renamed).toEqual({ ...data, name: "JobNameExample", lastUpdatedUtc: expect.any(String) })
    expect(Date.parse(renamed.lastUpdatedUtc)).toBeGreaterThanOrEqual(Date.parse(data.lastUpdatedUtc))
    expect((await rename(null)).name).toBe("example.csv")
  })

  it("is not renamed by what is no JSON", async () => {
    const server = await open()
    const { data } = await read(await submit(server))
    const put = (body: string, type: string) =>
      server.ask(`PUT /api/v1/jobs/${data.id}`, { body, headers: { "content-type": type } })
    expect((await put("[]", "application/json")).status).toBe(400)
    expect((await put('{"name":"a"}', "text/csv")).status).toBe(415)
    expect((await put('{"name":7}', "application/json")).status).toBe(400)
  })

  it("is cancelled while it runs, and not when it is over", async () => {
    const gate = latch()
    const server = await open({ models: [slow(gate.await)], waitMs: 0 })
    const { data } = await read(await submit(server, { mimeType: "text/plain" }, "hello"))
    const cancelled = await server.ask(`POST /api/v1/jobs/${data.id}/cancel`)
    expect((await read(cancelled)).data).toMatchObject({ status: "fail", billedUsage: 1 })
    gate.openUnsafe()
    const link = await server.ask(`GET /api/v1/jobs/result-link/${data.id}`)
    expect([link.status, (await read(link)).errorMessage]).toEqual([400, expect.stringContaining("cancelled")])
  })

  it("that was deleted has no files any more, and its bill is known", async () => {
    const server = await open()
    const { data } = await read(await submit(server))
    expect((await server.ask(`DELETE /api/v1/jobs/${data.id}`)).status).toBe(200)
    expect(await server.files()).toEqual([])
    expect((await read(await server.ask(`GET /api/v1/jobs/result-link/${data.id}`))).isError).toBe(true)
    expect((await read(await server.ask("GET /api/v1/usage"))).data).toMatchObject([{ billedUsage: 20 }])
  })

  it("whose model failed is an error, and so is the link to its result", async () => {
    const gate = latch()
    gate.openUnsafe()
    const server = await open({ models: [slow(gate.await)] })
    const { data } = await read(await submit(server, { mimeType: "text/plain" }, "fail"))
    expect(data).toMatchObject({ status: "error", errorMessage: "It did not want to." })
    const link = await server.ask(`GET /api/v1/jobs/result-link/${data.id}`)
    expect([link.status, (await read(link)).errorMessage]).toEqual([
      400,
      expect.stringContaining("It did not want to.")
    ])
  })

  it("names the records that failed in a file of errors", async () => {
    const server = await open()
    const { data } = await read(await submit(server, MIME, "x,y\n3,4\n-1,2\nthree,4\n"))
    expect(data).toMatchObject({ status: "success", errorMessage: expect.stringContaining("2 of 3") })
    expect(await contentOf(server, data.id)).toBe("z\n5\n")
    const errors = await contentOf(server, data.id, "error-link")
    expect(errors.split("\n")).toEqual([
      expect.stringContaining("record"),
      expect.stringMatching(/^2,3,model,.*no length is negative/),
      expect.stringMatching(/^3,4,input,x,/),
      ""
    ])
  })

  it("without failed records has no file of errors", async () => {
    const server = await open()
    const { data } = await read(await submit(server))
    const link = await server.ask(`GET /api/v1/jobs/error-link/${data.id}`)
    expect([link.status, (await read(link)).errorMessage]).toEqual([400, "No record of this job failed."])
  })
})

describe("A link to a result", () => {
  const linked = async () => {
    const server = await open()
    const { data } = await read(await submit(server))
    const link: string = (await read(await server.ask(`GET /api/v1/jobs/result-link/${data.id}`))).data
    return { server, link, id: data.id as string }
  }

  it("is enough for itself, and takes no harm from a key beside it, right or wrong", async () => {
    const { server, link } = await linked()
    for (const headers of [{}, { "X-Api-Key": server.keys.acme }, { "X-Api-Key": "no key" }] as const) {
      const answer = await fetch(link, { headers: headers as Record<string, string> })
      expect([answer.status, await answer.text()]).toEqual([200, "z\n5\n10\n13\n"])
    }
  })

  it("saves under a name made of the job's id", async () => {
    const { link, id } = await linked()
    const { headers } = await fetch(link)
    expect(headers.get("content-disposition")).toBe(`attachment; filename="data_${id.slice(0, 8)}.csv"`)
    expect(headers.get("content-type")).toBe("text/csv; charset=utf-8")
  })

  it("does not open when it was changed", async () => {
    const { link } = await linked()
    expect((await fetch(`${link.slice(0, -2)}AA`)).status).toBe(401)
  })

  it("begins with the address that the client used, or with the one that is told", async () => {
    const { server, link } = await linked()
    expect(link.startsWith(`${server.url}/v1/blobs/data_`)).toBe(true)
    for (const publicUrl of ["https://jobs.example.com", "https://example.com/jobs/"]) {
      const behind = await open({ publicUrl })
      const { data } = await read(await submit(behind))
      const other = (await read(await behind.ask(`GET /api/v1/jobs/result-link/${data.id}`))).data
      expect(other).toMatch(
        /^https:\/\/(jobs\.example\.com|example\.com\/jobs)\/v1\/blobs\/data_[0-9a-f]{8}\.csv\?token=/
      )
    }
  })

  it("is there whatever the client calls the server", async () => {
    const { server, id } = await linked()
    const lines = [`GET /api/v1/jobs/result-link/${id} HTTP/1.1`, `x-api-key: ${server.keys.acme}`]
    for (const host of ["a b", "[", "jobs.example.com:99999"]) {
      const { status, body } = await sendRaw(server.port, Buffer.from([...lines, `Host: ${host}`, "", ""].join("\r\n")))
      expect([status, JSON.parse(body).data], host).toEqual([200, expect.stringContaining("/v1/blobs/data_")])
    }
  })

  it("is a fresh one at each call", async () => {
    const { server, link, id } = await linked()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await read(await server.ask(`GET /api/v1/jobs/result-link/${id}`))).data).not.toBe(link)
  })
})

describe("The latest jobs", () => {
  const several = async (count: number) => {
    const server = await open()
    for (let n = 0; n < count; n++) await submit(server, { ...MIME, name: n % 2 === 0 ? `Even ${n}` : null })
    return server
  }

  it("are the newest 25, unnamed ones called after their file", async () => {
    const server = await several(27)
    const { data } = await read(await server.ask("GET /api/v1/jobs/latest"))
    expect(data).toHaveLength(25)
    expect(data.slice(0, 3).map(({ name }: { name: string }) => name)).toEqual(["Even 26", "example.csv", "Even 24"])
  })

  it("are turned page by page and searched, by the header Link", async () => {
    const server = await several(7)
    const names: Array<string> = []
    let at: string | undefined = "/api/v1/jobs/latest?search=EVEN&limit=2"
    while (at !== undefined) {
      const answer = await server.ask(`GET ${at}`)
      names.push(...(await read(answer)).data.map(({ name }: { name: string }) => name))
      at = /^<(.+)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1]
    }
    expect(names).toEqual(["Even 6", "Even 4", "Even 2", "Even 0"])
  })

  it("are chosen by status", async () => {
    const server = await several(2)
    const of = async (status: string) => (await read(await server.ask(`GET /api/v1/jobs/latest?status=${status}`))).data
    expect([(await of("success")).length, (await of("error")).length]).toEqual([2, 0])
  })

  it.each(["limit=0", "limit=x", "status=done", "cursor=x"])("refuse ?%s with 400 in the envelope", async (query) => {
    const server = await open()
    const answer = await server.ask(`GET /api/v1/jobs/latest?${query}`)
    expect([answer.status, await read(answer)]).toEqual([
      400,
      { data: null, isError: true, errorMessage: expect.any(String) }
    ])
  })
})

describe("A quote", () => {
  it("is what a submission would bill, and leaves nothing", async () => {
    const server = await open()
    const answer = await server.ask("POST /api/v1/jobs/quote", { body: formOf(MIME, `x,y\n${"3,4\n".repeat(11)}`) })
    expect(await read(answer)).toEqual({
      data: {
        model: "pythagoras",
        version: "0.0.1",
        inputMime: MIME.mimeType,
        recordCount: 11,
        groupSize: 5,
        recordGroupCount: 3,
        groupPrice: 20,
        billedUsage: 60
      },
      isError: false,
      errorMessage: null
    })
    expect((await read(await server.ask("GET /api/v1/jobs/latest"))).data).toEqual([])
    expect(await server.files()).toEqual([])
  })

  it("refuses what a submission would refuse", async () => {
    const server = await open()
    const answer = await server.ask("POST /api/v1/jobs/quote", { body: formOf({ version: "9" }, CSV) })
    expect([answer.status, (await read(answer)).isError]).toEqual([400, true])
    expect(await server.files()).toEqual([])
  })
})

describe("A key", () => {
  const models = [pythagoras, shout]

  it("of one model submits to it and sees its jobs only", async () => {
    const server = await open({ models })
    const { keys, ask } = server
    const theirs = await read(await submit(server, { mimeType: "text/plain" }, "hello", { key: keys.shout }))
    expect(theirs.data).toMatchObject({ status: "success", recordCount: 1, billedUsage: 7 })
    const { data } = await read(await ask("POST /api/v1/jobs?model=pythagoras", { body: formOf(MIME, CSV) }))
    expect((await ask(`GET /api/v1/jobs/${data.id}`, { key: keys.shout })).status).toBe(404)
    const names = async (key: string) =>
      (await read(await ask("GET /api/v1/jobs/latest", { key }))).data.map(({ id }: { id: string }) => id)
    expect(await names(keys.shout)).toEqual([theirs.data.id])
    expect(await names(keys.acme)).toEqual([data.id, theirs.data.id])
    const offered = async (key: string) =>
      (await read(await ask("GET /api/v1/models", { key }))).data.map(({ name }: { name: string }) => name)
    expect([await offered(keys.shout), await offered(keys.acme)]).toEqual([["shout"], ["pythagoras", "shout"]])
  })

  it("of one model is good for nothing but on-demand jobs", async () => {
    const { ask, keys } = await open({ models })
    for (const line of ["GET /v1/jobs", "GET /v1/webhooks", "POST /v1alpha/createJob", "GET /metrics"]) {
      expect([line, (await ask(line, { key: keys.shout })).status]).toEqual([line, 403])
    }
  })

  it("of one model names no other", async () => {
    const { ask, keys } = await open({ models })
    const answer = await ask("POST /api/v1/jobs?model=pythagoras", { body: formOf(MIME, CSV), key: keys.shout })
    expect([answer.status, (await read(answer)).isError]).toEqual([403, true])
  })

  it("of no model in particular names one if there are several", async () => {
    const { ask } = await open({ models })
    const answer = await ask("POST /api/v1/jobs", { body: formOf(MIME, CSV) })
    expect([answer.status, (await read(answer)).errorMessage]).toEqual([
      400,
      expect.stringContaining("pythagoras, shout")
    ])
    const unknown = await ask("POST /api/v1/jobs?model=none", { body: formOf(MIME, CSV) })
    expect([unknown.status, (await read(unknown)).isError]).toEqual([400, true])
  })

  it("pays for what it submits", async () => {
    const server = await open({ models })
    await submit(server, { mimeType: "text/plain" }, "hello", { key: server.keys.shout })
    await server.ask("POST /api/v1/jobs?model=pythagoras", { body: formOf(MIME, CSV) })
    const id = (key: string) => key.slice(6, 22)
    const { data } = await read(await server.ask("GET /api/v1/usage"))
    expect(data).toEqual(
      expect.arrayContaining([
        { submittedBy: id(server.keys.shout), model: "shout", jobs: 1, records: 1, recordGroups: 1, billedUsage: 7 },
        {
          submittedBy: id(server.keys.acme),
          model: "pythagoras",
          jobs: 1,
          records: 3,
          recordGroups: 1,
          billedUsage: 20
        }
      ])
    )
    const later = new Date(Date.now() + 60_000).toISOString()
    expect((await read(await server.ask(`GET /api/v1/usage?from=${later}`))).data).toEqual([])
    expect((await server.ask("GET /api/v1/usage?from=today")).status).toBe(400)
  })

  it("of another tenant sees nothing", async () => {
    const server = await open()
    const { keys, ask } = server
    const { data } = await read(await submit(server))
    for (const line of [
      `GET /api/v1/jobs/${data.id}`,
      `GET /api/v1/jobs/result-link/${data.id}`,
      `GET /api/v1/jobs/error-link/${data.id}`,
      `POST /api/v1/jobs/${data.id}/cancel`,
      `DELETE /api/v1/jobs/${data.id}`
    ]) {
      expect((await ask(line, { key: keys.other })).status, line).toBe(404)
    }
    expect((await read(await ask("GET /api/v1/jobs/latest", { key: keys.other }))).data).toEqual([])
    expect((await read(await ask("GET /api/v1/usage", { key: keys.other }))).data).toEqual([])
    expect(await server.files()).toHaveLength(2)
  })

  it("that is missing or wrong is refused with 401 in the envelope, before anything is read", async () => {
    const server = await open()
    for (const key of [null, "wrong"]) {
      for (const line of ["POST /api/v1/jobs", "GET /api/v1/jobs/latest", `GET /api/v1/jobs/${ABSENT}`]) {
        const answer = await server.ask(line, { key, ...(line.startsWith("POST") ? { body: formOf(MIME, CSV) } : {}) })
        expect([answer.status, await read(answer)]).toEqual([
          401,
          { data: null, isError: true, errorMessage: expect.any(String) }
        ])
      }
    }
    expect(await server.files()).toEqual([])
  })
})

describe("Addresses", () => {
  it("answer 404 and 405 in the envelope", async () => {
    const server = await open()
    const nothing = await server.ask("GET /api/v1/jobs/a/b/c")
    expect([nothing.status, (await read(nothing)).isError]).toEqual([404, true])
    const method = await server.ask("PATCH /api/v1/jobs/latest")
    expect([method.status, (await read(method)).isError]).toEqual([405, true])
    expect(method.headers.get("allow")).toContain("GET")
  })

  it("of latest and links are not taken for ids", async () => {
    const server = await open()
    expect((await read(await server.ask("GET /api/v1/jobs/latest"))).data).toEqual([])
    expect((await server.ask(`GET /api/v1/jobs/result-link/${ABSENT}`)).status).toBe(404)
  })

  it("of the native interface take no submission of this kind, which would name files and prices itself", async () => {
    const server = await open()
    const { data } = await read(await submit(server))
    const { parameters } = await read(await server.ask(`GET /v1/jobs/${data.id}`))
    const body = JSON.stringify({ kind: "on-demand", parameters: { ...parameters, submittedBy: null } })
    const answer = await server.ask("POST /v1/jobs", { body, headers: { "content-type": "application/json" } })
    expect([answer.status, (await read(answer)).type]).toEqual([422, "urn:sotto:problem:invalid-submission"])
  })
})

describe("Any input", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 30 }),
    fc.constantFrom("..", "%00", "a/b", "-1", "1e9", "null", "latest", "é", "x".repeat(300), ABSENT.replaceAll("-", ""))
  )
  const lines = [
    "GET /api/v1/jobs/",
    "PUT /api/v1/jobs/",
    "DELETE /api/v1/jobs/",
    "GET /api/v1/jobs/result-link/",
    "GET /api/v1/jobs/error-link/",
    "GET /api/v1/jobs/latest?"
  ]
  const members = fc.constantFrom(
    "version",
    "mimeType",
    "name",
    "jobName",
    "mapping",
    "outputMapping",
    "Mapping",
    "data"
  )

  it("in addresses and queries is answered in the envelope, never with 500", async () => {
    const server = await open()
    const queries = fc.dictionary(fc.constantFrom("limit", "cursor", "status", "search", "model", "other"), texts)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...lines), texts, queries, async (line, text, query) => {
        const isQuery = line.endsWith("?")
        const rest = isQuery ? new URLSearchParams(query).toString() : encodeURIComponent(text.toWellFormed())
        const body = line.startsWith("PUT") ? { body: JSON.stringify({ name: text }), headers: JSON_TYPE } : {}
        const answer = await server.ask(`${line}${rest}`, body)
        expect(answer.status).toBeLessThan(500)
        if (answer.url.includes("/api/v1/jobs/")) {
          expect(Object.keys(await read(answer)).toSorted()).toEqual(["data", "errorMessage", "isError"])
        }
      }),
      { numRuns: 200 }
    )
  })

  it("in the part data is answered with 200 or 400", async () => {
    const server = await open()
    await fc.assert(
      fc.asyncProperty(fc.dictionary(members, fc.jsonValue()), texts, async (data, file) => {
        const answer = await submit(server, data, file)
        expect([200, 400]).toContain(answer.status)
        expect((await read(answer)).isError).toBe(answer.status === 400)
      }),
      { numRuns: 150 }
    )
  })
})

describe("The document", () => {
  it("has every operation with its example, and the form of submissions", () => {
    const { paths } = OpenApi.fromApi(apiWith([OnDemandJobs])) as unknown as {
      // oxlint-disable-next-line typescript/no-explicit-any
      paths: Record<string, Record<string, any>>
    }
    const own = Object.entries(paths).filter(([path]) => path.startsWith("/api/v1/"))
    expect(own.flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))).toEqual([
      "post /api/v1/jobs",
      "post /api/v1/jobs/quote",
      "get /api/v1/jobs/latest",
      "get /api/v1/jobs/result-link/{job}",
      "get /api/v1/jobs/error-link/{job}",
      "get /api/v1/jobs/{job}",
      "put /api/v1/jobs/{job}",
      "delete /api/v1/jobs/{job}",
      "post /api/v1/jobs/{job}/cancel",
      "get /api/v1/models",
      "get /api/v1/usage"
    ])
    expect(paths["/api/v1/jobs"]?.["post"].requestBody.content["multipart/form-data"].schema.required).toEqual([
      "data",
      "file"
    ])
    for (const [path, methods] of own) {
      for (const [method, operation] of Object.entries(methods)) {
        expect(operation.responses["200"].content["application/json"].example, `${method} ${path}`).toBeDefined()
      }
    }
  })
})

const partsOf = (fields: Readonly<Record<string, string>>): FormData => {
  const form = new FormData()
  for (const [name, text] of Object.entries(fields)) form.append(name, text)
  return form
}

const withoutData = (): FormData => {
  const form = formOf("{}", CSV)
  form.delete("data")
  return form
}

const mapped = (source: string, destination: string): FormData =>
  formOf({ ...MIME, mapping: [{ source, destination, defaultValue: null }] }, CSV)

const appended = (form: FormData): FormData => {
  form.append("file", new Blob([CSV]), "second.csv")
  return form
}
