/**
 * Every request that the interface's document shows, answered as it shows by a served model over a real socket: ids, times
 * and links are ours, everything else is compared as it stands.
 */
import { rmSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { Server } from "../../packages/cli/test/serve/Server.ts"
import { ask, folderWith, resultOf, serveModels, submission } from "./Server.ts"

const folder = folderWith("examples/pythagoras/model.ts")
let server: Server
beforeAll(async () => void (server = await serveModels(folder)), 30_000)
afterAll(async () => {
  server.kill("SIGTERM")
  await server.ended
  rmSync(folder, { recursive: true })
})

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,7}Z$/)
const ID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)

/** As the document shows it, with what is ours taken out. */
const job = (name: string) => ({
  name,
  inputFileName: "example.csv",
  inputMime: "text/csv; header=present",
  billedUsage: 20,
  recordCount: 3,
  recordGroupCount: 1,
  processingTimeMS: expect.any(Number),
  status: "success",
  errorMessage: null,
  id: ID,
  createdDateUtc: TIME,
  lastUpdatedUtc: TIME
})

const good = (data: unknown) => ({ status: 200, body: { data, isError: false, errorMessage: null } })

const DATA = {
  version: "0.0.1",
  mimeType: "text/csv; header=present",
  name: null,
  mapping: [
    { source: "x1", destination: "x", defaultValue: null },
    { source: "y1", destination: "y", defaultValue: "4" }
  ],
  outputMapping: [{ source: "z", destination: "Zulu", defaultValue: null }]
}
const CSV = "x1,y1\n3,4\n6,8\n3,\n"

describe("The document's requests", () => {
  it("submit, look, rename, list and link, in this order", async () => {
    const { url } = server
    const submitted = await ask(url, "POST jobs", { body: submission(DATA, CSV) })
    expect(submitted).toEqual(good(job("example.csv")))
    const { id, createdDateUtc, lastUpdatedUtc } = submitted.body.data

    expect(await ask(url, `GET jobs/${id}`)).toEqual(submitted)

    const renamed = await ask(url, `PUT jobs/${id}`, {
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "JobNameExample" })
    })
    expect(renamed).toEqual(good({ ...job("JobNameExample"), id, createdDateUtc }))
    expect(Date.parse(renamed.body.data.lastUpdatedUtc)).toBeGreaterThanOrEqual(Date.parse(lastUpdatedUtc))

    const second = await ask(url, "POST jobs", {
      body: submission({ mimeType: DATA.mimeType }, "x,y\n1,1\n2,2\n3,3\n")
    })
    expect(await ask(url, "GET jobs/latest")).toEqual(good([second.body.data, renamed.body.data]))

    const link = await ask(url, `GET jobs/result-link/${id}`)
    expect(link).toEqual(good(expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/.*data_[0-9a-f]{8}\.csv\?/)))
    expect(link.body.data).toContain(`data_${id.slice(0, 8)}.csv`)
    expect(await resultOf(url, id)).toBe("Zulu\n5\n10\n5\n")
  })

  it("charge by begun groups: ten records are two groups of five", async () => {
    const ten = `x,y\n${"3,4\n".repeat(10)}`
    const { body } = await ask(server.url, "POST jobs", { body: submission({ mimeType: "text/csv" }, ten) })
    expect(body.data).toMatchObject({ recordCount: 10, recordGroupCount: 2, billedUsage: 40 })
  })

  it("may leave out or null what is optional, and take JSON", async () => {
    const data = { version: null, mimeType: "application/json", name: null, mapping: null, outputMapping: null }
    const sent = submission(data, '[{"x": 3, "y": 4}]', "example.json")
    const { body } = await ask(server.url, "POST jobs", { body: sent })
    expect(body.data).toMatchObject({ name: "example.json", inputMime: "application/json", status: "success" })
    expect(JSON.parse(await resultOf(server.url, body.data.id))).toEqual([{ z: 5 }])
  })
})
