/** Random lives of jobs: commands that mostly fit, some that do not, over kinds of both relations. */
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import type { Command } from "../../src/job/Command.ts"
import { type Accepted, decide, type Rejected } from "../../src/job/Decision.ts"
import type { JobEvent, Report, Submission } from "../../src/job/Event.ts"
import type { Failure } from "../../src/job/Failure.ts"
import type { Job } from "../../src/job/Job.ts"
import { JobKind, submissionOf } from "../../src/job/Kind.ts"
import { RETRY } from "../../src/job/Retry.ts"
import { REPORTS, type ReportedState } from "../../src/job/Lifecycle.ts"

const anything = { parameters: Schema.Json, result: Schema.Json, failure: Schema.Json }

/** All rows of the leased relation; words and outward events as an automation has them (spec: automation §1). */
export const automation = JobKind.make({
  ...anything,
  name: "automation",
  relation: "leased",
  deadlineMs: 3_600_000,
  retry: { maxFailures: 3 },
  outward: {
    states: {
      Queued: "pending",
      Starting: "processing",
      Running: "processing",
      AwaitingInput: "awaitingInput",
      AwaitingExternal: "awaitingTds",
      Finishing: "processing",
      Succeeded: "success",
      Failed: "fail",
      Cancelled: "fail",
      Skipped: "success"
    },
    refine: (job, { slotFree }) => (job.state === "Queued" && slotFree ? "processing" : undefined),
    accepted: ["created", "scheduled"],
    events: (event, state, before) => {
      switch (event._tag) {
        case "Reset":
          return before?.state === "Running" ? [{ name: "restart" }] : [{ name: "restart" }, { name: "processing" }]
        case "OutputEmitted":
          return [{ name: "createOutput", key: event.key }]
        case "InputAsked":
          return [{ name: "awaitingInput", key: event.key }]
        default:
          return state === "Failed" || state === "Cancelled" ? [{ name: "fail" }] : []
      }
    }
  }
})

/** The report table as it is. */
export const launcher = JobKind.make({ ...anything, name: "launcher", relation: "reported", silenceMs: 600_000 })

/** A leased kind that uses few rows. */
export const model = JobKind.make({
  ...anything,
  name: "model",
  relation: "leased",
  without: {
    states: ["AwaitingInput", "AwaitingExternal", "Cancelled", "Skipped"],
    events: ["Reset", "InputGiven", "Redriven"]
  }
})

export const kinds = { automation, launcher, model }

export type AnyKind = (typeof kinds)[keyof typeof kinds]

export const submission = (kind: AnyKind, more: Partial<Submission> = {}): Submission => ({
  ...submissionOf(kind, { rows: 3 }, { id: "job-1", tenant: "tenant" }),
  ...more
})

/** One line of a life: how much later, and a command to be made for the job as it then is. */
export interface Act {
  readonly later: number
  readonly command: (job: Job | undefined) => Command
}

const report = (state: ReportedState, fields: Report["fields"] = {}): Report => ({ state, fields, failure: null })

/** A failure to be tried again. */
export const broken: Failure = {
  code: "Broken",
  category: "server",
  message: "It broke.",
  details: null,
  retryable: true
}

const texts = fc.constantFrom("a", "b", "c")

/** Commands by name, so that a failing life can be read. `stale`: of the epoch before. */
const command = (kind: AnyKind): fc.Arbitrary<(job: Job | undefined) => Command> => {
  const epoch = fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1)
  const worker = <C>(make: fc.Arbitrary<(epoch: number) => C>) =>
    fc.tuple(make, epoch).map(
      ([of, behind]) =>
        (job: Job | undefined) =>
          of((job?.epoch ?? 0) - behind)
    )
  const failure = fc.boolean().map((retryable) => ({ ...broken, retryable }))
  const submit = (job: Job | undefined): Command => ({ _tag: "Submit", submission: submission(kind, job ?? {}) })
  const of = (command: Command) => () => command
  const client: ReadonlyArray<fc.Arbitrary<(job: Job | undefined) => Command>> = [
    fc.constant(submit),
    texts.map((key) => of({ _tag: "GiveInput", key, data: key })),
    texts.map((id) => of({ _tag: "FinishExternal", id, data: null })),
    fc.constant(of({ _tag: "Cancel", by: "client", reason: null })),
    fc
      .record({ fromInput: fc.option(texts), preserve: fc.array(texts, { maxLength: 2 }) })
      .map((more) => of({ _tag: "Reset", by: "client", ...more })),
    fc.option(texts).map((name) => of({ _tag: "Rename", name })),
    fc.constant(of({ _tag: "Redrive", by: "operator" }))
  ]
  const clock: ReadonlyArray<fc.Arbitrary<(job: Job | undefined) => Command>> = [
    fc.constant(of({ _tag: "Claim", worker: "w" })),
    fc.constantFrom(0, Number.MAX_SAFE_INTEGER).map((deadline) => of({ _tag: "ExpireLease", deadline })),
    fc
      .constantFrom(
        undefined,
        undefined,
        "input" as const,
        "external" as const,
        "deadline" as const,
        "silence" as const
      )
      .map((timer) => (job) => ({ _tag: "Ring", timer: timer ?? job?.timer?.name ?? "deadline" }))
  ]
  const work: ReadonlyArray<fc.Arbitrary<(job: Job | undefined) => Command>> = [
    worker(fc.constant((epoch: number) => ({ _tag: "Start" as const, epoch }))),
    worker(fc.constant((epoch: number) => ({ _tag: "Progress" as const, epoch }))),
    worker(texts.map((key) => (epoch: number) => ({ _tag: "Emit" as const, epoch, key }))),
    worker(
      fc
        .record({ key: texts, rejects: fc.boolean() })
        .map((more) => (epoch: number) => ({ _tag: "Ask" as const, epoch, stage: "", waitMs: 900_000, ...more }))
    ),
    worker(
      texts.map((id) => (epoch: number) => ({ _tag: "AskExternal" as const, epoch, id, data: null, waitMs: 900_000 }))
    ),
    worker(fc.constant((epoch: number) => ({ _tag: "BeginFinish" as const, epoch }))),
    worker(fc.constant((epoch: number) => ({ _tag: "Succeed" as const, epoch, result: 1 }))),
    worker(failure.map((failure) => (epoch: number) => ({ _tag: "Fail" as const, epoch, failure }))),
    worker(fc.constant((epoch: number) => ({ _tag: "Skip" as const, epoch, reason: "nothing to do" }))),
    worker(fc.constant((epoch: number) => ({ _tag: "Release" as const, epoch })))
  ]
  const driver: ReadonlyArray<fc.Arbitrary<(job: Job | undefined) => Command>> = [
    fc.constantFrom(...(Object.keys(REPORTS) as ReadonlyArray<ReportedState>)).map((state) =>
      of({
        _tag: "Report",
        report: report(state, { hostname: state, result: { [state]: 1 } }),
        submission: submission(kind)
      })
    )
  ]
  // The next step towards an end, mostly a bad one, so that lives get further than chance would take them.
  const onward = fc.constantFrom(true, true, false).map((badly) => (job: Job | undefined): Command => {
    if (job === undefined || job.state === "Queued") return { _tag: "Claim", worker: "w" }
    if (job.state === "Starting") return { _tag: "Start", epoch: job.epoch }
    if (job.dead) return { _tag: "Redrive", by: "operator" }
    if (job.awaiting !== null && badly) return { _tag: "Ring", timer: job.timer?.name ?? "deadline" }
    if (job.awaiting?._tag === "Input") return { _tag: "GiveInput", key: job.awaiting.key, data: 1 }
    if (job.awaiting?._tag === "External") return { _tag: "FinishExternal", id: job.awaiting.id, data: 1 }
    return { _tag: "Fail", epoch: job.epoch, failure: { ...broken, retryable: badly } }
  })
  const [usual, unusual] = kind.relation === "leased" ? [work, driver] : [driver, work]
  return fc.oneof(
    { weight: 6, arbitrary: kind.relation === "leased" ? onward : fc.oneof(...driver) },
    { weight: 8, arbitrary: fc.oneof(...usual) },
    { weight: 5, arbitrary: fc.oneof(...client) },
    { weight: 3, arbitrary: fc.oneof(...clock) },
    { weight: 1, arbitrary: fc.oneof(...unusual) }
  )
}

const later = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(0, 1, 1_000) },
  { weight: 2, arbitrary: fc.constantFrom(60_000, 300_000) },
  { weight: 1, arbitrary: fc.constantFrom(900_000, 900_001, 3_600_000) }
)

export interface Life {
  readonly kind: AnyKind
  readonly acts: ReadonlyArray<Act>
}

export const lives: fc.Arbitrary<Life> = fc.constantFrom(automation, automation, launcher, model).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    acts: fc.array(fc.record({ later, command: command(kind) }), { minLength: 1, maxLength: 40 })
  })
)

/** What one act came to. */
export interface Turn {
  readonly before: Job | undefined
  readonly command: Command
  readonly now: number
  readonly decision: Accepted | Rejected
}

/** Soon dead, so that short lives come to it. */
const retry = { ...RETRY, maxFailures: 2 }

/** Lives a life that starts by a submission or, for a launcher, by whatever comes. */
export const live = ({
  kind,
  acts
}: Life): { readonly turns: ReadonlyArray<Turn>; readonly log: ReadonlyArray<JobEvent> } => {
  const turns: Array<Turn> = []
  const log: Array<JobEvent> = []
  let now = 1_700_000_000_000
  let job: Job | undefined
  const first: Act = { later: 0, command: () => ({ _tag: "Submit", submission: submission(kind, { retry }) }) }
  const reportsFirst = kind.relation === "reported" && acts.length % 2 === 0
  for (const act of reportsFirst ? acts : [first, ...acts]) {
    now += act.later
    const command = act.command(job)
    const decision = decide(kind, job, command, now)
    turns.push({ before: job, command, now, decision })
    if (decision._tag === "Accepted") {
      log.push(...decision.events)
      job = decision.job
    }
  }
  return { turns, log }
}

/** The job after commands that must all be accepted, one every millisecond from 1000. */
export const after = (kind: AnyKind, ...commands: ReadonlyArray<(job: Job) => Command>): Job =>
  commands.reduce((job, command, i) => accepted(decide(kind, job, command(job), 1_001 + i)).job, submitted(kind))

export const submitted = (kind: AnyKind, more: Partial<Submission> = {}): Job =>
  accepted(decide(kind, undefined, { _tag: "Submit", submission: submission(kind, more) }, 1_000)).job

export const accepted = (decision: Accepted | Rejected): Accepted => {
  if (decision._tag === "Rejected") throw new Error(decision.message)
  return decision
}

export const claimed = (): Command => ({ _tag: "Claim", worker: "w" })
export const started = ({ epoch }: Job): Command => ({ _tag: "Start", epoch })
