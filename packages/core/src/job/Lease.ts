/**
 * A lease is the right to write one epoch of a job until its deadline.
 *
 * Every claim raises the epoch. A write that names another epoch, another token or comes at or after the deadline is
 * refused, by the clock of the store and whatever the worker believes.
 */
import type { Millis } from "./Lifecycle.ts"

export interface Lease {
  readonly tenant: string
  readonly id: string
  readonly epoch: number
  /** Unguessable text, at most 64 characters; the one that the claim was made with. */
  readonly token: string
  readonly deadline: Millis
}

/** What a store keeps of the lease of a job. */
export interface HeldLease {
  readonly epoch: number
  readonly token: string
  readonly worker: string
  readonly deadline: Millis
}

/** How an epoch ended. */
export type EpochEnd =
  | "succeeded"
  | "failed"
  | "faltered"
  | "skipped"
  | "parked"
  | "released"
  | "expired"
  | "deadline"
  | "cancelled"
  | "reset"

/** The last epoch that ended, and how. Who lost the reply to a last write finds here whether it was taken. */
export interface EndedEpoch {
  readonly epoch: number
  readonly how: EpochEnd
}

/** What a worker is told that has no lease any more. `superseded` covers whatever the other three do not. */
export type LostBecause = "expired" | "superseded" | "cancelled" | "reset"

export interface LeasePolicy {
  /** How long a lease lasts without a renewal. */
  readonly leaseMs: number
  /** How often a worker renews. */
  readonly renewMs: number
}

/** With a sweep every `SWEEP_MS` the job of a killed worker runs again within 15 s. */
export const LEASE: LeasePolicy = { leaseMs: 12_000, renewMs: 4_000 }
export const SWEEP_MS = 2_000

/** How long a worker may tidy up after it learned that its lease is gone. */
export const TIDY_MS = 10_000

/** Whether `lease` may write now; otherwise why not. `held` is what the store keeps, `job` the row beside it. */
export const checkLease = (
  job: { readonly epoch: number; readonly lastEnd: EndedEpoch | null },
  held: HeldLease | null,
  lease: Pick<Lease, "epoch" | "token">,
  now: Millis
): "current" | LostBecause => {
  if (held !== null && held.epoch === lease.epoch && held.token === lease.token) {
    return now < held.deadline ? "current" : "expired"
  }
  if (job.lastEnd?.epoch !== lease.epoch) return "superseded"
  switch (job.lastEnd.how) {
    case "expired":
      return held === null ? "expired" : "superseded"
    case "reset":
      return "reset"
    case "cancelled":
    case "deadline":
      return "cancelled"
    default:
      return "superseded"
  }
}

/** A sentence for everything that is unsound; empty for a sound policy. A worker may miss one renewal, not two. */
export const leaseFaults = ({ leaseMs, renewMs }: LeasePolicy): ReadonlyArray<string> => [
  ...(Number.isInteger(leaseMs) && leaseMs >= 100 && leaseMs <= 3_600_000
    ? []
    : [`lease.leaseMs is a whole number from 100 to one hour, not ${leaseMs}`]),
  ...(Number.isInteger(renewMs) && renewMs >= 10 ? [] : [`lease.renewMs is a whole number from 10, not ${renewMs}`]),
  ...(leaseMs >= 2 * renewMs
    ? []
    : [`a lease of ${leaseMs} ms is shorter than two renewals of ${renewMs} ms: one late renewal would lose the job`])
]
