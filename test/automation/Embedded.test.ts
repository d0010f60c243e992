import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, describe, expect, it } from "vitest"
import { mount } from "@sotto/http"
import { createEngine, defineService, ScriptError } from "sotto"

const ID = "0c8a2f3e-6d0c-4c0b-9d8d-5f2f2b6f2a10"

const opened: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

const lunch = defineService({
  id: ID,
  name: "Lunch",
  script: async (job) => {
    await job.output("dishes", ["soup", "salad"])
    const dish = await job.input("dish")
    if (dish === "cake") throw new ScriptError("NoDessert", "There is no dessert.", { category: "client" })
    await job.output("order", { dish })
    return "Ordered"
  }
})

const serve = async (services: Parameters<typeof createEngine>[0]["services"]) => {
  const folder = await mkdtemp(join(tmpdir(), "sotto-service-"))
  const engine = await createEngine({ folder, ...(services === undefined ? {} : { services }), log: () => undefined })
  const scope = { _tag: "All" } as const
  const server = mount(engine, {
    authenticate: () => Promise.resolve({ tenant: "default", name: "test", scope })
  })
  opened.push(async () => {
    await server.dispose()
    await engine.close()
    await rm(folder, { recursive: true })
  })
  return async (method: string, path: string, body?: unknown) => {
    const headers = { "content-type": "application/json" }
    const request = new Request(`http://sotto.test/automation${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const response = await server.handler(request)
    // oxlint-disable-next-line typescript/no-explicit-any
    return { status: response.status, body: (await response.json()) as any }
  }
}

describe("defineService", () => {
  it.each([
    ["soup", { state: "success", successCode: "Ordered" }],
    ["cake", { state: "fail", error: { code: "NoDessert", category: "client" } }]
  ])("answers %s from createEngine to the client's last question", async (dish, end) => {
    const ask = await serve([lunch])
    const { id } = (await ask("POST", "/jobs", { serviceId: ID })).body
    const job = async () => (await ask("GET", `/jobs/${id}`)).body
    while ((await job()).state !== "awaitingInput") expect((await job()).state).not.toBe("fail")
    expect((await ask("GET", `/jobs/${id}/outputs/dishes`)).body.data).toEqual(["soup", "salad"])
    expect((await ask("POST", `/jobs/${id}/inputs`, { key: "dish", data: dish })).status).toBe(200)
    while ((await job()).finishedAt === null) continue
    expect(await job()).toMatchObject(end)
  })

  it("offers nothing without services, and refuses two of one id", async () => {
    expect((await (await serve(undefined))("GET", "/jobs")).status).toBe(404)
    await expect(createEngine({ folder: "unused", services: [lunch, lunch] })).rejects.toMatchObject({
      code: "InvalidArgument",
      message: expect.stringContaining(ID)
    })
  })
})
