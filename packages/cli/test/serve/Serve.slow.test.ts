import { writeFileSync } from "node:fs"
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { type Document, inside, json, type Running, start, temporary, visible } from "../support/Sotto.ts"
import { createJob, finished, furnish, getJob, requestOf, serve, type Server } from "./Server.ts"

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
  it("runs what createJob asks for, and logs every request on a line without its query", async () => {
    const { url, log } = await serving(furnished("whole"))
    expect((await createJob(url, "one")).status).toBe(202)
    const job = await finished(url, "one")
    expect(job["result_info"]).toMatchObject({ return_code: "SUCCESS" })
    expect(visible(path("whole", "output"))).toEqual(["one-1-of-1.avro"])
    const [created, asked] = log().filter(({ method }) => method !== undefined)
    expect(created).toMatchObject({ level: "info", method: "POST", path: "/v1alpha/createJob", status: 202 })
    expect(created?.["requestId"]).toMatch(/^[0-9a-f]{32}$/)
    expect(asked).toMatchObject({ method: "GET", path: "/v1alpha/getJob", status: 200 })
  })

  it("answers what it has begun and hands running jobs back when it is told to stop", async () => {
    const { url, says, kill, ended } = await serving(furnished("drained"), [], { pauseAt: "summed" })
    await createJob(url, "one")
    await says("paused at summed")
    // The head and a part of the body are there; the rest comes when the stop has begun.
    const slow = request(`${url}/v1alpha/createJob`, { method: "POST", headers: { expect: "100-continue" } })
    const answered = new Promise<number | undefined>((resolve, reject) =>
      slow.on("error", reject).on("response", (response) => resolve(response.statusCode))
    )
    await new Promise((resolve) => slow.on("continue", resolve).flushHeaders())
    const body = JSON.stringify(requestOf("two"))
    slow.write(body.slice(0, 20))
    kill("SIGTERM")
    await says("Stopping.")
    await expect(fetch(`${url}/healthz`)).rejects.toThrow()
    slow.end(body.slice(20))
    expect(await answered).toBe(202)
    expect((await ended).code).toBe(0)
    const { jobs } = await json(["jobs", "list", "--store", path("drained", "sotto.db")])
    expect(jobs.map(({ state, failures, startedAt }: Document) => [state, failures, startedAt === null])).toEqual([
      ["Queued", 0, true],
      ["Queued", 0, false]
    ])
  })

  it("kill -9 after paying, and a start anew: the job is finished by a later epoch, free", async () => {
    const { url, says, kill, ended } = await serving(furnished("killed"), [], { pauseAt: "paid" })
    await createJob(url, "one")
    await says("paused at paid")
    kill("SIGKILL")
    expect((await ended).signal).toBe("SIGKILL")
    expect(visible(path("killed", "output"))).toEqual([])
    const again = await serving("killed")
    expect((await finished(again.url, "one"))["result_info"]).toMatchObject({ return_code: "SUCCESS" })
    expect(visible(path("killed", "output"))).toEqual(["one-1-of-1.avro"])
    const store = ["--store", path("killed", "sotto.db")]
    const { jobs } = await json(["jobs", "list", ...store])
    const job = await json(["jobs", "get", ...store, jobs[0].id])
    expect(job).toMatchObject({ state: "Succeeded", failures: 1, result: { budget: { use: "Replayed" } } })
  })

  it("ends at once by a second signal", async () => {
    const { url, says, kill, ended } = await serving("impatient")
    const slow = request(`${url}/v1alpha/createJob`, { method: "POST", headers: { expect: "100-continue" } })
    slow.on("error", () => {})
    await new Promise((resolve) => slow.on("continue", resolve).flushHeaders())
    kill("SIGTERM")
    await says("Stopping.")
    kill("SIGTERM")
    expect(await ended).toMatchObject({ code: null, signal: "SIGTERM" })
  })

  it("leaves jobs to `sotto worker` with --no-workers", async () => {
    const { url } = await serving(furnished("apart"), ["--no-workers"])
    await createJob(url, "one")
    const worker = await running(start(["worker", "--folder", path("apart")]))
    expect((await finished(url, "one"))["result_info"]).toMatchObject({ return_code: "SUCCESS" })
    worker.kill("SIGTERM")
    const { code, stderr } = await worker.ended
    expect(code).toBe(0)
    expect(stderr).toMatch(/"message":"Working".*"message":"Stopped\."/s)
  })

  it("charges a tenant's questions in its own scope of the ledger", async () => {
    const config = { folder: "scoped", tenants: { default: { ledgerScope: "north", sites: ["https://example.com"] } } }
    writeFileSync(path("scoped.json"), JSON.stringify(config))
    const { url } = await serving(furnished("scoped"), ["--config", path("scoped.json")])
    await createJob(url, "one")
    await finished(url, "one")
    const history = (scope: string) =>
      inside("budget", "history", "--ledger", path("scoped", "sotto.db"), "--scope", scope)
    expect((await history("north")).stdout).toContain("The chain of 1 question is whole.")
    expect((await history("default")).stderr).toContain('no scope "default"; it has "north"')
  })

  it("prints no secret", async () => {
    const secret = `sotto_0123456789abcdef_${"5ec2e7".repeat(11).slice(0, 64)}`
    writeFileSync(
      path("keyed.json"),
      JSON.stringify({
        folder: "keyed",
        apiKeys: [{ tenant: "default", name: "ci", secret: { env: "SOTTO_TEST_KEY" } }],
        telemetry: { prometheus: false },
        log: { level: "trace" }
      })
    )
    const { url, log, kill, ended } = await serving("keyed", ["--config", path("keyed.json")], {
      env: { SOTTO_TEST_KEY: secret }
    })
    expect(log()[0]).toMatchObject({ apiKeys: "asked for" })
    expect((await fetch(`${url}/v1alpha/getJob?job_request_id=one`)).status).toBe(401)
    for (const headers of [{ "x-api-key": secret }, { authorization: `Bearer ${secret}` }])
      expect((await getJob(url, "one", headers))["code"]).toBe(5)
    await fetch(`${url}/v1alpha/getJob?token=${secret}&job_request_id=one`)
    await fetch(`${url}/v1alpha/getJob`, { headers: { "x-api-key": `${secret}0` } })
    expect((await fetch(`${url}/metrics`, { headers: { "x-api-key": secret } })).status).toBe(404)
    kill("SIGTERM")
    const { stdout, stderr } = await ended
    expect(stdout + stderr).not.toContain("5ec2e7")
  })

  it("sends traces, metrics and logs to a collector, the last of them when it stops", async () => {
    const received = new Map<string, string>()
    const collector = createServer((request, response) => {
      received.set(String(request.url), String(request.headers.authorization))
      request.resume().on("end", () => response.end("{}"))
    }).listen(0, "127.0.0.1")
    await new Promise((resolve) => collector.on("listening", resolve))
    const otlp = {
      url: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      headers: { authorization: { env: "SOTTO_TEST_COLLECTOR" } }
    }
    writeFileSync(path("observed.json"), JSON.stringify({ folder: "observed", telemetry: { otlp } }))
    const { url, kill, ended } = await serving("observed", ["--config", path("observed.json")], {
      env: { SOTTO_TEST_COLLECTOR: "Bearer 5ec2e7" }
    })
    await fetch(`${url}/v1/jobs`)
    kill("SIGTERM")
    const { code, stderr } = await ended
    collector.close()
    expect([code, stderr.includes("5ec2e7")]).toEqual([0, false])
    expect(Object.fromEntries(received)).toEqual({
      "/v1/traces": "Bearer 5ec2e7",
      "/v1/metrics": "Bearer 5ec2e7",
      "/v1/logs": "Bearer 5ec2e7"
    })
  })

  it("listens on other hosts when there are keys", async () => {
    const key = { tenant: "default", name: "ci", id: "0".repeat(16), hash: "0".repeat(64) }
    writeFileSync(path("open.json"), JSON.stringify({ folder: "open", apiKeys: [key] }))
    const { url } = await serving("open", ["--config", path("open.json"), "--host", "0.0.0.0"])
    expect(url).toMatch(/^http:\/\/0\.0\.0\.0:/)
  })

  it("answers nobody who calls it by another name, or from a page of another origin, as long as there are no keys", async () => {
    const { url } = await serving("rebound")
    const status = (headers: Readonly<Record<string, string>>) =>
      new Promise((resolve, reject) =>
        request(`${url}/healthz`, { headers }, ({ statusCode }) => resolve(statusCode))
          .on("error", reject)
          .end()
      )
    const { port } = new URL(url)
    expect(await status({ host: `evil.example:${port}` })).toBe(421)
    expect(await status({ origin: "https://evil.example" })).toBe(421)
    const refused = await fetch(`${url}/healthz`, { headers: { origin: "https://evil.example" } })
    expect(refused.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/)
    expect(await status({ host: `localhost:${port}`, origin: `http://127.0.0.1:${port}` })).toBe(200)
  })
})
