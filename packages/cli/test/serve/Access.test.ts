import { afterAll, describe, expect, it } from "vitest"
import { inside, json, temporary } from "../support/Sotto.ts"
import { serve, type Server } from "./Server.ts"

const { path, remove } = temporary()
const servers: Array<Server> = []
afterAll(async () => {
  for (const { kill, ended } of servers) {
    kill("SIGKILL")
    await ended
  }
  remove()
})

describe("sotto serve without keys", () => {
  it("closes with the first key that is made, and its log never holds one", async () => {
    const server = await serve(["--folder", path("served"), "--no-workers"])
    servers.push(server)
    const { url } = server
    const store = ["--store", path("served", "sotto.db")]
    const status = async (headers: Readonly<Record<string, string>> = {}, at = "/v1/jobs") =>
      (await fetch(url + at, { headers })).status

    expect(await status()).toBe(200)
    const { key, id } = await json(["apikeys", "create", ...store, "--name", "first"])
    const basic = `Basic ${Buffer.from(`${key}:`).toString("base64")}`
    const told = await fetch(`${url}/v1/jobs`)
    expect([told.status, told.headers.get("www-authenticate")]).toEqual([401, expect.stringContaining("Basic")])
    expect(await status({ "x-api-key": key })).toBe(200)
    expect(await status({ authorization: `Bearer ${key}` })).toBe(200)
    expect(await status({ authorization: basic })).toBe(200)
    expect(await status({ "x-api-key": key }, `/v1/jobs/${key}`)).toBe(400)
    expect(await status({}, `/v1/blobs/a.avro?token=${key}`)).toBe(401)
    await inside("apikeys", "revoke", ...store, id)
    expect(await status({ "x-api-key": key })).toBe(401)

    server.kill("SIGTERM")
    const { stdout, stderr } = await server.ended
    expect(stderr).toContain("(an address that holds a secret)")
    for (const secret of [key.slice(23), basic.slice(6, -6), key.slice(6, 40)]) {
      expect(stdout + stderr).not.toContain(secret)
    }
  })
})
