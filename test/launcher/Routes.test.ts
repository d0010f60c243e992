import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type House, open } from "./House.ts"
import { signals } from "./Signals.ts"

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8")

/** The vendor's example, as its page has it. */
const REPORT = JSON.parse(read("../fixtures/launcher/report.json"))

const NOW = Date.parse(REPORT.jobConfig.referenceTime)

let house: House
beforeAll(async () => void (house = await open()))
afterAll(() => house.close())

const STATUS = "/job-launcher/launcher/status"

const report = (body: object, more: Parameters<House["ask"]>[1] = {}) => house.ask(`POST ${STATUS}`, { ...more, body })

let made = 0
const fresh = (): string => `run-${++made}`

/** The table of the specification: what each report comes to in each state. */
const TABLE = (() => {
  const lines = read("../../docs/spec/launcher.md")
    .split("\n")
    .filter((line) => line.startsWith("|"))
  const [head = [], , ...rows] = lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim())
  )
  return rows.flatMap(([froms = "", ...cells]) =>
    froms.split(", ").flatMap((from) => cells.map((says, i) => ({ from, report: head[i + 1] ?? "", says })))
  )
})()

describe("A report over HTTP", () => {
  it("has a table of 110 cells", () => expect(TABLE).toHaveLength(110))

  it.each(TABLE)("from $from to $report: $says", async ({ from, report: state, says }) => {
    const jobId = fresh()
    if (from !== "no such run") await report({ jobId, state: from, hostname: "before" })
    const answer = await report({ jobId, state, hostname: "after" })
    const after = await house.ask(`GET ${STATUS}/${jobId}`)
    const taken = says === "new" || says === "yes" || (says.startsWith("same") && from === state)
    if (taken) {
      expect(answer).toMatchObject({ status: 200, body: { state, jobId } })
      expect(after.body).toEqual(answer.body)
      expect(answer.body.hostname).toBe(from === state ? "before" : "after")
    } else {
      expect(answer).toMatchObject({
        status: 409,
        body: { state: from, jobId, hostname: "before", code: "command-refused", message: expect.any(String) }
      })
      expect(after.body).toMatchObject({ state: from, hostname: "before" })
    }
  })

  it("is answered with the vendor's example, member for member", async () => {
    const { status, headers, body } = await report(REPORT)
    expect([status, headers.get("content-type")]).toEqual([200, "application/json"])
    expect(body).toEqual(REPORT)
    expect((await report(REPORT)).body).toEqual(REPORT)
  })

  it("keeps what it leaves out and does not replace the configuration", async () => {
    const jobId = fresh()
    await report({ jobId, state: "starting", jobConfig: { id: "a" }, hostname: "h", result: { podId: "p" } })
    await report({ jobId, state: "running", jobConfig: { id: "b" }, result: { aggregated: 1 } })
    expect((await house.ask(`GET ${STATUS}/${jobId}`)).body).toEqual({
      state: "running",
      jobId,
      jobConfig: { id: "a" },
      hostname: "h",
      result: { podId: "p", aggregated: 1 }
    })
  })

  it("that cannot be read names the members in plain JSON", async () => {
    const { status, body } = await report({ state: "done", jobId: "" })
    expect([status, body.code, body.details.map(({ path }: { path: string }) => path)]).toEqual([
      400,
      "malformed-request",
      ["state", "jobId"]
    ])
    expect((await house.ask(`POST ${STATUS}`, { body: "{" })).status).toBe(400)
    expect((await house.ask(`POST ${STATUS}`, { body: "[]" })).body).toMatchObject({ code: "malformed-request" })
  })
})

describe("The token of a run", () => {
  const launched = async () =>
    await house.ask("POST /job-launcher/launcher", { body: { type: "spark", id: "nightly" } })

  it("is told once, and may report and look at that run", async () => {
    const { body, headers } = await launched()
    const { reportToken: token, jobId, ...status } = body
    expect(headers.get("x-report-token")).toBe(token)
    expect(status).toMatchObject({ state: "starting", result: { jobConfigId: "nightly", jobRunId: jobId } })
    expect((await house.ask(`GET ${STATUS}/${jobId}`)).body).not.toHaveProperty("reportToken")
    for (const shown of [{ authorization: `Bearer ${token}` }, { "x-report-token": token }]) {
      const headers = { ...shown }
      expect(await report({ jobId, state: "running" }, { tenant: "nobody", headers })).toMatchObject({ status: 200 })
    }
    const authorization = `Bearer ${token}`
    expect((await house.ask(`GET ${STATUS}/${jobId}`, { tenant: "nobody", headers: { authorization } })).status).toBe(
      200
    )
  })

  it("counts beside what a gateway wants to be shown", async () => {
    const { reportToken, jobId } = (await launched()).body
    const headers = { "x-report-token": reportToken, authorization: `Basic ${btoa("gateway:secret")}` }
    expect((await report({ jobId, state: "running" }, { tenant: "nobody", headers })).status).toBe(200)
  })

  it("says nothing of other runs, and starts none", async () => {
    const [one, two] = [(await launched()).body, (await launched()).body]
    const headers = { authorization: `Bearer ${one.reportToken}` }
    const asked = { tenant: "nobody", headers } as const
    expect((await report({ jobId: two.jobId, state: "running" }, asked)).status).toBe(404)
    expect((await report({ jobId: fresh(), state: "running" }, asked)).status).toBe(404)
    expect((await house.ask(`GET ${STATUS}/${two.jobId}`, asked)).status).toBe(404)
    expect((await house.ask(`DELETE /job-launcher/launcher/${two.jobId}`, asked)).status).toBe(404)
    for (const line of [`GET ${STATUS}`, "GET /api/spark/configurations"]) {
      expect(await house.ask(line, asked)).toMatchObject({ status: 403, body: { code: "forbidden" } })
    }
    const launch = await house.ask("POST /job-launcher/launcher", { ...asked, body: { type: "spark", id: "a" } })
    expect(launch.status).toBe(403)
    expect((await house.ask(`GET ${STATUS}/${two.jobId}`)).body.state).toBe("starting")
  })
})

describe("Launcher", () => {
  it("runs the vendor's configuration verbatim and reports as the vendor's driver does", async () => {
    await house.put("acme", REPORT.jobConfig.inputCollection, signals(11, 500, NOW))
    const launched = await house.ask("POST /job-launcher/launcher", { body: REPORT.jobConfig })
    expect(launched).toMatchObject({ status: 200, body: { state: "starting", jobConfig: REPORT.jobConfig } })
    const status = await house.ended(launched.body.jobId)
    expect(shapeOf(status)).toEqual(shapeOf(REPORT))
    expect(status).toMatchObject({ state: "finished", jobConfig: REPORT.jobConfig, hostname: "driver-1" })
    const { query, aggr_type_s, aggregated, jobConfigId } = status.result
    expect(squeezed(query)).toBe(squeezed(REPORT.result.query))
    expect([aggr_type_s, jobConfigId]).toEqual([REPORT.result.aggr_type_s, REPORT.result.jobConfigId])
    expect(aggregated).toBeGreaterThan(10)
    const watermark = await house.ask(`GET /api/spark/configurations/${jobConfigId}/watermark`)
    expect(watermark.body).toEqual({ referenceTime: REPORT.jobConfig.referenceTime })
    // The next run finds nothing new.
    const again = await house.ask("POST /job-launcher/launcher", { body: REPORT.jobConfig })
    expect(await house.ended(again.body.jobId)).toMatchObject({ state: "skipped", result: { aggregated: 0 } })
  })

  it("ends a run with an error that says what is wrong", async () => {
    await house.put("acme", "words", [{ id: "a", timestamp_tdt: 1 }])
    const body = {
      id: "wrong",
      inputCollection: "words",
      outputCollection: "out",
      sql: "SELECT nothing AS id FROM words"
    }
    const { jobId } = (await house.ask("POST /job-launcher/launcher", { body })).body
    expect(await house.ended(jobId)).toMatchObject({
      state: "error",
      result: { state: "error", exception: { error: "SqlRejected", message: expect.stringContaining("nothing") } }
    })
  })

  it("cancels a run that computes", async () => {
    const rows = Array.from({ length: 3_000 }, (_, id) => ({ id: String(id), timestamp_tdt: 1 }))
    await house.put("acme", "numbers", rows)
    const body = {
      id: "endless",
      inputCollection: "numbers",
      outputCollection: "products",
      sql: "SELECT MAX(concat(a.id, b.id, c.id, d.id)) AS id FROM numbers a CROSS JOIN numbers b CROSS JOIN numbers c CROSS JOIN numbers d"
    }
    const { jobId } = (await house.ask("POST /job-launcher/launcher", { body })).body
    await expect
      .poll(async () => (await house.ask(`GET ${STATUS}/${jobId}`)).body.state, { timeout: 5_000 })
      .toBe("running")
    await new Promise((resolve) => setTimeout(resolve, 500))
    const at = Date.now()
    expect((await house.ask(`DELETE /job-launcher/launcher/${jobId}`)).body.state).toBe("cancelling")
    expect((await house.ended(jobId)).state).toBe("cancelled")
    expect(Date.now() - at).toBeLessThan(2_000)
    expect(await house.ask(`DELETE /job-launcher/launcher/${jobId}`)).toMatchObject({ status: 200 })
  })

  it("refuses to cancel a run that has ended otherwise, and says how", async () => {
    const jobId = fresh()
    await report({ jobId, state: "finished" })
    expect(await house.ask(`DELETE /job-launcher/launcher/${jobId}`)).toMatchObject({
      status: 409,
      body: { state: "finished", code: "command-refused" }
    })
  })

  it("lists runs by state and configuration, newest first", async () => {
    const ids = [fresh(), fresh(), fresh()]
    for (const jobId of ids) await report({ jobId, state: "idle", jobConfig: { id: "listed" } })
    const list = async (query: string) =>
      (await house.ask(`GET ${STATUS}?configuration=listed&${query}`)).body.map(({ jobId }: { jobId: string }) => jobId)
    expect((await list("")).toSorted()).toEqual(ids.toSorted())
    expect(await list("limit=2")).toHaveLength(2)
    await report({ jobId: ids[0], state: "running" })
    expect(await list("state=running&state=finished")).toEqual([ids[0]])
    expect(await house.ask(`GET ${STATUS}?state=over`)).toMatchObject({
      status: 400,
      body: { code: "malformed-request" }
    })
  })
})

describe("A stored configuration", () => {
  const SMALL = { id: "small", inputCollection: "few", outputCollection: "fewer", sql: "SELECT id FROM few" }

  it("is kept as it was sent, listed, launched and removed", async () => {
    await house.put("acme", "few", [{ id: "a", timestamp_tdt: 1 }])
    const kept = { ...SMALL, readOptions: [{ key: "splits_per_shard", value: "4" }], sparkPartitions: 200, mine: null }
    expect((await house.ask("POST /api/spark/configurations", { body: kept })).body).toEqual(kept)
    expect((await house.ask("GET /api/spark/configurations/small")).body).toEqual(kept)
    expect((await house.ask("GET /api/spark/configurations")).body).toEqual([kept])
    const started = await house.ask("POST /api/spark/jobs/small?sync=true")
    expect(started).toMatchObject({ status: 200, body: { state: "finished", reportToken: expect.any(String) } })
    const later = await house.ask("POST /api/spark/jobs/small")
    expect(later.body).toMatchObject({
      state: "starting",
      jobId: expect.stringMatching(/^[a-z]{12}$/),
      jobConfig: kept,
      hostname: expect.any(String),
      result: { jobConfigId: "small", jobRunId: expect.any(String) }
    })
    await house.ended(later.body.jobId)
    const history = (await house.ask("GET /api/jobs/spark:small/history")).body
    expect(history.map(({ jobId }: { jobId: string }) => jobId)).toEqual([later.body.jobId, started.body.jobId])
    expect((await house.ask("DELETE /api/spark/configurations/small")).status).toBe(204)
    for (const line of [
      "GET /api/spark/configurations/small",
      "POST /api/spark/jobs/small",
      "DELETE /api/spark/configurations/small"
    ]) {
      expect(await house.ask(line)).toMatchObject({
        status: 404,
        body: { code: "not-found", message: expect.any(String) }
      })
    }
  })

  it("is refused with the members that are wrong", async () => {
    const { status, body } = await house.ask("POST /api/spark/configurations", {
      body: { ...SMALL, sql: "DELETE FROM few" }
    })
    expect([status, body.details[0].path]).toEqual([400, "sql"])
  })

  it("has a schedule, and actions", async () => {
    await house.ask("POST /api/spark/configurations", { body: { ...SMALL, id: "timed" } })
    const triggers = [
      { type: "cron", expression: "0 4 * * *", timeZone: "Europe/Berlin" },
      { type: "interval", interval: 15, timeUnit: "minute" }
    ]
    const set = await house.ask("PUT /api/jobs/spark:timed/schedule", { body: { enabled: false, triggers } })
    expect(set.body).toEqual({ resource: "spark:timed", enabled: false, triggers, lastTime: null, nextTime: null })
    const on = await house.ask("PUT /api/jobs/spark:timed/schedule", { body: { triggers } })
    expect(Date.parse(on.body.nextTime)).toBeGreaterThan(Date.now())
    expect((await house.ask("GET /api/jobs/spark:timed/schedule")).body).toEqual(on.body)
    const bad = await house.ask("PUT /api/jobs/spark:timed/schedule", { body: { triggers: [{ type: "job" }] } })
    expect([bad.status, bad.body.details[0].path]).toEqual([400, "triggers[0]"])

    const act = (action: string) => house.ask("POST /api/jobs/spark:timed/actions", { body: { action } })
    const started = await act("start")
    expect(started.body).toMatchObject({ resource: "spark:timed", action: "start", accepted: true })
    await house.ended(started.body.jobIds[0])
    expect((await act("stop")).body).toEqual({ resource: "spark:timed", action: "stop", accepted: false, jobIds: [] })
    const waiting = await house.ask("POST /job-launcher/launcher?driver=outside", { body: { ...SMALL, id: "timed" } })
    expect((await act("stop")).body).toMatchObject({ accepted: true, jobIds: [waiting.body.jobId] })
    expect((await act("pause")).body.details[0].path).toBe("action")
    for (const resource of ["timed", "spark:gone", "spark:", "sql:timed"]) {
      expect((await house.ask(`GET /api/jobs/${resource}/schedule`)).status).toBe(404)
    }
  })

  it("has a watermark that can be set and forgotten", async () => {
    const path = "/api/spark/configurations/marked/watermark"
    const referenceTime = "2025-10-17T18:56:14.660Z"
    expect((await house.ask(`GET ${path}`)).body).toEqual({ referenceTime: null })
    expect((await house.ask(`PUT ${path}`, { body: { referenceTime } })).body).toEqual({ referenceTime })
    expect((await house.ask(`GET ${path}`)).body).toEqual({ referenceTime })
    expect((await house.ask(`GET ${path}`, { tenant: "other" })).body).toEqual({ referenceTime: null })
    expect((await house.ask(`PUT ${path}`, { body: { referenceTime: "today" } })).body.details[0].path).toBe(
      "referenceTime"
    )
    expect((await house.ask(`PUT ${path}`, { body: { referenceTime: null } })).body).toEqual({ referenceTime: null })
  })
})

describe("Another tenant", () => {
  it("sees no run, configuration or row of the first, and cannot touch them", async () => {
    const jobId = fresh()
    await report({ jobId, state: "running" })
    await house.ask("POST /api/spark/configurations", { body: { id: "secret", type: "spark" } })
    const other = { tenant: "other" } as const
    expect((await house.ask(`GET ${STATUS}/${jobId}`, other)).status).toBe(404)
    expect((await house.ask(`DELETE /job-launcher/launcher/${jobId}`, other)).status).toBe(404)
    expect((await house.ask(`GET ${STATUS}`, other)).body).toEqual([])
    expect((await house.ask("GET /api/spark/configurations", other)).body).toEqual([])
    for (const line of [
      "GET /api/spark/configurations/secret",
      "POST /api/spark/jobs/secret",
      "GET /api/jobs/spark:secret/schedule"
    ]) {
      expect((await house.ask(line, other)).status).toBe(404)
    }
    // The same name is another run there.
    expect((await report({ jobId, state: "finished" }, other)).status).toBe(200)
    expect((await house.ask(`GET ${STATUS}/${jobId}`)).body.state).toBe("running")
    await house.put("acme", "private", [{ id: "a", timestamp_tdt: 1 }])
    const body = { id: "thief", inputCollection: "private", sql: "SELECT id FROM private", skipJobIfSignalsEmpty: true }
    const stolen = await house.ask("POST /job-launcher/launcher", { ...other, body })
    await expect
      .poll(async () => (await house.ask(`GET ${STATUS}/${stolen.body.jobId}`, other)).body.state, { timeout: 5_000 })
      .toBe("skipped")
  })

  it("is asked who it is, in plain JSON, as is everybody", async () => {
    for (const line of [
      `GET ${STATUS}`,
      `POST ${STATUS}`,
      "GET /api/spark/configurations",
      "GET /api/jobs/spark:a/history"
    ]) {
      const { status, body } = await house.ask(line, { tenant: "nobody" })
      expect([status, body.code, Object.keys(body)]).toEqual([401, "unauthenticated", ["message", "code"]])
    }
    expect(await house.ask("GET /job-launcher/nothing")).toMatchObject({ status: 404, body: { code: "not-found" } })
    expect(await house.ask("DELETE /api/spark/configurations")).toMatchObject({
      status: 405,
      body: { code: "method-not-allowed" }
    })
  })
})

/** Names of members and kinds of values, and how texts look that are ids or times. */
const shapeOf = (value: unknown): unknown =>
  typeof value !== "object" || value === null
    ? typeof value
    : Array.isArray(value)
      ? value.map(shapeOf)
      : Object.fromEntries(
          Object.entries(value)
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, one]) => [name, shapeOf(one)])
        )

const squeezed = (sql: string): string => sql.replace(/\s+/g, " ").replaceAll("( ", "(").replaceAll(" )", ")")
