/** The syntax itself, in a module of its own: not every tool that reads the sources of this repository knows it. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { createEngine, defineKind } from "sotto"
import { afterAll, describe, expect, it } from "vitest"

const folder = await mkdtemp(join(tmpdir(), "sotto-using-"))
afterAll(() => rm(folder, { recursive: true }))

const HOST = `
  import { createEngine, defineKind } from "sotto"
  const hanging = defineKind({
    name: "hanging",
    parameters: () => null,
    run: ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => {
        console.log("told to stop")
        reject(new Error("stopped"))
      }))
  })
  {
    await using engine = await createEngine({ folder: ${JSON.stringify(folder)}, kinds: [hanging] })
    const { job } = await engine.submit("hanging", null)
    for await (const { _tag } of engine.events(job.id)) if (_tag === "Started") break
    console.log(job.id)
  }
  console.log("closed")
`

describe("await using", () => {
  it("closes the engine at the end of its block: the process ends and its job is handed back", async () => {
    const child = spawn(process.execPath, ["--conditions=@sotto/source", "--input-type=module", "-e", HOST], {
      cwd: import.meta.dirname,
      timeout: 20_000
    })
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")])
    const [id = "", ...lines] = stdout.trimEnd().split("\n")
    expect({ code, stderr, lines }).toEqual({ code: 0, stderr: "", lines: ["told to stop", "closed"] })
    const hanging = defineKind({ name: "hanging", parameters: () => null, run: () => null })
    const engine = await createEngine({ folder, kinds: [hanging], concurrency: 0 })
    expect((await engine.get(id)).job).toMatchObject({ state: "Queued", failures: 0, epoch: 1 })
    await engine.close()
  }, 30_000)
})
