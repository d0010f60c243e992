/**
 * The main job, told as a story: `npm run demo`.
 *
 * A server is started over a folder, asked by the API that clients of the Aggregation Service know, killed, and started
 * again. Each command is printed before it runs, each request as the `curl` line that it stands for.
 */
import { createHash } from "node:crypto"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { root } from "./support/Project.ts"
import { chapter, fault, json, number, play, say, secondsSince, stageIn, tell } from "./support/Stage.ts"

const { folder, at, sotto, serve } = stageIn("sotto-demo")
const count = Number(process.env["SOTTO_DEMO_REPORTS"] ?? 100_000)
const started = performance.now()

interface ResultInfo {
  readonly return_code: string
  readonly return_message: string
  readonly error_summary: {
    readonly error_counts: ReadonlyArray<{ readonly category: string; readonly count: number }>
  }
}

interface AggregationJob {
  readonly job_status: string
  readonly result_info?: ResultInfo
}

/** What the native interface tells of an aggregation, as far as the demo shows it. */
interface Facts {
  readonly budget: { readonly use: string; readonly chargedAt?: number; readonly shortUnits?: number }
  readonly unprotected?: Readonly<Record<"reports" | "counted" | "duplicates" | "withErrors" | "units", number>>
  readonly accuracy?: { readonly stdDev: number }
}

interface NativeJob {
  readonly id: string
  readonly state: string
  readonly result?: Facts
  readonly failure: { readonly details: Facts } | null
}

const request = (id: string, reports: string, domain: string, more: object = {}, parameters: object = {}): object => ({
  job_request_id: id,
  input_data_bucket_name: "data",
  input_data_blob_prefix: reports,
  output_data_bucket_name: "summaries",
  output_data_blob_prefix: `${id}.avro`,
  ...more,
  job_parameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "data",
    output_domain_blob_prefix: domain,
    ...parameters
  }
})

/** Sends a file as the body of a request and shows it, the first time with what is in it. */
const post = async (
  url: string,
  path: string,
  name: string,
  body: object,
  headers: Readonly<Record<string, string>> = {}
) => {
  const file = `jobs/${name}.json`
  writeFileSync(at(file), `${JSON.stringify(body, null, 2)}\n`)
  const said = Object.entries(headers).map(([header, value]) => ` -H '${header}: ${value}'`)
  say(`$ curl ${url}${path}${said.join("")} --json @${file}`)
  const sent = { "content-type": "application/json", ...headers }
  return fetch(`${url}${path}`, { method: "POST", headers: sent, body: JSON.stringify(body) })
}

const createJob = async (url: string, id: string, body: object): Promise<void> => {
  const response = await post(url, "/v1alpha/createJob", id, body)
  tell(response.status === 202 ? "202 Accepted" : fault(`${response.status}: ${await response.text()}`))
}

/** Polls as a client would, and tells each status once. */
const getJob = async (url: string, id: string): Promise<ResultInfo> => {
  say(`$ curl '${url}/v1alpha/getJob?job_request_id=${id}'`)
  const since = performance.now()
  for (let last = ""; ;) {
    const job: AggregationJob = await json(await fetch(`${url}/v1alpha/getJob?job_request_id=${id}`))
    const { job_status: status, result_info: info } = job
    if (status !== last)
      tell(`${status.padEnd(11)} after ${secondsSince(since)}${info === undefined ? "" : `  ${info.return_code}`}`)
    if (status === "FINISHED" && info !== undefined) return info
    last = status
    await new Promise((wake) => setTimeout(wake, 100))
  }
}

/** What createJob's clients never saw: the budget and the counts, from the native interface. */
const factsOf = async (url: string, id: string): Promise<Facts> => {
  const { jobs } = await json<{ readonly jobs: ReadonlyArray<NativeJob> }>(await fetch(`${url}/v1/jobs?key=${id}`))
  const job = await json<NativeJob>(await fetch(`${url}/v1/jobs/${jobs[0]?.id}`))
  return job.result ?? job.failure?.details ?? fault(`job ${id} has told nothing`)
}

const budgetOf = ({ budget, unprotected }: Facts, epsilon: number): string => {
  const when = new Date(budget.chargedAt ?? 0).toISOString()
  switch (budget.use) {
    case "Charged":
      return `charged ε = ${epsilon} to ${number(unprotected?.units)} units`
    case "Replayed":
      return `free: this question was paid for on ${when}`
    case "Exhausted":
      return `${number(budget.shortUnits)} budget units cannot pay ε = ${epsilon}; nothing was charged`
    default:
      return budget.use
  }
}

/** Runs a job from its submission to its end and tells what it came to. */
const run = async (url: string, id: string, body: object, { code = "SUCCESS", epsilon = 10 } = {}): Promise<void> => {
  await createJob(url, id, body)
  const { return_code, return_message } = await getJob(url, id)
  const facts = await factsOf(url, id)
  const { unprotected: seen, accuracy } = facts
  if (seen !== undefined) {
    tell(
      `reports     ${number(seen.reports)} read, ${number(seen.counted)} counted, ${number(seen.duplicates)} duplicates, ${number(seen.withErrors)} with errors`
    )
  }
  tell(`budget      ${budgetOf(facts, epsilon)}`)
  if (accuracy !== undefined)
    tell(`noise       ε = ${epsilon}, standard deviation ${number(Math.round(accuracy.stdDev))}`)
  if (return_code !== code) fault(`expected ${code}, got ${return_code}: ${return_message}`)
  if (code !== "SUCCESS") tell(return_message)
}

interface Summary {
  readonly rows: ReadonlyArray<{
    readonly bucket: string
    readonly metric: string
    readonly low: string
    readonly high: string
    readonly truth?: string
  }>
}
const summary = (id: string): string => at(`summaries/${id}-1-of-1.avro`)
const rowsOf = (id: string, ...more: ReadonlyArray<string>): Summary["rows"] =>
  (JSON.parse(sotto(["show", summary(id), "--limit", "0", "--json", ...more], { quiet: true })) as Summary).rows

const digest = (id: string): string =>
  createHash("sha256")
    .update(readFileSync(summary(id)))
    .digest("hex")
    .slice(0, 16)

/** Key files are lists: the server opens reports that any of them was made for. */
const addKeys = (file: string, from: string): void => {
  const keysIn = (path: string) =>
    (JSON.parse(readFileSync(path, "utf8")) as { readonly keys: ReadonlyArray<object> }).keys
  writeFileSync(file, JSON.stringify({ keys: [...keysIn(file), ...keysIn(from)] }))
}

const generate = (to: string, seed: string, ...more: ReadonlyArray<string>): ReadonlyArray<string> => [
  "reports",
  "generate",
  ...more,
  "--out",
  at("data", to),
  "--seed",
  seed
]
const sealed = ["--keys", at("keys.json")]

const main = async (): Promise<void> => {
  rmSync(folder, { recursive: true, force: true })
  for (const name of ["data", "jobs", "summaries"]) mkdirSync(at(name), { recursive: true })
  say(`Sotto: encrypted reports become a noised summary under a privacy budget. All files go to ${folder}`)

  chapter(`${number(count)} encrypted reports over 50 campaigns × 20 regions, a domain with every key, and the truth`)
  sotto(["keys", "generate", "--out", at("keys.json")])
  sotto(generate("main", "demo", "--count", String(count), ...sealed))

  chapter("A server over this folder")
  writeFileSync(
    at("sotto.json"),
    `${JSON.stringify({ folder: ".", buckets: { data: "data", summaries: "summaries" } }, null, 2)}\n`
  )
  addKeys(at("keys.json"), join(root, "test/fixtures/goldens/keys.json"))
  say("$ cat sotto.json")
  tell(readFileSync(at("sotto.json"), "utf8"))
  let server = await serve()

  chapter("createJob, getJob: open, check, sum, pay, noise, write")
  const main = request("main", "main/reports.avro", "main/domain.avro")
  say("$ cat jobs/main.json")
  tell(JSON.stringify(main, null, 2))
  await run(server.url, "main", main)
  say("\n  The ten largest keys with 95 % intervals, beside the true sums that only a demo can know:\n")
  const truth = ["--truth", at("data/main/truth.json")]
  sotto(["show", summary("main"), "--sort", "metric", "--limit", "10", ...truth])
  say("\n  Smaller keys, where the noise shows:\n")
  sotto(["show", summary("main"), "--plot", "--sort", "metric", "--skip", "1700", "--limit", "12", ...truth])
  const all = rowsOf("main", ...truth)
  const covered = all.filter(
    ({ low, high, truth: sum = "0" }) => BigInt(low) <= BigInt(sum) && BigInt(sum) <= BigInt(high)
  ).length
  tell(
    `${covered} of ${all.length} intervals cover the truth (${((100 * covered) / all.length).toFixed(1)} %; 95 % are expected)`
  )

  chapter("The reports that Chrome encrypted")
  say(
    "Reports from Chromium's tests, sealed by the clock of 2009 for a published key. They all carry one report id, and a"
  )
  say(
    "report id counts once: the first that is valid counts, the others are dropped as duplicates. Half of them were made"
  )
  say("without debug mode, which a debug run leaves out. The sum is tiny, so this is a debug run: it shows it exactly.")
  say("createJob judges the age of reports by today; the native interface takes a time to judge by, and can wait:")
  const goldens = ["private-aggregation-1.0", "attribution-1.0", "attribution-0.1"].flatMap((set) =>
    readdirSync(join(root, "test/fixtures/goldens", set))
      .filter((name) => /^report_\d+\.json$/.test(name))
      .map((name) => join(root, "test/fixtures/goldens", set, name))
  )
  sotto(["reports", "pack", "--out", at("data/chrome.avro"), ...goldens], { quiet: true })
  sotto(generate("few", "few", "--count", "1", "--cleartext", "--campaigns", "1", "--regions", "1"), { quiet: true })
  const chrome = {
    kind: "aggregation",
    parameters: {
      inputDataBucketName: "data",
      inputDataBlobPrefix: "chrome.avro",
      outputDataBucketName: "summaries",
      outputDataBlobPrefix: "chrome.avro",
      asOf: Date.parse("2009-02-14T00:00:00Z"),
      jobParameters: {
        attribution_report_to: "https://report.test",
        output_domain_bucket_name: "data",
        output_domain_blob_prefix: "few/domain.avro",
        debug_run: "true",
        report_error_threshold_percentage: "100"
      }
    }
  }
  const native = await json<NativeJob>(await post(server.url, "/v1/jobs", "chrome", chrome, { Prefer: "wait=30" }))
  const { reports, counted, duplicates } = native.result?.unprotected ?? fault(JSON.stringify(native))
  tell(`${native.state}: ${reports} read, ${counted} counted, ${duplicates} duplicates`)
  say("Keys that are in no domain, and so in no summary, are in the last shard of the debug files:")
  sotto(["show", at("summaries/debug/chrome-2-of-2.avro")])

  chapter("Ask the same question again: the same bytes, free")
  await run(server.url, "again", request("again", "main/reports.avro", "main/domain.avro"))
  tell(digest("main") === digest("again") ? `the same bytes (sha256 ${digest("main")}…)` : fault("the bytes differ"))

  chapter("Ask it with a larger domain: the keys of both summaries agree, free")
  sotto(generate("larger", "demo", "--count", "1", "--cleartext", "--campaigns", "60"), { quiet: true })
  await run(server.url, "larger", request("larger", "main/reports.avro", "larger/domain.avro"))
  const larger = new Map(rowsOf("larger").map(({ bucket, metric }) => [bucket, metric]))
  const agree = all.filter(({ bucket, metric }) => larger.get(bucket) === metric).length
  tell(
    `${agree} of ${all.length} keys of the first summary stand in the larger one (${larger.size} keys) with the same value`
  )
  if (agree !== all.length) fault("the summaries disagree")

  chapter("Ask with one more report: another question, and the budget of its units is spent")
  sotto(generate("one", "one more", "--count", "1", ...sealed), { quiet: true })
  mkdirSync(at("data/more"))
  cpSync(at("data/main/reports.avro"), at("data/more/reports-1.avro"))
  cpSync(at("data/one/reports.avro"), at("data/more/reports-2.avro"))
  await run(server.url, "more", request("more", "more/reports", "main/domain.avro"), {
    code: "PRIVACY_BUDGET_EXHAUSTED"
  })

  chapter("Kill the server after a job was paid and before its summary was written")
  const origin = (name: string) => ["--origin", `https://${name}.example.com`]
  sotto(generate("killed", "killed", "--count", String(Math.ceil(count / 10)), ...sealed, ...origin("killed")), {
    quiet: true
  })
  tell(`exit code ${await server.kill("TERM")}`)
  server = await serve({ SOTTO_PAUSE_AT: "paid" })
  await createJob(server.url, "killed", request("killed", "killed/reports.avro", "main/domain.avro"))
  await server.says("paused at paid")
  const how = await server.kill("KILL")
  const killedAt = performance.now()
  tell(`${how} while the job stood behind its payment`)
  tell(`files of this job: ${readdirSync(at("summaries")).filter((name) => name.startsWith("killed")).length}`)
  server = await serve()
  say("Nobody is asked to do anything: 12 s after the last sign of life the job is taken up again. Meanwhile:")

  chapter("Shared questions: ε = 5 and ε = 7 over other reports")
  sotto(generate("shared", "shared", "--count", String(Math.ceil(count / 5)), ...sealed, ...origin("shared")), {
    quiet: true
  })
  const shared = (id: string, epsilon: number) =>
    run(
      server.url,
      id,
      request(id, "shared/reports.avro", "main/domain.avro", {
        privacy_params: { laplace_dp_params: { job_epsilon: epsilon } }
      }),
      { epsilon }
    )
  await shared("shared-1", 5)
  await shared("shared-2", 7)

  chapter("The job of the killed server")
  const { return_code } = await getJob(server.url, "killed")
  if (return_code !== "SUCCESS") fault(return_code)
  tell(`done within ${secondsSince(killedAt)} of the kill`)
  const facts = await factsOf(server.url, "killed")
  tell(`budget      ${budgetOf(facts, 10)}`)
  if (facts.budget.use !== "Replayed") fault("the job was charged twice")
  const ledger = ["--ledger", at("sotto.db"), "--ledger-keys", at("ledger-keys.json")]
  sotto(["budget", "history", ...ledger])

  await server.kill("TERM")
  say(
    `\nDone in ${secondsSince(started)}. The files are in ${folder}: \`npx sotto show FILE\` shows one, \`npx sotto serve --config ${relative(process.cwd(), at("sotto.json"))}\` goes on with the jobs, and the folder may be deleted.`
  )
}

await play(main)
