/** A server as a process, for tests: started on a free port, looked at through its log. */
import { copyFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { type Document, type Ended, start, type Surroundings } from "../support/Sotto.ts"

export interface Server {
  readonly url: string
  /** What it has logged so far. */
  readonly log: () => ReadonlyArray<Record<string, unknown>>
  readonly says: (text: string) => Promise<void>
  readonly kill: (signal: NodeJS.Signals) => void
  readonly ended: Promise<Ended>
}

const linesOf = (stderr: string): ReadonlyArray<Record<string, unknown>> =>
  stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))

/** Starts `sotto serve` and waits until it listens. */
export const serve = async (args: ReadonlyArray<string>, surroundings?: Surroundings): Promise<Server> => {
  const running = start(["serve", "--port", "0", ...args], surroundings)
  await running.says('"message":"Listening"')
  const log = () => linesOf(running.stderr())
  const listening = log().find(({ message }) => message === "Listening")
  return { ...running, log, url: String(listening?.["url"]) }
}

/** Puts reports, a domain and their key where a server with this folder looks for them. */
export const furnish = (folder: string, made: string, keys: string): void => {
  for (const [bucket, file] of [
    ["reports", "reports.avro"],
    ["domains", "domain.avro"]
  ] as const) {
    mkdirSync(join(folder, bucket), { recursive: true })
    copyFileSync(join(made, file), join(folder, bucket, file))
  }
  copyFileSync(keys, join(folder, "keys.json"))
}

/** The body of a createJob about what `furnish` put there. */
export const requestOf = (id: string) => ({
  job_request_id: id,
  input_data_bucket_name: "reports",
  input_data_blob_prefix: "reports.avro",
  output_data_bucket_name: "output",
  output_data_blob_prefix: `${id}.avro`,
  job_parameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "domains",
    output_domain_blob_prefix: "domain.avro"
  }
})

export const createJob = (url: string, id: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${url}/v1alpha/createJob`, { method: "POST", body: JSON.stringify(requestOf(id)), headers })

export const getJob = async (url: string, id: string, headers: Readonly<Record<string, string>> = {}) =>
  (await (await fetch(`${url}/v1alpha/getJob?job_request_id=${id}`, { headers })).json()) as Document

/** Polls as a client would, until the job is over. */
export const finished = async (url: string, id: string): Promise<Document> => {
  for (;;) {
    const job = await getJob(url, id)
    if (job["job_status"] === "FINISHED") return job
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
