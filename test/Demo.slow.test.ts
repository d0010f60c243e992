import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"

const root = join(import.meta.dirname, "..")
const folder = mkdtempSync(join(tmpdir(), "sotto-demo-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The demo from the sources, with few reports. */
const demo = () => {
  const conditions = "--conditions=@sotto/source"
  const child = spawn(process.execPath, [conditions, "--import", "tsx", join(root, "scripts/demo.ts")], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: conditions, SOTTO_DEMO: join(folder, "demo"), SOTTO_DEMO_REPORTS: "400" }
  })
  let text = ""
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
  const says = (wanted: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => wanted.test(text) && resolve()
      child.stdout.on("data", look)
      child.on("close", () => reject(new Error(text)))
    })
  return { ended, says, text: () => text, stop: () => void child.kill("SIGTERM") }
}

const servers = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/listens on (\S+),/g)].map(([, url = ""]) => url)

describe("npm run demo", () => {
  it("tells its story to the end and leaves no server behind", async () => {
    const { ended, text } = demo()
    expect([await ended, text()]).toEqual([0, expect.stringContaining("The chain of 4 questions is whole.")])
    expect(servers(text())).toHaveLength(3)
    for (const url of servers(text())) await expect(fetch(url)).rejects.toThrow()
  }, 120_000)

  it("takes its server along when somebody stops it", async () => {
    const { ended, says, text, stop } = demo()
    await says(/createJob --json/)
    stop()
    expect(await ended).toBe(143)
    const [url = ""] = servers(text())
    await expect(fetch(url)).rejects.toThrow()
  }, 60_000)
})
