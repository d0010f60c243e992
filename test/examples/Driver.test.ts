import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type House, open } from "../launcher/House.ts"

const FILE = fileURLToPath(new URL("../../examples/driver/driver.mjs", import.meta.url))

let house: House
beforeAll(async () => void (house = await open()))
afterAll(() => house.close())
const drivers: Array<ChildProcess> = []
afterEach(() => void drivers.splice(0).forEach((one) => one.kill("SIGKILL")))

/** Launches a run and starts its driver with a script of Node as its work. */
const drive = async (script: string) => {
  const launched = await house.ask("POST /job-launcher/launcher?driver=outside", {
    body: { type: "spark", id: "nightly" }
  })
  const { jobId, reportToken } = launched.body
  const start = () => {
    const child = spawn(process.execPath, [FILE, process.execPath, "-e", script], {
      env: { LAUNCHER_URL: house.url, JOB_ID: jobId, REPORT_TOKEN: reportToken, HEARTBEAT_MS: "100" },
      stdio: "ignore"
    })
    drivers.push(child)
    return child
  }
  const state = async (): Promise<string> => (await house.ask(`GET /job-launcher/launcher/status/${jobId}`)).body.state
  return { jobId: jobId as string, start, state }
}

const page = readFileSync(new URL("../../docs/launcher.md", import.meta.url), "utf8")

describe("docs/launcher.md", () => {
  it("shows the whole driver", () => expect(page).toContain(readFileSync(FILE, "utf8")))

  it("begins with a run that works as it is shown", async () => {
    const [, collection = "", lines = ""] =
      /collections\/default\/(\w+)\/monday.ndjson <<'END'\n([^]*?)\nEND/.exec(page) ?? []
    const [, configuration = "{}"] = /-d '(\{\n[^]*?\})'/.exec(page) ?? []
    await house.put(
      "acme",
      collection,
      lines.split("\n").map((line) => JSON.parse(line))
    )
    const stored = await house.ask("POST /api/spark/configurations", { body: configuration })
    expect(stored.status).toBe(200)
    const run = await house.ask(`POST /api/spark/jobs/${stored.body.id}?sync=true`)
    expect(run.body).toMatchObject({ state: "finished", result: { aggregated: 1, aggr_type_s: "click@doc_id,query" } })
    const again = await house.ask(`POST /api/spark/jobs/${stored.body.id}?sync=true`)
    expect(again.body).toMatchObject({ state: "finished", result: { aggregated: 0 } })
  })

  it("tells of every address of the launcher", async () => {
    const { body } = await house.ask("GET /openapi.json")
    const written = page.replaceAll(/\{(id|jobId)\}/g, "{}")
    const paths = Object.keys(body.paths).filter((path) => /^\/(job-launcher|api\/(spark|jobs))/.test(path))
    expect(paths.length).toBeGreaterThan(8)
    for (const path of paths) {
      expect(written).toContain(path.replace("{resource}", "spark:{}").replaceAll(/\{\w+\}/g, "{}"))
    }
  })
})

describe("examples/driver", () => {
  it("is about forty lines long and needs nothing but Node", () => {
    const source = readFileSync(FILE, "utf8")
    expect(source.trimEnd().split("\n").length).toBeLessThan(60)
    for (const [, module] of source.matchAll(/from "([^"]+)"/g)) expect(module).toMatch(/^node:/)
  })

  it("reports a run from its start to its end", async () => {
    const { jobId, start } = await drive("setTimeout(() => {}, 300)")
    const [code] = await once(start(), "exit")
    expect(code).toBe(0)
    expect(await house.ended(jobId)).toMatchObject({
      state: "finished",
      result: { jobConfigId: "nightly", jobRunId: jobId, state: "finished" },
      duration: expect.any(Number)
    })
  })

  it("reports what went wrong", async () => {
    const { jobId, start } = await drive("process.exit(3)")
    await once(start(), "exit")
    expect(await house.ended(jobId)).toMatchObject({
      state: "error",
      result: { exception: { message: expect.stringContaining("ended with 3") } }
    })
  })

  it("stops its work when the run is cancelled, and confirms it", async () => {
    const { jobId, start, state } = await drive("setInterval(() => {}, 1000)")
    const ended = once(start(), "exit")
    await expect.poll(state, { timeout: 5_000 }).toBe("running")
    await house.ask(`DELETE /job-launcher/launcher/${jobId}`)
    await ended
    expect(await state()).toBe("cancelled")
  })

  it("does not begin what is over already", async () => {
    const { jobId, start, state } = await drive("throw new Error('never')")
    await house.ask(`DELETE /job-launcher/launcher/${jobId}`)
    const [code] = await once(start(), "exit")
    expect([code, await state()]).toEqual([0, "cancelled"])
  })
})
