import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { itWith, program } from "../../../test/support/Program.ts"
import { inside, json, ledgerFolder, sotto, start, temporary, visible } from "./support/Sotto.ts"

const { path, remove } = temporary()
afterAll(remove)

const AS_OF = "2026-01-02T03:04:05Z"
const ROWS = 200_000

const question = (ledger: ReadonlyArray<string>, out: string, ...more: ReadonlyArray<string>) => [
  "aggregate",
  "--keys",
  path("keys.json"),
  "--reporting-site",
  "https://example.com",
  "--as-of",
  AS_OF,
  "--input-data-avro-file",
  path("data", "reports.avro"),
  "--domain-avro-file",
  path("domain.txt"),
  "--text-domain",
  "--output-directory",
  path(out),
  ...ledger,
  ...more
]
const bytesOf = (out: string): Buffer => readFileSync(path(out, "output.avro"))
const questions = async (ledger: ReadonlyArray<string>) => {
  const { chain, questions } = await json(["budget", "history", ...ledger])
  expect(chain).toMatch(/is whole\.$/)
  return questions
}
const settled = async (ledger: ReadonlyArray<string>, out: string, charged: boolean) => {
  const again = await json(question(ledger, out))
  expect(again).toMatchObject({ returnCode: "SUCCESS", budget: { charged } })
  expect(bytesOf(out).equals(reference)).toBe(true)
  expect(await questions(ledger)).toHaveLength(1)
}

/** What a run writes that nobody disturbs, with the same keys over a ledger of its own. */
let reference: Buffer = Buffer.alloc(0)

beforeAll(async () => {
  await inside("keys", "ledger", "--out", path("l.json"))
  await inside(
    "reports",
    "generate",
    "--keys",
    path("keys.json"),
    "--count",
    "200",
    "--as-of",
    AS_OF,
    "--out",
    path("data")
  )
  writeFileSync(path("domain.txt"), Array.from({ length: ROWS }, (_, i) => `key-${i}`).join("\n"))
  const { code } = await inside(...question(ledgerFolder(path("quiet"), path("l.json")), "quiet-out"))
  expect(code).toBe(0)
  reference = bytesOf("quiet-out")
})

const BORDERS = [
  ["summed", false],
  ["prepared", false],
  ["paying", false],
  ["paid", true]
] as const

describe("a run that is stopped", () => {
  it.each(BORDERS)(
    "kill -9 at %s: nothing partial is seen, the same command ends with the same bytes",
    async (stage, paid) => {
      const ledger = ledgerFolder(path(`kill-${stage}`), path("l.json"))
      const run = start(question(ledger, `kill-${stage}-out`), { pauseAt: stage })
      await run.says(`paused at ${stage}`)
      run.kill("SIGKILL")
      expect((await run.ended).signal).toBe("SIGKILL")
      expect(visible(path(`kill-${stage}-out`))).toEqual([])
      // A ledger is made by its first charge.
      if (paid) expect(await questions(ledger)).toHaveLength(1)
      else expect(existsSync(path(`kill-${stage}`, "ledger.db"))).toBe(false)
      await settled(ledger, `kill-${stage}-out`, !paid)
    }
  )

  it.each([
    ["summed", "SIGINT", 130, "Stopped. Nothing was charged and no summary was written."],
    ["prepared", "SIGTERM", 143, "Stopped. Nothing was charged and no summary was written."],
    ["paying", "SIGINT", 130, `is not certain: the same command with --as-of ${AS_OF} is charged once at most.`],
    ["paid", "SIGINT", 130, `paid for: the same command with --as-of ${AS_OF} writes the same bytes at no charge.`],
    ["paid", "SIGTERM", 143, "Stopped. The question is paid for"]
  ] as const)("at %s by %s: ends with %i and says which of the two it was", async (stage, signal, code, sentence) => {
    const name = `${signal}-${stage}`
    const ledger = ledgerFolder(path(name), path("l.json"))
    const run = start(question(ledger, `${name}-out`), { pauseAt: stage })
    await run.says(`paused at ${stage}`)
    run.kill(signal)
    const ended = await run.ended
    expect([ended.code, ended.stdout]).toEqual([code, ""])
    expect(ended.stderr).toContain(sentence)
    expect(readdirSync(path(`${name}-out`))).toEqual([])
    await settled(ledger, `${name}-out`, stage !== "paid")
  })

  it("kill -9 in the middle of writing: no part of the summary is seen, and none is left", async () => {
    const ledger = ledgerFolder(path("writing"), path("l.json"))
    const out = path("writing-out")
    const run = start(question(ledger, "writing-out"))
    let ended = false
    void run.ended.then(() => (ended = true))
    // The summary grows under another name until it is whole; a file larger than what the place was tried with is it.
    const growing = () =>
      (existsSync(out) ? readdirSync(out) : [])
        .map((name) => statSync(`${out}/${name}`, { throwIfNoEntry: false })?.size ?? 0)
        .some((size) => size > 50_000)
    while (!ended && !growing()) await new Promise((resolve) => setImmediate(resolve))
    run.kill("SIGKILL")
    expect((await run.ended).signal).toBe("SIGKILL")
    const [part = "", ...more] = readdirSync(out)
    expect([part.startsWith("."), more]).toEqual([true, []])
    expect(statSync(`${out}/${part}`).size).toBeLessThan(reference.length)
    await settled(ledger, "writing-out", false)
    // The next run also clears away what the killed one left.
    expect(readdirSync(out)).toEqual(["output.avro", "result_info.json"])
  })

  itWith({ sh: program("sh") })(
    "a disk that is full after paying: says that it is paid and how to go on, which is free then",
    async ({ sh }) => {
      const ledger = ledgerFolder(path("full"), path("l.json"))
      // 512 kB or 1 MB a file, as the shell counts: room for the ledger, not for the summary.
      const { code, stdout, stderr } = await sotto(question(ledger, "full-out"), {
        shell: [sh, 'ulimit -f 1024; exec "$@"']
      })
      expect(code).toBe(1)
      expect(stdout).toContain("charged ε = 10")
      expect(stderr).toContain("RESULT_WRITE_ERROR")
      expect(stderr).toContain(`paid for: the same command with --as-of ${AS_OF} writes the same bytes at no charge.`)
      expect(visible(path("full-out"))).toEqual(["result_info.json"])
      await settled(ledger, "full-out", false)
    }
  )
})

describe("two runs at once on one ledger", () => {
  it("the same question is charged once and both write the same bytes", async () => {
    const ledger = ledgerFolder(path("twins"), path("l.json"))
    const runs = ["twin-1", "twin-2"].map((out) => start(question(ledger, out, "--json")).ended)
    const ended = await Promise.all(runs)
    expect(ended.map(({ code }) => code)).toEqual([0, 0])
    expect(ended.map(({ stdout }) => JSON.parse(stdout).budget.charged).toSorted()).toEqual([false, true])
    for (const out of ["twin-1", "twin-2"]) expect(bytesOf(out).equals(reference)).toBe(true)
    expect(await questions(ledger)).toHaveLength(1)
  })

  it("of two exclusive questions over one input exactly one is answered", async () => {
    const ledger = ledgerFolder(path("rivals"), path("l.json"))
    const ended = await Promise.all(
      ["10", "5"].map((epsilon) => sotto(question(ledger, `rival-${epsilon}`, "--json", "--epsilon", epsilon)))
    )
    const codes = ended.map(({ stdout }) => JSON.parse(stdout).returnCode)
    expect(codes.toSorted()).toEqual(["PRIVACY_BUDGET_EXHAUSTED", "SUCCESS"])
    expect(ended.map(({ code }) => code)).toEqual(codes.map((code) => (code === "SUCCESS" ? 0 : 1)))
    expect(await questions(ledger)).toHaveLength(1)
    const loser = codes.indexOf("PRIVACY_BUDGET_EXHAUSTED") === 0 ? "10" : "5"
    expect(visible(path(`rival-${loser}`))).toEqual(["result_info.json"])
  })
})

describe("a reader that goes away", () => {
  const piped = (bash: string, args: ReadonlyArray<string>, reader: string) =>
    sotto(args, { shell: [bash, `set -o pipefail; "$@" | ${reader}`] })

  itWith({ bash: program("bash") })("is no failure of the command", async ({ bash }) => {
    const all = ["show", path("quiet-out", "output.avro"), "--limit", "0"]
    const run = await piped(bash, all, "head -1")
    expect(run).toMatchObject({ code: 0, stderr: "" })
    expect(run.stdout).toMatch(/^bucket +metric.*\n$/)
  })

  itWith({ bash: program("bash") })("does not turn a refusal into a success", async ({ bash }) => {
    const ledger = ledgerFolder(path("deaf"), path("l.json"))
    await inside(...question(ledger, "deaf-out"))
    const refused = question(ledger, "deaf-out", "--epsilon", "1")
    expect(await piped(bash, refused, ":")).toMatchObject({ code: 1 })
  })
})

itWith({ sh: program("sh"), "/dev/full": existsSync("/dev/full") ? "/dev/full" : undefined })(
  "says in one sentence that standard output cannot be written",
  async ({ sh, "/dev/full": full }) => {
    const { code, stderr } = await sotto(["plan", "--json"], { shell: [sh, `exec "$@" > ${full}`] })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^sotto: output: the disk is full; .+\n$/)])
  }
)

it("prints its help within a quarter of a second", async () => {
  const times: Array<number> = []
  for (let i = 0; i < 7; i++) {
    const before = performance.now()
    await sotto(["--help"])
    times.push(performance.now() - before)
  }
  // The best of seven, because other tests share the machine.
  expect(Math.min(...times)).toBeLessThanOrEqual(250)
})
