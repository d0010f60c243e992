/**
 * A job of each kind through one server: `npm run demo:kinds`.
 *
 * The server is the one of examples/all-kinds. Each request is shown as the `curl` line that it stands for.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { root } from "./support/Project.ts"
import { chapter, endWithDemo, fault, json, play, say, secondsSince, stageIn, tell } from "./support/Stage.ts"

const { folder, at, sotto, serve } = stageIn("sotto-demo-kinds")
const started = performance.now()

const write = (name: string, body: unknown): void => writeFileSync(at(name), `${JSON.stringify(body, null, 2)}\n`)

const get = async <A>(url: string): Promise<A> => {
  say(`$ curl ${/[?&]/.test(url) ? `'${url}'` : url}`)
  return json<A>(await fetch(url))
}

/** Sends a file as the body of a request. */
const send = (url: string, file: string): Promise<Response> => {
  say(`$ curl ${url} --json @${file}`)
  const headers = { "content-type": "application/json" }
  return fetch(url, { method: "POST", headers, body: readFileSync(at(file)) })
}

const post = async <A>(url: string, file: string): Promise<A> => json<A>(await send(url, file))

/** Asks again, quietly and ten times a second, until what is answered is what was waited for. */
const until = async <A>(url: string, isThere: (answer: A) => boolean): Promise<A> => {
  const since = performance.now()
  for (;;) {
    const answer = await json<A>(await fetch(url))
    if (isThere(answer)) return answer
    if (performance.now() - since > 60_000) fault(`it takes too long: ${JSON.stringify(answer)}`)
    await new Promise((wake) => setTimeout(wake, 100))
  }
}

const layOut = (): void => {
  const example = join(root, "examples/all-kinds")
  const config = JSON.parse(readFileSync(join(example, "sotto.json"), "utf8"))
  const jobs = relative(folder, join(example, "jobs.ts"))
  write("sotto.json", { ...config, models: { module: jobs }, automation: { services: jobs } })
  say("$ cat sotto.json")
  tell(readFileSync(at("sotto.json"), "utf8"))
}

interface AggregationJob {
  readonly job_status: string
  readonly result_info?: { readonly return_code: string; readonly return_message: string }
}

/** Reports in, a noised summary out. */
const aggregation = async (url: string): Promise<void> => {
  const size = ["--count", "300", "--campaigns", "3", "--regions", "4"]
  sotto(["reports", "generate", ...size, "--seed", "kinds", "--keys", at("keys.json"), "--out", at("made")])
  copyFileSync(at("made/reports.avro"), at("reports/reports.avro"))
  copyFileSync(at("made/domain.avro"), at("domains/domain.avro"))
  write("aggregation.json", {
    job_request_id: "kinds",
    input_data_bucket_name: "reports",
    input_data_blob_prefix: "reports.avro",
    output_data_bucket_name: "output",
    output_data_blob_prefix: "kinds.avro",
    job_parameters: {
      reporting_site: "https://example.com",
      output_domain_bucket_name: "domains",
      output_domain_blob_prefix: "domain.avro"
    }
  })
  const created = await send(`${url}/v1alpha/createJob`, "aggregation.json")
  tell(created.status === 202 ? "202 Accepted" : fault(`${created.status}: ${await created.text()}`))
  const job = `${url}/v1alpha/getJob?job_request_id=kinds`
  await until<AggregationJob>(job, ({ job_status }) => job_status === "FINISHED")
  const { job_status, result_info } = await get<AggregationJob>(job)
  tell(`${job_status} ${result_info?.return_code}`)
  if (result_info?.return_code !== "SUCCESS") fault(result_info?.return_message ?? "no result_info")
  sotto(["show", at("output/kinds-1-of-1.avro"), "--sort", "metric", "--limit", "3", "--truth", at("made/truth.json")])
}

interface OnDemandJob {
  readonly data: {
    readonly id: string
    readonly status: string
  }
}

/** A table in, a table out, paid by groups of records. */
const onDemand = async (url: string): Promise<void> => {
  const table = "x,y\n3,4\n5,12\n8,15\n20,21\n1,1\n2,3\n"
  writeFileSync(at("sides.csv"), table)
  say("$ cat sides.csv")
  tell(table)
  const data = '{"name": "Six triangles", "mimeType": "text/csv; header=present"}'
  say(`$ curl ${url}/api/v1/jobs --form-string 'data=${data}' -F file=@sides.csv`)
  const form = new FormData()
  form.set("data", data)
  form.set("file", new Blob([table]), "sides.csv")
  const { data: job } = await json<OnDemandJob>(await fetch(`${url}/api/v1/jobs`, { method: "POST", body: form }))
  tell(JSON.stringify(job, null, 2))
  if (job.status !== "success") fault(`the job ended with ${job.status}`)
  const { data: link } = await get<{ readonly data: string }>(`${url}/api/v1/jobs/result-link/${job.id}`)
  tell(link.replace(/token=.*/, "token=…"))
  say("$ curl 'http://…?token=…'")
  const result = await fetch(link)
  tell(result.ok ? await result.text() : fault(`${result.status}: ${await result.text()}`))
}

interface Run {
  readonly state: string
  readonly jobId: string
  readonly reportToken?: string
  readonly hostname: string
  readonly result: Readonly<Record<string, unknown>>
}

const isOver = ({ state }: Run): boolean => ["finished", "error", "cancelled", "skipped"].includes(state)

const SIGNALS = 500

/** Searches of a shop and what followed them, in the three months before `end`. */
const signalsUntil = (end: number): string =>
  Array.from({ length: SIGNALS }, (_, i) => {
    const search = { fusion_query_id: `s${i - (i % 5)}`, query: ["shoe", "hat", "red shoe"][Math.floor(i / 5) % 3] }
    const type = ["response", "click", "click", "cart", "purchase"][i % 5]
    const filters = type === "response" ? { filters_s: ["brand:a", "brand:a $ size:1"][Math.floor(i / 5) % 2] } : {}
    const timestamp_tdt = new Date(end - (i + 1) * 15_000_000).toISOString()
    return `${JSON.stringify({ id: `s${i}`, type, ...search, ...filters, doc_id: `d${i % 7}`, count_i: 1, weight_d: 1, timestamp_tdt })}\n`
  }).join("")

/** A configuration in, a run of SQL that reports how it goes. */
const launcher = async (url: string): Promise<void> => {
  copyFileSync(join(root, "test/fixtures/launcher/configuration.json"), at("configuration.json"))
  const { inputCollection, referenceTime } = JSON.parse(readFileSync(at("configuration.json"), "utf8"))
  mkdirSync(at("collections/default", inputCollection), { recursive: true })
  writeFileSync(at("collections/default", inputCollection, "1.ndjson"), signalsUntil(Date.parse(referenceTime)))
  say(
    `Its configuration is the vendor's example; ${SIGNALS} signals are in collections/default/${inputCollection}/1.ndjson.`
  )
  const { jobId } = await post<Run>(`${url}/job-launcher/launcher`, "configuration.json")
  const status = `${url}/job-launcher/launcher/status`
  await until(`${status}/${jobId}`, isOver)
  const run = await get<Run>(`${status}/${jobId}`)
  const { query: _, ...result } = run.result
  tell(JSON.stringify({ state: run.state, jobId, hostname: run.hostname, result }, null, 2))
  if (run.state !== "finished") fault(`the run ended with ${run.state}`)

  say("\nA run of another type waits for a driver, which may be any program that speaks HTTP:")
  write("outside.json", { type: "spark", id: "nightly" })
  const outside = await post<Run>(`${url}/job-launcher/launcher`, "outside.json")
  tell(JSON.stringify({ state: outside.state, jobId: outside.jobId, reportToken: "…" }))
  say(`$ LAUNCHER_URL=${url} JOB_ID=${outside.jobId} REPORT_TOKEN=… node examples/driver/driver.mjs sleep 0.2`)
  const driver = endWithDemo(
    spawn(process.execPath, [join(root, "examples/driver/driver.mjs"), "sleep", "0.2"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: {
        ...process.env,
        LAUNCHER_URL: url,
        JOB_ID: outside.jobId,
        REPORT_TOKEN: outside.reportToken ?? fault("the launcher gave no token")
      }
    })
  )
  await once(driver, "exit")
  const reported = await get<Run>(`${status}/${outside.jobId}`)
  tell(JSON.stringify({ state: reported.state, jobId: reported.jobId, hostname: reported.hostname }))
  if (reported.state !== "finished") fault(`the run ended with ${reported.state}`)
}

interface Automation {
  readonly id: string
  readonly state: string
  readonly awaitingInputKey: string | null
}

interface Menu {
  readonly data: ReadonlyArray<{ readonly title: string; readonly ingredients: string }>
}

interface Events {
  readonly data: ReadonlyArray<{ readonly name: string; readonly key?: string | null }>
}

/** A script that stops to ask. */
const automation = async (url: string): Promise<void> => {
  write("automation.json", { serviceId: "bd80b73a-af55-4087-a5d4-91f6c8619948", category: "test", input: {} })
  const { id } = await post<Automation>(`${url}/automation/jobs`, "automation.json")
  const job = `${url}/automation/jobs/${id}`
  await until<Automation>(job, ({ state }) => state !== "processing" && state !== "pending")
  const asking = await get<Automation>(job)
  tell(JSON.stringify({ state: asking.state, awaitingInputKey: asking.awaitingInputKey }))
  const ingredients = await get<{ readonly data: ReadonlyArray<string> }>(`${job}/outputs/ingredients`)
  tell(ingredients.data.join(", "))
  write("input.json", { key: "ingredientToAvoid", data: "almond" })
  say("$ cat input.json")
  tell(readFileSync(at("input.json"), "utf8"))
  await post(`${job}/inputs`, "input.json")
  const { state } = await until<Automation>(job, (one) => ["success", "fail"].includes(one.state))
  if (state !== "success") fault(`the automation ended with ${state}`)
  const menu = await get<Menu>(`${job}/outputs/menu`)
  tell(menu.data.map(({ title, ingredients: of }) => `${title}: ${of}`).join("\n"))
  const events = await get<Events>(`${job}/events`)
  tell(events.data.map(({ name, key }) => `${name}${key ? ` ${key}` : ""}`).join("\n"))
}

interface Listed {
  readonly jobs: ReadonlyArray<{ readonly kind: string; readonly state: string; readonly id: string }>
}

const main = async (): Promise<void> => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  say(`Sotto: four kinds of job on one engine. All files go to ${folder}`)

  chapter("One server, by configuration")
  layOut()
  const server = await serve()
  const { url } = server

  chapter("An aggregation: 300 encrypted reports become a noised summary")
  await aggregation(url)

  chapter("An on-demand job: the Pythagoras model over a table")
  await onDemand(url)

  chapter("Launcher runs: SQL over signals by our worker, and a driver outside")
  await launcher(url)

  chapter("An automation: the School Menu, which asks what to avoid")
  await automation(url)

  chapter("One store: the native interface sees them all")
  const { jobs } = await get<Listed>(`${url}/v1/jobs`)
  tell(jobs.map((job) => `${job.kind.padEnd(12)} ${job.state.padEnd(10)} ${job.id}`).join("\n"))
  if (jobs.some((job) => job.state !== "Succeeded")) fault("a job is not well")

  tell(`exit code ${await server.kill("TERM")}`)
  say(`\nA job of each kind, done in ${secondsSince(started)}. The folder may be deleted: ${folder}`)
}

await play(main)
