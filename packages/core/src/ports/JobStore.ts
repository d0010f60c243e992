import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ClaimKind } from "../job/Claim.ts"
import type { Commit, OutputData, Progress } from "../job/Commit.ts"
import type { NewJob } from "../job/Decision.ts"
import type { JobEvent } from "../job/Event.ts"
import type { Job } from "../job/Job.ts"
import type { HeldLease, Lease, LostBecause } from "../job/Lease.ts"
import type { JobState, Millis } from "../job/Lifecycle.ts"

/**
 * The store did not answer, or cannot. The outcome of a write is then unknown: call again with the same arguments; a
 * write that was taken is recognised. `because` is for programs, `message` says what to do.
 */
export class JobStoreUnavailable extends Schema.TaggedError<JobStoreUnavailable>()("JobStoreUnavailable", {
  because: Schema.Literals(["missing", "not-a-store", "newer", "corrupt", "full", "read-only", "busy", "io"]),
  message: Schema.String
}) {}

export interface JobStoreCapabilities {
  /** What was answered survives the end of the process. */
  readonly durable: boolean
  /** Several processes may use the store at once. */
  readonly shared: boolean
}

/** A job as it is now. */
export interface JobSnapshot {
  /** The fold of its events (law FOLD). */
  readonly row: Job
  /** `row.seq`, to be given as `expectSeq`. */
  readonly seq: number
  /** The store's clock, to be given to `decide`. */
  readonly now: Millis
  /** Not `null` exactly while `row.holder` is not. */
  readonly lease: HeldLease | null
  /** The last progress of any session. */
  readonly progress: Progress | null
}

/** No such job for this tenant, and nobody is told whether another tenant has it. */
export interface JobNotFound {
  readonly _tag: "NotFound"
}

export type CreateAnswer =
  | ({ readonly _tag: "Created" } & JobSnapshot)
  /** The key was used before, with the same parameters (`sameSubmission`). */
  | ({ readonly _tag: "Exists" } & JobSnapshot)
  /** The key was used with other parameters, or the id is taken. `id` is the job that is in the way. */
  | { readonly _tag: "KeyConflict"; readonly id: string }

export interface LeaseLost {
  readonly _tag: "LeaseLost"
  readonly because: LostBecause
}

export type CommitAnswer =
  | { readonly _tag: "Committed"; readonly seq: number }
  /** Somebody else wrote; `seq` is where the job is now. Read, decide and commit again. */
  | { readonly _tag: "SeqConflict"; readonly seq: number }
  | LeaseLost
  | JobNotFound

export interface ClaimRequest {
  /** What may be claimed, with its caps; other kinds are left alone. */
  readonly kinds: ReadonlyArray<ClaimKind>
  /** Names the worker in the log. */
  readonly worker: string
  /** Fresh and unguessable, 16 … 64 characters; the token of every lease of this claim. */
  readonly token: string
  readonly leaseMs: number
  /** 1 … 1000. */
  readonly limit: number
}

/** A job that was given to a worker. */
export interface ClaimedJob {
  readonly row: Job
  readonly lease: Lease
  readonly progress: Progress | null
}

export interface Renewal {
  readonly lease: Lease
  /** Kept as the last value if the lease is current. */
  readonly progress?: Progress
}

export type RenewAnswer = { readonly _tag: "Renewed"; readonly lease: Lease } | LeaseLost | JobNotFound

/** Something that the clock or a lost wake-up asks the sweeper to look at. */
export interface DueJob {
  readonly tenant: string
  readonly id: string
  readonly kind: string
  /**
   * `lease`: its lease is over, expire it. `timer`: `row.timer` is due, ring it. `ready`: it may be claimed, announce it.
   */
  readonly because: "lease" | "timer" | "ready"
}

/** How long a job that `due` gave out is not given out again for the same cause. */
export const DUE_AGAIN_MS = 5_000

/** All given conditions must hold; an empty list matches nothing. Times are inclusive. */
export interface JobFilter {
  readonly kinds?: ReadonlyArray<string>
  readonly states?: ReadonlyArray<JobState>
  readonly key?: string
  readonly dead?: boolean
  readonly createdFrom?: Millis
  readonly createdTo?: Millis
  /** By creation; `newest` if absent. */
  readonly order?: "newest" | "oldest"
}

/** Where a page ended: creation time and id of its last job. */
export interface JobCursor {
  readonly createdAt: Millis
  readonly id: string
}

export interface JobPage {
  readonly rows: ReadonlyArray<Job>
  /** Where the next page starts; `null` if this was the last. */
  readonly next: JobCursor | null
}

export interface PurgePolicy {
  /** Only these kinds; all if absent. */
  readonly kinds?: ReadonlyArray<string>
}

/** A job with outward events that were not published yet. */
export interface UnpublishedJob {
  readonly tenant: string
  readonly id: string
  readonly kind: string
  /** Of the job now; its events up to here are to be looked at. */
  readonly seq: number
  /** The number of its last outward event. */
  readonly outwardSeq: number
  /** The outward events up to this number were published; below `outwardSeq`. */
  readonly published: number
}

/** Says that the outward events of a job up to `number` were published. */
export interface PublishedMark {
  readonly tenant: string
  readonly id: string
  readonly number: number
}

export interface JobTally {
  readonly kind: string
  readonly state: JobState
  readonly jobs: number
}

/**
 * Jobs, their logs and their leases: the truth of the engine.
 *
 * Every method is atomic and what it answered is visible to everyone afterwards. All times are the store's own. Rules
 * that are the same everywhere come from core: `birth`, `claim`, `checkLease`, `pick`, `isCommitted`, `isPurgeable`.
 * Answers of normal life are values; the error channel says that there was no answer. Methods for clients take a tenant
 * and see nothing of any other.
 */
export class JobStore extends Context.Service<
  JobStore,
  {
    readonly capabilities: JobStoreCapabilities

    /** Makes a job at the store's time (`birth`), unless its key is known. Keys are unique per tenant and kind, ids per tenant. */
    create(job: NewJob): Effect.Effect<CreateAnswer, JobStoreUnavailable>

    read(tenant: string, id: string): Effect.Effect<JobSnapshot | JobNotFound, JobStoreUnavailable>

    /**
     * Writes events, row, outputs and progress in one transaction. Checked in this order: that the job exists; whether
     * exactly this was already committed (`isCommitted`, then `Committed` again); the lease, if one is given
     * (`checkLease`); `expectSeq`. Afterwards the lease stays if `row.holder` is not `null` and the epoch is the same,
     * and is gone otherwise. A commit without events, with `expectSeq` being the job's, writes its progress.
     */
    commit(commit: Commit): Effect.Effect<CommitAnswer, JobStoreUnavailable>

    /** Independent commits (1 … 1000) in one round trip; each has its own verdict, in order. */
    commitMany(commits: ReadonlyArray<Commit>): Effect.Effect<ReadonlyArray<CommitAnswer>, JobStoreUnavailable>

    /**
     * Gives queued jobs that are ready to a worker (`claim`), chosen by `pick`: no job twice, no cap exceeded, no tenant
     * starved. A token that claimed before answers what it took and still holds, and takes nothing.
     */
    claim(request: ClaimRequest): Effect.Effect<ReadonlyArray<ClaimedJob>, JobStoreUnavailable>

    /** Sets the deadline of each current lease to now + `leaseMs`; others stay lost. In order. */
    renew(
      renewals: ReadonlyArray<Renewal>,
      leaseMs: number
    ): Effect.Effect<ReadonlyArray<RenewAnswer>, JobStoreUnavailable>

    /**
     * At most `limit` jobs of these kinds, of any tenant, for each cause; the longest overdue first, of equally overdue ones
     * any. Giving one out notes it (`DUE_AGAIN_MS`), so that jobs that nobody can deal with keep no others out.
     */
    due(kinds: ReadonlyArray<string>, limit: number): Effect.Effect<ReadonlyArray<DueJob>, JobStoreUnavailable>

    /** At most `limit` events with a number above `after` (0: from the start), in order. */
    events(
      tenant: string,
      id: string,
      after: number,
      limit: number
    ): Effect.Effect<ReadonlyArray<JobEvent> | JobNotFound, JobStoreUnavailable>

    /** The data of an output of one session; `undefined` without a job or output. */
    output(
      tenant: string,
      id: string,
      session: number,
      key: string
    ): Effect.Effect<OutputData | undefined, JobStoreUnavailable>

    /**
     * At most `limit` (1 … 1000) jobs behind `after`, ordered by creation time and id. Pages repeat and skip nothing of
     * what was there before the first, whatever is submitted meanwhile.
     */
    list(
      tenant: string,
      filter: JobFilter,
      after: JobCursor | null,
      limit: number
    ): Effect.Effect<JobPage, JobStoreUnavailable>

    /** How many jobs there are by kind and state, of one tenant or (`null`) of all; without zeros, in any order. */
    tally(tenant: string | null): Effect.Effect<ReadonlyArray<JobTally>, JobStoreUnavailable>

    /**
     * At most `limit` (1 … 1000) jobs of these tenants with unpublished outward events: the first of each tenant by creation
     * time and id, then the second of each, and so on, tenants by name. So a crowd keeps no other tenant waiting, and the
     * answer is the same until somebody marks or commits.
     */
    unpublished(
      tenants: ReadonlyArray<string>,
      limit: number
    ): Effect.Effect<ReadonlyArray<UnpublishedJob>, JobStoreUnavailable>

    /**
     * Notes beside each job (1 … 1000) how far it was published. The note only rises, at most to the job's `outwardSeq`, and
     * is no part of the fold. A job that is not there is passed over.
     */
    published(marks: ReadonlyArray<PublishedMark>): Effect.Effect<void, JobStoreUnavailable>

    /**
     * Removes at most `limit` jobs that are purgeable (`isPurgeable`) with log and outputs, published or not; answers how
     * many.
     */
    purge(policy: PurgePolicy, limit: number): Effect.Effect<number, JobStoreUnavailable>
  }
>()("@sotto/core/ports/JobStore") {}
