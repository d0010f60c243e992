import { cpSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { inside, json, ledgerFolder, temporary, visible } from "./support/Sotto.ts"

const { path, remove } = temporary()
afterAll(remove)

const AS_OF = "2026-01-02T03:04:05Z"

const reports = (name: string) => [
  "--keys",
  path("keys.json"),
  "--reporting-site",
  "https://example.com",
  "--as-of",
  AS_OF,
  "--input-data-avro-file",
  path(name, "reports.avro")
]
const question = (name: string, out: string, ...more: ReadonlyArray<string>) => [
  "aggregate",
  ...reports(name),
  "--domain-avro-file",
  path(name, "domain.avro"),
  "--output-directory",
  path(out),
  ...more
]
const ask = (name: string, out: string, ...more: ReadonlyArray<string>) => inside(...question(name, out, ...more))
const bytesOf = (out: string): string => readFileSync(path(out, "output.avro")).toString("hex")

beforeAll(async () => {
  await inside("keys", "ledger", "--out", path("l.json"))
  for (const name of ["a", "b"]) {
    const of = ["--seed", name, "--origin", `https://${name}.example.com`, "--out", path(name), "--as-of", AS_OF]
    const few = ["--count", "30", "--campaigns", "3", "--regions", "2"]
    expect((await inside("reports", "generate", "--keys", path("keys.json"), ...few, ...of)).code).toBe(0)
  }
})

describe("sotto budget", () => {
  it("adds shared charges up, tells them by unit and question, and advises", async () => {
    const ledger = ledgerFolder(path("shared"), path("l.json"))
    const check = (...more: ReadonlyArray<string>) => ["budget", "check", ...reports("a"), ...ledger, ...more]
    const shared = (out: string, epsilon: string, ...more: ReadonlyArray<string>) =>
      ask("a", out, ...ledger, "--budget", "shared", "--epsilon", epsilon, ...more)

    expect((await inside(...check("--epsilon", "64"))).stdout).toContain("Yes: every unit can pay ε = 64 (exclusive).")
    expect((await shared("s1", "5")).code).toBe(0)
    expect((await shared("s2", "5", "--bound")).code).toBe(0)
    expect((await shared("s2", "5", "--bound")).stdout).toContain("free: this question was paid for on")

    const { units, questions } = await json(["budget", "show", ...ledger, "--limit", "0"])
    expect(questions).toBe(2)
    expect(units.length).toBeGreaterThan(5)
    for (const unit of units) {
      expect(unit).toMatchObject({ origin: "https://a.example.com", spent: "10", closed: false, remaining: "54" })
    }
    const refused = await shared("s3", "54.000001")
    expect(refused.code).toBe(1)
    expect(refused.stdout).toMatch(/https:\/\/a\.example\.com +\d{4}-\d\d-\d\dT\d\dh +0 +54$/m)
    expect(visible(path("s3"))).toEqual(["result_info.json"])

    expect(await json(check("--budget", "shared", "--epsilon", "5"))).toMatchObject({ couldBeAsked: true, free: true })
    const yes = await inside(...check("--budget", "shared", "--epsilon", "54"))
    expect([yes.code, yes.stdout]).toEqual([0, expect.stringContaining("Yes: every unit can pay ε = 54 (shared).")])
    const no = await inside(...check())
    expect([no.code, no.stdout]).toEqual([1, expect.stringMatching(/No: \d+ units cannot pay ε = 10 \(exclusive\)\./)])
    expect((await json(check()))["short"]).toHaveLength(units.length)

    const history = await inside("budget", "history", ...ledger)
    expect(history.stdout).toMatch(/ +5 {2}shared +30 +\d+ +[0-9a-f]{16}… /)
    expect(history.stdout).toContain("The chain of 2 questions is whole.\n")
    expect((await inside("budget", "show", ...ledger, "--limit", "1")).stdout).toContain("--limit 0 shows all")
  })

  it("knows an empty ledger, and no scope that nobody used", async () => {
    const ledger = ledgerFolder(path("empty"), path("l.json"))
    expect((await json(["budget", "check", ...reports("a"), ...ledger]))["couldBeAsked"]).toBe(true)
    expect((await inside("budget", "show", ...ledger)).stdout).toContain("No unit has spent anything.")
    await ask("a", "empty-out", ...ledger)
    const { code, stderr } = await inside("budget", "show", ...ledger, "--scope", "defualt")
    expect([code, stderr]).toEqual([1, 'sotto: The ledger has no scope "defualt"; it has "default".\n'])
  })

  it("purges for ever: what was asked stays free, what is older can never pay", async () => {
    const ledger = ledgerFolder(path("purged"), path("l.json"))
    await ask("a", "purged-1", ...ledger)
    const purge = await inside("budget", "purge", ...ledger, "--before", "2026-02-01T00:00:00Z")
    expect(purge.stderr).toMatch(/^\d+ units forgotten; units before 2026-02-01T00h can never pay again/)
    expect(await json(["budget", "purge", ...ledger, "--before", "2026-02-01T00:00:00Z"])).toEqual({
      scope: "default",
      floor: "2026-02-01T00h",
      forgotten: 0
    })
    expect((await inside("budget", "show", ...ledger)).stdout).toContain("are purged and exhausted for ever")
    expect((await ask("b", "purged-2", ...ledger)).stderr).toContain("PRIVACY_BUDGET_EXHAUSTED")
    expect((await ask("a", "purged-3", ...ledger)).stdout).toContain("free: this question was paid for")
    expect(bytesOf("purged-3")).toBe(bytesOf("purged-1"))
  })

  it("refuses a ledger that was rolled back until that is accepted, on record", async () => {
    const ledger = ledgerFolder(path("rolled"), path("l.json"))
    await ask("a", "rolled-a", ...ledger)
    cpSync(path("rolled", "ledger.db"), path("backup.db"))
    await ask("b", "rolled-b", ...ledger)
    cpSync(path("backup.db"), path("rolled", "ledger.db"))

    const refused = await ask("b", "rolled-again", ...ledger)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain("LedgerRolledBack")
    expect(refused.stderr).toContain("Nothing was charged and no summary was written.")
    expect(visible(path("rolled-again"))).toEqual(["result_info.json"])
    const history = await inside("budget", "history", ...ledger)
    expect([history.code, history.stderr]).toEqual([1, expect.stringContaining("question 2 is missing")])

    const accepted = await inside("budget", "accept-rollback", ...ledger, "--reason", "restored the backup")
    expect([accepted.code, accepted.stderr]).toEqual([0, expect.stringContaining("questions 2 to 2 are lost")])
    expect((await ask("a", "rolled-a", ...ledger)).stdout).toContain("free: this question was paid for")
    expect((await ask("b", "rolled-again", ...ledger)).stdout).toContain("charged ε = 10 (exclusive)")
    // The noise of a question comes from keys and fingerprint, so not even a lost charge gives it a second one.
    expect(bytesOf("rolled-again")).toBe(bytesOf("rolled-b"))
    expect((await inside("budget", "history", ...ledger)).stdout).toContain(
      "a rollback from question 2 to 1 was accepted: restored the backup"
    )
    const twice = await inside("budget", "accept-rollback", ...ledger, "--reason", "again")
    expect([twice.code, twice.stderr]).toEqual([0, expect.stringContaining("Nothing to accept")])
    expect(await json(["budget", "accept-rollback", ...ledger, "--reason", "again"])).toEqual({ accepted: false })
  })
})

describe("sotto keys", () => {
  it("rotates the noise key: old questions keep their noise, new ones take the new key, a destroyed key is missed", async () => {
    const ledger = ledgerFolder(path("rotated"), path("l.json"))
    const file = path("rotated", "ledger-keys.json")
    await ask("a", "rotated-1", ...ledger)
    expect((await inside("keys", "ledger", "--out", file, "--rotate")).stderr).toContain("new questions use noise key")
    expect((await ask("a", "rotated-2", ...ledger)).stdout).toContain("free: this question was paid for")
    expect(bytesOf("rotated-2")).toBe(bytesOf("rotated-1"))
    await ask("b", "rotated-3", ...ledger)
    const [old, recent] = (await json(["budget", "history", ...ledger]))["questions"]
    expect(old.noiseKeyId).not.toBe(recent.noiseKeyId)

    const keys = JSON.parse(readFileSync(file, "utf8"))
    delete keys.noiseKeys[old.noiseKeyId]
    writeFileSync(file, JSON.stringify(keys))
    const missed = await ask("a", "rotated-4", ...ledger)
    expect(missed.code).toBe(1)
    expect(missed.stderr).toContain(`NoiseKeyMissing: `)
    expect(missed.stderr).toContain(old.noiseKeyId)
    expect(missed.stderr).toContain("Whether the question was charged is not certain")
    expect(visible(path("rotated-4"))).toEqual(["result_info.json"])
    expect((await ask("b", "rotated-5", ...ledger)).stdout).toContain("free: this question was paid for")
  })

  it("writes key files that only their owner reads, adds to them, and prints the public half", async () => {
    const file = path("pair.json")
    expect((await inside("keys", "generate", "--out", file, "--id", "one")).stderr).toContain(`Made ${file}: key one,`)
    expect((await inside("keys", "generate", "--out", file)).stderr).toContain(`Added to ${file}: key `)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(path("l.json")).mode & 0o777).toBe(0o600)
    const { keys } = JSON.parse((await inside("keys", "generate", "--out", file, "--public")).stdout)
    expect(keys.map(Object.keys)).toEqual([
      ["id", "key"],
      ["id", "key"]
    ])
    const held = JSON.parse(readFileSync(file, "utf8")).keys
    expect(held.map((pair: Record<string, string>) => Buffer.from(pair["privateKey"] ?? "", "base64").length)).toEqual([
      32, 32
    ])
    const again = await inside("keys", "ledger", "--out", path("l.json"))
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining("never overwritten")])
  })
})
