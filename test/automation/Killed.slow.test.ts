import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, describe, expect, it } from "vitest"
import { serve, type Server } from "../../packages/cli/test/serve/Server.ts"
import { temporary } from "../../packages/cli/test/support/Sotto.ts"
import { schoolMenu } from "../../examples/school-menu/services.ts"
import { slow } from "./SlowService.ts"

const { path, remove } = temporary()
const running: Array<Server> = []

afterEach(async () => {
  for (const { kill, ended } of running.splice(0)) {
    kill("SIGKILL")
    await ended
  }
})
afterAll(remove)

/** A server whose services are what a module exports. */
const started = async (folder: string, module: string): Promise<Server> => {
  const config = path(`${folder}.json`)
  const services = fileURLToPath(new URL(module, import.meta.url))
  writeFileSync(path("key"), KEY)
  const automation = { services, prefix: "/robots", key: { file: path("key") } }
  writeFileSync(config, JSON.stringify({ folder, automation }))
  const server = await serve(["--config", config])
  running.push(server)
  return server
}

const KEY = randomBytes(32).toString("hex")

// oxlint-disable-next-line typescript/no-explicit-any
type Any = any

const ask = async ({ url }: Server, line: string, body?: object): Promise<Any> => {
  const [method = "", at = ""] = line.split(" ")
  const answer = await fetch(`${url}/robots${at}`, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  return answer.json()
}

const until = (server: Server, id: string, state: string) =>
  expect.poll(async () => (await ask(server, `GET /jobs/${id}`)).state, { timeout: 40_000 }).toBe(state)

describe("sotto serve", () => {
  it("offers the services of a module, where it is told to", async () => {
    const server = await started("menu", "../../examples/school-menu/services.ts")
    const input = { ingredientToAvoid: "almond" }
    const { id } = await ask(server, "POST /jobs", { serviceId: schoolMenu.id, input })
    await until(server, id, "success")
    expect((await ask(server, `GET /jobs/${id}/outputs/menu`)).data).toHaveLength(3)
    const document = await (await fetch(`${server.url}/openapi.json`)).json()
    expect(Object.keys((document as Any).paths)).toEqual(
      expect.arrayContaining(["/robots/jobs", "/robots/vault/otp", "/robots/worker/jobs/{job}/ask"])
    )
    expect((await fetch(`${server.url}/automation/jobs`)).status).toBe(404)
  })

  it("that is killed in the middle of a script ends the job right after a restart", async () => {
    const first = await started("slow", "./SlowService.ts")
    const { id } = await ask(first, "POST /jobs", { serviceId: slow.id })
    await until(first, id, "awaitingInput")
    await ask(first, `POST /jobs/${id}/inputs`, { key: "go", data: "Wilhelmina" })
    await until(first, id, "processing")
    first.kill("SIGKILL")
    await first.ended

    const second = await started("slow", "./SlowService.ts")
    await until(second, id, "success")
    const { data: outputs } = await ask(second, `GET /jobs/${id}/outputs`)
    expect(outputs.map(({ key, data }: Any) => [key, data])).toEqual([
      ["first", "one"],
      ["second", "two"]
    ])
    const { data: events } = await ask(second, `GET /jobs/${id}/events`)
    expect(events.map(({ name, key }: Any) => key ?? name)).toEqual(["first", "go", "processing", "second", "success"])
    expect(await ask(second, `GET /jobs/${id}`)).toMatchObject({ successCode: "Done", sessionCount: 1, error: null })
    // What was given is sealed with a key that is not in the store.
    const bytes = ["", "-wal"].map((end) => readFileSync(path("slow", `sotto.db${end}`)).toString("latin1")).join("")
    for (const secret of ["Wilhelmina", KEY]) expect(bytes.includes(secret), secret).toBe(false)
  })
})
