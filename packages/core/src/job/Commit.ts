import type { JobEvent } from "./Event.ts"
import type { Job } from "./Job.ts"
import type { Lease } from "./Lease.ts"
import type { Plain } from "./Plain.ts"
import { samePlain } from "./Plain.ts"

/** How far the work is: `done` of `total` units (both ≥ 0), and what is being done. A last value, never an event. */
export interface Progress {
  readonly done: number
  readonly total: number | null
  readonly phase: string | null
  /** More for those who look, e.g. reports, bytes, rate. */
  readonly details: Plain
}

/** The data of an output; its `OutputEmitted` is in the same commit. */
export interface OutputData {
  readonly key: string
  readonly data: Plain
}

/** What one decision writes, all or nothing. */
export interface Commit {
  readonly tenant: string
  readonly id: string
  /** The sequence number of the job that was decided about; the first event has the next. */
  readonly expectSeq: number
  /** Given for every write of a worker. */
  readonly lease?: Pick<Lease, "epoch" | "token">
  readonly events: ReadonlyArray<JobEvent>
  /** The job after the events. */
  readonly row: Job
  readonly outputs?: ReadonlyArray<OutputData>
  readonly progress?: Progress
}

/**
 * Whether the log already holds what `commit` writes: the answer to its first attempt was lost. `stored` are the events
 * behind `expectSeq`, at least as many as the commit has.
 */
export const isCommitted = (commit: Pick<Commit, "expectSeq" | "events">, stored: ReadonlyArray<JobEvent>): boolean =>
  commit.events.length > 0 && commit.events.every((event, i) => samePlain(event, stored[i]))

/** Whether a second submission asks for the same as the first: equal parameters. Everything else may differ. */
export const sameSubmission = (
  first: { readonly parameters: Plain },
  second: { readonly parameters: Plain }
): boolean => samePlain(first.parameters, second.parameters)
