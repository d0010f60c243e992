import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { ERROR_CATEGORIES } from "@sotto/core/aggregation"
import { batchReader } from "../src/internal/ReportBatch.ts"
import { Merger } from "../src/internal/Merger.ts"
import { readBatches } from "../src/internal/Batches.ts"
import { filteringIds, hashKey } from "@sotto/core/aggregation"
import { container } from "./Harness.ts"
import { BATCH_RULES, domainOf, engineOf, readAll, releaseAll, sourcesOf, sumsOf } from "./Local.ts"
import type { SortedKeys } from "../src/internal/Calls.ts"

const FIXTURES = new URL("../../../test/fixtures/", import.meta.url)
const read = (path: string): Buffer => readFileSync(new URL(path, FIXTURES))

const goldens = (readdirSync(new URL("goldens/", FIXTURES), { recursive: true }) as Array<string>)
  .filter((file) => /\/report_\d+\.json$/.test(file))
  .map((file) => `goldens/${file}`)

/** All reports carry one id and some share a unit, so each has a run of its own. */
const aggregate = async (golden: string, ids: ReadonlyArray<bigint>) => {
  const json = JSON.parse(read(golden).toString())
  const { payload, key_id } = json.aggregation_service_payloads[0]
  const file = container([{ payload: Buffer.from(payload, "base64"), keyId: key_id, sharedInfo: json.shared_info }])
  const origin = JSON.parse(json.shared_info).reporting_origin
  const merger = new Merger(
    { filteringIds: filteringIds(ids), perReport: undefined, errorLimit: undefined, unitLimit: 9 },
    hashKey(1, 2)
  )
  const reader = batchReader(
    {
      ...BATCH_RULES,
      reporter: { _tag: "Origin", attributionReportTo: origin },
      filteringIds: ids,
      asOf: Date.UTC(2009, 1, 14),
      fingerprintKey: undefined
    },
    async ({ keyIds }) => ({
      keys: keyIds.map(() => ({
        _tag: "Key" as const,
        privateKey: Buffer.from("z5KhjZ8Q71lHD5L7LDDLeOcBgNLX0DXv0RqUT4m/+Jw=", "base64")
      })),
      sites: []
    })
  )
  const files = [["golden", file]] as const
  for await (const batch of readBatches(engineOf(files), sourcesOf(files), 1, () => {})) {
    expect(merger.merge(await reader(batch as never))).toBeUndefined()
  }
  return merger
}

/** Sums of a cleartext payload, decoded by an independent CBOR library. */
const expected = async (golden: string, ids: ReadonlyArray<bigint>) => {
  const { decode } = await import("cborg")
  const [text] = JSON.parse(read(golden.replace(".json", "_cleartext_payloads.json")).toString())
  const { data } = decode(Buffer.from(text, "base64")) as {
    data: ReadonlyArray<Record<"bucket" | "value" | "id", Uint8Array | undefined>>
  }
  const number = (bytes: Uint8Array | undefined) =>
    Array.from(bytes ?? []).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const sums = new Map<bigint, bigint>()
  for (const { bucket, value, id } of data) {
    if (!ids.includes(number(id)) || (number(bucket) === 0n && number(value) === 0n)) continue
    sums.set(number(bucket), (sums.get(number(bucket)) ?? 0n) + number(value))
  }
  return new Map([...sums].sort(([a], [b]) => (a < b ? -1 : 1)))
}

const IDS = [0n, 1n, 2n, 3n, 5n, 255n, 65535n, (1n << 64n) - 1n]

describe("reports that Chrome encrypted", () => {
  it("are there", () => expect(goldens.length).toBeGreaterThanOrEqual(11))

  it.each(goldens)("%s has its sums", async (golden) => {
    const merger = await aggregate(golden, IDS)
    if (golden.includes("no-version")) {
      expect(merger.errors.withErrors).toBe(1)
      expect(merger.errors.byCategory[ERROR_CATEGORIES.indexOf("DECRYPTION_ERROR")]).toBe(1)
    } else {
      expect(merger.errors).toMatchObject({ total: 1, withErrors: 0 })
      expect(sumsOf(merger)).toEqual(await expected(golden, IDS))
      expect(merger.unitCount).toBe(IDS.length)
    }
  })

  it("carry something to sum", async () => {
    const sums = await Promise.all(
      goldens.filter((golden) => !golden.includes("no-version")).map((golden) => expected(golden, IDS))
    )
    expect(sums.filter((sum) => sum.size > 0).length).toBeGreaterThanOrEqual(7)
  })
})

const LOCAL = { rules: { input: "cleartext", checks: "reduced" } } as const

describe("files of the original", () => {
  it("attribution_1 of the library gives the expected file", async () => {
    const { merger, stop } = await readAll([["batch", read("library/attribution_1/batch.avro")]], LOCAL)
    expect(stop).toBeUndefined()
    const domain = (await domainOf([["domain", read("library/attribution_1/domain.avro")]])) as SortedKeys
    const [file] = await releaseAll(merger, domain, { noise: undefined, single: true, format: "json" })
    const byBucket = (rows: ReadonlyArray<{ bucket: string }>) =>
      [...rows].sort((a, b) => (a.bucket < b.bucket ? -1 : 1))
    const rows = JSON.parse(file!.bytes.toString())
    expect(byBucket(rows)).toEqual(byBucket(JSON.parse(read("library/attribution_1/expected.json").toString())))
    expect(file!.bytes.toString()).toMatch(/^\[ \{\n {2}"bucket" : "key1",\n {2}"metric" : 12000000\n\}, \{\n/)
  })

  it("the sample gives 32768 and 4400", async () => {
    const { merger } = await readAll([["sample", read("sample/output_debug_reports.avro")]], LOCAL)
    const domain = (await domainOf([["domain", read("sample/output_domain.avro")]])) as SortedKeys
    const [file] = await releaseAll(merger, domain, { noise: undefined, single: true, format: "json" })
    const metrics = JSON.parse(file!.bytes.toString()).map(({ metric }: { metric: number }) => metric)
    expect(metrics.sort()).toEqual([32768, 4400])
  })
})
