import { decode } from "cborg"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isRejected, readContainer, rowReader } from "@sotto/avro"
import { AVRO_SCHEMAS, filteringIds, parseSharedInfo, reportChecker } from "@sotto/core/aggregation"
import { describe, expect, it } from "vitest"
import { generateFiles, type GenerateOptions } from "../../src/reports/Generate.ts"
import { campaignKeySpace, csvKeySpace } from "../../src/reports/KeySpace.ts"
import { readReports, type ReportRow } from "../../src/reports/ReportFile.ts"
import { unseal } from "../../src/reports/Unseal.ts"
import { temporaryFolder, testKey } from "./support.ts"

const root = temporaryFolder()
let folders = 0

const options: GenerateOptions = { count: 300, seed: "7", keySpace: campaignKeySpace(20, 5), asOf: 1_700_000_000 }

const run = async (changes: Partial<GenerateOptions> = {}) => {
  const folder = join(root, String(folders++))
  const truth = await generateFiles({ ...options, ...changes }, folder)
  return { folder, truth, rows: [...readReports(join(folder, "reports.avro"))] }
}

const hashOf = (folder: string) =>
  ["reports.avro", "domain.avro", "truth.json"].map((name) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex")
  )

const numberOf = (bytes: Uint8Array) => BigInt(`0x0${Buffer.from(bytes).toString("hex")}`)

/** Sums of the cleartext rows, by an independent decoder. */
const sumsOf = (rows: ReadonlyArray<ReportRow>) => {
  const sums = new Map<bigint, bigint>()
  for (const { payload } of rows) {
    const { data } = decode(payload) as { data: Array<{ bucket: Uint8Array; value: Uint8Array }> }
    expect(data).toHaveLength(20)
    expect(data.reduce((sum, { value }) => sum + numberOf(value), 0n)).toBeLessThanOrEqual(65_536n)
    for (const { bucket, value } of data)
      sums.set(numberOf(bucket), (sums.get(numberOf(bucket)) ?? 0n) + numberOf(value))
  }
  return sums
}

const opened = (rows: ReadonlyArray<ReportRow>) =>
  [...unseal(rows, [testKey])].map((result) => {
    if (result._tag !== "Opened") throw new Error(result.hint)
    return result.row
  })

const domainOf = (folder: string) => {
  const file = readContainer("domain.avro", readFileSync(join(folder, "domain.avro")))
  if (isRejected(file) || file.header === undefined) throw new Error("no domain")
  const reader = rowReader<{ bucket: Uint8Array }>("domain.avro", file.header, AVRO_SCHEMAS.domain)
  if (isRejected(reader)) throw new Error(reader.reason)
  const buckets: Array<bigint> = []
  for (const block of file.blocks) reader.each(block, block.bytes, ({ bucket }) => buckets.push(numberOf(bucket)))
  return buckets
}

describe("generateFiles", () => {
  it("makes the same bytes for the same seed, whatever the number of threads, and others for another", async () => {
    const base = await run({ count: 1010, publicKey: testKey, threads: 1 })
    expect(hashOf((await run({ count: 1010, publicKey: testKey, threads: 3 })).folder)).toEqual(hashOf(base.folder))
    // Not one id or ephemeral key comes twice, batches included.
    expect(new Set(base.rows.map(({ shared_info }) => JSON.parse(shared_info).report_id)).size).toBe(1010)
    expect(new Set(base.rows.map(({ payload }) => Buffer.from(payload.subarray(0, 32)).toString("hex"))).size).toBe(
      1010
    )
    const other = await run({ publicKey: testKey, seed: "8" })
    expect(other.rows[0]?.shared_info).not.toBe(base.rows[0]?.shared_info)
    // A longer set of the same seed begins with the shorter one.
    expect((await run({ publicKey: testKey })).rows).toEqual(base.rows.slice(0, 300))
  })

  it("tells the true sums of the reports, the keys that nobody hit included", async () => {
    const { folder, rows, truth } = await run({ count: 501 })
    expect(rows).toHaveLength(501)
    const sums = sumsOf(rows)
    expect([...sums.keys()].filter((bucket) => bucket !== 0n && !truth.has(bucket))).toEqual([])
    for (const [bucket, sum] of truth) expect(sum).toBe(sums.get(bucket) ?? 0n)
    expect([...truth.values()].filter((sum) => sum === 0n).length).toBeGreaterThanOrEqual(20)
    expect(domainOf(folder)).toEqual([...truth.keys()])
    const json = JSON.parse(readFileSync(join(folder, "truth.json"), "utf8"))
    expect(Object.entries(json)).toEqual(
      [...truth].map(([bucket, sum]) => [bucket.toString(16).padStart(32, "0"), String(sum)])
    )
  })

  it("seals the very payloads that it leaves in the clear without a key", async () => {
    const [sealed, clear] = [await run({ publicKey: testKey }), await run()]
    expect(sealed.rows.every(({ key_id, payload }) => key_id === "example_id" && payload.length === 895)).toBe(true)
    expect(clear.rows.every(({ key_id, payload }) => key_id === "" && payload.length === 847)).toBe(true)
    expect(opened(sealed.rows).map((row) => Buffer.from(row.payload))).toEqual(
      clear.rows.map((row) => Buffer.from(row.payload))
    )
    expect(sealed.truth).toEqual(clear.truth)
  })

  it.each([
    ["attribution-reporting", true],
    ["attribution-reporting-debug", false],
    ["protected-audience", true],
    ["shared-storage", false]
  ] as const)(
    "writes shared_info of %s within the hours before asOf, each report with its own id",
    async (api, debugMode) => {
      const { rows } = await run({
        api,
        debugMode,
        origin: "https://a.example",
        destination: "https://b.example",
        spreadHours: 5
      })
      const infos = rows.map((row) => JSON.parse(row.shared_info))
      const attribution = api.startsWith("attribution")
      for (const info of infos) {
        expect(Object.keys(info)).toEqual([
          "api",
          ...(attribution ? ["attribution_destination"] : []),
          ...(debugMode ? ["debug_mode"] : []),
          "report_id",
          "reporting_origin",
          "scheduled_report_time",
          ...(api === "attribution-reporting" ? ["source_registration_time"] : []),
          "version"
        ])
        expect(info).toMatchObject({ api, reporting_origin: "https://a.example", version: "1.0" })
        const scheduled = Number(info.scheduled_report_time)
        expect(scheduled).toBeLessThan(1_700_000_000)
        expect(scheduled).toBeGreaterThanOrEqual(1_700_000_000 - 5 * 3600)
        if (api === "attribution-reporting") {
          expect(Number(info.source_registration_time) % 86_400).toBe(0)
          expect(Number(info.source_registration_time)).toBeLessThanOrEqual(scheduled)
        }
        expect(info.report_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      }
      expect(new Set(infos.map(({ report_id }) => report_id)).size).toBe(300)
      expect(
        new Set(infos.map((info) => Math.floor(Number(info.scheduled_report_time) / 3600))).size
      ).toBeGreaterThanOrEqual(5)
    }
  )

  it.each(["attribution-reporting", "attribution-reporting-debug", "protected-audience", "shared-storage"] as const)(
    "makes reports of %s that pass all checks, those of a debug run included",
    async (api) => {
      const { rows } = await run({ api, debugMode: true, count: 50 })
      const check = reportChecker({
        reporter: { _tag: "Origin", attributionReportTo: "https://reports.example.com" },
        siteOf: () => "https://example.com",
        filteringIds: filteringIds([0n]),
        debugRun: true,
        asOf: options.asOf * 1000,
        checks: "full"
      })
      for (const { shared_info } of rows) {
        const info = parseSharedInfo(shared_info)
        expect(info && check(info, true, new Uint32Array(4))).toBe(0)
      }
    }
  )

  it("follows the weights of a CSV: counts within six deviations", async () => {
    const keySpace = csvKeySpace("10,3\n20,0\n30,1\n", "keys.csv")
    const { truth } = await run({ count: 500, keySpace })
    expect([...truth.keys()]).toEqual([10n, 20n, 30n])
    const counts = [...truth.values()].map((sum) => Number(sum) / 65_536)
    expect(counts[1]).toBe(0)
    expect((counts[0] ?? 0) + (counts[2] ?? 0)).toBe(500)
    expect(Math.abs((counts[0] ?? 0) - 375)).toBeLessThan(6 * Math.sqrt(500 * 0.75 * 0.25))
  })

  it.each([0, 1, 500, 501])("makes %i reports and says how far it is", async (count) => {
    const seen: Array<readonly [number, number]> = []
    const { rows } = await run({ count, onProgress: (done, total) => seen.push([done, total]) })
    expect(rows).toHaveLength(count)
    expect(seen.at(-1)).toEqual([count, count])
    expect(seen).toHaveLength(count > 500 ? 2 : 1)
  })

  it("leaves nothing new, and the old, when it fails half way", async () => {
    const folder = join(root, "failing")
    mkdirSync(folder)
    writeFileSync(join(folder, "reports.avro"), "old")
    const stop = () => {
      throw new Error("stopped")
    }
    await expect(generateFiles({ ...options, count: 5000, onProgress: stop }, folder)).rejects.toThrow("stopped")
    expect(readdirSync(folder)).toEqual(["reports.avro"])
    expect(readFileSync(join(folder, "reports.avro"), "utf8")).toBe("old")
  })

  it.each([
    [{ publicKey: { id: "short", key: new Uint8Array(31) } }, '"short" is no usable X25519 key'],
    [{ publicKey: { id: "zero", key: new Uint8Array(32) } }, '"zero" is no usable X25519 key'],
    [{ origin: "reports.example.com" }, "reportingOrigin"],
    [{ asOf: 1_700_000_000_000 }, "milliseconds"],
    [{ count: 1.5 }, "1.5 reports"],
    [{ count: -1 }, "-1 reports"]
  ])("refuses %o before it writes anything", async (changes, message) => {
    const folder = join(root, String(folders++))
    await expect(generateFiles({ ...options, ...changes }, folder)).rejects.toMatchObject({
      name: "CommandError",
      message: expect.stringContaining(message)
    })
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([])
  })
})
