/** Jobs in the store file of an embedded engine. Whatever process works on the file runs them; this one does not. */
import { existsSync, readFileSync } from "node:fs"
import { type Job, JOB_STATES, type JobEvent, JobKind, type JobState, type Relation } from "@sotto/core/job"
import type { JobView } from "@sotto/engine"
import { aggregationKind, type AnyJobKind, Engine, layerEngine } from "@sotto/engine"
import { JobStore } from "@sotto/core/ports/JobStore"
import { layerSystemEntropy } from "@sotto/fs"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { CommandError, UsageError } from "../Failure.ts"
import { timeText } from "../Print.ts"
import { run } from "../Run.ts"
import { print, printJson, table } from "../Terminal.ts"

interface StoreOptions {
  readonly store: string
  readonly tenant: string
  readonly json: boolean
}

/** A kind of a host, of which this process knows no more than the name: any parameters, the usual times. */
const kindOf = (name: string, relation: Relation = "leased"): AnyJobKind =>
  name === aggregationKind.name
    ? aggregationKind
    : JobKind.make({ name, relation, parameters: Schema.Json, result: Schema.Json, failure: Schema.Json })

const layerStore = ({ store: file }: StoreOptions) =>
  Layer.mergeAll(
    layerSqliteJobStore({ file, mustExist: true }),
    layerSqliteRecords({ file, mustExist: true }),
    layerMemoryJobQueue(),
    layerSystemEntropy
  )

/** A program over an engine that knows one kind. */
const over = <A, E extends { readonly message: string }>(
  options: StoreOptions,
  kind: AnyJobKind,
  program: (engine: Engine["Service"]) => Effect.Effect<A, E>
): Promise<A> =>
  run(
    Effect.flatMap(Engine, program).pipe(
      Effect.provide(layerEngine({ kinds: [kind] }).pipe(Layer.provide(layerStore(options))))
    )
  )

/** The kind of a job that is there. */
const kindOfJob = async (id: string, options: StoreOptions): Promise<AnyJobKind> => {
  const read = await run(
    Effect.flatMap(JobStore, (store) => store.read(options.tenant, id)).pipe(Effect.provide(layerStore(options)))
  )
  if ("row" in read) return kindOf(read.row.kind, read.row.relation)
  throw new CommandError(`There is no job ${id} of the tenant ${options.tenant} in ${options.store}.`)
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
  options: StoreOptions & {
    readonly kind: string
    readonly parameters: string
    readonly key?: string
    readonly name?: string
    readonly priority: string
  }
): Promise<void> => {
  const { tenant, key = null, name = null } = options
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(options.kind)) throw new UsageError("--kind: write the name of a kind of jobs.")
  const submission = {
    tenant,
    key,
    name,
    kind: options.kind,
    parameters: parametersOf(options.parameters),
    priority: Number(options.priority)
  }
  const { job, created } = await over(options, kindOf(options.kind), (engine) => engine.submit(submission))
  await (options.json ? printJson({ id: job.id, created, state: job.state }) : print(job.id))
}

const statesOf = (list: string): ReadonlyArray<JobState> =>
  list.split(",").map((text) => {
    const state = JOB_STATES.find((one) => one.toLowerCase() === text.trim().toLowerCase())
    if (state === undefined) throw new UsageError(`--state: ${text} is none of ${JOB_STATES.join(", ")}.`)
    return state
  })

export const list = async (
  options: StoreOptions & { readonly kind?: string; readonly state?: string; readonly limit: number }
): Promise<void> => {
  const { kind, state, tenant, limit } = options
  const filter = {
    ...(kind === undefined ? {} : { kinds: [kind] }),
    ...(state === undefined ? {} : { states: statesOf(state) })
  }
  const { rows, next } = await over(options, aggregationKind, (engine) =>
    engine.list(tenant, filter, null, Math.min(limit, MOST))
  )
  if (options.json) return printJson({ jobs: rows, more: next !== null })
  await print(
    table(
      ["id", "kind", "state", "created", "name"],
      rows.map(({ id, kind: of, state: now, createdAt, name }) => [id, of, now, timeText(createdAt), name ?? ""])
    )
  )
}

/** A page of the store. */
const MOST = 1_000

const lines = ({ job, word, progress }: JobView): string =>
  [
    `${job.kind} ${job.id}${job.name === null ? "" : ` (${job.name})`}`,
    `state     ${job.state}${word === job.state ? "" : ` (${word})`}, epoch ${job.epoch}, failures ${job.failures}`,
    `created   ${timeText(job.createdAt)}`,
    ...(job.finishedAt === null ? [] : [`finished  ${timeText(job.finishedAt)}`]),
    ...(progress === null
      ? []
      : [
          `progress  ${progress.done}${progress.total === null ? "" : ` of ${progress.total}`} ${progress.phase ?? ""}`
        ]),
    ...(job.awaiting === null ? [] : [`awaits    ${JSON.stringify(job.awaiting)}`]),
    ...(job.outcome === null ? [] : [`outcome   ${JSON.stringify(job.outcome)}`])
  ].join("\n")

export const get = async (id: string, options: StoreOptions): Promise<void> => {
  const view = await over(options, await kindOfJob(id, options), (engine) => engine.get(options.tenant, id))
  await (options.json ? printJson(view) : print(lines(view)))
}

const ended = (job: Job, { json }: StoreOptions): Promise<void> =>
  json ? printJson(job) : print(`${job.state}${job.outcome === null ? "" : ` ${JSON.stringify(job.outcome)}`}`)

export const wait = async (id: string, options: StoreOptions): Promise<void> => {
  const job = await over(options, await kindOfJob(id, options), (engine) => engine.wait(options.tenant, id))
  if (job.state !== "Succeeded") process.exitCode = 1
  await ended(job, options)
}

export const cancel = async (id: string, options: StoreOptions & { readonly reason?: string }): Promise<void> => {
  const kind = await kindOfJob(id, options)
  await ended(
    await over(options, kind, (engine) => engine.cancel(options.tenant, id, "sotto", options.reason)),
    options
  )
}

/** What an event says beyond number, time and name. */
const rest = ({ seq: _, at: __, _tag: ___, state: ____, outward: _____, ...body }: JobEvent): string =>
  JSON.stringify(body)

export const events = async (
  id: string,
  options: StoreOptions & { readonly follow: boolean; readonly after: number }
): Promise<void> => {
  const { tenant, follow, after, json } = options
  const show = (event: JobEvent) =>
    Effect.promise(() =>
      print(
        json
          ? JSON.stringify(event)
          : `${String(event.seq).padStart(4)}  ${timeText(event.at)}  ${event._tag.padEnd(12)} ${rest(event)}`
      )
    )
  await over(options, await kindOfJob(id, options), (engine) => {
    // Without --follow the log ends where it ended when it was looked at.
    const until = Effect.map(engine.get(tenant, id), ({ job }) => job.seq)
    return Effect.flatMap(until, (last) => {
      const all = engine.follow(tenant, id, after)
      return Stream.runForEach(follow ? all : Stream.take(all, Math.max(0, last - after)), show)
    })
  })
}
