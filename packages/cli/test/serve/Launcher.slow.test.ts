import { mkdirSync, writeFileSync } from "node:fs"
import { afterAll, expect, it } from "vitest"
import { temporary } from "../support/Sotto.ts"
import { serve, type Server } from "./Server.ts"

const { path, remove } = temporary()
const servers: Array<Server> = []
afterAll(async () => {
  for (const server of servers) {
    server.kill("SIGTERM")
    await server.ended
  }
  remove()
})

/** A server in a folder of its own, with what its configuration adds. */
const serving = async (name: string, more: object): Promise<Server> => {
  const folder = path(name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/sotto.json`, JSON.stringify({ folder: ".", ...more }))
  const server = await serve(["--config", `${folder}/sotto.json`])
  servers.push(server)
  return server
}

const CLICKS = {
  id: "clicks",
  inputCollection: "signals",
  outputCollection: "clicks",
  sql: "SELECT doc AS id, SUM(n) AS n_i FROM signals GROUP BY doc"
}

it("runs SQL over collections in a bucket of its own, which no job of a tenant can name", async () => {
  const { url } = await serving("launcher", { launcher: { memoryMiB: 128, threads: 1 } })
  const folder = path("launcher", "collections", "default", "signals")
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/1.ndjson`, '{"doc":"a","n":1,"timestamp_tdt":1}\n{"doc":"a","n":2,"timestamp_tdt":2}\n')
  const send = (line: string, body?: object) => {
    const [method = "", at = ""] = line.split(" ")
    return fetch(`${url}${at}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
  }
  expect((await send("POST /api/spark/configurations", CLICKS)).status).toBe(200)
  const run = (await (await send("POST /api/spark/jobs/clicks?sync=true")).json()) as Record<string, unknown>
  expect(run).toMatchObject({ state: "finished", result: { aggregated: 1, aggr_type_s: "click@doc" } })
  const stolen = await send("POST /v1alpha/createJob", {
    job_request_id: "thief",
    input_data_bucket_name: "collections",
    input_data_blob_prefix: "default/signals/",
    output_data_bucket_name: "output",
    output_data_blob_prefix: "x.avro",
    job_parameters: {
      reporting_site: "https://example.com",
      output_domain_bucket_name: "domains",
      output_domain_blob_prefix: "domain.avro"
    }
  })
  expect([stolen.status, await stolen.text()]).toEqual([403, expect.stringContaining('\\"collections\\" is not yours')])
  const { paths } = (await (await send("GET /openapi.json")).json()) as { paths: object }
  expect(Object.keys(paths)).toContain("/job-launcher/launcher/status")
})

it("offers no launcher unless it is configured", async () => {
  const { url } = await serving("plain", {})
  expect((await fetch(`${url}/job-launcher/launcher/status`)).status).toBe(404)
})
