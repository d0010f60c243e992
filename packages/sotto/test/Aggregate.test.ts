import { readFileSync, writeFileSync } from "node:fs"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { main } from "@sotto/cli"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { aggregate, type AggregateOptions, SottoError } from "../src/index.ts"

const folder = mkdtempSync(join(tmpdir(), "sotto-facade-"))
const at = (name: string) => join(folder, name)
const asOf = new Date("2026-01-31T12:00:00Z")

const options = (more: Partial<AggregateOptions> = {}): AggregateOptions => ({
  reports: at("data/reports.avro"),
  domain: at("data/domain.avro"),
  output: at("summary"),
  keys: at("keys.json"),
  ledger: { file: at("ledger.db") },
  reportingSite: "https://example.com",
  asOf,
  lanes: 1,
  ...more
})

beforeAll(async () => {
  const quiet = vi.spyOn(process.stderr, "write").mockReturnValue(true)
  await main(["keys", "generate", "--out", at("keys.json")])
  await main(["keys", "ledger", "--out", at("ledger-keys.json")])
  const reports = [
    "reports",
    "generate",
    "--keys",
    at("keys.json"),
    "--campaigns",
    "4",
    "--regions",
    "2",
    "--as-of",
    asOf.toISOString()
  ]
  await main([...reports, "--count", "20", "--out", at("data")])
  await main([...reports, "--count", "5", "--out", at("other"), "--seed", "other"])
  quiet.mockRestore()
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("aggregate of the package sotto", () => {
  it("answers plain values, and the same bytes for free when asked again", async () => {
    const first = await aggregate(options())
    expect(first).toMatchObject({
      ok: true,
      returnCode: "SUCCESS",
      asOf,
      files: [at("summary/output.avro")],
      budget: { charged: true, firstAskedAt: expect.any(Date) },
      unprotected: { reports: 20, counted: 20, duplicates: 0 },
      accuracy: { halfWidth: { p95: 19_633n } }
    })
    const bytes = readFileSync(at("summary/output.avro"))
    const again = await aggregate(options({ output: at("again") }))
    expect(again.budget).toMatchObject({ charged: false })
    expect(readFileSync(at("again/output.avro"))).toEqual(bytes)
  })

  it("refuses another question over spent units as a result, naming them", async () => {
    await aggregate(options())
    const refused = await aggregate(options({ epsilon: "5" }))
    expect(refused).toMatchObject({ ok: false, returnCode: "PRIVACY_BUDGET_EXHAUSTED", files: [] })
    expect(refused.budget).toMatchObject({
      short: expect.arrayContaining([
        { unit: expect.stringMatching(/^[0-9a-f]{64}$/), origin: "https://reports.example.com", remaining: "0" }
      ])
    })
  })

  it("runs without a ledger when told so", async () => {
    const result = await aggregate(options({ ledger: "none", reports: at("other"), domain: at("other/domain.avro") }))
    // The folder holds the domain beside the reports, and a domain is no reports file.
    expect(result).toMatchObject({ ok: false, returnCode: "INPUT_DATA_READ_FAILED" })
    expect(await aggregate(options({ ledger: "none", reports: at("other/reports") }))).toMatchObject({
      ok: true,
      budget: { charged: false }
    })
  })

  it.each([
    [{ reports: at("nowhere/x") }, "InvalidArgument", /reports: there is no file/],
    [{ epsilon: "1e1" }, "InvalidArgument", /epsilon: Write a plain decimal/],
    [{ errorThreshold: "many" }, "InvalidArgument", /percentage/],
    [{ attributionReportTo: "https://a.example.com" }, "InvalidArgument", /exactly one/],
    [{ keys: at("none.json") }, "KeyFileRejected", /none\.json/],
    [{ ledger: { file: at("ledger.db"), keys: at("none.json") } }, "LedgerKeysUnavailable", /none\.json/]
  ] as const)("throws one kind of error for %j", async (more, code, message) => {
    const error = await aggregate(options(more)).then(
      () => undefined,
      (caught: unknown) => caught
    )
    expect(error).toBeInstanceOf(SottoError)
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) })
  })

  it("refuses keys that others may read", async () => {
    writeFileSync(at("open.json"), readFileSync(at("keys.json")), { mode: 0o644 })
    await expect(aggregate(options({ keys: at("open.json") }))).rejects.toMatchObject({ code: "KeyFileRejected" })
  })

  it("stops when the signal is aborted", async () => {
    await expect(aggregate(options({ signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: "Aborted" })
  })
})
