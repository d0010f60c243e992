/**
 * What a command comes to: events, or a refusal that says where, what and why.
 *
 * Pure and total. A refusal leaves no trace; a command may also be accepted and change nothing, such as the repetition of
 * one whose answer got lost.
 */
import { step } from "../machine/Machine.ts"
import { aimOf, type Command, type WorkerCommand } from "./Command.ts"
import type { EventBody, EventStamp, JobEvent, OutwardName, Report, Submission } from "./Event.ts"
import { begin, evolve, type Job, timersOf } from "./Job.ts"
import {
  type Facts,
  guards,
  isTerminal,
  type JobState,
  leased,
  type Lifecycle,
  type LifecycleEvent,
  type Guard,
  type Millis,
  type Relation
} from "./Lifecycle.ts"
import type { Condition } from "../machine/Machine.ts"
import { retryAt } from "./Retry.ts"
import { commandFaults, submissionFaults } from "./Submission.ts"

/** The part of a kind that decides. */
export interface KindRules {
  readonly name: string
  readonly relation: Relation
  /** The kind's subset of its relation's rows. */
  readonly lifecycle: Lifecycle
  readonly outward: {
    /** The outward events of one event; `state` is the one after it, `before` is absent at creation. */
    readonly events: (event: EventBody, state: JobState, before: Job | undefined) => ReadonlyArray<OutwardName>
  }
}

export interface Rejected {
  readonly _tag: "Rejected"
  readonly state: JobState | "Absent"
  readonly event: LifecycleEvent
  /** `staleLease`: another epoch, or nobody holds the job. `invalid`: something in the command is out of range; see `message`. */
  readonly reason: Condition<Guard> | "notListed" | "staleLease" | "invalid"
  readonly message: string
}

/** `job` is the job after `events`; without events it is the one that was given. */
export interface Accepted {
  readonly _tag: "Accepted"
  readonly events: ReadonlyArray<JobEvent>
  readonly job: Job
}

/** A job that is to be created, all but its time: that comes from the store. */
export interface NewJob {
  readonly _tag: "NewJob"
  readonly submission: Submission
  readonly report: Report | null
  readonly state: JobState
  readonly outward: ReadonlyArray<OutwardName>
}

/** What `command` comes to for `job` (`undefined`: there is none) at `now`, by the store's clock. */
export const decide = (kind: KindRules, job: Job | undefined, command: Command, now: Millis): Accepted | Rejected => {
  if (job === undefined) {
    const created = newJob(kind, command)
    return created._tag === "NewJob" ? birth(created, now) : created
  }
  const event = aimOf(kind.relation, command)
  if (isWorkerCommand(command) && (job.holder === null || job.epoch !== command.epoch)) {
    return rejected(job.state, event, "staleLease")
  }
  const faults = commandFaults(command)
  if (faults.length > 0) return { ...rejected(job.state, event, "invalid"), message: faults.join("; ") }
  const facts = factsOf(job, command, now)
  const stepped = step(kind.lifecycle, job.state, event, (guard) => guards[guard](facts))
  if (stepped._tag === "Refused") return rejected(job.state, event, stepped.reason)
  const { to, same } = stepped.row
  const body = same === true ? heard(job, command) : bodyOf(job, command, to, now)
  return body === undefined ? { _tag: "Accepted", events: [], job } : append(kind, job, body, to, now)
}

/** Checks a command that creates a job, by `Submit` or by a first report. */
export const newJob = (kind: KindRules, command: Command): NewJob | Rejected => {
  const event = aimOf(kind.relation, command)
  const submission = command._tag === "Submit" || command._tag === "Report" ? command.submission : undefined
  if (submission === undefined) return rejected("Absent", event, "notListed")
  const faults = submissionFaults(kind, submission)
  if (faults.length > 0) return { ...rejected("Absent", event, "invalid"), message: faults.join("; ") }
  const stepped = step(kind.lifecycle, "Absent", event, () => false)
  if (stepped._tag === "Refused") return rejected("Absent", event, stepped.reason)
  const state = stepped.row.to as JobState
  const report = command._tag === "Report" ? command.report : null
  const body: EventBody = { _tag: "Submitted", submission, report }
  return { _tag: "NewJob", submission, report, state, outward: kind.outward.events(body, state, undefined) }
}

/** The first event of a new job and the job after it. For stores, which know the time. */
export const birth = ({ submission, report, state, outward }: NewJob, now: Millis): Accepted => {
  const event: Extract<JobEvent, { _tag: "Submitted" }> = {
    _tag: "Submitted",
    submission,
    report,
    ...stamp({ seq: 0, outwardSeq: 0, epoch: 0, session: 1 }, state, now, outward)
  }
  return { _tag: "Accepted", events: [event], job: begin(event) }
}

/**
 * Gives a job to a worker. For stores, which claim without knowing kinds: every leased kind has the row, and none maps
 * it to an outward event (`JobKind.make` sees to that).
 */
export const claim = (job: Job, worker: string, now: Millis): Accepted | Rejected =>
  decide(CLAIMING, job, { _tag: "Claim", worker }, now)

const CLAIMING: KindRules = {
  name: "",
  relation: "leased",
  lifecycle: leased,
  outward: { events: () => [] }
}

const append = (kind: KindRules, job: Job, body: EventBody, to: JobState | "Absent", now: Millis): Accepted => {
  const state = to as JobState
  const event: JobEvent = { ...body, ...stamp(raised(job, body), state, now, kind.outward.events(body, state, job)) }
  return { _tag: "Accepted", events: [event], job: evolve(job, event) }
}

/** Whoever takes a job from its worker raises the epoch, so that nothing of the old one can be written. */
const raised = (job: Job, { _tag }: EventBody): Pick<Job, "seq" | "outwardSeq" | "epoch" | "session"> => {
  const { seq, outwardSeq, epoch, session } = job
  const raises = _tag === "Claimed" || _tag === "Cancelled" || _tag === "Reset" || _tag === "DeadlinePassed"
  return { seq, outwardSeq, epoch: raises ? epoch + 1 : epoch, session: _tag === "Reset" ? session + 1 : session }
}

const stamp = (
  { seq, outwardSeq, epoch, session }: Pick<Job, "seq" | "outwardSeq" | "epoch" | "session">,
  state: JobState,
  at: Millis,
  outward: ReadonlyArray<OutwardName>
): EventStamp => ({
  seq: seq + 1,
  at,
  state,
  epoch,
  session,
  outward: outward.map((one, i) => ({ ...one, number: outwardSeq + i + 1 }))
})

const heard = (job: Job, command: Command): EventBody | undefined =>
  command._tag === "Report" && job.silenceMs !== null && !isTerminal(job.state) ? { _tag: "Heard" } : undefined

const bodyOf = (job: Job, command: Command, to: JobState | "Absent", now: Millis): EventBody | undefined => {
  switch (command._tag) {
    case "Submit":
    case "Progress":
      return undefined
    case "Claim":
      return { _tag: "Claimed", worker: command.worker }
    case "Start":
      return { _tag: "Started" }
    case "BeginFinish":
      return { _tag: "FinishBegun" }
    case "Succeed":
      return { _tag: "Succeeded", result: command.result }
    case "Skip":
      return { _tag: "Skipped", reason: command.reason }
    case "Fail":
      return command.failure.retryable
        ? { _tag: "Faltered", failure: command.failure, readyAt: again(job, to, false, now) }
        : { _tag: "Failed", failure: command.failure }
    case "ExpireLease":
      return { _tag: "LeaseExpired", readyAt: again(job, to, true, now) }
    case "Release":
      return { _tag: "Released" }
    case "Emit":
      return { _tag: "OutputEmitted", key: command.key }
    case "Ask": {
      const { key, stage, waitMs, rejects } = command
      return { _tag: "InputAsked", key, stage, until: now + waitMs, rejects }
    }
    case "GiveInput":
      return { _tag: "InputGiven", key: command.key, data: command.data }
    case "AskExternal":
      return { _tag: "ExternalAsked", id: command.id, data: command.data, until: now + command.waitMs }
    case "FinishExternal":
      return { _tag: "ExternalFinished", id: command.id, data: command.data }
    case "Cancel": {
      const { by, reason } = command
      return { _tag: job.relation === "leased" ? "Cancelled" : "CancelRequested", by, reason }
    }
    case "Reset":
      return { _tag: "Reset", by: command.by, freed: freed(job, command.fromInput, command.preserve) }
    case "Redrive":
      return { _tag: "Redriven", by: command.by }
    case "Rename":
      return { _tag: "Renamed", name: command.name }
    case "Report":
      return { _tag: "Reported", report: command.report }
    case "Ring":
      return RUNG[command.timer]
  }
}

const RUNG = {
  input: { _tag: "InputTimedOut" },
  external: { _tag: "ExternalTimedOut" },
  deadline: { _tag: "DeadlinePassed" },
  silence: { _tag: "Silenced" }
} as const

const again = ({ retry, failures }: Job, to: JobState | "Absent", expired: boolean, now: Millis): Millis | null =>
  to === "Queued" ? retryAt(retry, failures + 1, expired, now) : null

const freed = (job: Job, fromInput: string | null, preserve: ReadonlyArray<string>): ReadonlyArray<string> => {
  const from = fromInput === null ? -1 : job.inputs.findIndex(({ key }) => key === fromInput)
  return from < 0 ? [] : job.inputs.slice(from).flatMap(({ key }) => (preserve.includes(key) ? [] : [key]))
}

const factsOf = (job: Job, command: Command, now: Millis): Facts => {
  const { awaiting } = job
  const inputKey = command._tag === "GiveInput" || command._tag === "Ask" ? command.key : undefined
  const externalId = command._tag === "FinishExternal" || command._tag === "AskExternal" ? command.id : undefined
  return {
    now,
    readyAt: job.readyAt,
    leaseDeadline: command._tag === "ExpireLease" ? command.deadline : null,
    timerAt: command._tag === "Ring" ? (timersOf(job).find(({ name }) => name === command.timer)?.at ?? null) : null,
    finishedAt: job.finishedAt,
    failures: job.failures,
    maxFailures: job.retry.maxFailures,
    dead: job.dead,
    inputKnown: job.inputs.some(({ key }) => key === inputKey) && !(command._tag === "Ask" && command.rejects),
    inputAwaited: awaiting?._tag === "Input" && awaiting.key === inputKey,
    externalKnown: job.externals.some(({ id }) => id === externalId),
    externalAwaited: awaiting?._tag === "External" && awaiting.id === externalId,
    outputKnown: command._tag === "Emit" && job.outputs.some(({ key }) => key === command.key)
  }
}

const isWorkerCommand = (command: Command): command is WorkerCommand => "epoch" in command

const rejected = (state: Rejected["state"], event: LifecycleEvent, reason: Rejected["reason"]): Rejected => ({
  _tag: "Rejected",
  state,
  event,
  reason,
  message: messageOf(state, event, reason)
})

const messageOf = (state: Rejected["state"], event: LifecycleEvent, reason: Rejected["reason"]): string => {
  const what = state === "Absent" ? `${event} needs a job, and there is none` : `${event} is refused in ${state}`
  return reason === "notListed"
    ? state === "Absent"
      ? what
      : `${what}: this kind of job knows no such step`
    : reason === "staleLease"
      ? `${what}: the lease is not the one that holds the job`
      : `${what}: ${reason.startsWith("not ") ? `${reason.slice(4)} must not hold` : `${reason} must hold`}`
}
