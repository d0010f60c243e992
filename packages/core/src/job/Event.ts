import type { Failure } from "./Failure.ts"
import type { JobState, Millis, Relation, ReportedState } from "./Lifecycle.ts"
import type { Plain, PlainObject } from "./Plain.ts"
import type { RetryPolicy } from "./Retry.ts"

/** What a job is from its beginning to its end, apart from its name. */
export interface Submission {
  readonly id: string
  readonly tenant: string
  readonly kind: string
  readonly relation: Relation
  /** Submitting again with this key finds the same job; unique within tenant and kind. */
  readonly key: string | null
  readonly name: string | null
  readonly parameters: Plain
  readonly inputs: ReadonlyArray<{ readonly key: string; readonly data: Plain }>
  /** -100 … 100, higher first; orders the jobs of one tenant, never those of two. */
  readonly priority: number
  /** Not claimed before this time. */
  readonly notBefore: Millis | null
  /** From the start of a session to its final step, at most; `null` without limit. */
  readonly deadlineMs: number | null
  /** Jobs of a tenant and kind with one concurrency key share a limit. */
  readonly concurrencyKey: string | null
  readonly retry: RetryPolicy
  /** How long a reported job may be silent. */
  readonly silenceMs: number | null
  /** How long the job is kept after its end. */
  readonly retentionMs: number
}

/** What a driver says about its run. */
export interface Report {
  readonly state: ReportedState
  /** What is kept of it, e.g. `hostname` and `result`; an absent one keeps its value, `result` merges by name. */
  readonly fields: PlainObject
  /** Why it failed, with an `error` that says so. */
  readonly failure: Failure | null
}

/** What happened, without when and where. */
export type EventBody =
  | { readonly _tag: "Submitted"; readonly submission: Submission; readonly report: Report | null }
  | { readonly _tag: "Claimed"; readonly worker: string }
  | { readonly _tag: "Started" }
  | { readonly _tag: "FinishBegun" }
  | { readonly _tag: "Succeeded"; readonly result: Plain }
  | { readonly _tag: "Skipped"; readonly reason: string }
  | { readonly _tag: "Failed"; readonly failure: Failure }
  /** `readyAt`: when it is tried again; `null` when its failures are used up and it is dead. */
  | { readonly _tag: "Faltered"; readonly failure: Failure; readonly readyAt: Millis | null }
  | { readonly _tag: "LeaseExpired"; readonly readyAt: Millis | null }
  | { readonly _tag: "Released" }
  | { readonly _tag: "OutputEmitted"; readonly key: string }
  | {
      readonly _tag: "InputAsked"
      readonly key: string
      readonly stage: string
      readonly until: Millis
      /** The input with this key that was there is rejected and must be replaced. */
      readonly rejects: boolean
    }
  | { readonly _tag: "InputGiven"; readonly key: string; readonly data: Plain }
  | { readonly _tag: "InputTimedOut" }
  | { readonly _tag: "ExternalAsked"; readonly id: string; readonly data: Plain; readonly until: Millis }
  | { readonly _tag: "ExternalFinished"; readonly id: string; readonly data: Plain }
  | { readonly _tag: "ExternalTimedOut" }
  | { readonly _tag: "DeadlinePassed" }
  | { readonly _tag: "Cancelled"; readonly by: string; readonly reason: string | null }
  | { readonly _tag: "Reset"; readonly by: string; readonly freed: ReadonlyArray<string> }
  | { readonly _tag: "Redriven"; readonly by: string }
  | { readonly _tag: "Renamed"; readonly name: string | null }
  | { readonly _tag: "Reported"; readonly report: Report }
  | { readonly _tag: "Heard" }
  | { readonly _tag: "Silenced" }
  | { readonly _tag: "CancelRequested"; readonly by: string; readonly reason: string | null }

/** An event in the words of a kind's outward interface. */
export interface OutwardName {
  readonly name: string
  readonly key?: string
}

/** `number` counts the outward events of a job from 1 without gaps. */
export interface OutwardEvent extends OutwardName {
  readonly number: number
}

/** Where an event stands; state, epoch and session are those after it. */
export interface EventStamp {
  /** Counts the events of a job from 1 without gaps. */
  readonly seq: number
  readonly at: Millis
  readonly state: JobState
  readonly epoch: number
  readonly session: number
  readonly outward: ReadonlyArray<OutwardEvent>
}

/** One entry of a job's log; plain data. */
export type JobEvent = EventBody & EventStamp
