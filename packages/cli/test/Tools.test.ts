import { readFileSync } from "node:fs"
import { afterAll, describe, expect, it } from "vitest"
import { fixture, inside, json, readRows, temporary } from "./support/Sotto.ts"

const { path, remove } = temporary()
afterAll(remove)

const AS_OF = "2026-01-02T03:04:05Z"

describe("sotto noise sample", () => {
  it.each(["release", "system"])("writes samples of the discrete Laplace law: %s", async (kind) => {
    const file = path(`${kind}.json`)
    const count = 20_000
    const { code, stdout } = await inside("noise", "sample", "--count", `${count}`, "--path", kind, "--json", file)
    expect([code, stdout]).toEqual([0, ""])
    const { epsilon, sensitivity, samples } = JSON.parse(readFileSync(file, "utf8"))
    expect([epsilon, sensitivity, samples.length]).toEqual([10, 65536, count])
    expect(samples.every(Number.isSafeInteger)).toBe(true)
    // With b = L1/ε the moments are below the Laplace law's, so P(|mean| > t) ≤ 2·exp(−n·t²/8b²) for t ≤ 2b: 9·10⁻¹¹.
    const mean = samples.reduce((sum: number, x: number) => sum + x, 0) / count
    expect(Math.abs(mean)).toBeLessThan(640)
    // P(|X| ≤ median 4543) is ½; by Hoeffding a share off by 0.025 has a chance below 2·exp(−25) = 3·10⁻¹¹.
    const inner = samples.filter((x: number) => Math.abs(x) <= 4542).length / count
    expect(Math.abs(inner - 0.5)).toBeLessThan(0.025)
  })
})

describe("sotto plan", () => {
  const table = readFileSync(fixture("../../docs/privacy.md"), "utf8")
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 8 && /^[\d.]+$/.test(cells[1] ?? ""))
    .map((cells) => [cells[1], cells[4], cells[5], cells[6]].map((cell) => (cell ?? "").replace(/[^\d.]/g, "")))

  it("has the five rows of docs/privacy.md to compare with", () => expect(table).toHaveLength(5))

  it.each(table)("agrees with docs/privacy.md at ε = %s", async (epsilon = "", sigma = "", one = "", million = "") => {
    const { noise } = await json(["plan", "--epsilon", epsilon, "--keys", "1000000"])
    const digits = sigma.split(".")[1]?.length ?? 0
    expect(noise.stdDev.toFixed(digits)).toBe(sigma)
    expect([noise.halfWidth.p95, noise.simultaneousHalfWidth95]).toEqual([one, million])
  })

  it("tells the conversions that docs/noise.md computes", async () => {
    const needs = (epsilon: string) => ["plan", "--epsilon", epsilon, "--share", "0.25", "--target-error", "5"]
    expect((await inside(...needs("10"))).stdout).toContain("a key needs 24 conversions")
    expect((await inside(...needs("1"))).stdout).toContain("a key needs 240 conversions")
    const { counts, rmsre } = await json([...needs("10"), "--counts", "0,10,100"])
    expect(counts.map(({ count }: { count: number }) => count)).toEqual([0, 10, 100])
    expect(rmsre).toBeGreaterThan(0)
  })
})

describe("sotto reports, show and debug runs", () => {
  const generate = (out: string, ...more: ReadonlyArray<string>) =>
    inside(
      "reports",
      "generate",
      "--count",
      "100",
      "--campaigns",
      "3",
      "--regions",
      "2",
      "--as-of",
      AS_OF,
      "--out",
      path(out),
      ...more
    )
  const debugRun = (reports: string, out: string) => [
    "aggregate",
    "--keys",
    path("keys.json"),
    "--debug-run",
    "--as-of",
    AS_OF,
    "--reporting-site",
    "https://example.com",
    "--input-data-avro-file",
    path(reports, "reports.avro"),
    "--domain-avro-file",
    path(reports, "domain.avro"),
    "--output-directory",
    path(out)
  ]

  it("shows exact sums in a debug run over debug reports, and marks its files", async () => {
    await generate("debug", "--keys", path("keys.json"), "--debug-mode")
    const { code, stdout } = await inside(...debugRun("debug", "debug-out"))
    expect(code).toBe(0)
    expect(stdout).toContain("a debug run shows exact sums and is not private")
    const truth: Record<string, string> = JSON.parse(readFileSync(path("debug", "truth.json"), "utf8"))
    for (const name of ["output.avro", "debug_output.avro"]) {
      const { header, rows } = await readRows(path("debug-out", name))
      expect(header["sotto.private"]).toBe("false")
      expect(rows).toHaveLength(Object.keys(truth).length)
    }
    const { rows } = await json(["show", path("debug-out", "debug_output.avro"), "--limit", "0"])
    const sums = new Map(Object.entries(truth).map(([bucket, sum]) => [BigInt(`0x${bucket.replace(/^0x/, "")}`), sum]))
    for (const row of rows) {
      expect(row.unnoised_metric).toBe(sums.get(BigInt(row.bucket)))
      expect(row.annotations.toSorted()).toEqual(["in_domain", "in_reports"])
    }
    expect((await inside("show", path("debug-out", "output.avro"))).stdout).toContain("This file is not private")
  })

  it("counts no other reports in a debug run, and says so", async () => {
    await generate("plain", "--keys", path("keys.json"))
    const { code, stderr } = await inside(...debugRun("plain", "plain-out"))
    expect([code, stderr]).toEqual([1, expect.stringContaining("Most have DEBUG_NOT_ENABLED")])
  })

  it("unseals what it sealed, and sums the cleartext exactly", async () => {
    await generate("sealed", "--keys", path("keys.json"), "--seed", "s")
    const open = ["reports", "unseal", "--in", path("sealed", "reports.avro"), "--out", path("open.avro")]
    const { code, stderr } = await inside(...open, "--keys", path("keys.json"))
    expect([code, stderr]).toEqual([0, expect.stringContaining("This is raw data")])
    const run = ["aggregate", "--input_data_avro_file", path("open.avro"), "--output_directory", path("open-out")]
    await inside(...run, "--domain_avro_file", path("sealed", "domain.avro"), "--no_noising")
    const { rows } = await json([
      "show",
      path("open-out", "output.avro"),
      "--limit",
      "0",
      "--truth",
      path("sealed", "truth.json")
    ])
    expect(rows.length).toBeGreaterThan(0)
    for (const row of rows) expect(row.metric).toBe(row.truth)
  })

  it("makes the same reports of the same seed, cleartext ones too", async () => {
    for (const out of ["same-1", "same-2"]) await generate(out, "--cleartext", "--seed", "7")
    const [one, two] = ["same-1", "same-2"].map((out) => readFileSync(path(out, "reports.avro")).toString("hex"))
    expect(one).toBe(two)
  })

  it("shows a summary as table, document and plot", async () => {
    await generate("shown", "--cleartext")
    await inside(
      "aggregate",
      "--input-data-avro-file",
      path("shown", "reports.avro"),
      "--output-directory",
      path("shown-out"),
      "--domain-avro-file",
      path("shown", "domain.avro")
    )
    const file = path("shown-out", "output.avro")
    const { rows, ...head } = await json(["show", file, "--sort", "metric", "--limit", "3", "--skip", "1"])
    expect(head).toMatchObject({ shape: "summary", "sotto.epsilon": "10", "sotto.ledger": "none" })
    expect(rows).toHaveLength(3)
    const [a, b] = rows.map((row: Record<string, string>) => BigInt(row["metric"] ?? 0))
    expect(a >= b).toBe(true)
    expect(BigInt(rows[0].high) - BigInt(rows[0].low)).toBe(2n * 19_633n)

    const table = (await inside("show", file, "--limit", "3")).stdout.split("\n")
    expect(table[0]).toMatch(/^bucket +metric +95 % from +to$/)
    expect(table.at(-2)).toBe("Made without a ledger: no budget was charged.")
    expect(table.at(-3)).toMatch(/^… \d+ more; --limit 0 shows all$/)

    const plot = (await inside("show", file, "--plot", "--limit", "3", "--truth", path("shown", "truth.json"))).stdout
    expect(plot.split("\n")[0]).toMatch(/^ *0x[0-9a-f]+ .*[█◆].*[├┤◆] .*\d$/)
    expect(plot).toContain("█ metric   ├─┤ 95 % interval (±19,633)   ◆ truth")
    expect((await inside("show", path("shown", "domain.avro"), "--limit", "1")).stdout).toMatch(/^bucket\n0x/)
    expect((await inside("show", path("shown", "reports.avro"))).stdout).toMatch(
      /^key id +payload bytes +shared info\n/
    )
  })
})
