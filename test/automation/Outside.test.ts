import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { defineService, ScriptError } from "sotto"
import { outsideMenu, services } from "../../examples/school-menu/services.ts"
import { work } from "../../examples/school-menu/worker.ts"
import { type House, open } from "./House.ts"

/** Written as an async function: fetches what it is given, and fails when it is told to. */
const files = defineService({
  id: "99999999-2222-4333-8444-555555555555",
  name: "Files",
  script: async (job) => {
    const file = await job.fetchFile(await job.input("photo"), { maxBytes: 10 })
    await job.output("size", file.bytes.length)
    job.progress(1, 2)
    const name = await job.input("name", { stage: "last" })
    if (name === "odd") throw new ScriptError("NameInvalid", "The name is odd.", { category: "client" })
    if (name === "broken") throw new TypeError("broken by Wilhelmina")
    return "Stored"
  }
})

let folder: string
let house: House
let acme: string
let kitchen: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-outside-"))
  house = await open({ file: join(folder, "sotto.db"), services: [...services, files] })
  acme = await house.key("acme")
  kitchen = await house.key("kitchen")
})

afterAll(async () => {
  await house.close()
  await rm(folder, { recursive: true })
})

// oxlint-disable-next-line typescript/no-explicit-any
type Any = any

const ask = async (line: string, body?: object, key = acme): Promise<{ status: number; body: Any }> => {
  const [method = "", path = ""] = line.split(" ")
  const answer = await fetch(`${house.url}/automation${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  return { status: answer.status, body: await answer.json() }
}

const start = async (serviceId: string, input: object = {}): Promise<string> =>
  (await ask("POST /jobs", { serviceId, input })).body.id

const until = (id: string, state: string) =>
  expect.poll(async () => (await ask(`GET /jobs/${id}`)).body.state, { timeout: 5_000 }).toBe(state)

const claim = async (): Promise<Any> =>
  (await ask(`POST /worker/services/${outsideMenu.id}/claim`, { worker: "test" }, kitchen)).body.job

describe("A service whose scripts run outside", () => {
  it("is served by the loop of the example", async () => {
    const id = await start(outsideMenu.id)
    expect((await ask(`GET /jobs/${id}`)).body.state).toBe("pending")
    const over = new AbortController()
    const working = work({
      url: `${house.url}/automation`,
      key: kitchen,
      serviceId: outsideMenu.id,
      signal: over.signal,
      pollMs: 20
    })
    await until(id, "awaitingInput")
    await ask(`POST /jobs/${id}/inputs`, { key: "ingredientToAvoid", data: "almond" })
    await until(id, "success")
    over.abort()
    await working
    const { body } = await ask(`GET /jobs/${id}/outputs`)
    expect(body.data.map(({ key }: Any) => key)).toEqual(["ingredients", "menu"])
    expect(body.data[1].data).toHaveLength(3)
  })

  it("gives a job to one worker, whose lease is refused when the job is cancelled or reset", async () => {
    for (const what of ["cancel", "reset"]) {
      const id = await start(outsideMenu.id, { note: "soft" })
      const job = await claim()
      expect(job).toMatchObject({ id, category: "live", session: 1, inputs: { note: "soft" }, outputs: [] })
      expect(await claim()).toBeNull()
      const call = (route: string, body: object) =>
        ask(`POST /worker/jobs/${id}/${route}`, { lease: job.lease, ...body }, kitchen)
      expect((await call("output", { key: "a", data: 1 })).status).toBe(200)
      await ask(`POST /jobs/${id}/${what}`)
      for (const [route, body] of [
        ["output", { key: "b", data: 1 }],
        ["heartbeat", {}],
        ["ask", { key: "k" }],
        ["challenge", { url: "https://bank.example" }],
        ["succeed", {}],
        ["fail", { code: "Odd", category: "client", message: "Odd." }]
      ] as const) {
        const answer = await call(route, body)
        expect([answer.status, answer.body.name], route).toEqual([409, "LeaseLostError"])
      }
      if (what === "reset") await ask(`POST /jobs/${id}/cancel`)
    }
  })

  it("asks, challenges and fails as a script inside does", async () => {
    const id = await start(outsideMenu.id)
    const first = await claim()
    const call = (job: Any, route: string, body: object) =>
      ask(`POST /worker/jobs/${id}/${route}`, { lease: job.lease, ...body }, kitchen)
    expect((await call(first, "challenge", { url: "https://bank.example" })).body).toEqual({ parked: true })
    const { activeTdsId } = (await ask(`GET /jobs/${id}`)).body
    expect((await ask(`GET /3d-secure/${activeTdsId}`)).body.url).toBe("https://bank.example")
    await ask(`POST /3d-secure/${activeTdsId}/finish`, { data: "approved" })
    const second = await claim()
    expect((await call(second, "challenge", { url: "https://bank.example" })).body).toEqual({
      parked: false,
      data: "approved"
    })
    await call(second, "heartbeat", { progress: { done: 1, total: 4 } })
    expect((await ask(`GET /jobs/${id}`)).body.progress).toBe(25)
    expect((await call(second, "ask", { key: "k", stage: "late" })).body).toEqual({ parked: true })
    expect((await ask(`GET /jobs/${id}`)).body).toMatchObject({ awaitingInputKey: "k", awaitingInputStage: "late" })
    await ask(`POST /jobs/${id}/inputs`, { key: "k", data: "bad" })
    const third = await claim()
    expect((await call(third, "ask", { key: "k" })).body).toEqual({ parked: false, data: "bad" })
    expect((await call(third, "ask", { key: "k", rejects: true })).body).toEqual({ parked: true })
    expect((await ask(`GET /jobs/${id}`)).body.rejectedInput).toEqual({ key: "k", data: "bad" })
    await ask(`POST /jobs/${id}/inputs`, { key: "k", data: "good" })
    await call(await claim(), "fail", { code: "SystemUnavailable", category: "website", message: "It is closed." })
    expect((await ask(`GET /jobs/${id}`)).body.error).toEqual({
      object: "job-error",
      code: "SystemUnavailable",
      category: "website",
      message: "It is closed."
    })
  })

  it("is for operators only, and for leases of the same job", async () => {
    const claimed = await ask(`POST /worker/services/${outsideMenu.id}/claim`, {})
    expect([claimed.status, claimed.body.name]).toEqual([403, "AccessForbidden"])
    expect((await ask(`POST /worker/services/${services[0]?.id}/claim`, {}, kitchen)).status).toBe(404)
    const [one, other] = [await start(outsideMenu.id), await start(outsideMenu.id)]
    const job = await claim()
    const wrong = job.id === one ? other : one
    for (const lease of [job.lease, "made up", ""]) {
      const answer = await ask(`POST /worker/jobs/${wrong}/output`, { lease, key: "a", data: 1 }, kitchen)
      expect([answer.status, answer.body.name]).toEqual([409, "LeaseLostError"])
    }
    for (const id of [one, other]) await ask(`POST /jobs/${id}/cancel`)
  })
})

describe("A script that is an async function", () => {
  it("fetches files within a limit, asks, and fails in words of its own", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/small" }).end()
      else if (request.headers["x-pass"] !== "open") response.writeHead(403).end()
      else response.end(request.url === "/small" ? "12345" : "1234567890X")
    }).listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const { port } = server.address() as AddressInfo
    const file = (path: string, host = "127.0.0.1") => ({
      type: "File",
      url: `http://${host}:${port}${path}`,
      filename: "a.txt",
      headers: [{ "x-pass": "open" }]
    })
    const ended = async (photo: object, name?: string) => {
      const id = await start(files.id, { photo, ...(name === undefined ? {} : { name }) })
      await expect.poll(async () => (await ask(`GET /jobs/${id}`)).body.finishedAt, { timeout: 5_000 }).not.toBeNull()
      return (await ask(`GET /jobs/${id}`)).body
    }
    expect(await ended(file("/small"), "one")).toMatchObject({ state: "success", successCode: "Stored", progress: 50 })
    expect(await ended(file("/moved"), "one")).toMatchObject({ state: "success" })
    expect(await ended(file("/small"), "odd")).toMatchObject({ error: { code: "NameInvalid", category: "client" } })
    for (const photo of [
      file("/large"),
      file("/small", "10.0.0.1"),
      { ...file("/small"), headers: [] },
      { type: "No" }
    ]) {
      expect(await ended(photo)).toMatchObject({ error: { code: "UrlInvalid", category: "client" } })
    }
    server.closeAllConnections()
    server.close()
  })

  it("parks while it waits, and starts anew with the answer", async () => {
    const server = createServer((_, response) => response.end("123")).listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const id = await start(files.id, { photo: { type: "File", url } })
    await until(id, "awaitingInput")
    expect((await ask(`GET /jobs/${id}`)).body.awaitingInputStage).toBe("last")
    expect((await ask(`POST /jobs/${id}/inputs`, { key: "name", data: "one" })).body.stage).toBe("last")
    await until(id, "success")
    server.closeAllConnections()
    server.close()
  })

  it("keeps what it was given out of its error when it breaks", async () => {
    const id = await start(files.id, { photo: { type: "No" }, name: "broken" })
    await until(id, "fail")
    expect(house.told.join("\n")).not.toContain("Wilhelmina")
  })
})

describe("A restart", () => {
  it("replays a script up to where it was", async () => {
    const file = join(folder, "restart.db")
    const open1 = await open({ file, services })
    const key = await open1.key("acme")
    const at = async (url: string, line: string, body?: object): Promise<Any> => {
      const [method = "", path = ""] = line.split(" ")
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" }
      return (
        await fetch(`${url}/automation${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
      ).json()
    }
    const { id } = await at(open1.url, "POST /jobs", { serviceId: services[0]?.id })
    await expect.poll(async () => (await at(open1.url, `GET /jobs/${id}`)).state).toBe("awaitingInput")
    const before = (await at(open1.url, `GET /jobs/${id}/outputs`)).data
    await open1.close()

    const open2 = await open({ file, services })
    expect(await at(open2.url, `GET /jobs/${id}`)).toMatchObject({ state: "awaitingInput", piiRemoved: false })
    await at(open2.url, `POST /jobs/${id}/inputs`, { key: "ingredientToAvoid", data: "egg" })
    await expect.poll(async () => (await at(open2.url, `GET /jobs/${id}`)).state).toBe("success")
    const after = (await at(open2.url, `GET /jobs/${id}/outputs`)).data
    expect(after[0]).toEqual(before[0])
    expect(after).toHaveLength(2)
    const { data } = await at(open2.url, `GET /jobs/${id}/events`)
    expect(data.map(({ name }: Any) => name)).toEqual([
      "createOutput",
      "awaitingInput",
      "processing",
      "createOutput",
      "success"
    ])
    await open2.close()
  })
})
