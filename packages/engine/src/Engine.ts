/**
 * The engine as its clients see it. Everything is asked for a tenant; nothing of another tenant is ever seen.
 *
 * Every method may be called again after `JobStoreUnavailable`: whether it was done is then found out, not guessed.
 */
import { toUuid } from "@sotto/core/Bytes"
import {
  type DriverCommand,
  isTerminal,
  type Job,
  type JobEvent,
  newJob,
  type OutputData,
  type Plain,
  type Progress,
  type Report,
  submissionOf,
  type SubmitOptions
} from "@sotto/core/job"
import { Entropy } from "@sotto/core/ports/Entropy"
import type { JobQueue } from "@sotto/core/ports/JobQueue"
import {
  type JobCursor,
  type JobFilter,
  type JobPage,
  type JobSnapshot,
  JobStore,
  type JobStoreUnavailable,
  type JobTally
} from "@sotto/core/ports/JobStore"
import { Records, type RecordsUnavailable } from "@sotto/core/ports/Records"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type AnyJobKind, asClient, Journal, layerJournal } from "./Journal.ts"
import { pausedKinds, pauseKind, resumeKind } from "./Pause.ts"
import {
  type CommandRefused,
  InvalidSubmission,
  KeyTaken,
  type UnknownJob,
  unknownJob,
  type UnknownKind
} from "./Refusals.ts"

/** What a client submits; `parameters` in the form that the kind's schema reads from JSON. */
export interface SubmitRequest extends Omit<SubmitOptions, "id"> {
  readonly kind: string
  readonly parameters: unknown
}

/** `created: false`: the key was used before, with the same parameters, and this is that job. */
export interface Submitted {
  readonly job: Job
  readonly created: boolean
}

/** A job as its owner sees it. */
export interface JobView {
  readonly job: Job
  /** The last that its handler told, of any epoch. */
  readonly progress: Progress | null
  /** The state in the words of the kind. */
  readonly word: string
}

export interface ResetOptions {
  readonly by: string
  /** Forget the input with this key and those given after it, apart from `preserve`; otherwise all inputs stay. */
  readonly fromInput?: string
  readonly preserve?: ReadonlyArray<string>
}

export interface ReportRequest {
  readonly kind: string
  readonly tenant: string
  readonly id: string
  readonly report: Report
  /** What the job is if this is the first that is heard of it; without it an unknown job is refused. */
  readonly first?: Omit<SubmitOptions, "id" | "tenant"> & { readonly parameters: unknown }
}

type ChangeError = UnknownJob | UnknownKind | CommandRefused | JobStoreUnavailable
type ReadError = UnknownJob | JobStoreUnavailable

/** How long a stream of events waits for other processes before it looks again. */
const LOOK_MS = 1_000

const EVENTS_PER_PAGE = 500

export class Engine extends Context.Service<
  Engine,
  {
    submit(
      request: SubmitRequest
    ): Effect.Effect<Submitted, UnknownKind | InvalidSubmission | KeyTaken | JobStoreUnavailable>

    get(tenant: string, id: string): Effect.Effect<JobView, ReadError | UnknownKind>

    /** One page (`limit` 1 … 1000) behind a cursor; `null` for the first. */
    list(
      tenant: string,
      filter: JobFilter,
      after: JobCursor | null,
      limit: number
    ): Effect.Effect<JobPage, JobStoreUnavailable>

    /** How many jobs there are by kind and state, of one tenant or (`null`) of all. */
    tally(tenant: string | null): Effect.Effect<ReadonlyArray<JobTally>, JobStoreUnavailable>

    /** The events with numbers above `after` (0: from the start), at most `limit` (1 … 1000). */
    events(tenant: string, id: string, after: number, limit: number): Effect.Effect<ReadonlyArray<JobEvent>, ReadError>

    /**
     * The events above `after`, those that are there and those to come, in order and without gaps. Ends behind the event
     * with which the job ended; a reset or redrive later is seen by who asks again.
     */
    follow(tenant: string, id: string, after: number): Stream.Stream<JobEvent, ReadError>

    /** Waits until the job has ended. */
    wait(tenant: string, id: string): Effect.Effect<Job, ReadError>

    /** The data of an output of the present session (or the one that is named); `undefined` if there is none. */
    output(tenant: string, id: string, key: string, session?: number): Effect.Effect<OutputData | undefined, ReadError>

    /** Refused (`not inputKnown`) if the input is there: the first one stays. */
    giveInput(tenant: string, id: string, key: string, data: Plain): Effect.Effect<Job, ChangeError>

    /** What had to happen outside has happened. */
    finishExternal(tenant: string, id: string, external: string, data: Plain): Effect.Effect<Job, ChangeError>

    /** Ends a leased job at once and asks the driver of a reported one to end; a cancelled job stays as it is. */
    cancel(tenant: string, id: string, by: string, reason?: string): Effect.Effect<Job, ChangeError>

    /** A new session of the same job; possible while it runs and for 15 minutes after it failed or was cancelled. */
    reset(tenant: string, id: string, options: ResetOptions): Effect.Effect<Job, ChangeError>

    /** Gives a dead job its failures back. */
    redrive(tenant: string, id: string, by: string): Effect.Effect<Job, ChangeError>

    rename(tenant: string, id: string, name: string | null): Effect.Effect<Job, ChangeError>

    /** What an outside driver tells of its run. */
    report(request: ReportRequest): Effect.Effect<Job, ChangeError | InvalidSubmission>

    /** No worker claims jobs of this kind until it is resumed, also after a restart; those that run go on. */
    pause(kind: string, by: string): Effect.Effect<void, UnknownKind | RecordsUnavailable>
    resume(kind: string): Effect.Effect<void, UnknownKind | RecordsUnavailable>
    readonly paused: Effect.Effect<ReadonlySet<string>, RecordsUnavailable>
  }
>()("@sotto/engine/Engine") {}

const make = Effect.gen(function* () {
  const journal = yield* Journal
  const store = yield* JobStore
  const records = yield* Records
  const entropy = yield* Entropy

  const change = (tenant: string, id: string, command: Parameters<typeof journal.change>[2]) =>
    Effect.map(journal.change(tenant, id, command), ({ job }) => job)

  /** The parameters as they are kept: read and written once by the kind's schema. */
  const encoded = Effect.fnUntraced(function* (kind: AnyJobKind, parameters: unknown) {
    const read = kind.parameters.decode(parameters)
    const written = read._tag === "Coded" ? kind.parameters.encode(read.value) : read
    return written._tag === "Coded"
      ? written.value
      : yield* new InvalidSubmission({ kind: kind.name, message: `Correct the parameters: ${written.message}` })
  })

  const submit = Effect.fn("Engine.submit")(function* ({ kind: name, parameters, ...options }: SubmitRequest) {
    const kind = yield* journal.kind(name)
    // Ours and fresh: who finds it in the store has put it there, whichever answers were lost.
    const id = toUuid(yield* entropy.bytes(16), 4)
    const submission = submissionOf(kind, yield* encoded(kind, parameters), { ...options, id })
    const job = newJob(kind, { _tag: "Submit", submission })
    if (job._tag === "Rejected") {
      return yield* new InvalidSubmission({ kind: name, message: `Correct the submission: ${job.message}.` })
    }
    const answer = yield* asClient(store.create(job))
    if (answer._tag === "KeyConflict") {
      return yield* new KeyTaken({
        id: answer.id,
        message: `The key "${options.key ?? ""}" was used for the job "${answer.id}", which has other parameters. Use another key.`
      })
    }
    const created = answer.row.id === id
    if (created) yield* journal.tell(answer.row, [{ _tag: "Submitted", at: answer.row.createdAt }])
    return { job: answer.row, created } satisfies Submitted
  })

  const report = Effect.fn("Engine.report")(function* ({ kind: name, tenant, id, report, first }: ReportRequest) {
    const command: DriverCommand = { _tag: "Report", report }
    const changed = change(tenant, id, command)
    if (first === undefined) return yield* changed
    const kind = yield* journal.kind(name)
    const known = yield* asClient(store.read(tenant, id))
    if (!("_tag" in known)) return yield* changed
    const { parameters, ...options } = first
    const submission = submissionOf(kind, yield* encoded(kind, parameters), { ...options, tenant, id })
    const job = newJob(kind, { ...command, submission })
    if (job._tag === "Rejected") {
      return yield* new InvalidSubmission({ kind: name, message: `Correct the first report: ${job.message}.` })
    }
    const answer = yield* asClient(store.create(job))
    if (answer._tag === "Created") {
      yield* journal.tell(answer.row, [{ _tag: "Submitted", at: answer.row.createdAt }])
      return answer.row
    }
    // Somebody reported at the same time, or an answer was lost: then this report is no news.
    return yield* changed
  })

  const events = Effect.fnUntraced(function* (tenant: string, id: string, after: number, limit: number) {
    const answer = yield* asClient(store.events(tenant, id, after, limit))
    return "_tag" in answer ? yield* unknownJob(id) : answer
  })

  const follow = (tenant: string, id: string, start: number): Stream.Stream<JobEvent, ReadError> =>
    Stream.unwrap(
      Effect.map(journal.listen(tenant, id), (latch) =>
        Stream.paginate(start, (after) => {
          // Closed before the log is read, so that nothing is written between reading and waiting.
          const next: Effect.Effect<readonly [ReadonlyArray<JobEvent>, Option.Option<number>], ReadError> = Effect.gen(
            function* () {
              latch.closeUnsafe()
              const page = yield* events(tenant, id, after, EVENTS_PER_PAGE)
              const last = page.at(-1)
              if (last !== undefined) return [page, Option.some(last.seq)] as const
              const { row } = yield* journal.read(tenant, id)
              if (isTerminal(row.state) && row.seq <= after) return [[], Option.none()] as const
              if (row.seq <= after) yield* Effect.raceFirst(latch.await, Effect.sleep(LOOK_MS))
              return yield* next
            }
          )
          return next
        })
      )
    )

  const view = Effect.fnUntraced(function* ({ row, progress }: JobSnapshot) {
    const kind = yield* journal.kind(row.kind)
    const word = kind.outward.word(row, { slotFree: journal.slotFree(row.kind) })
    return { job: row, progress, word } satisfies JobView
  })

  const known = <A, E>(kind: string, effect: Effect.Effect<A, E, Records>) =>
    Effect.andThen(journal.kind(kind), Effect.provideService(effect, Records, records))

  return Engine.of({
    submit,
    report,
    get: Effect.fn("Engine.get")((tenant: string, id: string) => Effect.flatMap(journal.read(tenant, id), view)),
    list: Effect.fn("Engine.list")((tenant: string, filter: JobFilter, after: JobCursor | null, limit: number) =>
      asClient(store.list(tenant, filter, after, limit))
    ),
    tally: (tenant) => asClient(store.tally(tenant)),
    events,
    follow,
    wait: Effect.fn("Engine.wait")(function* (tenant: string, id: string) {
      const { seq } = yield* journal.read(tenant, id)
      yield* Stream.runDrain(follow(tenant, id, seq))
      return (yield* journal.read(tenant, id)).row
    }),
    output: Effect.fnUntraced(function* (tenant: string, id: string, key: string, session?: number) {
      const { row } = yield* journal.read(tenant, id)
      return yield* asClient(store.output(tenant, id, session ?? row.session, key))
    }),
    giveInput: Effect.fn("Engine.giveInput")((tenant: string, id: string, key: string, data: Plain) =>
      change(tenant, id, { _tag: "GiveInput", key, data })
    ),
    finishExternal: Effect.fn("Engine.finishExternal")((tenant: string, id: string, external: string, data: Plain) =>
      change(tenant, id, { _tag: "FinishExternal", id: external, data })
    ),
    cancel: Effect.fn("Engine.cancel")((tenant: string, id: string, by: string, reason?: string) =>
      change(tenant, id, { _tag: "Cancel", by, reason: reason ?? null })
    ),
    reset: Effect.fn("Engine.reset")((tenant: string, id: string, { by, fromInput, preserve }: ResetOptions) =>
      change(tenant, id, { _tag: "Reset", by, fromInput: fromInput ?? null, preserve: preserve ?? [] })
    ),
    redrive: Effect.fn("Engine.redrive")((tenant: string, id: string, by: string) =>
      change(tenant, id, { _tag: "Redrive", by })
    ),
    rename: Effect.fn("Engine.rename")((tenant: string, id: string, name: string | null) =>
      change(tenant, id, { _tag: "Rename", name })
    ),
    pause: (kind, by) => known(kind, pauseKind(kind, by)),
    resume: (kind) => known(kind, resumeKind(kind)),
    paused: Effect.provideService(pausedKinds(), Records, records)
  })
})

/** Engine and journal over the ports. Workers and sweepers of the same process share the journal. */
export const layerEngine = (options: {
  readonly kinds: ReadonlyArray<AnyJobKind>
}): Layer.Layer<Engine | Journal, never, JobStore | JobQueue | Records | Entropy> =>
  Layer.effect(Engine, make).pipe(Layer.provideMerge(layerJournal(options.kinds)))
