/**
 * The main job, told as a story: `npm run demo`.
 *
 * Everything goes through the command `sotto` as a reader would type it; each command is printed before it runs.
 */
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

const home = resolve(dirname(fileURLToPath(import.meta.url)), "..")
const folder = resolve(process.env["SOTTO_DEMO"] ?? join(home, "sotto-demo"))
const bin = join(home, "packages/sotto/bin/sotto.js")
const count = Number(process.env["SOTTO_DEMO_REPORTS"] ?? 100_000)
const started = performance.now()

const say = (text = ""): void => void process.stdout.write(`${text}\n`)
const chapter = (n: number, title: string): void =>
  say(`\n${n}. ${title}\n${"─".repeat(Math.min(100, title.length + 3))}`)
const quote = (argument: string): string => (/^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument}'`)
const shown = (args: ReadonlyArray<string>): string =>
  `$ sotto ${args.map((argument) => quote(argument.startsWith(`${folder}/`) ? relative(folder, argument) : argument)).join(" ")}`

const at = (...parts: ReadonlyArray<string>): string => join(folder, ...parts)

/** Runs `sotto`, shows what it prints, and stops the demo unless it ends with `expected`. */
const sotto = (args: ReadonlyArray<string>, { expected = 0, quiet = false } = {}): string => {
  say(shown(args))
  const run = spawnSync(process.execPath, [bin, ...args], { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28 })
  const text = `${run.stdout}${run.stderr}`.trimEnd()
  if (!quiet || run.status !== expected) say(text.replace(/^/gm, "  "))
  if (run.status !== expected) throw new Error(`expected exit code ${expected}, got ${run.status ?? run.signal}`)
  return run.stdout
}

/** Runs `sotto` until it says that it stands at `stage`, then ends it the hard way. */
const killAt = (stage: string, args: ReadonlyArray<string>): Promise<void> =>
  new Promise((done, fail) => {
    say(shown(args))
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, SOTTO_PAUSE_AT: stage }
    })
    let text = ""
    child.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes(`paused at ${stage}`)) child.kill("SIGKILL")
    })
    child.on("close", (code, signal) => {
      if (signal !== "SIGKILL") return fail(new Error(`the run ended by itself (${code}): ${text}`))
      say(`  killed (SIGKILL) after it had paid and before it had written anything`)
      done()
    })
  })

const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16)
const same = (a: string, b: string): string =>
  digest(a) === digest(b) ? `the same bytes (sha256 ${digest(a)}…)` : fault("the bytes differ")
const fault = (text: string): never => {
  throw new Error(text)
}
const json = (args: ReadonlyArray<string>): Shown => JSON.parse(sotto([...args, "--json"], { quiet: true })) as Shown

interface Shown {
  readonly rows: ReadonlyArray<{
    readonly bucket: string
    readonly metric: string
    readonly low: string
    readonly high: string
    readonly truth?: string
  }>
}

const main = async (): Promise<void> => {
  if (!existsSync(bin) || !existsSync(join(home, "packages/cli/dist"))) fault("Build first: npm run build")
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  say(`Sotto: encrypted reports become a noised summary under a privacy budget. All files go to ${folder}`)

  chapter(1, "Keys: a pair that reports are sealed for, and the keys of a budget ledger")
  sotto(["keys", "generate", "--out", at("keys.json")])
  sotto(["keys", "ledger", "--out", at("ledger-keys.json")])

  chapter(
    2,
    `${count.toLocaleString("en-US")} encrypted reports over 50 campaigns × 20 regions, a domain with every key, and the truth`
  )
  sotto([
    "reports",
    "generate",
    "--count",
    String(count),
    "--keys",
    at("keys.json"),
    "--out",
    at("data"),
    "--seed",
    "demo"
  ])

  chapter(3, "Aggregate them: open, check, sum, pay, noise, write")
  const asOf = new Date().toISOString().replace(/\.\d+Z$/, "Z")
  const site = ["--reporting-site", "https://example.com", "--as-of", asOf]
  const question = (input: string, output: string, ...more: ReadonlyArray<string>): Array<string> => [
    "aggregate",
    "--keys",
    at("keys.json"),
    "--ledger",
    at("ledger.db"),
    "--ledger-keys",
    at("ledger-keys.json"),
    ...site,
    "--input-data-avro-file",
    input,
    "--domain-avro-file",
    at("data/domain.avro"),
    "--output-directory",
    output,
    ...more
  ]
  sotto(question(at("data/reports.avro"), at("summary")))
  say("\n  The ten largest keys with 95 % intervals, beside the true sums that only a demo can know:\n")
  sotto(["show", at("summary/output.avro"), "--sort", "metric", "--limit", "10", "--truth", at("data/truth.json")])
  say("\n  Smaller keys, where the noise shows:\n")
  sotto([
    "show",
    at("summary/output.avro"),
    "--plot",
    "--sort",
    "metric",
    "--skip",
    "1700",
    "--limit",
    "12",
    "--truth",
    at("data/truth.json")
  ])
  const all: Shown = json(["show", at("summary/output.avro"), "--limit", "0", "--truth", at("data/truth.json")])
  const covered = all.rows.filter(
    (row) => BigInt(row.low) <= BigInt(row.truth ?? 0) && BigInt(row.truth ?? 0) <= BigInt(row.high)
  ).length
  say(
    `  ${covered} of ${all.rows.length} intervals cover the truth (${((100 * covered) / all.rows.length).toFixed(1)} %; 95 % are expected)`
  )

  chapter(4, "The reports that Chrome encrypted")
  say(
    "Reports from Chromium's tests, sealed by the clock of 2009 for a published key. They all carry one report id, and a"
  )
  say(
    "report id counts once: the first that is valid counts, the others are dropped as duplicates. Half of them were made"
  )
  say("without debug mode, which a debug run leaves out. The sum is tiny, so this is a debug run: it shows it exactly.")
  cpSync(join(home, "test/fixtures/goldens"), at("chrome"), { recursive: true })
  cpSync(join(home, "test/fixtures/goldens/keys.json"), at("chrome-keys.json"))
  spawnSync("chmod", ["600", at("chrome-keys.json")])
  const goldens = ["private-aggregation-1.0", "attribution-1.0", "attribution-0.1"].flatMap((set) =>
    readdirSync(at("chrome", set))
      .filter((name) => /^report_\d+\.json$/.test(name))
      .map((name) => at("chrome", set, name))
  )
  sotto(["reports", "pack", "--out", at("chrome.avro"), ...goldens])
  sotto([
    "aggregate",
    "--keys",
    at("chrome-keys.json"),
    "--no-ledger",
    "--debug-run",
    "--skip-domain",
    "--error-threshold",
    "100",
    "--attribution-report-to",
    "https://report.test",
    "--as-of",
    "2009-02-14T00:00:00Z",
    "--input-data-avro-file",
    at("chrome.avro"),
    "--output-directory",
    at("chrome-summary")
  ])
  sotto(["show", at("chrome-summary/debug_output.avro")])

  chapter(5, "Ask the same question again: the same bytes, free")
  sotto(question(at("data/reports.avro"), at("again")))
  say(`  ${same(at("summary/output.avro"), at("again/output.avro"))}`)

  chapter(6, "Ask it with a larger domain: the keys of both summaries agree, free")
  sotto(
    [
      "reports",
      "generate",
      "--count",
      "1",
      "--cleartext",
      "--campaigns",
      "60",
      "--out",
      at("larger"),
      "--seed",
      "demo"
    ],
    { quiet: true }
  )
  sotto(question(at("data/reports.avro"), at("larger-summary"), "--domain-avro-file", at("larger/domain.avro")))
  const larger: Shown = json(["show", at("larger-summary/output.avro"), "--limit", "0"])
  const byBucket = new Map(larger.rows.map((row) => [row.bucket, row.metric]))
  const agree = all.rows.filter((row) => byBucket.get(row.bucket) === row.metric).length
  say(
    `  ${agree} of ${all.rows.length} keys of the first summary stand in the larger one (${larger.rows.length} keys) with the same value`
  )
  if (agree !== all.rows.length) fault("the summaries disagree")

  chapter(7, "Ask with one more report: another question, and the budget of its units is spent")
  sotto(
    ["reports", "generate", "--count", "1", "--keys", at("keys.json"), "--out", at("one-more"), "--seed", "one more"],
    { quiet: true }
  )
  mkdirSync(at("more"))
  cpSync(at("data/reports.avro"), at("more/reports-1.avro"))
  cpSync(at("one-more/reports.avro"), at("more/reports-2.avro"))
  sotto(question(at("more"), at("more-summary")), { expected: 1 })

  chapter(8, "Shared questions: ε = 5 twice over other reports")
  sotto([
    "reports",
    "generate",
    "--count",
    String(Math.ceil(count / 5)),
    "--keys",
    at("keys.json"),
    "--out",
    at("shared"),
    "--seed",
    "shared",
    "--origin",
    "https://shared.example.com"
  ])
  const shared = (output: string, ...more: ReadonlyArray<string>) =>
    question(at("shared/reports.avro"), at(output), "--budget", "shared", "--epsilon", "5", ...more)
  sotto(shared("shared-summary-1"))
  sotto(shared("shared-summary-2", "--filtering-ids", "0", "--bound"))
  sotto(["budget", "history", "--ledger", at("ledger.db"), "--ledger-keys", at("ledger-keys.json")])

  chapter(9, "Kill a run after it paid, and finish it for free")
  sotto([
    "reports",
    "generate",
    "--count",
    String(Math.ceil(count / 10)),
    "--keys",
    at("keys.json"),
    "--out",
    at("killed"),
    "--seed",
    "killed",
    "--origin",
    "https://killed.example.com"
  ])
  const killed = question(at("killed/reports.avro"), at("killed-summary"))
  await killAt("paid", killed)
  say(
    `  files in the output folder: ${existsSync(at("killed-summary")) ? readdirSync(at("killed-summary")).filter((name) => !name.startsWith(".")).length : 0}`
  )
  say("The same command again:")
  sotto(killed)

  const elapsed = (performance.now() - started) / 1000
  writeFileSync(at("README.txt"), "Made by `npm run demo`; safe to delete.\n")
  say(
    `\nDone in ${elapsed.toFixed(0)} s. The files are in ${folder}; look around with \`npx sotto show FILE\`, or delete the folder.`
  )
}

await main().catch((error: Error) => {
  say(`\nThe demo failed: ${error.message}`)
  process.exitCode = 1
})
