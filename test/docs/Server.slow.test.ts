/** What docs/server.md shows is run: its commands in order in one folder, its configuration read. */
import { spawn } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { tenantFaults } from "@sotto/http"
import { siteOf } from "@sotto/local"
import { afterAll, describe, expect, it } from "vitest"
import { tenantsOf } from "../../packages/cli/src/serve/Compose.ts"
import { readConfig } from "../../packages/cli/src/serve/ServerConfig.ts"
import { itWith, program } from "../support/Program.ts"

const page = readFileSync(join(import.meta.dirname, "../../docs/server.md"), "utf8")
const blocks = (language: string): ReadonlyArray<string> =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text = ""]) => text.trim())

const folder = mkdtempSync(join(tmpdir(), "sotto-server-page-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** `npx sotto` is this checkout's. */
const shim = () => {
  mkdirSync(join(folder, "bin"))
  const launcher = join(import.meta.dirname, "../../packages/sotto/bin/sotto.js")
  writeFileSync(
    join(folder, "bin/npx"),
    `#!/bin/sh\nshift\nexec '${process.execPath}' --conditions=@sotto/source '${launcher}' "$@"\n`
  )
  chmodSync(join(folder, "bin/npx"), 0o755)
  return { ...process.env, NODE_OPTIONS: "", PATH: `${join(folder, "bin")}:${process.env["PATH"]}` }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

describe("the page on running a server", () => {
  itWith({ curl: program("curl"), bash: program("bash") })(
    "shows commands that work, in order",
    async ({ bash }) => {
      const env = shim()
      const port = String(await freePort())
      const [serve = "", ...rest] = blocks("sh").map((block) => block.replaceAll("8787", port))
      expect(serve).toBe("npx sotto serve")
      const server = spawn(bash, ["--norc", "-c", `exec ${serve} --port ${port}`], {
        cwd: folder,
        env,
        stdio: ["ignore", "ignore", "pipe"]
      })
      const ended = new Promise<number | null>((resolve) => server.on("close", resolve))
      let log = ""
      server.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()))
      const run = (script: string) =>
        new Promise<string>((resolve, reject) => {
          const child = spawn(bash, ["--norc", "-euo", "pipefail", "-c", script], { cwd: folder, env })
          let text = ""
          for (const stream of [child.stdout, child.stderr])
            stream.on("data", (chunk: Buffer) => (text += chunk.toString()))
          child.on("close", (code) => (code === 0 ? resolve(text) : reject(new Error(`${script}\n${text}`))))
        })
      try {
        await run(`for i in $(seq 100); do curl -sf http://127.0.0.1:${port}/healthz && exit; sleep 0.1; done; exit 1`)
        const [first = "", seen = "", keyed = "", apart = "", ...more] = rest
        expect(more).toEqual([])
        expect(await run(first)).toContain('"job_request_id": "first"')
        const shown = await run(seen)
        expect(shown).toContain('"returnCode":"SUCCESS"')
        expect(shown).toContain("succeeded")
        expect(shown).toMatch(/bucket +metric/)
        expect(await run(keyed)).toContain("aggregation")
        expect(await run(`curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:${port}/v1/jobs`)).toBe("401")
        for (const line of apart.split("\n")) expect(line).toMatch(/^npx sotto (serve|worker) --config sotto\.json/)
      } finally {
        server.kill("SIGTERM")
      }
      expect([await ended, log]).toEqual([0, expect.stringContaining("Stopped.")])
    },
    60_000
  )

  it("shows a configuration that is right", () => {
    const [shown = "", ...more] = blocks("json")
    expect(more).toEqual([])
    const config = readConfig(JSON.parse(shown))
    if (!("tenants" in config)) throw new Error(config.join("\n"))
    expect(tenantFaults(tenantsOf(config), siteOf)).toEqual([])
    expect(config.tenants["ops"]?.operator).toBe(true)
  })
})
