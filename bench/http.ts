/**
 * `npm run bench:http`: how many createJob and getJob a second a server answers, and how long one in a hundred takes, beside
 * a bare `node:http` handler that does the same SQLite writes, as ratios of one run.
 *
 * The two take turns, each round in fresh processes over fresh files, and medians are compared, because a machine's speed
 * drifts. Everything a write needs to survive a power cut is done by both.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import autocannon from "autocannon"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    connections: { type: "string", default: "10" },
    help: { type: "boolean", default: false }
  }
})

if (values.help) {
  console.log(`npm run bench:http -- [--rounds N] [--seconds N] [--connections N]

  --rounds       rounds of which the medians are taken (3)
  --seconds      how long each call is measured in a round, for each server (3)
  --connections  connections that ask at the same time (10)`)
  process.exit(0)
}

const [rounds, seconds, connections] = [values.rounds, values.seconds, values.connections].map(Number) as [
  number,
  number,
  number
]

interface Measured {
  readonly perSecond: number
  /** Milliseconds that 99 of 100 answers stay below. */
  readonly p99: number
}

const bodyOf = (id: string): string =>
  JSON.stringify({
    job_request_id: id,
    input_data_blob_prefix: "reports/",
    input_data_bucket_name: "data",
    output_data_blob_prefix: "out.avro",
    output_data_bucket_name: "data",
    job_parameters: {
      attribution_report_to: "https://reports.example.com",
      output_domain_bucket_name: "data",
      output_domain_blob_prefix: "domain/"
    }
  })

/** Starts a server, hands its address to `use`, and ends it. */
const withServer = async <A>(what: string, file: string, use: (url: string) => Promise<A>): Promise<A> => {
  const child = spawn(process.execPath, ["--conditions=@sotto/source", resolve("bench/httpServer.ts"), what, file], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const ended = once(child, "exit")
  try {
    const [port] = (await Promise.race([
      once(createInterface(child.stdout), "line"),
      ended.then(() => Promise.reject(new Error(`the server ${what} did not start`)))
    ])) as [string]
    return await use(`http://127.0.0.1:${port}`)
  } finally {
    child.kill("SIGTERM")
    await ended
  }
}

const fire = async (
  url: string,
  duration: number,
  request: Pick<autocannon.Request, "method" | "path" | "setupRequest">
): Promise<Measured> => {
  const result = await autocannon({ url, connections, duration, requests: [request] })
  if (result.errors + result.non2xx > 0) throw new Error(`${result.errors} errors, ${result.non2xx} refusals`)
  return { perSecond: result.requests.total / result.duration, p99: result.latency.p99 }
}

/** One server, warmed up for a second: first createJob with ids of its own, then getJob about these. */
const measure = (what: string, file: string): Promise<{ readonly create: Measured; readonly get: Measured }> =>
  withServer(what, file, async (url) => {
    let created = 0
    const post = {
      method: "POST" as const,
      path: "/v1alpha/createJob",
      setupRequest: (request: autocannon.Request) => ({ ...request, body: bodyOf(`job-${++created}`) })
    }
    await fire(url, 1, post)
    const create = await fire(url, seconds, post)
    // The last of a run may have been cut off before they were taken.
    const there = created - 2 * connections
    let asked = 0
    const get = {
      method: "GET" as const,
      setupRequest: (request: autocannon.Request) => ({
        ...request,
        path: `/v1alpha/getJob?job_request_id=job-${1 + ((asked++ * 7919) % there)}`
      })
    }
    await fire(url, 1, get)
    return { create, get: await fire(url, seconds, get) }
  })

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] as number

const folder = mkdtempSync(join(tmpdir(), "sotto-bench-"))
try {
  const runs: Array<Record<"sotto" | "bare", Awaited<ReturnType<typeof measure>>>> = []
  for (let round = 1; round <= rounds; round++) {
    process.stderr.write(`round ${round} of ${rounds}\r`)
    const file = (what: string) => join(folder, `${what}-${round}.db`)
    runs.push({ sotto: await measure("sotto", file("sotto")), bare: await measure("bare", file("bare")) })
  }
  console.log(
    `\nMedians of ${rounds} rounds with ${connections} connections; ratios are medians of the ratios round by round.\n`
  )
  for (const call of ["create", "get"] as const) {
    const of = (what: "sotto" | "bare", fact: keyof Measured) => median(runs.map((run) => run[what][call][fact]))
    const ratio = median(runs.map(({ sotto, bare }) => sotto[call].perSecond / bare[call].perSecond))
    const row = (name: string, what: "sotto" | "bare", more = "") =>
      console.log(
        `${name.padEnd(24)} ${Math.round(of(what, "perSecond")).toLocaleString("en-US").padStart(8)} requests/s ${of(what, "p99").toFixed(0).padStart(5)} ms p99${more}`
      )
    row(`${call}Job`, "sotto", `   ${ratio.toFixed(2)} × the bare handler`)
    row(`${call}Job, bare handler`, "bare")
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
