import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const folder = mkdtempSync(join(tmpdir(), "sotto-demo-kinds-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The demo from the sources. */
const demo = async (place: string) => {
  const conditions = "--conditions=@sotto/source"
  const child = spawn(process.execPath, [conditions, "--import", "tsx", join(root, "scripts/demoKinds.ts")], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: conditions, SOTTO_DEMO: place }
  })
  let text = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()))
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  return { code, text }
}

describe("npm run demo:kinds", () => {
  it("shows a job of each kind through one server, in under a minute, and leaves none behind", async () => {
    const { code, text } = await demo(join(folder, "demo"))
    expect([code, text]).toEqual([0, expect.stringMatching(/A job of each kind, done in \d+\.\d s\./)])
    const listed = text.slice(text.indexOf("/v1/jobs\n"))
    for (const kind of ["aggregation", "on-demand", "launcher", "sql-run", "automation"])
      expect(listed).toMatch(new RegExp(`^ +${kind} +Succeeded`, "m"))
    expect(text).toContain("FINISHED SUCCESS")
    expect(text).toContain('"billedUsage": 40')
    expect(text).toContain('"aggregated": 42')
    expect(text).toContain("Cheddar and yeast bread")
    expect(text).not.toContain("Almond and cinnamon cake")
    const [, url = ""] = /listens on (\S+),/.exec(text) ?? []
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
  }, 60_000)

  it("says what is wrong where it cannot work", async () => {
    const { code, text } = await demo("/dev/null/demo")
    expect([code, text]).toEqual([1, expect.stringMatching(/^The demo failed: .*\/dev\/null\/demo/m)])
  }, 60_000)
})
