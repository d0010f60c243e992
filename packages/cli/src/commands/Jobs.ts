/** Jobs in the store file of an engine, or behind a server: what is typed and shown is the same for both. */
import { existsSync, readFileSync } from "node:fs"
import { isTerminal, JOB_STATES, type JobState } from "@sotto/core/job"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { CommandError, UsageError } from "../Failure.ts"
import type { JobsClient, ShownJob } from "../jobs/JobsClient.ts"
import { waitLine } from "../jobs/WaitLine.ts"
import { run } from "../Run.ts"
import { interactive, print, printJson, table } from "../Terminal.ts"

interface PlaceOptions {
  readonly store?: string
  readonly url?: string
  readonly tenant?: string
  readonly apiKeyFile?: string
  readonly json: boolean
}

type Client = JobsClient<{ readonly message: string }>

const clientOf = async ({ store, url, tenant, apiKeyFile }: PlaceOptions): Promise<Client> => {
  if ((store === undefined) === (url === undefined)) throw new UsageError("Give one of --store and --url.")
  if (store !== undefined) {
    if (apiKeyFile !== undefined) throw new UsageError("--api-key-file goes with --url: a store asks for no key.")
    return (await import("../jobs/StoreJobs.ts")).storeJobs(store, tenant ?? "default")
  }
  if (tenant !== undefined) throw new UsageError("--tenant goes with --store: at a server the API key says whose jobs.")
  if (!/^https?:\/\//.test(url ?? "") || !URL.canParse(url ?? "")) {
    throw new UsageError("--url: write where the server is, e.g. http://127.0.0.1:8787.")
  }
  return (await import("../jobs/UrlJobs.ts")).urlJobs({ url: url ?? "", apiKey: apiKeyOf(apiKeyFile) })
}

const apiKeyOf = (file: string | undefined): string | undefined => {
  if (file === undefined) return process.env["SOTTO_API_KEY"] || undefined
  if (!existsSync(file)) throw new CommandError(`There is no file ${file}.`)
  return readFileSync(file, "utf8").trim()
}

const over = async <A>(
  options: PlaceOptions,
  program: (client: Client) => Effect.Effect<A, { readonly message: string }>
): Promise<A> => {
  const client = await clientOf(options)
  return run(program(client))
}

const parametersOf = (text: string): unknown => {
  const file = text.startsWith("@") ? text.slice(1) : undefined
  if (file !== undefined && !existsSync(file)) throw new CommandError(`There is no file ${file}.`)
  try {
    return JSON.parse(file === undefined ? text : readFileSync(file, "utf8"))
  } catch {
    throw new UsageError(`--parameters: ${file ?? "this"} is not JSON.`)
  }
}

export const submit = async (
  options: PlaceOptions & {
    readonly kind: string
    readonly parameters: string
    readonly key?: string
    readonly name?: string
    readonly priority: string
  }
): Promise<void> => {
  const { kind, key, name } = options
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(kind)) throw new UsageError("--kind: write the name of a kind of jobs.")
  const submission = {
    kind,
    parameters: parametersOf(options.parameters),
    priority: Number(options.priority),
    ...(key === undefined ? {} : { key }),
    ...(name === undefined ? {} : { name })
  }
  const { job, created } = await over(options, (client) => client.submit(submission))
  await (options.json ? printJson({ id: job.id, created, state: job.state }) : print(job.id))
}

const statesOf = (list: string): ReadonlyArray<JobState> =>
  list.split(",").map((text) => {
    const state = JOB_STATES.find((one) => one.toLowerCase() === text.trim().toLowerCase())
    if (state === undefined) throw new UsageError(`--state: ${text} is none of ${JOB_STATES.join(", ")}.`)
    return state
  })

export const list = async (
  options: PlaceOptions & { readonly kind?: string; readonly state?: string; readonly limit: number }
): Promise<void> => {
  const { kind, state, limit } = options
  const filter = { states: state === undefined ? [] : statesOf(state), ...(kind === undefined ? {} : { kind }) }
  const page = await over(options, (client) => client.list(filter, limit))
  if (options.json) return printJson(page)
  await print(
    table(
      ["id", "kind", "state", "created", "name"],
      page.jobs.map(({ id, kind: of, state: now, createdAt, name }) => [id, of, now, createdAt, name ?? ""])
    )
  )
}

/** How a job ended, in JSON; nothing while it has not. */
const endOf = ({ result, failure, reason, finishedAt }: ShownJob): string | undefined =>
  finishedAt === null
    ? undefined
    : result !== undefined
      ? JSON.stringify(result)
      : failure !== null
        ? JSON.stringify(failure)
        : (reason ?? undefined)

const lines = (job: ShownJob): string => {
  const { kind, id, name, state, word, session, failures, createdAt, finishedAt, progress, awaiting } = job
  const end = endOf(job)
  return [
    `${kind} ${id}${name === null ? "" : ` (${name})`}`,
    `state     ${state}${word === state ? "" : ` (${word})`}, session ${session}, failures ${failures}`,
    `created   ${createdAt}`,
    ...(finishedAt === null ? [] : [`finished  ${finishedAt}`]),
    ...(progress === null
      ? []
      : [
          `progress  ${progress.done}${progress.total === null ? "" : ` of ${progress.total}`} ${progress.phase ?? ""}`
        ]),
    ...(awaiting === null ? [] : [`awaits    ${JSON.stringify(awaiting)}`]),
    ...(end === undefined ? [] : [`outcome   ${end}`])
  ].join("\n")
}

export const get = async (id: string, options: PlaceOptions): Promise<void> => {
  const job = await over(options, (client) => client.look(id, 0))
  await (options.json ? printJson(job) : print(lines(job)))
}

const ended = (job: ShownJob, { json }: PlaceOptions): Promise<void> => {
  const end = endOf(job)
  return json ? printJson(job) : print(`${job.state}${end === undefined ? "" : ` ${end}`}`)
}

/** For so long one look at a job waits for its end: a bar moves meanwhile, a pipe is in no hurry. */
const LOOK_SECONDS = { bar: 1, pipe: 5 }

export const wait = async (id: string, options: PlaceOptions): Promise<void> => {
  const bar = interactive()
  const line = waitLine(bar)
  const job = await over(options, (client) =>
    Effect.gen(function* () {
      for (let seconds = 0; ; seconds = bar ? LOOK_SECONDS.bar : LOOK_SECONDS.pipe) {
        const seen = yield* client.look(id, seconds)
        if (isTerminal(seen.state)) return seen
        line.update(seen)
      }
    })
  ).finally(line.end)
  if (job.state !== "Succeeded") process.exitCode = 1
  await ended(job, options)
}

export const cancel = async (id: string, options: PlaceOptions & { readonly reason?: string }): Promise<void> =>
  ended(await over(options, (client) => client.cancel(id, options.reason)), options)

export const events = async (
  id: string,
  options: PlaceOptions & { readonly follow: boolean; readonly after: number }
): Promise<void> => {
  await over(options, (client) =>
    Stream.runForEach(client.events(id, options), ({ number, at, name, rest, document }) =>
      Effect.promise(() =>
        print(
          options.json
            ? JSON.stringify(document)
            : `${String(number).padStart(4)}  ${at}  ${name.padEnd(12)} ${JSON.stringify(rest)}`
        )
      )
    )
  )
}
