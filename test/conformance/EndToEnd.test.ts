/** A client that knows only the original's documents, against jobs that really run: encrypted reports, noise, budget. */
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Contributions, report } from "@sotto/client"
import { type EngineServices, SERVICES } from "@sotto/engine"
import type * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import { createEngine, type SottoEngine } from "sotto"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { type BrowserReport, readSummary, runJob, writeDomain, writeReports } from "./DocumentedClient.ts"
import { serve, type Server } from "./Server.ts"

// Threads run from sources here; what is compiled once need not be compiled by each of them.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "sotto-test-compile-cache")

const ORIGIN = "https://reports.example.com"

/** Noise of ε = 64 passes this in one run of 10¹⁵. */
const WITHIN = 40_000

let folder = ""
let engine: SottoEngine
let server: Server

const at = (...names: ReadonlyArray<string>) => join(folder, ...names)

let hours = 0

/**
 * `count` reports of an hour of their own, hence with a budget of their own; each adds 10 000 to bucket 1 and, every
 * second one, 5 000 to bucket 2.
 */
const sealReports = async (count: number): Promise<ReadonlyArray<BrowserReport>> => {
  const scheduledReportTime = new Date(Date.now() - ++hours * 3_600_000)
  const { keys } = JSON.parse(await readFile(at("keys.json"), "utf8"))
  const sealed: Array<BrowserReport> = []
  for (let n = 0; n < count; n++) {
    const contributions = new Contributions().add({ bucket: 1n, value: 10_000 })
    if (n % 2 === 0) contributions.add({ bucket: 2n, value: 5_000 })
    sealed.push(
      await report({
        publicKey: keys[0],
        contributions,
        api: "shared-storage",
        reportingOrigin: ORIGIN,
        scheduledReportTime,
        debugMode: true
      })
    )
  }
  return sealed
}

const batch = async (name: string, reports: ReadonlyArray<BrowserReport>) => {
  await mkdir(at("reports", name), { recursive: true })
  await writeReports(at("reports", name, "1.avro"), reports.slice(0, reports.length / 2))
  await writeReports(at("reports", name, "2.avro"), reports.slice(reports.length / 2))
}

const request = (id: string, input: string, parameters: object = {}, more: object = {}) => ({
  job_request_id: id,
  input_data_blob_prefix: input,
  input_data_bucket_name: "reports",
  output_data_blob_prefix: `${id}/summary.avro`,
  output_data_bucket_name: "output",
  job_parameters: {
    attribution_report_to: ORIGIN,
    output_domain_blob_prefix: "keys",
    output_domain_bucket_name: "domains",
    ...parameters
  },
  ...more
})

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sotto-conformance-"))
  engine = await createEngine({ folder, lanes: 1, log: "none" })
  server = await serve(Layer.succeedContext(engine[SERVICES] as Context.Context<EngineServices>))
  await writeDomain(at("domains", "keys.avro"), [1n, 2n, 3n])
  for (const name of ["first", "second", "third"]) await batch(name, await sealReports(40))
})
afterAll(async () => {
  await server?.stop()
  await engine?.close()
  await rm(folder, { recursive: true, force: true })
})

describe("a client of the documented API", () => {
  it("gets a summary of encrypted reports within the noise", async () => {
    const ended = await runJob(server.url, request("first", "first/", { debug_privacy_epsilon: "64" }))
    expect(ended).toMatchObject({
      job_request_id: "first",
      result_info: {
        return_code: "SUCCESS",
        return_message: "Aggregation job successfully processed",
        error_summary: { error_counts: [], error_messages: [] }
      }
    })
    const processing = Date.parse(ended.request_updated_at) - Date.parse(ended.request_processing_started_at)
    expect(processing).toBeGreaterThanOrEqual(0)
    const rows = await readSummary(at("output", "first", "summary-1-of-1.avro"))
    expect(rows.map(({ bucket }) => bucket)).toEqual([1n, 2n, 3n])
    for (const [n, sum] of [400_000, 100_000, 0].entries()) {
      expect(Math.abs(rows[n]?.["metric"] - sum)).toBeLessThan(WITHIN)
    }
  })

  it("is told of reports that cannot be counted", async () => {
    const [one, other, ...good] = await sealReports(30)
    // Its public part was changed after it was sealed.
    const forged = { ...(one as BrowserReport), shared_info: (other as BrowserReport).shared_info }
    await batch("broken", [forged, ...good])
    const { result_info } = await runJob(server.url, request("broken", "broken/"))
    expect(result_info.return_code).toBe("SUCCESS_WITH_ERRORS")
    expect(result_info.error_summary.error_counts).toMatchObject([
      { category: "DECRYPTION_ERROR", count: 1, description: expect.stringContaining("Unable to decrypt") },
      { category: "NUM_REPORTS_WITH_ERRORS", count: 1 }
    ])
    const failed = await runJob(server.url, request("strict", "broken/", { report_error_threshold_percentage: "0" }))
    expect(failed.result_info).toMatchObject({
      return_code: "REPORTS_WITH_ERRORS_EXCEEDED_THRESHOLD",
      error_summary: { error_counts: [{ category: "DECRYPTION_ERROR" }, { category: "NUM_REPORTS_WITH_ERRORS" }] }
    })
  })

  it("is told of an exhausted budget, with the file that names the reports", async () => {
    await runJob(server.url, request("once", "second/"))
    const { result_info, request_received_at } = await runJob(
      server.url,
      request("twice", "second/", { debug_privacy_epsilon: "5" })
    )
    expect(result_info.return_code).toBe("PRIVACY_BUDGET_EXHAUSTED")
    const name = `privacy_budget_exhausted_debugging_information_${request_received_at}.json`
    expect(result_info.return_message).toBe(
      `Insufficient privacy budget for one or more aggregatable reports. No aggregatable report can appear in more than one aggregation job. Information related to reports that do not have budget can be found in the following file:\n File path: output/twice/summary \n Filename: ${name} \n`
    )
    const file = JSON.parse(await readFile(at("output", "twice", "summary", name), "utf8"))
    expect(
      file.privacy_budget_exhausted_info.aggregatable_input_budget_consumption_info[0].aggregateable_input_budget_id
    ).toMatchObject({ filtering_id: 0, relevant_shared_info: { api: "shared-storage", reporting_origin: ORIGIN } })
    expect(existsSync(at("output", "twice", "summary-1-of-1.avro"))).toBe(false)
  })

  it("asks the same question again for free, and gets the same bytes", async () => {
    const again = await runJob(server.url, request("again", "first/", { debug_privacy_epsilon: "64" }))
    expect(again.result_info.return_code).toBe("SUCCESS")
    const bytes = (id: string) => readFile(at("output", id, "summary-1-of-1.avro"))
    expect(await bytes("again")).toEqual(await bytes("first"))
  })

  it("debugs a job: both files, the same noise in both, and no budget", async () => {
    const debug = request("debug", "second/", { debug_run: "true" })
    expect((await runJob(server.url, debug)).result_info.return_code).toBe("SUCCESS")
    const summary = await readSummary(at("output", "debug", "summary-1-of-1.avro"))
    const rows = await readSummary(at("output", "debug", "debug", "summary-1-of-1.avro"))
    expect(rows.map(({ unnoised_metric }) => unnoised_metric)).toEqual([400_000, 100_000, 0])
    expect(rows.map(({ unnoised_metric, noise }) => unnoised_metric + noise)).toEqual(
      summary.map(({ metric }) => metric)
    )
  })

  it("shares a budget by job_epsilon, up to 64, and by that alone", async () => {
    const shared = (id: string, job_epsilon: number) =>
      runJob(server.url, request(id, "third/", {}, { privacy_params: { laplace_dp_params: { job_epsilon } } }))
    expect((await shared("share-1", 40)).result_info.return_code).toBe("SUCCESS")
    expect((await shared("share-2", 24)).result_info.return_code).toBe("SUCCESS")
    expect((await shared("share-3", 0.01)).result_info.return_code).toBe("PRIVACY_BUDGET_EXHAUSTED")
    const alone = await runJob(server.url, request("alone", "third/", { debug_privacy_epsilon: "1" }))
    expect(alone.result_info.return_code).toBe("PRIVACY_BUDGET_EXHAUSTED")
  })

  it("reads several prefixes, and is told when nothing lies under them", async () => {
    const prefixes = (id: string, ...all: ReadonlyArray<string>) =>
      runJob(server.url, {
        ...request(id, "", { debug_run: true }),
        input_data_blob_prefix: undefined,
        input_data_blob_prefixes: all
      })
    expect((await prefixes("several", "first/1", "first/2", "first/")).result_info.return_code).toBe("SUCCESS")
    const rows = await readSummary(at("output", "several", "debug", "summary-1-of-1.avro"))
    expect(rows[0]?.["unnoised_metric"]).toBe(400_000)
    expect((await prefixes("nothing", "a/", "b/")).result_info).toMatchObject({
      return_code: "INPUT_DATA_READ_FAILED",
      return_message: expect.stringContaining("No report shards found for location: [reports/a/, reports/b/]")
    })
  })
})
