/**
 * A job: the fold of its log.
 *
 * `evolve` is pure and total, and a job is plain data, so any store can keep the row beside the log and compare the two.
 * What changes without an event (the deadline of a lease, progress) is not part of it.
 */
import { type TimerName } from "./Command.ts"
import type { EventBody, EventStamp, JobEvent, Report, Submission } from "./Event.ts"
import {
  driverFailed,
  driverLost,
  externalTimeout,
  type Failure,
  inputRejected,
  inputTimeout,
  jobTimeout,
  workerLost
} from "./Failure.ts"
import type { EndedEpoch, EpochEnd } from "./Lease.ts"
import { HELD, isTerminal, type JobState, type Millis } from "./Lifecycle.ts"
import { isPlainObject, type Plain, type PlainObject } from "./Plain.ts"

export type Outcome =
  | { readonly _tag: "Succeeded"; readonly result: Plain }
  | { readonly _tag: "Failed"; readonly failure: Failure }
  | { readonly _tag: "Cancelled"; readonly by: string; readonly reason: string | null }
  | { readonly _tag: "Skipped"; readonly reason: string }

/** What a parked job waits for. */
export type Awaiting =
  | {
      readonly _tag: "Input"
      readonly key: string
      readonly stage: string
      readonly until: Millis
      /** The input that was there before and is to be replaced; absent unless it was rejected. */
      readonly rejected?: Plain
    }
  | { readonly _tag: "External"; readonly id: string; readonly data: Plain; readonly until: Millis }

export interface JobInput {
  readonly key: string
  readonly data: Plain
  readonly at: Millis
}

/** That there is an output; a store keeps its data under job, session and key. */
export interface OutputMark {
  readonly key: string
  readonly at: Millis
}

export interface JobTimer {
  readonly name: TimerName
  readonly at: Millis
}

export interface Job extends Omit<Submission, "inputs"> {
  readonly state: JobState
  /** The number of its last event, so of all its events. */
  readonly seq: number
  /** The number of its last outward event. */
  readonly outwardSeq: number
  /** How often it was claimed, cancelled or reset; a lease is good for one epoch. */
  readonly epoch: number
  /** 1 for the first; a reset starts the next. */
  readonly session: number
  /** Of this session: epochs that ended by an expired lease or a retryable failure. */
  readonly failures: number
  /** Its failures are used up; an operator may redrive it. */
  readonly dead: boolean
  readonly lastFailure: Failure | null
  readonly lastEnd: EndedEpoch | null
  /** The worker that holds it; `null` exactly in states in which nobody does. */
  readonly holder: string | null
  /** Since when it may be claimed, or from when on; a number exactly if it is leased and queued. Also its place in the queue. */
  readonly readyAt: Millis | null
  readonly awaiting: Awaiting | null
  /** The key of the input that was asked last in this session. */
  readonly lastAwaited: string | null
  /** In the order in which they were given. */
  readonly inputs: ReadonlyArray<JobInput>
  /** What ended outside, in order, in this session. */
  readonly externals: ReadonlyArray<{ readonly id: string; readonly data: Plain; readonly at: Millis }>
  /** In the order in which they were emitted in this session. */
  readonly outputs: ReadonlyArray<OutputMark>
  /** What a driver reported, merged; empty for a leased job. */
  readonly fields: PlainObject
  readonly outcome: Outcome | null
  readonly deadline: Millis | null
  readonly silentAt: Millis | null
  /** The timer that rings next, if one is set. */
  readonly timer: JobTimer | null
  readonly createdAt: Millis
  /** When the present session first ran. */
  readonly startedAt: Millis | null
  readonly updatedAt: Millis
  /** A number exactly in terminal states. */
  readonly finishedAt: Millis | null
  /** When it may be purged; a number exactly in terminal states. */
  readonly retainUntil: Millis | null
}

/** The job after its log; `undefined` for a log that does not start with `Submitted`. */
export const fold = (events: ReadonlyArray<JobEvent>): Job | undefined => {
  const [first, ...rest] = events
  return first?._tag === "Submitted" ? rest.reduce(evolve, begin(first)) : undefined
}

/** The job after one more event. A second `Submitted` begins again: `decide` never makes one. */
export const evolve = (job: Job, event: JobEvent): Job =>
  event._tag === "Submitted" ? begin(event) : settle(job, { ...job, ...changes(job, event) }, event)

/** The job after its first event. */
export const begin = (event: Extract<JobEvent, { _tag: "Submitted" }>): Job => {
  const { inputs, ...submission } = event.submission
  const fresh: Job = {
    ...submission,
    state: event.state,
    seq: 0,
    outwardSeq: 0,
    epoch: event.epoch,
    session: event.session,
    failures: 0,
    dead: false,
    lastFailure: null,
    lastEnd: null,
    holder: null,
    readyAt: Math.max(event.at, submission.notBefore ?? event.at),
    awaiting: null,
    lastAwaited: null,
    inputs: inputs.map(({ key, data }) => ({ key, data, at: event.at })),
    externals: [],
    outputs: [],
    fields: {},
    outcome: null,
    deadline: submission.deadlineMs === null ? null : event.at + submission.deadlineMs,
    silentAt: submission.silenceMs === null ? null : event.at + submission.silenceMs,
    timer: null,
    createdAt: event.at,
    startedAt: null,
    updatedAt: event.at,
    finishedAt: null,
    retainUntil: null
  }
  return settle(
    fresh,
    event.report === null ? fresh : { ...fresh, ...reportChanges(fresh, event.report, event) },
    event
  )
}

/** Whether a row may be removed: ended and kept for as long as its kind wants. */
export const isPurgeable = (job: Pick<Job, "retainUntil">, now: Millis): boolean =>
  job.retainUntil !== null && job.retainUntil <= now

/** Every timer that is set, in the order in which those of one time ring. */
export const timersOf = (job: Omit<Job, "timer">): ReadonlyArray<JobTimer> => {
  if (isTerminal(job.state)) return []
  const { awaiting, deadline, silentAt, state, relation } = job
  // From its final step on a job has all the time it needs.
  const beforeFinish = state !== "Finishing"
  return [
    ...(awaiting === null
      ? []
      : [{ name: awaiting._tag === "Input" ? ("input" as const) : ("external" as const), at: awaiting.until }]),
    ...(relation === "leased" && beforeFinish && deadline !== null
      ? [{ name: "deadline" as const, at: deadline }]
      : []),
    ...(relation === "reported" && silentAt !== null ? [{ name: "silence" as const, at: silentAt }] : [])
  ]
}

/** What an event changes by its own meaning; what follows from the state alone is `settle`'s. */
const changes = (job: Job, event: Exclude<JobEvent, { _tag: "Submitted" }>): Partial<Job> => {
  const { at } = event
  switch (event._tag) {
    case "Claimed":
      return { holder: event.worker }
    case "Started":
      return { startedAt: job.startedAt ?? at }
    case "FinishBegun":
      return {}
    case "Released":
      return { readyAt: job.createdAt }
    case "Succeeded":
      return { outcome: { _tag: "Succeeded", result: event.result } }
    case "Skipped":
      return { outcome: { _tag: "Skipped", reason: event.reason } }
    case "Failed":
      return failed(event.failure)
    case "Faltered":
      return failedOnce(job, event.failure, event.readyAt)
    case "LeaseExpired":
      return failedOnce(job, workerLost, event.readyAt)
    case "OutputEmitted":
      return { outputs: [...job.outputs, { key: event.key, at }] }
    case "InputAsked": {
      const { key, stage, until, rejects } = event
      const before = job.inputs.find((input) => input.key === key)
      return {
        awaiting: { _tag: "Input", key, stage, until, ...(rejects ? { rejected: before?.data ?? null } : {}) },
        lastAwaited: key,
        inputs: job.inputs.filter((input) => input.key !== key)
      }
    }
    case "InputGiven":
      return { inputs: [...job.inputs, { key: event.key, data: event.data, at }], ...requeued(job, event) }
    case "InputTimedOut": {
      const key = job.lastAwaited ?? ""
      const rejected = job.awaiting?._tag === "Input" && job.awaiting.rejected !== undefined
      return failed(rejected ? inputRejected(key) : inputTimeout(key))
    }
    case "ExternalAsked":
      return { awaiting: { _tag: "External", id: event.id, data: event.data, until: event.until } }
    case "ExternalFinished":
      return { externals: [...job.externals, { id: event.id, data: event.data, at }], ...requeued(job, event) }
    case "ExternalTimedOut":
      return failed(externalTimeout(job.awaiting?._tag === "External" ? job.awaiting.id : ""))
    case "DeadlinePassed":
      return failed(jobTimeout)
    case "Cancelled":
      return { outcome: { _tag: "Cancelled", by: event.by, reason: event.reason } }
    case "Reset":
      return {
        ...restarted(job, at),
        startedAt: null,
        lastAwaited: null,
        inputs: job.inputs.filter(({ key }) => !event.freed.includes(key)),
        externals: [],
        outputs: []
      }
    case "Redriven":
      return restarted(job, at)
    case "Renamed":
      return { name: event.name }
    case "Reported":
      return reportChanges(job, event.report, event)
    case "Heard":
    case "CancelRequested":
      return { silentAt: silentAt(job, event) }
    case "Silenced":
      return isTerminal(event.state) ? failed(driverLost) : { silentAt: silentAt(job, event) }
  }
}

/** What follows from where the job is now. */
const settle = (before: Job, changed: Job, event: EventStamp & Pick<EventBody, "_tag">): Job => {
  const { state, at } = event
  const ended = isTerminal(state)
  const holder = changed.relation === "leased" && HELD.some((one) => one === state) ? changed.holder : null
  const finishedAt = ended ? (before.finishedAt ?? at) : null
  const job = {
    ...changed,
    state,
    seq: event.seq,
    epoch: event.epoch,
    session: event.session,
    outwardSeq: before.outwardSeq + event.outward.length,
    holder,
    lastEnd: before.holder !== null && holder === null ? { epoch: before.epoch, how: HOW[event._tag] } : before.lastEnd,
    readyAt: state === "Queued" && changed.relation === "leased" ? (changed.readyAt ?? at) : null,
    awaiting: state === "AwaitingInput" || state === "AwaitingExternal" ? changed.awaiting : null,
    outcome: ended ? changed.outcome : null,
    updatedAt: event._tag === "Heard" ? before.updatedAt : at,
    finishedAt,
    retainUntil: finishedAt === null ? null : finishedAt + changed.retentionMs
  }
  const timer = timersOf(job).reduce<JobTimer | null>(
    (first, one) => (first === null || one.at < first.at ? one : first),
    null
  )
  return { ...job, timer }
}

/** How an event ends the epoch that is held. Those that cannot are here for totality. */
const HOW: Readonly<Record<EventBody["_tag"], EpochEnd>> = {
  Submitted: "reset",
  Claimed: "released",
  Started: "released",
  FinishBegun: "released",
  Succeeded: "succeeded",
  Skipped: "skipped",
  Failed: "failed",
  Faltered: "faltered",
  LeaseExpired: "expired",
  Released: "released",
  OutputEmitted: "released",
  InputAsked: "parked",
  InputGiven: "released",
  InputTimedOut: "deadline",
  ExternalAsked: "parked",
  ExternalFinished: "released",
  ExternalTimedOut: "deadline",
  DeadlinePassed: "deadline",
  Cancelled: "cancelled",
  Reset: "reset",
  Redriven: "reset",
  Renamed: "released",
  Reported: "released",
  Heard: "released",
  Silenced: "released",
  CancelRequested: "cancelled"
}

const failed = (failure: Failure): Partial<Job> => ({ outcome: { _tag: "Failed", failure }, lastFailure: failure })

const failedOnce = (job: Job, failure: Failure, readyAt: Millis | null): Partial<Job> => ({
  ...(readyAt === null ? failed(failure) : { lastFailure: failure, readyAt }),
  failures: job.failures + 1,
  dead: readyAt === null
})

/** A parked job that goes on keeps its place in the queue, before younger ones. */
const requeued = (job: Job, { state }: EventStamp): Partial<Job> =>
  state === "Queued" && job.state !== "Queued" ? { readyAt: job.createdAt } : {}

const restarted = (job: Job, at: Millis): Partial<Job> => ({
  readyAt: at,
  failures: 0,
  dead: false,
  lastFailure: null,
  deadline: job.deadlineMs === null ? null : at + job.deadlineMs
})

/**
 * When the driver's silence is too long. A driver that nobody heard for one measure is waited for five more: 10 minutes to
 * `unknown`, 60 to `error` (spec: launcher §1).
 */
const silentAt = ({ silenceMs }: Job, { at, state }: EventStamp): Millis | null =>
  silenceMs === null ? null : at + silenceMs * (state === "Unknown" ? 5 : 1)

const reportChanges = (job: Job, report: Report, event: EventStamp): Partial<Job> => {
  const { at, state } = event
  const fields = mergeFields(job.fields, report.fields)
  return {
    fields,
    silentAt: silentAt(job, event),
    startedAt: job.startedAt ?? (state === "Running" ? at : null),
    ...(state === "Succeeded" ? { outcome: { _tag: "Succeeded", result: fields["result"] ?? null } } : {}),
    ...(state === "Failed" ? failed(report.failure ?? driverFailed) : {}),
    ...(state === "Cancelled" ? { outcome: { _tag: "Cancelled", by: "driver", reason: null } } : {}),
    ...(state === "Skipped" ? { outcome: { _tag: "Skipped", reason: "The driver found nothing to do." } } : {})
  }
}

const mergeFields = (before: PlainObject, now: PlainObject): PlainObject => {
  const [old, young] = [before["result"], now["result"]]
  const merged = { ...before, ...now }
  return isPlainObject(old) && isPlainObject(young) ? { ...merged, result: { ...old, ...young } } : merged
}
