import { writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { inside, type Running, sotto, temporary, visible } from "../support/Sotto.ts"
import { furnish, serve, type Server } from "./Server.ts"

const { path, remove } = temporary()
const processes: Array<Pick<Running, "kill" | "ended">> = []
const running = async <P extends Pick<Running, "kill" | "ended">>(one: P | Promise<P>): Promise<P> => {
  const process = await one
  processes.push(process)
  return process
}
const serving = (folder: string, args: ReadonlyArray<string> = [], more: Parameters<typeof serve>[1] = {}) =>
  running<Server>(serve(["--folder", path(folder), ...args], more))
const furnished = (folder: string): string => {
  furnish(path(folder), path("made"), path("keys.json"))
  return folder
}
beforeAll(() => inside("reports", "generate", "--keys", path("keys.json"), "--count", "50", "--out", path("made")))
afterEach(async () => {
  for (const { kill, ended } of processes.splice(0)) {
    kill("SIGKILL")
    await ended
  }
})
afterAll(remove)

describe("sotto serve", () => {
  it("needs nothing: makes what it needs, answers, and ends well by SIGTERM", async () => {
    const { url, log, kill, ended } = await serving("new")
    for (const path of ["/healthz", "/readyz", "/docs", "/metrics"]) expect((await fetch(url + path)).status).toBe(200)
    expect(visible(path("new")).toSorted()).toEqual(
      expect.arrayContaining(["domains", "keys.json", "ledger-keys.json", "output", "reports", "sotto.db"])
    )
    kill("SIGTERM")
    expect(await ended).toMatchObject({ code: 0, signal: null, stdout: "" })
    expect(log().at(-1)).toMatchObject({ level: "info", message: "Stopped." })
    expect(log()[0]).toMatchObject({
      message: "Listening",
      url,
      docs: `${url}/docs`,
      apiKeys: expect.stringContaining("no API keys"),
      tenants: ["default"],
      store: path("new", "sotto.db")
    })
  })

  it("says what would run with --check-config, and starts nothing", async () => {
    const checked = await inside("serve", "--folder", path("unmade"), "--check-config")
    expect(checked.code).toBe(0)
    expect(checked.stdout).toContain(path("unmade", "sotto.db"))
    expect(visible(path("unmade"))).toEqual([])
  })
})

describe("sotto serve refuses in one sentence", () => {
  it("a port that is in use", async () => {
    const other = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => other.on("listening", resolve))
    const port = String((other.address() as AddressInfo).port)
    const refused = await inside("serve", "--folder", path("busy"), "--port", port)
    other.close()
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(`Cannot listen on 127.0.0.1:${port}`)
  })

  it("another host than this machine without keys", async () => {
    const refused = await sotto(["serve", "--folder", path("lonely"), "--port", "0", "--host", "0.0.0.0"])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("Without API keys anybody may do anything")
    expect(refused.stderr).not.toContain("Listening")
  })

  it.each<readonly [what: string, config: object | string, sentence: RegExp]>([
    ["a configuration that is not JSON", "{", /is not JSON/],
    ["a wrong field", { http: { prot: 1 } }, /has a fault:\n {2}http\.prot: .* did you mean port\?/],
    ["a folder that is a file", { folder: "keys.json" }, /keys\.json is a file, not a folder/],
    ["a folder that cannot be made", { folder: "/proc/sotto" }, /The folder \/proc.* cannot be made/],
    ["tenants that nobody can be", { tenants: { north: {} } }, /tenants \(north\) but no API keys/],
    [
      "tenants that share a site and not a scope",
      { tenants: { north: { ledgerScope: "a" }, south: { ledgerScope: "b" } } },
      /"north" and "south" may ask about the same site/
    ],
    [
      "a key that is none",
      { apiKeys: [{ tenant: "default", name: "ci", secret: { file: "../keys.json" } }] },
      /apiKeys\[0\]\.secret: what is there is no API key/
    ]
  ])("%s", async (_, config, sentence) => {
    writeFileSync(path("wrong.json"), typeof config === "string" ? config : JSON.stringify(config))
    const refused = await inside("serve", "--config", path("wrong.json"), "--port", "0")
    expect([refused.code, refused.stdout]).toEqual([1, ""])
    expect(refused.stderr).toMatch(sentence)
    expect(refused.stderr).not.toMatch(/"Listening"|privateKey/)
  })

  it("keys that cannot be read", async () => {
    furnished("unreadable")
    writeFileSync(path("unreadable", "keys.json"), "{}")
    const refused = await inside("serve", "--folder", path("unreadable"), "--port", "0")
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(path("unreadable", "keys.json"))
  })
})
