/** Buckets are folders, and no request leads out of them: by createJob or submit, reading or writing, by name or by link. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { type EngineServices, SERVICES } from "@sotto/engine"
import type * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { createEngine, type SottoEngine } from "sotto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { furnish, requestOf } from "../../packages/cli/test/serve/Server.ts"
import { inside, temporary } from "../../packages/cli/test/support/Sotto.ts"
import { keyOf, serve, type Server, tenant } from "../conformance/Server.ts"

const { path, remove } = temporary()
let engine: SottoEngine
let server: Server

/** What lies outside of every bucket: good reports, which a job that got at them would count. */
const OUTSIDE = ["reports.avro", "domain.avro", "keys.json"]

/** Every file below a folder with its bytes; links are not followed. */
const filesBelow = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, `${statSync(file).size} ${readFileSync(file, "latin1").slice(0, 100)}`])
  )

beforeAll(async () => {
  await inside("reports", "generate", "--keys", path("keys.json"), "--count", "20", "--out", path("made"))
  furnish(path("house"), path("made"), path("keys.json"))
  mkdirSync(path("house", "output"))
  mkdirSync(path("secret"))
  for (const name of OUTSIDE) copyFileSync(name === "keys.json" ? path(name) : path("made", name), path("secret", name))
  for (const bucket of ["reports", "domains", "output"]) {
    symlinkSync(path("secret"), path("house", bucket, "folder"))
    for (const name of OUTSIDE) symlinkSync(path("secret", name), path("house", bucket, `link-${name}`))
  }
  engine = await createEngine({ folder: path("house"), lanes: 1, log: "none" })
  server = await serve(Layer.succeedContext(engine[SERVICES] as Context.Context<EngineServices>), {
    tenants: [tenant("north", { buckets: ["reports", "domains", "output"] })]
  })
})
afterAll(async () => {
  await server?.stop()
  await engine?.close()
  remove()
})

const ask = (place: string, init: RequestInit = {}) =>
  fetch(`${server.url}${place}`, {
    ...init,
    headers: { "x-api-key": keyOf("north"), "content-type": "application/json", ...init.headers }
  })

let jobs = 0

/** How a request to createJob ends: refused at once, or by its return code. */
const created = async (changes: object, parameters: object = {}): Promise<string> => {
  const id = `job-${++jobs}`
  const valid = requestOf(id)
  const body = { ...valid, ...changes, job_parameters: { ...valid.job_parameters, ...parameters } }
  const { status } = await ask("/v1alpha/createJob", { method: "POST", body: JSON.stringify(body) })
  if (status !== 202) return String(status)
  for (;;) {
    const got = (await (await ask(`/v1alpha/getJob?job_request_id=${id}`)).json()) as {
      readonly job_status: string
      readonly result_info?: { readonly return_code: string }
    }
    if (got.job_status === "FINISHED") return got.result_info?.return_code ?? ""
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** How the first try to write at a prefix ends; what failed for want of a place would be tried again for minutes. */
const written = async (prefix: string): Promise<string> => {
  const id = `out-${++jobs}`
  const body = { ...requestOf(id), output_data_blob_prefix: prefix }
  const { status } = await ask("/v1alpha/createJob", { method: "POST", body: JSON.stringify(body) })
  if (status !== 202) return String(status)
  for (;;) {
    const { jobs: found } = (await (await ask(`/v1/jobs?key=${id}`)).json()) as {
      readonly jobs: ReadonlyArray<{ readonly id: string; readonly state: string; readonly failures: number }>
    }
    const [job] = found
    if (job !== undefined && (job.failures > 0 || /^(Succeeded|Failed)$/.test(job.state))) {
      if (job.failures > 0) await ask(`/v1/jobs/${job.id}/cancel`, { method: "POST" })
      return job.failures > 0 ? "Failed" : job.state
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Ways out of a bucket to a file, or to whatever lies in a folder. */
const ways = (file: string): ReadonlyArray<string> => [
  `../../secret/${file}`,
  `folder/../../../secret/${file}`,
  `./../../secret/${file}`,
  `..%2f..%2fsecret%2f${file}`,
  `..\\..\\secret\\${file}`,
  `%2e%2e/%2e%2e/secret/${file}`,
  path("secret", file),
  `file://${path("secret", file)}`,
  `folder/${file}`,
  `link-${file}`,
  `../reports/../../secret/${file}`,
  `${file}\0`,
  "..",
  "../",
  "/"
]

const REFUSED = /^(400|403|INPUT_DATA_READ_FAILED|INVALID_JOB|PERMISSION_ERROR)$/

describe("A request", () => {
  it("is run when it stays where it may be", async () => {
    expect(await created({})).toBe("SUCCESS")
    expect(readdirSync(path("house", "output"))).toContain("job-1-1-of-1.avro")
  })

  it.each(ways("reports.avro"))("reads no reports at %j", async (prefix) => {
    expect(await created({ input_data_blob_prefix: prefix })).toMatch(REFUSED)
    expect(await created({ input_data_blob_prefix: undefined, input_data_blob_prefixes: [prefix] })).toMatch(REFUSED)
  })

  it.each(ways("domain.avro"))("reads no domain at %j", async (prefix) => {
    expect(await created({}, { output_domain_blob_prefix: prefix })).toMatch(REFUSED)
  })

  it.each([
    "..",
    "../secret",
    "secret",
    "",
    ".",
    "/",
    "reports/..",
    "reports/folder",
    "%2e%2e",
    "__proto__",
    "output\0"
  ])("finds no bucket called %j", async (bucket) => {
    expect(await created({ input_data_bucket_name: bucket })).toMatch(REFUSED)
    expect(await created({ output_data_bucket_name: bucket })).toMatch(REFUSED)
    expect(await created({}, { output_domain_bucket_name: bucket })).toMatch(REFUSED)
  })

  it("writes nothing outside, neither by name nor through a link", async () => {
    const before = filesBelow(path("secret"))
    const around = readdirSync(path())
    const tried: Array<string> = []
    for (const prefix of [...ways("out.avro"), ...ways("reports.avro")]) tried.push(await written(prefix))
    expect(filesBelow(path("secret"))).toEqual(before)
    expect(readdirSync(path())).toEqual(around)
    expect(readdirSync(path("house")).filter((name) => name.includes("avro"))).toEqual([])
    // Where it was not refused it is a name like others inside of the bucket: a backslash and a percent sign are letters.
    expect(tried.filter((one) => one !== "Succeeded").length).toBeGreaterThan(10)
  })

  it.each(ways("reports.avro"))("reads no reports at %j by the native interface either", async (prefix) => {
    const { job_parameters, ...valid } = requestOf("native")
    const parameters = {
      inputDataBucketName: valid.input_data_bucket_name,
      inputDataBlobPrefix: prefix,
      outputDataBucketName: valid.output_data_bucket_name,
      outputDataBlobPrefix: valid.output_data_blob_prefix,
      jobParameters: job_parameters
    }
    const answer = await ask("/v1/jobs", {
      method: "POST",
      headers: { prefer: "wait=30" },
      body: JSON.stringify({ kind: "aggregation", parameters })
    })
    if (answer.status === 202) expect(((await answer.json()) as { state: string }).state).toBe("Failed")
    else expect([400, 403, 422]).toContain(answer.status)
  })
})
