import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { program } from "../src/Main.ts"
import { fixture, inside, temporary } from "./support/Sotto.ts"

const { path, remove } = temporary()
const reports = fixture("sample/output_debug_reports.avro")
const domain = fixture("sample/output_domain.avro")
const cleartext = ["aggregate", "--input-data-avro-file", reports, "--output-directory", path("never")]
const whole = [...cleartext, "--domain-avro-file", domain]
const sealed = [...whole, "--keys", path("keys.json"), "--reporting-site", "https://example.com"]

/** Every command below `root` with the words that call it. */
const commands = (root = program(), words: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> => [
  words,
  ...root.commands.flatMap((command) => commands(command, [...words, command.name()]))
]

beforeAll(() => {
  writeFileSync(path("empty.avro"), "")
  writeFileSync(path("junk.avro"), "no Avro")
  writeFileSync(path("cut.avro"), readFileSync(reports).subarray(0, 300))
  copyFileSync(path("keys.json"), path("open.json"))
  chmodSync(path("open.json"), 0o644)
  mkdirSync(path("folder"))
})
afterAll(remove)

describe("sotto", () => {
  it.each(commands().map((words) => [words.join(" ") || "(root)", words] as const))(
    "helps with examples: %s",
    async (_, words) => {
      const { code, stdout, stderr } = await inside(...words, "--help")
      expect([code, stderr]).toEqual([0, ""])
      expect(stdout).toMatch(/\nExamples:\n {2}# .+\n {2}\$ sotto /)
    }
  )

  it.each<readonly [sentence: string, args: ReadonlyArray<string>]>([
    ["unknown command 'agregate'\n(Did you mean aggregate?)", ["agregate"]],
    ["unknown option '--nope'", ["plan", "--nope"]],
    ["(Did you mean --epsilon?)", ["plan", "--epsilom", "1"]],
    ["required option '--input-data-avro-file <path>' not specified", ["aggregate"]],
    ["Required Parameter --domain_avro_file missing", cleartext],
    ["Give only one of --domain-avro-file and --skip-domain.", [...whole, "--skip-domain"]],
    ["too many arguments", [...whole, "more"]],
    ["argument missing", [...whole, "--ledger"]],
    ["Parameter --epsilon should be a number > 0 and <= 64 (found 65)", [...whole, "--epsilon", "65"]],
    ["Parameter --epsilon should be a number > 0 and <= 64 (found 1e1)", [...whole, "--epsilon=1e1"]],
    ["Parameter --epsilon should be a number > 0 and <= 64 (found 0)", [...whole, "--epsilon", "0"]],
    ["'--lanes <n>' argument '0' is invalid. Write a whole number of at least 1.", [...whole, "--lanes", "0"]],
    ["'--l1-sensitivity <n>' argument '1.5' is invalid", [...whole, "--l1_sensitivity", "1.5"]],
    ["--error-threshold takes a percentage from 0 to 100", [...whole, "--error-threshold", "101"]],
    ["--input-report-count takes a whole number", [...whole, "--input-report-count", "x"]],
    ["--filtering-ids takes numbers", [...whole, "--filtering-ids", "0,x"]],
    ["--filtering-ids takes numbers", [...whole, "--local_job_params_input_filtering_ids", "-1"]],
    ["--as-of yesterday is not a time. Write UTC as in 2024-01-31T10:00:00Z.", [...whole, "--as-of", "yesterday"]],
    ["Allowed choices are exclusive, shared", [...whole, "--budget", "both"]],
    ["Cleartext reports are not checked for their origin", [...whole, "--reporting-site", "https://example.com"]],
    ["--bound cuts reports at 65,536", [...whole, "--bound", "--l1-sensitivity", "5"]],
    ["--no-noising publishes exact sums, which no ledger", [...whole, "--no_noising", "--ledger", "l"]],
    ["--skip-domain publishes which keys occur", [...cleartext, "--skip_domain", "--ledger", "l"]],
    ["leave --l1-sensitivity out, or --ledger", [...whole, "--l1-sensitivity", "5", "--ledger", "l"]],
    ["Debug runs never touch a ledger", [...whole, "--debug_run", "--ledger", "l"]],
    ["give --ledger FILE, or say --no-ledger", sealed],
    ["--no-noising is for cleartext reports and debug runs", [...sealed, "--no-ledger", "--no_noising"]],
    ["--skip-domain is for cleartext reports and debug runs", [...sealed, "--no-ledger", "--skip_domain"]],
    [
      "exactly one of --reporting-site and --attribution-report-to",
      [...sealed, "--no-ledger", "--attribution-report-to", "https://a.com"]
    ],
    ["exactly one of --reporting-site and --attribution-report-to", [...whole, "--no-ledger", "--keys", "k"]],
    ["Its site is https://example.com.", [...sealed, "--no-ledger", "--reporting-site", "https://a.example.com"]],
    [
      "--attribution-report-to takes an origin",
      [...whole, "--no-ledger", "--keys", "k", "--attribution-report-to", "https://a.com/"]
    ],
    ["Give --keys FILE to seal the reports, or --cleartext", ["reports", "generate", "--out", path("never")]],
    ["missing required argument 'report.json'", ["reports", "pack", "--out", "x"]],
    ["--counts takes whole numbers", ["plan", "--counts", "1,x"]],
    ["Write a number above 0 and up to 1.", ["plan", "--share", "2"]],
    ["--count is at most 20,000,000", ["noise", "sample", "--count", "20000001", "--json", path("never.json")]],
    ["--plot draws summaries", ["show", domain, "--plot"]],
    ["--before yesterday is not a time", ["budget", "purge", "--ledger", "l", "--before", "yesterday"]]
  ])("answers wrong usage with 2: %s", async (sentence, args) => {
    const { code, stdout, stderr } = await inside(...args)
    expect([code, stdout]).toEqual([2, ""])
    expect(stderr).toContain(sentence)
    expect(stderr).toMatch(/^sotto: /)
    expect(stderr).not.toContain("    at ")
  })

  it.each<readonly [sentence: string, args: ReadonlyArray<string>]>([
    [
      "There is no file, folder or file name prefix nope for the reports.",
      [...whole, "--input-data-avro-file", "nope"]
    ],
    [
      "There is no file, folder or file name prefix nope/ for the output domain.",
      [...whole, "--domain-avro-file", "nope/"]
    ],
    ["open.json is a file, not a folder", [...whole, "--output-directory", path("open.json", "out")]],
    ["There is no file nope.", ["show", "nope"]],
    ["is a folder; name one Avro file in it.", ["show", path("folder")]],
    ["is empty.", ["show", path("empty.avro")]],
    ["byte 0: this is not an Avro object container", ["show", path("junk.avro")]],
    ["the file ends at byte 300", ["show", path("cut.avro")]],
    ["there is no such file or folder", ["keys", "generate", "--out", path("nope.json"), "--public"]],
    ["there is no folder", ["keys", "generate", "--out", path("nope", "keys.json")]],
    ["others may read these private keys; run chmod 600", ["keys", "generate", "--out", path("open.json")]],
    [
      "already holds a key with the id example_id",
      ["keys", "generate", "--out", path("keys.json"), "--id", "example_id"]
    ],
    ["There are no ledger keys at", ["keys", "ledger", "--out", path("nope.json"), "--rotate"]],
    ["is not JSON", ["reports", "pack", "--out", path("never.avro"), path("junk.avro")]],
    ["there is no folder", ["noise", "sample", "--json", path("nope", "n.json")]],
    ["nope.json: there is no such file or folder.", ["show", domain, "--truth", path("nope.json")]],
    ["does not hold true sums", ["show", domain, "--truth", path("junk.avro")]],
    ["There is no budget ledger at", ["budget", "show", "--ledger", path("nope.db")]],
    ["not a budget ledger. It was left as it is", ["budget", "history", "--ledger", path("junk.avro")]],
    [
      "There is no budget ledger at",
      [
        "budget",
        "purge",
        "--ledger",
        path("nope.db"),
        "--ledger-keys",
        path("l.json"),
        "--before",
        "2024-01-01T00:00:00Z"
      ]
    ]
  ])("answers what cannot be done with 1: %s", async (sentence, args) => {
    if (args.includes(path("l.json"))) await inside("keys", "ledger", "--out", path("l.json"))
    const { code, stdout, stderr } = await inside(...args)
    expect([code, stdout]).toEqual([1, ""])
    expect(stderr).toContain(sentence)
    expect(stderr.trimEnd().split("\n")).toHaveLength(1)
  })

  it("prints its help without arguments, and its version", async () => {
    expect((await inside()).stdout).toBe((await inside("--help")).stdout)
    expect(await inside("--version")).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" })
  })

  it("leaves what stands behind -- alone", async () =>
    expect((await inside("show", "--", "--under_score")).stderr).toBe("sotto: There is no file --under_score.\n"))
})
