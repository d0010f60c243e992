/** Every example request of the interface's documentation, over a socket, with the documented answer by its shape. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { INGREDIENTS } from "../../examples/school-menu/menu.ts"
import { schoolMenu, services } from "../../examples/school-menu/services.ts"
import { basic, type House, open } from "./House.ts"

let folder: string
let house: House
let key: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-documented-"))
  house = await open({ file: join(folder, "sotto.db"), services })
  key = await house.key("acme")
})

afterAll(async () => {
  await house.close()
  await rm(folder, { recursive: true })
})

// oxlint-disable-next-line typescript/no-explicit-any
type Any = any

/** Asks as the documents' commands do, with the type of JSON on every request. */
const ask = async (line: string, body?: object, headers: object = {}): Promise<{ status: number; body: Any }> => {
  const [method = "", path = ""] = line.split(" ")
  const answer = await fetch(`${house.url}/automation${path}`, {
    method,
    headers: { authorization: basic(key), "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const text = await answer.text()
  return { status: answer.status, body: text === "" ? undefined : JSON.parse(text) }
}

const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
const TIME = expect.toSatisfy((at: number) => Number.isInteger(at) && Math.abs(at - Date.now()) < 60_000)
const COUNT = expect.any(Number)

/** The members of the documented job object, all of them and no others. */
const job = (more: object) => ({
  object: "job",
  id: UUID,
  category: "test",
  state: "processing",
  serviceId: schoolMenu.id,
  serviceName: "School Menu",
  domainId: "Generic",
  awaitingInputKey: null,
  awaitingInputStage: "",
  lastAwaitingInputKey: null,
  rejectedInput: null,
  progress: COUNT,
  error: null,
  activeTdsId: null,
  inputs: [],
  outputs: [],
  piiRemoved: false,
  sessionId: UUID,
  sessionCount: COUNT,
  successCode: null,
  createdAt: TIME,
  updatedAt: TIME,
  finishedAt: null,
  duration: COUNT,
  ...more
})

const waiting = job({
  state: "awaitingInput",
  awaitingInputKey: "ingredientToAvoid",
  lastAwaitingInputKey: "ingredientToAvoid",
  progress: 50,
  outputs: [{ object: "job-output-meta", key: "ingredients", createdAt: TIME }],
  sessionCount: 1
})

const start = async (more: object = {}): Promise<string> =>
  (await ask("POST /jobs", { category: "test", serviceId: schoolMenu.id, ...more })).body.id

const until = (id: string, state: string) =>
  expect.poll(async () => (await ask(`GET /jobs/${id}`)).body.state, { interval: 20 }).toBe(state)

/** A job that was answered and has ended. */
const finished = async (): Promise<string> => {
  const id = await start()
  await until(id, "awaitingInput")
  await ask(`POST /jobs/${id}/inputs`, { key: "ingredientToAvoid", data: "almond" })
  await until(id, "success")
  return id
}

describe("The documented request", () => {
  it("POST /jobs starts a job, which is processing at once", async () => {
    const { status, body } = await ask("POST /jobs", { category: "test", serviceId: schoolMenu.id })
    expect(status).toBe(200)
    expect(body).toEqual(job({ progress: 0, sessionCount: 0 }))
  })

  it("POST /jobs with the document's own service id, which is a digit short, is told that there is none", async () => {
    const { status, body } = await ask("POST /jobs", {
      category: "test",
      serviceId: "bd80b73a-af55-4087-a5d4-91f6c861994"
    })
    expect([status, body.name, body.details]).toEqual([404, "RecordNotFoundError", { status: 404 }])
  })

  it("POST /jobs takes a File as input and gives it to the script as data", async () => {
    const photo = {
      type: "File",
      url: "http://files.example.com/photos/userA.jpg",
      filename: "userA.jpg",
      headers: [{ Authorization: "Bearer abc123" }]
    }
    const id = await start({ input: { photo } })
    expect((await ask(`GET /jobs/${id}/inputs`)).body).toEqual({
      object: "list",
      data: [{ object: "job-input", jobId: id, key: "photo", stage: "", data: photo }],
      totalCount: 1
    })
  })

  it("GET /jobs filters, and tells the order that it was asked for", async () => {
    const query =
      `serviceId=${schoolMenu.id}&state=awaitingInput&state=awaitingTds&category=test&sort=createdAt` +
      "&period=range&since=1649116800718&until=1649203199718&limit=10&offset=10"
    expect((await ask(`GET /jobs?${query}`)).body).toEqual({
      object: "list",
      data: [],
      totalCount: 0,
      totalSessionCount: 0,
      sort: "createdAt"
    })
    const id = await start()
    await until(id, "awaitingInput")
    const { body } = await ask("GET /jobs?state=awaitingInput&limit=1")
    expect(body).toEqual({
      object: "list",
      data: [{ ...waiting, id }],
      totalCount: COUNT,
      totalSessionCount: COUNT,
      sort: "-createdAt"
    })
  })

  it("GET /jobs/:id/ shows what the job waits for, with and without the last slash", async () => {
    const id = await start()
    await until(id, "awaitingInput")
    for (const path of [`/jobs/${id}/`, `/jobs/${id}`]) {
      const { status, body } = await ask(`GET ${path}`)
      expect([status, body]).toEqual([200, { ...waiting, id }])
    }
  })

  it("GET /jobs/:id/events tells what happened behind an offset", async () => {
    const id = await finished()
    const event = (name: string, key?: string) => ({
      object: "job-event",
      id: UUID,
      name,
      ...(key === undefined ? {} : { key }),
      createdAt: TIME
    })
    const all = [
      event("createOutput", "ingredients"),
      event("awaitingInput", "ingredientToAvoid"),
      event("processing"),
      event("createOutput", "menu"),
      event("success")
    ]
    expect((await ask(`GET /jobs/${id}/events`)).body).toEqual({ object: "list", data: all })
    expect((await ask(`GET /jobs/${id}/events?offset=1`)).body).toEqual({ object: "list", data: all.slice(1) })
    expect((await ask(`GET /jobs/${id}/events?offset=9`)).body.data).toEqual([])
  })

  it("POST /jobs/:id/inputs answers the input, once", async () => {
    const id = await start()
    const given = () => ask(`POST /jobs/${id}/inputs`, { key: "ingredientToAvoid", data: "almond" })
    expect((await given()).body).toEqual({
      object: "job-input",
      jobId: id,
      key: "ingredientToAvoid",
      stage: "",
      data: "almond"
    })
    const again = await given()
    expect([again.status, again.body.name]).toEqual([409, "RecordNotUniqueError"])
    await until(id, "success")
    expect((await given()).body.name).toBe("RecordNotUniqueError")
    expect((await ask(`POST /jobs/${id}/inputs`, { key: "late", data: 1 })).body.name).toBe("JobStateError")
  })

  it("GET /jobs/:id/outputs and /outputs/:key/ give what came out", async () => {
    const id = await finished()
    const output = (key: string, data: unknown) => ({
      object: "job-output",
      jobId: id,
      key,
      stage: "",
      data,
      createdAt: TIME,
      updatedAt: TIME
    })
    const { body } = await ask(`GET /jobs/${id}/outputs`)
    expect(body).toEqual({
      object: "list",
      data: [output("ingredients", INGREDIENTS), output("menu", expect.any(Array))],
      totalCount: 2
    })
    expect(body.data[1].data).toHaveLength(3)
    expect(body.data[1].data[0]).toEqual({
      title: "Bean salad with tahini dressing",
      description: "A mouth-watering bean salad served with tahini dressing.",
      ingredients: "cucumber, lettuce, cress, bean, tahini"
    })
    expect((await ask(`GET /jobs/${id}/outputs/ingredients/`)).body).toEqual(output("ingredients", INGREDIENTS))
  })

  it("POST /jobs/:id/cancel takes the type of JSON with nothing behind it", async () => {
    const id = await start()
    await until(id, "awaitingInput")
    const { status, body } = await ask(`POST /jobs/${id}/cancel`)
    expect(status).toBe(200)
    expect(body).toEqual({
      ...waiting,
      state: "fail",
      awaitingInputKey: null,
      error: { object: "job-error", code: "JobCancelled", category: "client", message: "" },
      finishedAt: TIME
    })
    expect(body.duration).toBe(body.finishedAt - body.createdAt)
  })

  it("POST /jobs/:id/reset starts another session, with the inputs that are to stay", async () => {
    const id = await start({ input: { payment: "card", note: "soft" } })
    await until(id, "awaitingInput")
    const before = (await ask(`GET /jobs/${id}`)).body
    const { status, body } = await ask(`POST /jobs/${id}/reset`, { fromInputKey: "payment", preserveInputs: ["note"] })
    expect([status, body]).toEqual([
      200,
      job({ progress: 50, inputs: [{ object: "job-input-meta", key: "note", createdAt: TIME }] })
    ])
    expect(body.sessionId).not.toBe(before.sessionId)
    await until(id, "awaitingInput")
    const { data } = (await ask(`GET /jobs/${id}/events`)).body
    expect(data.map(({ name }: { name: string }) => name)).toEqual([
      "createOutput",
      "awaitingInput",
      "restart",
      "processing",
      "createOutput",
      "awaitingInput"
    ])
  })

  it("POST /jobs/:id/reset of a job that succeeded is refused", async () => {
    const { status, body } = await ask(`POST /jobs/${await finished()}/reset`, {})
    expect([status, body.name]).toEqual([409, "JobStateError"])
  })

  it("GET /jobs/:id/end-user gives a token that is the user of Basic", async () => {
    const id = await start()
    const { body } = await ask(`GET /jobs/${id}/end-user`)
    expect(body).toEqual({
      object: "end-user",
      id: UUID,
      clientId: UUID,
      jobId: id,
      serviceId: schoolMenu.id,
      token: expect.any(String),
      createdAt: TIME,
      updatedAt: TIME
    })
    const as = { authorization: basic(body.token) }
    expect((await ask(`GET /jobs/${id}`, undefined, as)).status).toBe(200)
    expect((await ask("GET /jobs", undefined, as)).status).toBe(403)
    expect((await ask("POST /jobs", { serviceId: schoolMenu.id }, as)).status).toBe(403)
  })
})

describe("The interface", () => {
  it("answers every refusal as an error object with its status in the details", async () => {
    const id = await start()
    const refusals: ReadonlyArray<readonly [string, object | undefined, object, number, string]> = [
      ["GET /nothing", undefined, {}, 404, "RouteNotFoundError"],
      [`GET /jobs/${schoolMenu.id}`, undefined, {}, 404, "RecordNotFoundError"],
      [`GET /jobs/${id}/outputs/dessert`, undefined, {}, 404, "RecordNotFoundError"],
      [`GET /3d-secure/${id}`, undefined, {}, 404, "RecordNotFoundError"],
      [`PUT /jobs/${id}`, {}, {}, 405, "MethodNotAllowedError"],
      [`GET /jobs/${id}`, undefined, { authorization: "Basic x" }, 401, "AuthenticationError"],
      ["GET /jobs?state=odd&limit=0", undefined, {}, 400, "ValidationError"],
      ["POST /jobs", { serviceId: 7 }, {}, 400, "ValidationError"],
      ["POST /jobs", { serviceId: schoolMenu.id, input: { ingredientToAvoid: 7 } }, {}, 400, "ValidationError"],
      [
        `POST /jobs/${id}/inputs`,
        { key: "a", data: 1 },
        { "content-type": "text/plain" },
        415,
        "UnsupportedMediaTypeError"
      ],
      ["POST /worker/services/x/claim", {}, {}, 403, "AccessForbidden"]
    ]
    for (const [line, body, headers, status, name] of refusals) {
      const answer = await ask(line, body, headers)
      expect([answer.status, answer.body], line).toEqual([
        status,
        expect.objectContaining({ object: "error", name, message: expect.any(String) })
      ])
      expect(answer.body.details.status, line).toBe(status)
    }
    expect((await ask("GET /jobs?state=odd&limit=0")).body.details.messages).toHaveLength(2)
  })

  it("shows another client nothing of a job", async () => {
    const id = await finished()
    const as = { authorization: basic(await house.key("other")) }
    for (const path of ["", "/events", "/inputs", "/outputs", "/outputs/menu", "/end-user"]) {
      const answer = await ask(`GET /jobs/${id}${path}`, undefined, as)
      expect([answer.status, answer.body.name], path).toEqual([404, "RecordNotFoundError"])
    }
    for (const path of ["/inputs", "/cancel", "/reset", "/remove-data"]) {
      expect((await ask(`POST /jobs/${id}${path}`, { key: "a", data: 1 }, as)).status, path).toBe(404)
    }
    expect((await ask("GET /jobs", undefined, as)).body.totalCount).toBe(0)
    expect((await ask(`GET /services/${schoolMenu.id}/previous-job-outputs`, undefined, as)).body.data).toEqual([])
  })

  it("takes personal data away when it is asked to, and keeps the log", async () => {
    const id = await finished()
    const events = (await ask(`GET /jobs/${id}/events`)).body
    expect((await ask(`POST /jobs/${id}/remove-data`)).body).toMatchObject({ id, piiRemoved: true, state: "success" })
    expect((await ask(`GET /jobs/${id}/outputs/menu`)).body.data).toBeNull()
    expect((await ask(`GET /jobs/${id}/inputs`)).body.data[0].data).toBeNull()
    expect((await ask(`GET /jobs/${id}/events`)).body).toEqual(events)
  })

  it("is the only one that automations are started and answered by", async () => {
    const native = (line: string, body: object) => {
      const [method = "", path = ""] = line.split(" ")
      const headers = { authorization: basic(key), "content-type": "application/json" }
      return fetch(`${house.url}/v1${path}`, { method, headers, body: JSON.stringify(body) })
    }
    const submitted = await native("POST /jobs", { kind: "automation", parameters: {} })
    expect([submitted.status, await submitted.text()]).toEqual([
      422,
      expect.stringContaining("interface of automations")
    ])
    const id = await start()
    await until(id, "awaitingInput")
    for (const line of [`PUT /jobs/${id}/inputs/ingredientToAvoid`, `PUT /jobs/${id}/externals/x`]) {
      const given = await native(line, { data: "Wilhelmina" })
      expect([given.status, await given.text()]).toEqual([409, expect.stringContaining("interface of automations")])
    }
    expect((await ask(`GET /jobs/${id}`)).body.inputs).toEqual([])
  })

  it("gives access tokens for keys only, so that none lives on without one", async () => {
    const token = async (id: string, secret: string) => {
      const form = { grant_type: "client_credentials", client_id: id, client_secret: secret }
      const answer = await fetch(`${house.url}/automation/oauth2/token`, {
        method: "POST",
        body: new URLSearchParams(form)
      })
      return { status: answer.status, body: (await answer.json()) as Any }
    }
    const [, id = "", secret = ""] = key.split("_")
    const { body } = await token(id, secret)
    expect(body).toEqual({ access_token: expect.any(String), token_type: "Bearer", expires_in: 3_600 })
    // The key as it was printed will do as the secret, beside its own id.
    expect((await token(id, key)).status).toBe(200)
    const as = { authorization: `Bearer ${body.access_token}` }
    expect((await ask("GET /client", undefined, as)).body.name).toBe("acme")
    for (const [user, password] of [
      [body.access_token, ""],
      [body.access_token, "undefined"],
      [id, "0".repeat(64)],
      ["0".repeat(16), key],
      [key, ""]
    ]) {
      expect(await token(user, password)).toEqual({ status: 401, body: { error: "invalid_client" } })
    }
  })

  it("tells services and client, and lets pages of configured origins ask", async () => {
    const { body } = await ask("GET /services")
    expect(body.totalCount).toBe(services.length)
    expect(body.data[0].inputs.ingredientToAvoid).toMatchObject({ type: "string" })
    expect((await ask("GET /client")).body).toEqual({ object: "client", name: "acme", concurrentJobsLimit: 100 })
    const answer = await fetch(`${house.url}/automation/jobs`, {
      method: "OPTIONS",
      headers: { origin: "https://app.example", "access-control-request-method": "POST" }
    })
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([204, "https://app.example"])
  })
})
