import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  fixture,
  inside,
  json,
  ledgerFolder,
  numberOf,
  readRows,
  sotto,
  temporary,
  visible,
  writeDomain
} from "./support/Sotto.ts"

const { path, remove } = temporary()
afterAll(remove)

const AS_OF = "2026-01-02T03:04:05Z"

interface JsonRow {
  readonly bucket: string
  readonly metric: number
}
const rowsOf = (file: string): ReadonlyArray<JsonRow> => JSON.parse(readFileSync(file, "utf8"))

describe("sotto aggregate on cleartext reports", () => {
  const sample = [
    "aggregate",
    "--input_data_avro_file",
    fixture("sample/output_debug_reports.avro"),
    "--domain_avro_file",
    fixture("sample/output_domain.avro")
  ]

  it("takes the original's flags as they are: the sample", async () => {
    const out = path("sample", "made", "too")
    const { code, stdout, stderr } = await sotto([
      ...sample,
      "--output_directory",
      out,
      "--no_noising",
      "--json_output"
    ])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toContain("none: the sums are exact and not private")
    expect(visible(out)).toEqual(["output.json", "result_info.json"])
    expect(rowsOf(path("sample", "made", "too", "output.json")).map(({ metric }) => metric)).toEqual([4400, 32768])
    expect(JSON.parse(readFileSync(`${out}/result_info.json`, "utf8"))).toMatchObject({
      returnCode: "SUCCESS",
      returnMessage: "Aggregation job successfully processed",
      errorSummary: {}
    })
  })

  it("writes the JSON of the original, in our order: the library set", async () => {
    const set = "library/attribution_1"
    const out = path("library")
    const { code } = await sotto([
      "aggregate",
      `--input_data_avro_file=${fixture(`${set}/batch.avro`)}`,
      `--domain_avro_file=${fixture(`${set}/domain.avro`)}`,
      `--output_directory=${out}`,
      "--no_noising",
      "--json_output"
    ])
    expect(code).toBe(0)
    const [ours, theirs] = [`${out}/output.json`, fixture(`${set}/expected.json`)]
    const byBucket = (rows: ReadonlyArray<JsonRow>) => rows.toSorted((a, b) => (a.bucket < b.bucket ? -1 : 1))
    expect(rowsOf(ours)).toEqual(byBucket(rowsOf(theirs)))
    // Not only the values: apart from the order of the rows and the last line break, every character is theirs.
    const shape = (file: string) =>
      readFileSync(file, "utf8")
        .trimEnd()
        .split("\n}, {\n")
        .map((row) => row.replace(/^\[ \{\n|\n\} \]$/g, ""))
        .toSorted()
    expect(shape(ours)).toEqual(shape(theirs))
  })

  it("draws fresh noise without a ledger, says so, and marks the file", async () => {
    const runs = [path("fresh-1"), path("fresh-2")]
    for (const out of runs) {
      const { code, stdout } = await inside(...sample, "--output-directory", out)
      expect(code).toBe(0)
      expect(stdout).toContain("none: fresh noise, and no budget was charged; the file says so")
    }
    const [one, two] = await Promise.all(runs.map((out) => readRows(`${out}/output.avro`)))
    expect(one?.header).toMatchObject({ "sotto.ledger": "none", "sotto.epsilon": "10", "sotto.l1": "65536" })
    expect(one?.rows.map(({ metric }) => metric)).not.toEqual(two?.rows.map(({ metric }) => metric))
  })

  it("fails with 1, names file and offset, writes no summary, and tells the same in result_info.json", async () => {
    const cut = path("cut.avro")
    writeFileSync(cut, readFileSync(fixture("sample/output_debug_reports.avro")).subarray(0, 300))
    const { code, stdout, stderr } = await inside(
      ...sample.with(2, cut),
      "--output-directory",
      path("cut"),
      "--no-noising"
    )
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toContain(`${cut}: byte 199: the file ends at byte 300, inside this block.\nNo summary was written.`)
    expect(visible(path("cut"))).toEqual(["result_info.json"])
    expect(JSON.parse(readFileSync(path("cut", "result_info.json"), "utf8")).returnCode).toBe("INPUT_DATA_READ_FAILED")
  })

  it("reads a folder, a prefix, skips zero bytes and prints every key without a domain", async () => {
    mkdirSync(path("folder"))
    copyFileSync(sample[2] ?? "", path("folder", "a-1.avro"))
    writeFileSync(path("folder", "a-2.avro"), "")
    writeFileSync(path("folder", "b.avro"), "this must not be read for a-")
    const prefix = await json([
      "aggregate",
      "--input-data-avro-file",
      path("folder", "a-"),
      "--output-directory",
      path("prefix"),
      "--no-noising",
      "--skip-domain"
    ])
    expect(prefix).toMatchObject({
      returnCode: "SUCCESS",
      unprotected: { reports: 1, counted: 1, buckets: 2 },
      files: [{ path: path("prefix", "output.avro"), rows: 2 }]
    })
    const whole = await inside(...sample.with(2, path("folder")), "--output-directory", path("whole"), "--no-noising")
    expect([whole.code, whole.stderr]).toEqual([1, expect.stringContaining(path("folder", "b.avro"))])
  })
})

describe("sotto aggregate on encrypted reports", () => {
  const question = (reports: string, out: string, ...more: ReadonlyArray<string>) => [
    "aggregate",
    "--keys",
    path("keys.json"),
    "--reporting-site",
    "https://example.com",
    "--as-of",
    AS_OF,
    "--input-data-avro-file",
    path(reports),
    "--domain-avro-file",
    path("data", "domain.avro"),
    "--output-directory",
    path(out),
    ...more
  ]
  let ledger: ReadonlyArray<string> = []

  beforeAll(async () => {
    const generate = (out: string, ...more: ReadonlyArray<string>) =>
      inside("reports", "generate", "--keys", path("keys.json"), "--as-of", AS_OF, "--out", path(out), ...more)
    expect((await inside("keys", "ledger", "--out", path("l.json"))).code).toBe(0)
    const few = ["--campaigns", "5", "--regions", "4"]
    await generate("data", "--count", "300", "--seed", "a", ...few)
    await generate("one", "--count", "1", "--seed", "b", ...few)
    mkdirSync(path("more"))
    copyFileSync(path("data", "reports.avro"), path("more", "1.avro"))
    copyFileSync(path("one", "reports.avro"), path("more", "2.avro"))
    ledger = ledgerFolder(path("ledger"), path("l.json"))
  })

  it("charges once: the same question is free with the same bytes, a larger domain agrees, one more report is refused", async () => {
    const first = await json(question("data/reports.avro", "first", ...ledger))
    expect(first).toMatchObject({ returnCode: "SUCCESS", budget: { charged: true, sequence: 1 }, asOf: AS_OF })
    const again = await json(question("data/reports.avro", "again", ...ledger))
    expect(again["budget"]).toEqual({ ...first["budget"], charged: false })
    const bytes = readFileSync(path("first", "output.avro"))
    expect(readFileSync(path("again", "output.avro")).equals(bytes)).toBe(true)

    const summary = await readRows(path("first", "output.avro"))
    expect(summary.header["sotto.ledger"]).toBeUndefined()
    const keys = summary.rows.map(({ bucket }) => numberOf(bucket))
    await writeDomain(path("larger.avro"), [...keys, 1n, 2n, (1n << 128n) - 1n])
    const larger = await json([
      ...question("data/reports.avro", "larger", ...ledger),
      "--domain-avro-file",
      path("larger.avro")
    ])
    expect(larger["budget"].charged).toBe(false)
    const values = new Map(
      (await readRows(path("larger", "output.avro"))).rows.map((r) => [numberOf(r.bucket), r.metric])
    )
    expect(values.size).toBe(keys.length + 3)
    expect(keys.map((key) => values.get(key))).toEqual(summary.rows.map(({ metric }) => metric))

    const refused = await inside(...question("more", "refused", ...ledger))
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("PRIVACY_BUDGET_EXHAUSTED")
    expect(refused.stderr).toContain("Nothing was charged.\nNo summary was written.")
    expect(refused.stdout).toMatch(/budget units cannot pay ε = 10:\nunit +origin/)
    const [short] = (await json(question("more", "refused", ...ledger)))["budget"].short
    expect(short).toMatchObject({ origin: "https://reports.example.com", remaining: "0", filteringId: "0" })
    expect(visible(path("refused"))).toEqual(["result_info.json"])

    const intervals = await json(["show", path("first", "output.avro"), "--truth", path("data", "truth.json")])
    const covered = intervals["rows"].filter(
      (row: Record<string, string>) =>
        BigInt(row["low"] ?? 0) <= BigInt(row["truth"] ?? 0) && BigInt(row["truth"] ?? 0) <= BigInt(row["high"] ?? 0)
    )
    // Of 40 intervals of 95 % at least 20 cover, but for a chance below 10⁻¹⁵.
    expect(intervals["rows"]).toHaveLength(40)
    expect(covered.length).toBeGreaterThanOrEqual(20)
  })

  it("says whose key is missing, and makes no ledger", async () => {
    await inside("keys", "generate", "--out", path("other.json"))
    const { code, stderr } = await inside(
      ...question("data/reports.avro", "foreign", ...ledgerFolder(path("unused"), path("l.json"))),
      "--keys",
      path("other.json")
    )
    expect(code).toBe(1)
    expect(stderr).toContain(`Most have DECRYPTION_KEY_NOT_FOUND: the file of --keys (${path("other.json")}) lacks`)
    expect(stderr).toContain("Nothing was charged and no summary was written.")
    const keyless = ["--input-data-avro-file", path("data", "reports.avro"), "--output-directory", path("keyless")]
    expect((await inside("aggregate", ...keyless, "--skip-domain")).stderr).toContain("encrypted reports need --keys.")
    // A ledger is made by the first charge, so that a run that fails before it leaves nothing.
    expect(existsSync(path("unused", "ledger.db"))).toBe(false)
  })

  it("refuses open key files, missing and foreign ledger keys in one sentence", async () => {
    copyFileSync(path("keys.json"), path("open.json"))
    chmodSync(path("open.json"), 0o644)
    await inside("keys", "ledger", "--out", path("foreign.json"))
    const asked = ledgerFolder(path("asked"), path("l.json"))
    await inside(...question("one/reports.avro", "asked-out", ...asked))
    const all = [
      await inside(...question("one/reports.avro", "x", ...asked, "--keys", path("open.json"))),
      await inside(...question("one/reports.avro", "x", ...asked, "--ledger-keys", path("nope.json"))),
      await inside(...question("one/reports.avro", "x", ...asked, "--ledger-keys", path("foreign.json"))),
      await inside(...question("one/reports.avro", "x", "--ledger", path("keys.json"), "--ledger-keys", path("l.json")))
    ]
    expect(all.map(({ code, stdout }) => [code, stdout])).toEqual(all.map(() => [1, ""]))
    expect(all.map(({ stderr }) => stderr.trimEnd().split("\n").length)).toEqual([1, 1, 1, 1])
    const sentences = ["run chmod 600", "There are no ledger keys at", "Use the keys that were made for this ledger."]
    for (const [i, sentence] of [...sentences, "not a budget ledger. It was left as it is"].entries())
      expect(all[i]?.stderr).toContain(sentence)
  })
})
