/**
 * The life of a job as rows of data: one vocabulary of states and events, and two relations over it.
 *
 * `leased` is for jobs that our engine runs, `reported` for those that an outside driver runs and tells us about; only the
 * latter knows `Cancelling` and `Unknown`. Everything that no row lists is refused. Types, decisions, diagrams and the
 * checks of stores come from here (spec: launcher §1, automation §1 to §3).
 */
import type { Machine, Row } from "../machine/Machine.ts"

/** Milliseconds since 1970, a whole number. Times come from the store's clock, durations carry `Ms` in their name. */
export type Millis = number

/** How long after a failure a client may still reset the job (spec: automation §1). */
export const RESET_WINDOW_MS = 15 * 60_000

/** What guards look at: facts of one job, one command and one moment. */
export interface Facts {
  readonly now: Millis
  readonly readyAt: Millis | null
  readonly leaseDeadline: Millis | null
  /** When the timer that rings was set to ring; `null` if it is not set. */
  readonly timerAt: Millis | null
  readonly finishedAt: Millis | null
  readonly failures: number
  readonly maxFailures: number
  readonly dead: boolean
  readonly inputKnown: boolean
  readonly inputAwaited: boolean
  readonly externalKnown: boolean
  readonly externalAwaited: boolean
  readonly outputKnown: boolean
}

/** The guards that rows name. */
export const guards = {
  /** It may be claimed: no delay and no retry is left to wait for. */
  ready: ({ readyAt, now }: Facts): boolean => readyAt !== null && readyAt <= now,
  /** A lease is over at its deadline, not after it. */
  leaseOver: ({ leaseDeadline, now }: Facts): boolean => leaseDeadline === null || leaseDeadline <= now,
  timerDue: ({ timerAt, now }: Facts): boolean => timerAt !== null && timerAt <= now,
  /** Another failure may follow the one that is about to be counted. */
  failuresLeft: ({ failures, maxFailures }: Facts): boolean => failures + 1 < maxFailures,
  /** It failed because its failures were used up, not because an answer was wrong. */
  dead: ({ dead }: Facts): boolean => dead,
  within15MinOfFailure: ({ finishedAt, now }: Facts): boolean =>
    finishedAt !== null && now - finishedAt <= RESET_WINDOW_MS,
  /** An input with this key was given and not rejected since. */
  inputKnown: ({ inputKnown }: Facts): boolean => inputKnown,
  inputAwaited: ({ inputAwaited }: Facts): boolean => inputAwaited,
  /** What happens outside under this id has already ended. */
  externalKnown: ({ externalKnown }: Facts): boolean => externalKnown,
  externalAwaited: ({ externalAwaited }: Facts): boolean => externalAwaited,
  /** An output with this key was already emitted in this session. */
  outputKnown: ({ outputKnown }: Facts): boolean => outputKnown
} satisfies Readonly<Record<string, (facts: Facts) => boolean>>

export type Guard = keyof typeof guards

/** One row for each of the states. */
const rows = <const F extends string, const E extends string, const T extends string>(
  from: ReadonlyArray<F>,
  on: E,
  to: T,
  guard?: Row<string, string, Guard>["guard"]
): ReadonlyArray<Row<F | T, E, Guard>> =>
  from.map((state) => ({ from: state, on, to, ...(guard === undefined ? {} : { guard }) }))

/** Rows that stay in each of the states; `same` ones do nothing at all. */
const stay = <const S extends string, const E extends string>(
  states: ReadonlyArray<S>,
  on: E,
  guard?: Row<string, string, Guard>["guard"]
): ReadonlyArray<Row<S, E, Guard>> => states.flatMap((state) => rows([state], on, state, guard))

const same = <const S extends string, const E extends string>(
  states: ReadonlyArray<S>,
  on: E,
  guard?: Row<string, string, Guard>["guard"]
): ReadonlyArray<Row<S, E, Guard>> => stay(states, on, guard).map((row) => ({ ...row, same: true }))

const held = ["Starting", "Running", "Finishing"] as const
const parked = ["AwaitingInput", "AwaitingExternal"] as const
const ended = ["Succeeded", "Failed", "Cancelled", "Skipped"] as const

const leasedRows = [
  ...rows(["Absent"], "Submitted", "Queued"),
  ...rows(["Queued"], "Claimed", "Starting", "ready"),
  ...rows(["Starting"], "Started", "Running"),
  ...rows(["Running"], "FinishBegun", "Finishing"),
  ...rows(["Running", "Finishing"], "Succeeded", "Succeeded"),
  ...rows(["Starting", "Running"], "Skipped", "Skipped"),
  ...rows(held, "Failed", "Failed"),
  ...rows(held, "Faltered", "Queued", "failuresLeft"),
  ...rows(held, "Faltered", "Failed", "not failuresLeft"),
  ...rows(held, "LeaseExpired", "Queued", ["leaseOver", "failuresLeft"]),
  ...rows(held, "LeaseExpired", "Failed", ["leaseOver", "not failuresLeft"]),
  ...rows(held, "Released", "Queued"),
  // Progress is a last value beside the log: accepted here, written with a renewal or a commit.
  ...same(held, "Progressed"),
  ...stay(["Running", "Finishing"], "OutputEmitted", "not outputKnown"),
  ...same(["Running", "Finishing"], "OutputEmitted", "outputKnown"),

  ...rows(["Running"], "InputAsked", "AwaitingInput", "not inputKnown"),
  ...same(["Running"], "InputAsked", "inputKnown"),
  ...rows(["AwaitingInput"], "InputGiven", "Queued", ["not inputKnown", "inputAwaited"]),
  ...stay(["AwaitingInput"], "InputGiven", ["not inputKnown", "not inputAwaited"]),
  ...stay(["Queued", "Starting", "Running", "AwaitingExternal", "Finishing"], "InputGiven", "not inputKnown"),
  ...rows(["AwaitingInput"], "InputTimedOut", "Failed", "timerDue"),
  ...rows(["Running"], "ExternalAsked", "AwaitingExternal", "not externalKnown"),
  ...same(["Running"], "ExternalAsked", "externalKnown"),
  ...rows(["AwaitingExternal"], "ExternalFinished", "Queued", "externalAwaited"),
  ...rows(["AwaitingExternal"], "ExternalTimedOut", "Failed", "timerDue"),

  // A job that has begun to finish may finish (spec: automation §3).
  ...rows(["Queued", "Starting", "Running", ...parked], "DeadlinePassed", "Failed", "timerDue"),
  ...rows(["Queued", ...held, ...parked], "Cancelled", "Cancelled"),
  ...same(["Cancelled"], "Cancelled"),
  ...rows(["Queued", ...held, "AwaitingInput"], "Reset", "Queued"),
  ...rows(["Failed", "Cancelled"], "Reset", "Queued", "within15MinOfFailure"),
  ...rows(["Failed"], "Redriven", "Queued", "dead"),
  ...stay(["Queued", ...held, ...parked, ...ended], "Renamed")
]

const early = ["Unknown", "Queued"] as const
const live = ["Queued", "Starting", "Running", "Finishing", "Cancelling"] as const

// The report table of A2, a line for each report; `Queued` is outwardly "idle". First reports create the job.
const reportRows = [
  ...rows(["Absent"], "ReportedIdle", "Queued"),
  ...same(["Queued"], "ReportedIdle"),

  ...rows(["Absent", ...early], "ReportedStarting", "Starting"),
  ...same(["Starting"], "ReportedStarting"),

  ...rows(["Absent", ...early, "Starting"], "ReportedRunning", "Running"),
  ...same(["Running"], "ReportedRunning"),

  ...rows(["Absent", ...early, "Starting", "Running"], "ReportedFinishing", "Finishing"),
  ...same(["Finishing"], "ReportedFinishing"),

  ...rows(["Absent", ...early, "Starting", "Running", "Finishing"], "ReportedCancelling", "Cancelling"),
  ...same(["Cancelling"], "ReportedCancelling"),

  ...rows(["Absent", "Unknown", ...live], "ReportedFinished", "Succeeded"),
  ...same(["Succeeded"], "ReportedFinished"),

  ...rows(["Absent", "Unknown", ...live], "ReportedCancelled", "Cancelled"),
  ...same(["Cancelled"], "ReportedCancelled"),

  ...rows(["Absent", "Unknown", ...live], "ReportedError", "Failed"),
  ...same(["Failed"], "ReportedError"),

  ...rows(["Absent", ...early, "Starting", "Running"], "ReportedSkipped", "Skipped"),
  ...same(["Skipped"], "ReportedSkipped"),

  ...rows(["Absent", ...live], "ReportedUnknown", "Unknown"),
  ...same(["Unknown"], "ReportedUnknown")
]

const reportedRows = [
  ...rows(["Absent"], "Submitted", "Starting"),
  ...reportRows,
  // The same report again changes nothing, but it was heard: the wait for silence starts again.
  ...stay([...live, "Unknown"], "Heard"),
  ...rows(live, "Silenced", "Unknown", "timerDue"),
  ...rows(["Unknown"], "Silenced", "Failed", "timerDue"),
  ...rows(["Starting", "Running", "Finishing"], "CancelRequested", "Cancelling"),
  ...same(["Cancelling", "Cancelled"], "CancelRequested")
]

type AnyRow = (typeof leasedRows)[number] | (typeof reportedRows)[number]

/** Where a job can be; `Absent` is where one is that does not exist yet. */
export type JobState = Exclude<AnyRow["from"] | AnyRow["to"], "Absent">

/** What can happen to a job: the events of the rows. */
export type LifecycleEvent = AnyRow["on"]

export type Relation = "leased" | "reported"

export type Lifecycle = Machine<JobState | "Absent", LifecycleEvent, Guard>

export type LifecycleRow = Lifecycle["rows"][number]

export const TERMINAL = ended satisfies ReadonlyArray<JobState>

/** In these states a job of the `leased` relation has a worker; in all others it has none. */
export const HELD = held satisfies ReadonlyArray<JobState>

/** All states, in the order in which they are usually passed. */
export const JOB_STATES = [
  "Queued",
  "Starting",
  "Running",
  ...parked,
  "Finishing",
  "Cancelling",
  "Unknown",
  ...ended
] as const satisfies ReadonlyArray<JobState>

export const isTerminal = (state: JobState | "Absent"): state is (typeof TERMINAL)[number] =>
  TERMINAL.some((one) => one === state)

export const leased: Lifecycle = { start: "Absent", terminal: TERMINAL, rows: leasedRows }

export const reported: Lifecycle = { start: "Absent", terminal: TERMINAL, rows: reportedRows }

export const relations: Readonly<Record<Relation, Lifecycle>> = { leased, reported }

/** What a driver can report, by the outward words of the launcher (spec: launcher §1). */
export const REPORTS = {
  idle: "ReportedIdle",
  starting: "ReportedStarting",
  running: "ReportedRunning",
  finishing: "ReportedFinishing",
  cancelling: "ReportedCancelling",
  finished: "ReportedFinished",
  cancelled: "ReportedCancelled",
  error: "ReportedError",
  skipped: "ReportedSkipped",
  unknown: "ReportedUnknown"
} as const satisfies Readonly<Record<string, LifecycleEvent>>

export type ReportedState = keyof typeof REPORTS
