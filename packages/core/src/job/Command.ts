import type { Failure } from "./Failure.ts"
import { type LifecycleEvent, type Relation, REPORTS } from "./Lifecycle.ts"
import type { Plain } from "./Plain.ts"
import type { Report, Submission } from "./Event.ts"

/** What a client can ask of a job that it owns. `by` names who asked, for the log. */
export type ClientCommand =
  | { readonly _tag: "Submit"; readonly submission: Submission }
  | { readonly _tag: "GiveInput"; readonly key: string; readonly data: Plain }
  /** What had to happen outside has ended, e.g. 3-D Secure. */
  | { readonly _tag: "FinishExternal"; readonly id: string; readonly data: Plain }
  | { readonly _tag: "Cancel"; readonly by: string; readonly reason: string | null }
  /**
   * A new session. With `fromInput` the input with that key and the ones given after it are forgotten, apart from those
   * in `preserve`; without it all inputs stay.
   */
  | {
      readonly _tag: "Reset"
      readonly by: string
      readonly fromInput: string | null
      readonly preserve: ReadonlyArray<string>
    }
  | { readonly _tag: "Rename"; readonly name: string | null }
  /** By an operator: a dead job gets its failures back. */
  | { readonly _tag: "Redrive"; readonly by: string }

/** What a worker does under its lease; `epoch` is that of the lease. */
export type WorkerCommand = { readonly epoch: number } & (
  | { readonly _tag: "Start" }
  /** Accepted without an event: the store keeps the last value, with a renewal or beside a commit. */
  | { readonly _tag: "Progress" }
  | { readonly _tag: "Emit"; readonly key: string }
  /** Parks the job until the input is there; nothing happens if it already is, unless it is rejected. */
  | {
      readonly _tag: "Ask"
      readonly key: string
      readonly stage: string
      readonly waitMs: number
      readonly rejects: boolean
    }
  | { readonly _tag: "AskExternal"; readonly id: string; readonly data: Plain; readonly waitMs: number }
  | { readonly _tag: "BeginFinish" }
  | { readonly _tag: "Succeed"; readonly result: Plain }
  | { readonly _tag: "Fail"; readonly failure: Failure }
  | { readonly _tag: "Skip"; readonly reason: string }
  /** Hands the job back at a graceful stop; no failure. */
  | { readonly _tag: "Release" }
)

/** What an outside driver tells. With `submission` a first report creates the job. */
export interface DriverCommand {
  readonly _tag: "Report"
  readonly report: Report
  readonly submission?: Submission
}

export type TimerName = "input" | "external" | "deadline" | "silence"

/** What the clock causes, and the claim, which stores make. */
export type ClockCommand =
  | { readonly _tag: "Claim"; readonly worker: string }
  /** `deadline` of the lease as the store keeps it; `null` if it keeps none. */
  | { readonly _tag: "ExpireLease"; readonly deadline: number | null }
  | { readonly _tag: "Ring"; readonly timer: TimerName }

export type Command = ClientCommand | WorkerCommand | DriverCommand | ClockCommand

export const TIMER_EVENTS = {
  input: "InputTimedOut",
  external: "ExternalTimedOut",
  deadline: "DeadlinePassed",
  silence: "Silenced"
} as const satisfies Readonly<Record<TimerName, LifecycleEvent>>

/** The event of the lifecycle that a command aims at. */
export const aimOf = (relation: Relation, command: Command): LifecycleEvent => {
  switch (command._tag) {
    case "Submit":
      return "Submitted"
    case "GiveInput":
      return "InputGiven"
    case "FinishExternal":
      return "ExternalFinished"
    case "Cancel":
      return relation === "leased" ? "Cancelled" : "CancelRequested"
    case "Reset":
      return "Reset"
    case "Rename":
      return "Renamed"
    case "Redrive":
      return "Redriven"
    case "Start":
      return "Started"
    case "Progress":
      return "Progressed"
    case "Emit":
      return "OutputEmitted"
    case "Ask":
      return "InputAsked"
    case "AskExternal":
      return "ExternalAsked"
    case "BeginFinish":
      return "FinishBegun"
    case "Succeed":
      return "Succeeded"
    case "Fail":
      return command.failure.retryable ? "Faltered" : "Failed"
    case "Skip":
      return "Skipped"
    case "Release":
      return "Released"
    case "Report":
      return REPORTS[command.report.state]
    case "Claim":
      return "Claimed"
    case "ExpireLease":
      return "LeaseExpired"
    case "Ring":
      return TIMER_EVENTS[command.timer]
  }
}
