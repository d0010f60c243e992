/** Random lives of jobs of one kind: commands that mostly fit and some that do not, one after the other, as time goes on. */
import {
  type Accepted,
  type Command,
  type Failure,
  type Job,
  type JobEvent,
  type JobKind,
  type Plain,
  type Rejected,
  type Report,
  type ReportedState,
  REPORTS,
  type Submission,
  submissionOf,
  type TimerName,
  type WorkerCommand
} from "@sotto/core/job"
import * as fc from "fast-check"

/** A kind whatever its types. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyKind = JobKind<string, any, any, any, string>

/** What the jobs of a kind may hold, encoded: its outward words may look at it. */
export interface KindSamples {
  readonly parameters?: Plain
  readonly result?: Plain
  /** Of a failure. */
  readonly details?: Plain
}

type WithoutEpoch<C> = C extends unknown ? Omit<C, "epoch"> : never

/** One step of a life, as data: which command it becomes depends on the job as it then is. */
export type Move =
  | { readonly do: "submit again" }
  /** The next step towards an end. */
  | { readonly do: "get on"; readonly badly: boolean }
  /** By whoever holds the job, or held it `behind` epochs ago. */
  | { readonly do: "work"; readonly command: WithoutEpoch<WorkerCommand>; readonly behind: number }
  | { readonly do: "ring"; readonly timer: TimerName | "the one that is set" }
  | { readonly do: "report"; readonly state: ReportedState }
  | { readonly do: "tell"; readonly command: Command }

export interface Life {
  /** A reported job may begin with a report; all others are submitted. */
  readonly submitted: boolean
  readonly moves: ReadonlyArray<{ readonly laterMs: number; readonly move: Move }>
}

/** What one command came to. */
export interface Turn {
  readonly before: Job | undefined
  readonly command: Command
  readonly now: number
  readonly decision: Accepted | Rejected
}

export type Decide = (job: Job | undefined, command: Command, now: number) => Accepted | Rejected

/** A submission with a limit to everything that may have one, and soon dead, so that short lives come to all of it. */
export const submissionFor = (kind: AnyKind, samples: KindSamples, maxFailures = 2): Submission => ({
  ...submissionOf(
    kind,
    samples.parameters ?? null,
    kind.relation === "leased"
      ? { id: "job-1", tenant: "tenant", deadlineMs: kind.times.deadlineMs ?? 3_600_000, retry: { maxFailures } }
      : { id: "job-1", tenant: "tenant" }
  ),
  silenceMs: kind.relation === "leased" ? null : (kind.times.silenceMs ?? 600_000)
})

const failureOf = (samples: KindSamples, retryable: boolean): Failure => ({
  code: "Broken",
  category: "server",
  message: "It broke.",
  details: samples.details ?? null,
  retryable
})

const reportOf = (samples: KindSamples, state: ReportedState): Report => ({
  state,
  fields: { hostname: state, result: samples.result ?? { [state]: 1 } },
  failure: null
})

/** Every command that there is, at least once each, as it may come to `job`. */
export const allCommands = (kind: AnyKind, samples: KindSamples, job: Job | undefined): ReadonlyArray<Command> => {
  const submission = submissionFor(kind, samples, job?.retry.maxFailures)
  const epoch = job?.epoch ?? 0
  const work: ReadonlyArray<WithoutEpoch<WorkerCommand>> = [
    { _tag: "Start" },
    { _tag: "Progress" },
    { _tag: "Emit", key: "a" },
    { _tag: "Ask", key: "a", stage: "", waitMs: 1_000, rejects: false },
    { _tag: "Ask", key: "a", stage: "", waitMs: 1_000, rejects: true },
    { _tag: "AskExternal", id: "a", data: null, waitMs: 1_000 },
    { _tag: "BeginFinish" },
    { _tag: "Succeed", result: samples.result ?? null },
    { _tag: "Fail", failure: failureOf(samples, true) },
    { _tag: "Fail", failure: failureOf(samples, false) },
    { _tag: "Skip", reason: "nothing to do" },
    { _tag: "Release" }
  ]
  return [
    { _tag: "Submit", submission },
    { _tag: "GiveInput", key: "a", data: 1 },
    { _tag: "GiveInput", key: "b", data: 1 },
    { _tag: "FinishExternal", id: "a", data: null },
    { _tag: "Cancel", by: "client", reason: null },
    { _tag: "Reset", by: "client", fromInput: null, preserve: [] },
    { _tag: "Rename", name: "name" },
    { _tag: "Redrive", by: "operator" },
    { _tag: "Claim", worker: "w" },
    { _tag: "ExpireLease", deadline: 0 },
    ...(["input", "external", "deadline", "silence"] as const).map((timer) => ({ _tag: "Ring", timer }) as const),
    ...work.flatMap((one) => [{ ...one, epoch } as Command, { ...one, epoch: epoch - 1 } as Command]),
    ...STATES.map((state) => ({ _tag: "Report", report: reportOf(samples, state), submission }) as const)
  ]
}

const STATES = Object.keys(REPORTS) as ReadonlyArray<ReportedState>

/** What the move comes to for the job as it is. */
const commandOf = (kind: AnyKind, samples: KindSamples, move: Move, job: Job | undefined): Command => {
  const submission = submissionFor(kind, samples, job?.retry.maxFailures)
  switch (move.do) {
    case "submit again":
      return { _tag: "Submit", submission }
    case "work":
      return { ...move.command, epoch: (job?.epoch ?? 0) - move.behind } as Command
    case "ring":
      return { _tag: "Ring", timer: move.timer === "the one that is set" ? nextTimer(job) : move.timer }
    case "report":
      return { _tag: "Report", report: reportOf(samples, move.state), submission }
    case "tell":
      return move.command
    case "get on":
      return onward(samples, job, move.badly)
  }
}

const nextTimer = (job: Job | undefined): TimerName => job?.timer?.name ?? "deadline"

const onward = (samples: KindSamples, job: Job | undefined, badly: boolean): Command => {
  if (job === undefined || job.state === "Queued") return { _tag: "Claim", worker: "w" }
  if (job.state === "Starting") return { _tag: "Start", epoch: job.epoch }
  if (job.dead) return { _tag: "Redrive", by: "operator" }
  if (job.awaiting !== null && badly) return { _tag: "Ring", timer: nextTimer(job) }
  if (job.awaiting?._tag === "Input") return { _tag: "GiveInput", key: job.awaiting.key, data: 1 }
  if (job.awaiting?._tag === "External") return { _tag: "FinishExternal", id: job.awaiting.id, data: 1 }
  return { _tag: "Fail", epoch: job.epoch, failure: failureOf(samples, badly) }
}

const texts = fc.constantFrom<string>("a", "b", "c")

const moves = (kind: AnyKind, samples: KindSamples): fc.Arbitrary<Move> => {
  const tell = (commands: fc.Arbitrary<Command>): fc.Arbitrary<Move> =>
    commands.map((command) => ({ do: "tell", command }))
  const client: ReadonlyArray<fc.Arbitrary<Move>> = [
    fc.constant({ do: "submit again" }),
    tell(texts.map((key) => ({ _tag: "GiveInput", key, data: key }))),
    tell(texts.map((id) => ({ _tag: "FinishExternal", id, data: null }))),
    tell(fc.constant({ _tag: "Cancel", by: "client", reason: null })),
    tell(
      fc.record({
        _tag: fc.constant("Reset"),
        by: fc.constant("client"),
        fromInput: fc.option<string>(texts),
        preserve: fc.array(texts, { maxLength: 2 })
      })
    ),
    tell(fc.option(texts).map((name) => ({ _tag: "Rename", name }))),
    tell(fc.constant({ _tag: "Redrive", by: "operator" }))
  ]
  const clock: ReadonlyArray<fc.Arbitrary<Move>> = [
    tell(fc.constant({ _tag: "Claim", worker: "w" })),
    tell(fc.constantFrom(0, Number.MAX_SAFE_INTEGER).map((deadline) => ({ _tag: "ExpireLease", deadline }))),
    fc
      .constantFrom<TimerName | "the one that is set">(
        "the one that is set",
        "the one that is set",
        "input",
        "external",
        "deadline",
        "silence"
      )
      .map((timer) => ({ do: "ring", timer }))
  ]
  const works: ReadonlyArray<fc.Arbitrary<WithoutEpoch<WorkerCommand>>> = [
    fc.constant({ _tag: "Start" }),
    fc.constant({ _tag: "Progress" }),
    texts.map((key) => ({ _tag: "Emit", key })),
    fc.record({
      _tag: fc.constant("Ask"),
      key: texts,
      stage: fc.constant(""),
      waitMs: fc.constant(900_000),
      rejects: fc.boolean()
    }),
    texts.map((id) => ({ _tag: "AskExternal", id, data: null, waitMs: 900_000 })),
    fc.constant({ _tag: "BeginFinish" }),
    fc.constant({ _tag: "Succeed", result: samples.result ?? 1 }),
    fc.boolean().map((retryable) => ({ _tag: "Fail", failure: failureOf(samples, retryable) })),
    fc.constant({ _tag: "Skip", reason: "nothing to do" }),
    fc.constant({ _tag: "Release" })
  ]
  const work: fc.Arbitrary<Move> = fc.record({
    do: fc.constant("work"),
    command: fc.oneof(...works),
    behind: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 1)
  })
  const driver: fc.Arbitrary<Move> = fc.record({ do: fc.constant("report"), state: fc.constantFrom(...STATES) })
  // Mostly a bad step, so that lives get further than chance would take them.
  const on: fc.Arbitrary<Move> = fc.constantFrom(true, true, false).map((badly) => ({ do: "get on", badly }))
  const leased = kind.relation === "leased"
  return fc.oneof(
    { weight: 6, arbitrary: leased ? on : driver },
    { weight: 8, arbitrary: leased ? work : driver },
    { weight: 5, arbitrary: fc.oneof(...client) },
    { weight: 3, arbitrary: fc.oneof(...clock) },
    { weight: 1, arbitrary: leased ? driver : work }
  )
}

const laterMs = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(0, 1, 1_000) },
  { weight: 2, arbitrary: fc.constantFrom(60_000, 300_000) },
  { weight: 1, arbitrary: fc.constantFrom(900_000, 900_001, 3_600_000) }
)

export const livesOf = (kind: AnyKind, samples: KindSamples, length = 40): fc.Arbitrary<Life> =>
  fc.record({
    submitted: kind.relation === "leased" ? fc.constant(true) : fc.boolean(),
    moves: fc.array(fc.record({ laterMs, move: moves(kind, samples) }), { minLength: 1, maxLength: length })
  })

/** Lives it by the rules that `decide` has; `now` is the time at its beginning. */
export const live = (
  kind: AnyKind,
  samples: KindSamples,
  decide: Decide,
  life: Life,
  now = 1_700_000_000_000
): { readonly turns: ReadonlyArray<Turn>; readonly log: ReadonlyArray<JobEvent> } => {
  const turns: Array<Turn> = []
  const log: Array<JobEvent> = []
  let job: Job | undefined
  const act = (command: Command) => {
    const decision = decide(job, command, now)
    turns.push({ before: job, command, now, decision })
    if (decision._tag === "Rejected") return
    log.push(...decision.events)
    job = decision.job
  }
  if (life.submitted) act({ _tag: "Submit", submission: submissionFor(kind, samples) })
  for (const { laterMs, move } of life.moves) {
    now += laterMs
    act(commandOf(kind, samples, move, job))
  }
  return { turns, log }
}
