/**
 * A kind of job: which rows of its relation it uses, what goes in and comes out, its outward words, its times.
 *
 * `JobKind.make` is the one constructor, for our kinds and a host's. It refuses what cannot be sound where it is written
 * down: a kind is a constant of a program, so a fault stops the program instead of waiting for the first job.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { eventsOf, restrict, statesOf } from "../machine/Machine.ts"
import type { ClaimKind } from "./Claim.ts"
import type { KindRules } from "./Decision.ts"
import type { EventBody, OutwardName, Submission } from "./Event.ts"
import { isName } from "./Submission.ts"
import { LEASE, leaseFaults, type LeasePolicy } from "./Lease.ts"
import type { Job } from "./Job.ts"
import {
  isTerminal,
  JOB_STATES,
  type JobState,
  type Lifecycle,
  type LifecycleEvent,
  type LifecycleRow,
  type Millis,
  type Relation,
  relations
} from "./Lifecycle.ts"
import { outwardNames } from "./Outward.ts"
import type { Plain } from "./Plain.ts"
import { RETRY, retryFaults, type RetryPolicy } from "./Retry.ts"

const DAY_MS = 86_400_000

/** What the outward word may depend on beside the job. */
export interface OutwardView {
  /** Whether a worker could take the job now: some interfaces tell those that wait for a slot apart. */
  readonly slotFree: boolean
}

/** How a kind speaks to its clients. */
export interface Outward<Word extends string> {
  /** A word for each state that the kind uses. */
  readonly states: Partial<Record<JobState, Word>>
  /** Where the state does not say enough; `undefined`: the word of the state. */
  readonly refine?: (job: Job, view: OutwardView) => Word | undefined
  /** Words that are accepted in filters and never said. */
  readonly accepted?: ReadonlyArray<Word>
  /** The outward events of one event, in order; claims have none, because stores make them. Absent: `outwardNames`. */
  readonly events?: (
    event: Exclude<EventBody, { readonly _tag: "Claimed" }>,
    state: JobState,
    before: Job | undefined
  ) => ReadonlyArray<OutwardName>
}

export interface KindTimes {
  /** From the start of a session to its final step; `null`: no limit. Leased kinds only. */
  readonly deadlineMs: number | null
  /** How long an input is waited for, unless the worker says otherwise. */
  readonly inputMs: number
  /** How long something outside is waited for, unless the worker says otherwise. */
  readonly externalMs: number
  /** How long a driver may be silent; `null`: for ever. Reported kinds only. */
  readonly silenceMs: number | null
  /** How long a job is kept after its end. */
  readonly retentionMs: number
  /** For how long at least submitting again with the same key finds the same job. */
  readonly idempotencyMs: number
}

/** Fifteen minutes for an input: other systems A3. */
export const TIMES: KindTimes = {
  deadlineMs: null,
  inputMs: 15 * 60_000,
  externalMs: 15 * 60_000,
  silenceMs: null,
  retentionMs: 14 * DAY_MS,
  idempotencyMs: DAY_MS
}

export interface KindOptions<Name extends string, P, R, F, Word extends string> extends Partial<KindTimes> {
  /** Lower-case letters, digits and `-`, at most 63, a letter first. */
  readonly name: Name
  readonly relation: Relation
  readonly parameters: Schema.Codec<P, unknown>
  readonly result: Schema.Codec<R, unknown>
  /** The `details` of a failure. */
  readonly failure: Schema.Codec<F, unknown>
  /** Rows with these states or events are left out; what is left must be sound. */
  readonly without?: { readonly states?: ReadonlyArray<JobState>; readonly events?: ReadonlyArray<LifecycleEvent> }
  /** If absent, a state is its own word and outward events are those of `outwardNames`. */
  readonly outward?: Outward<Word>
  /** The blobs that hold the result of a job that ended; none if absent. */
  readonly files?: (job: Job) => ReadonlyArray<JobFile>
  readonly lease?: Partial<LeasePolicy>
  readonly retry?: Partial<RetryPolicy>
  readonly perTenant?: number
  readonly perKey?: number
}

type AnyOptions = KindOptions<string, unknown, unknown, unknown, string>

export interface JobKind<
  Name extends string = string,
  P = unknown,
  R = unknown,
  F = unknown,
  Word extends string = string
> extends KindRules {
  readonly name: Name
  readonly parameters: PlainCodec<P>
  readonly result: PlainCodec<R>
  readonly failure: PlainCodec<F>
  readonly times: KindTimes
  readonly lease: LeasePolicy
  readonly retry: RetryPolicy
  /** What a worker of this kind asks a store for. */
  readonly claims: ClaimKind
  readonly outward: KindRules["outward"] & {
    /** Every word that is ever said or accepted. */
    readonly words: ReadonlyArray<Word>
    word(job: Job, view: OutwardView): Word
  }
  /** The blobs that hold the result of a job that ended, the most wanted first; empty for all others. */
  files(job: Job): ReadonlyArray<JobFile>
}

/** A blob with a part of a result. */
export interface JobFile {
  /** For whoever saves it: unique among the files of the job, without `/`. */
  readonly name: string
  readonly bucket: string
  readonly key: string
}

/** To and from what is stored. */
export interface PlainCodec<T> {
  readonly schema: Schema.Codec<T, unknown>
  decode(value: unknown): Coded<T>
  encode(value: T): Coded<Plain>
}

export type Coded<T> =
  | { readonly _tag: "Coded"; readonly value: T }
  /** `message` names the places and what was expected there. */
  | { readonly _tag: "NotCoded"; readonly message: string }

/** What one option of a kind has against it. */
export interface KindFault {
  readonly option: string
  readonly hint: string
}

/** A kind that cannot be sound; `message` lists all faults. */
export class KindRejected extends Error {
  override readonly name = "KindRejected"
  readonly faults: ReadonlyArray<KindFault>
  constructor(kind: string, faults: ReadonlyArray<KindFault>) {
    super(`The job kind "${kind}" is refused: ${faults.map(({ option, hint }) => `${option}: ${hint}`).join("; ")}`)
    this.faults = faults
  }
}

/** Makes a kind, or throws `KindRejected`. */
const make = <const Name extends string, P, R, F, const Word extends string = JobState>(
  options: KindOptions<Name, P, R, F, Word>
): JobKind<Name, P, R, F, Word> => {
  const faults = check(options)
  const lifecycle = restricted(options)
  if (faults.length > 0 || !("rows" in lifecycle)) throw new KindRejected(options.name, faults)
  const { name, relation, perTenant, perKey } = options
  const outward: Outward<Word> = options.outward ?? { states: ownWords as Record<JobState, Word> }
  const { states, refine, accepted = [], events = outwardNames } = outward
  const fallback = Object.values(states)[0] as Word
  return {
    name,
    relation,
    lifecycle,
    parameters: plainCodec(options.parameters),
    result: plainCodec(options.result),
    failure: plainCodec(options.failure),
    times: timesOf(options),
    lease: { ...LEASE, ...options.lease },
    retry: { ...RETRY, ...options.retry },
    claims: {
      kind: name,
      ...(perTenant === undefined ? {} : { perTenant }),
      ...(perKey === undefined ? {} : { perKey })
    },
    outward: {
      words: [...new Set([...statesOfKind(lifecycle).flatMap((state) => states[state] ?? []), ...accepted])],
      word: (job, view) => refine?.(job, view) ?? states[job.state] ?? fallback,
      events: (event, state, before) => (event._tag === "Claimed" ? [] : events(event, state, before))
    },
    files: (job) => (isTerminal(job.state) ? (options.files?.(job) ?? []) : [])
  }
}

/** Everything that `make` would refuse; empty for a sound kind. */
const check = <Name extends string, P, R, F, Word extends string>(
  options: KindOptions<Name, P, R, F, Word>
): ReadonlyArray<KindFault> => {
  const { name, relation, without, outward, perTenant, perKey } = options
  const times = timesOf(options)
  const lifecycle = restricted(options)
  const fault = (sound: boolean, option: string, hint: string): ReadonlyArray<KindFault> =>
    sound ? [] : [{ option, hint }]
  const under = (option: string, hints: ReadonlyArray<string>) => hints.map((hint) => ({ option, hint }))
  return [
    ...fault(
      /^[a-z][a-z0-9-]{0,62}$/.test(name),
      "name",
      "lower-case letters, digits and -, a letter first, at most 63"
    ),
    ...under("lease", leaseFaults({ ...LEASE, ...options.lease })),
    ...under("retry", retryFaults({ ...RETRY, ...options.retry })),
    ...fault(
      relation === "leased" || times.deadlineMs === null,
      "deadlineMs",
      "a driver runs its jobs without a deadline"
    ),
    ...fault(relation === "reported" || times.silenceMs === null, "silenceMs", "a leased job lives by its lease"),
    ...(["deadlineMs", "inputMs", "externalMs", "silenceMs", "retentionMs", "idempotencyMs"] as const).flatMap(
      (option) =>
        fault(times[option] === null || isDuration(times[option]), option, "a whole number of milliseconds from 1")
    ),
    ...fault(
      times.retentionMs >= times.idempotencyMs,
      "retentionMs",
      `shorter than idempotencyMs (${times.idempotencyMs}): a key would be forgotten while it must still be known`
    ),
    ...fault(perTenant === undefined || isCap(perTenant), "perTenant", "a whole number from 1"),
    ...fault(perKey === undefined || isCap(perKey), "perKey", "a whole number from 1"),
    ...(without?.states ?? []).flatMap((state) =>
      fault(statesOfKind(relations[relation]).includes(state), "without.states", `no ${relation} job is ever ${state}`)
    ),
    ...(without?.events ?? []).flatMap((event) =>
      fault(
        eventsOf(relations[relation]).includes(event),
        "without.events",
        `no ${relation} job has the event ${event}`
      )
    ),
    ...("faults" in lifecycle
      ? under(
          "without",
          lifecycle.faults.map(({ hint }) => hint)
        )
      : [...needs(relation, lifecycle), ...(outward === undefined ? [] : wordless(lifecycle, outward))])
  ]
}

/** The constructor of kinds. */
export const JobKind = { make, check }

/** What a client says of a job that it submits, beyond its parameters. Absent options come from the kind. */
export interface SubmitOptions {
  readonly id: string
  readonly tenant: string
  readonly key?: string | null
  readonly name?: string | null
  readonly inputs?: Submission["inputs"]
  readonly priority?: number
  readonly notBefore?: Millis | null
  readonly deadlineMs?: number | null
  readonly concurrencyKey?: string | null
  readonly retry?: Partial<RetryPolicy>
}

/** A submission with the kind's own values for what is not said; `decide` checks it. `parameters` are encoded. */
export const submissionOf = (
  kind: Pick<JobKind, "name" | "relation" | "times" | "retry">,
  parameters: Plain,
  options: SubmitOptions
): Submission => ({
  id: options.id,
  tenant: options.tenant,
  kind: kind.name,
  relation: kind.relation,
  key: options.key ?? null,
  name: options.name ?? null,
  parameters,
  inputs: options.inputs ?? [],
  priority: options.priority ?? 0,
  notBefore: options.notBefore ?? null,
  deadlineMs: options.deadlineMs === undefined ? kind.times.deadlineMs : options.deadlineMs,
  concurrencyKey: options.concurrencyKey ?? null,
  retry: { ...kind.retry, ...options.retry },
  silenceMs: kind.times.silenceMs,
  retentionMs: kind.times.retentionMs
})

const restricted = ({ relation, without }: Pick<AnyOptions, "relation" | "without">) => {
  const states = new Set<string>(without?.states)
  const events = new Set<string>(without?.events)
  const all = relations[relation]
  const wanted = ({ from, on, to }: LifecycleRow) => !states.has(from) && !states.has(to) && !events.has(on)
  // Where a step is gone, what stood in for it when there was nothing to do goes too.
  const moves = ({ from, on }: LifecycleRow, rows: Lifecycle["rows"]) =>
    rows.some((row) => row.from === from && row.on === on && row.same !== true)
  const kept = all.rows.filter(wanted)
  return restrict(all, (row) => wanted(row) && (moves(row, kept) || !moves(row, all.rows)))
}

/** Rows without which a kind has a way out on paper only: a dead worker's job must come back, a wait must end. */
const NEEDED: Readonly<Record<Relation, ReadonlyArray<LifecycleEvent>>> = {
  leased: [
    "Submitted",
    "Claimed",
    "Started",
    "Succeeded",
    "Failed",
    "Faltered",
    "LeaseExpired",
    "Released",
    "DeadlinePassed"
  ],
  reported: ["Silenced", "Heard"]
}
const NEEDED_STATES: Readonly<Record<Relation, ReadonlyArray<JobState>>> = {
  leased: ["Queued", "Starting", "Running", "Succeeded", "Failed"],
  reported: ["Unknown", "Failed"]
}
const TOGETHER: ReadonlyArray<readonly [LifecycleEvent, LifecycleEvent]> = [
  ["InputAsked", "InputGiven"],
  ["InputAsked", "InputTimedOut"],
  ["ExternalAsked", "ExternalFinished"],
  ["ExternalAsked", "ExternalTimedOut"]
]

const needs = (relation: Relation, lifecycle: Lifecycle): ReadonlyArray<KindFault> => {
  const [events, states] = [eventsOf(lifecycle), statesOfKind(lifecycle)]
  return [
    ...NEEDED[relation]
      .filter((event) => !events.includes(event))
      .map((event) => ({ option: "without.events", hint: `a ${relation} kind needs ${event}` })),
    ...NEEDED_STATES[relation]
      .filter((state) => !states.includes(state))
      .map((state) => ({ option: "without.states", hint: `a ${relation} kind needs ${state}` })),
    ...TOGETHER.filter(([one, other]) => events.includes(one) && !events.includes(other)).map(([one, other]) => ({
      option: "without.events",
      hint: `${one} needs ${other}, or the wait has no end`
    }))
  ]
}

const wordless = (lifecycle: Lifecycle, { states }: Outward<string>): ReadonlyArray<KindFault> =>
  statesOfKind(lifecycle)
    .filter((state) => !isName(states[state] ?? ""))
    .map((state) => ({ option: "outward.states", hint: `there is no word for ${state}` }))

const statesOfKind = (lifecycle: Lifecycle): ReadonlyArray<JobState> =>
  JOB_STATES.filter((state) => statesOf(lifecycle).includes(state))

const ownWords = Object.fromEntries(JOB_STATES.map((state) => [state, state]))

const timesOf = (options: Partial<KindTimes>): KindTimes => ({
  deadlineMs: options.deadlineMs ?? TIMES.deadlineMs,
  inputMs: options.inputMs ?? TIMES.inputMs,
  externalMs: options.externalMs ?? TIMES.externalMs,
  silenceMs: options.silenceMs ?? TIMES.silenceMs,
  retentionMs: options.retentionMs ?? TIMES.retentionMs,
  idempotencyMs: options.idempotencyMs ?? TIMES.idempotencyMs
})

const plainCodec = <T>(schema: Schema.Codec<T, unknown>): PlainCodec<T> => {
  const codec = Schema.toCodecJson(schema)
  const decode = Schema.decodeUnknownResult(codec, { errors: "all" })
  const encode = Schema.encodeUnknownResult(codec, { errors: "all" })
  return { schema, decode: (value) => coded(decode(value)), encode: (value) => coded(encode(value)) }
}

const coded = <A>(result: Result.Result<A, { readonly message: string }>): Coded<A> =>
  Result.isSuccess(result)
    ? { _tag: "Coded", value: result.success }
    : { _tag: "NotCoded", message: result.failure.message }

const isDuration = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 366_000 * DAY_MS

const isCap = (value: number): boolean => Number.isSafeInteger(value) && value >= 1
