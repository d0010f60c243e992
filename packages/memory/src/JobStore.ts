import {
  birth,
  type Candidate,
  checkLease,
  claim,
  type Commit,
  type Held,
  type HeldLease,
  isClaimable,
  isCommitted,
  isPurgeable,
  type Job,
  type JobEvent,
  type Millis,
  type OutputData,
  pick,
  type Progress,
  sameSubmission
} from "@sotto/core/job"
import {
  DUE_AGAIN_MS,
  type ClaimedJob,
  type CommitAnswer,
  type DueJob,
  type JobNotFound,
  type JobSnapshot,
  JobStore,
  type JobTally,
  type RenewAnswer,
  type UnpublishedJob
} from "@sotto/core/ports/JobStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

interface StoredJob {
  row: Job
  lease: HeldLease | null
  progress: Progress | null
  readonly events: Array<JobEvent>
  /** By session and key. */
  readonly outputs: Map<string, OutputData>
  /** How far its outward events were published. */
  published: number
  /** Until then it is not given out once more; forgotten with every event. */
  quiet: Readonly<Record<DueJob["because"], Millis>>
}

/** What outlives a layer: hand the same one to a second layer to see what a restart sees. */
export interface MemoryJobs {
  /** By tenant and id. */
  readonly jobs: Map<string, StoredJob>
  /** By tenant, kind and key. */
  readonly keys: Map<string, StoredJob>
  /** The tokens of claims that took something, the oldest first. */
  readonly tokens: Map<string, Millis>
}

export const emptyMemoryJobs = (): MemoryJobs => ({ jobs: new Map(), keys: new Map(), tokens: new Map() })

/** The reference that all stores of jobs are compared with; looks at every job where others have indexes. Time is Effect's clock. */
export const layerMemoryJobStore = (options: { readonly jobs?: MemoryJobs } = {}): Layer.Layer<JobStore> =>
  Layer.sync(JobStore, () => makeMemoryJobStore(options.jobs ?? emptyMemoryJobs()))

const makeMemoryJobStore = ({ jobs, keys, tokens }: MemoryJobs): JobStore["Service"] => {
  // One synchronous step: nothing can come in between.
  const step = <A>(body: (now: Millis) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, body)
  const find = (tenant: string, id: string): StoredJob | undefined => jobs.get(placeOf(tenant, id))
  const all = (wanted: (job: StoredJob) => boolean): ReadonlyArray<StoredJob> => [...jobs.values()].filter(wanted)

  const commit = (one: Commit, now: Millis): CommitAnswer => {
    const { tenant, id, expectSeq, lease, events, row, outputs = [], progress } = one
    const job = find(tenant, id)
    if (job === undefined) return NOT_FOUND
    if (isCommitted(one, job.events.slice(expectSeq))) return { _tag: "Committed", seq: expectSeq + events.length }
    const current = lease === undefined ? "current" : checkLease(job.row, job.lease, lease, now)
    if (current !== "current") return { _tag: "LeaseLost", because: current }
    if (job.row.seq !== expectSeq) return { _tag: "SeqConflict", seq: job.row.seq }
    if (events.length > 0) {
      job.events.push(...events)
      job.row = row
      job.quiet = NEVER
      for (const output of outputs) job.outputs.set(placeOf(String(row.session), output.key), output)
      if (row.holder === null || job.lease?.epoch !== row.epoch) job.lease = null
    }
    if (progress !== undefined) job.progress = progress
    return { _tag: "Committed", seq: job.row.seq }
  }

  const give = (job: StoredJob, { worker, token, leaseMs }: ClaimAs, now: Millis): ReadonlyArray<ClaimedJob> => {
    const claimed = claim(job.row, worker, now)
    if (claimed._tag === "Rejected") return []
    job.events.push(...claimed.events)
    job.row = claimed.job
    job.lease = { epoch: claimed.job.epoch, token, worker, deadline: now + leaseMs }
    job.quiet = NEVER
    return [claimedJob(job, job.lease)]
  }

  return JobStore.of({
    capabilities: { durable: false, shared: false },

    create: (asked) =>
      step((now) => {
        const { tenant, id, kind, key } = asked.submission
        const keyPlace = key === null ? undefined : placeOf(tenant, kind, key)
        const byKey = keyPlace === undefined ? undefined : keys.get(keyPlace)
        const known = byKey ?? find(tenant, id)
        if (known !== undefined) {
          // Without a key a submission is known by its id, so that a lost reply can be asked for again.
          const same =
            (byKey !== undefined || (known.row.key === key && known.row.kind === kind)) &&
            sameSubmission(known.row, asked.submission)
          return same ? { _tag: "Exists", ...snapshotOf(known, now) } : { _tag: "KeyConflict", id: known.row.id }
        }
        const { events, job: row } = birth(asked, now)
        const made: StoredJob = {
          row,
          lease: null,
          progress: null,
          events: [...events],
          outputs: new Map(),
          published: 0,
          quiet: NEVER
        }
        jobs.set(placeOf(tenant, id), made)
        if (keyPlace !== undefined) keys.set(keyPlace, made)
        return { _tag: "Created", ...snapshotOf(made, now) }
      }),

    read: (tenant, id) =>
      step((now) => {
        const job = find(tenant, id)
        return job === undefined ? NOT_FOUND : snapshotOf(job, now)
      }),

    commit: (one) => step((now) => commit(one, now)),

    commitMany: (commits) => step((now) => commits.map((one) => commit(one, now))),

    claim: ({ kinds, limit, ...as }) =>
      step((now) => {
        const { token } = as
        for (const [old, at] of tokens) {
          if (at + TOKEN_MEMORY_MS > now) break
          tokens.delete(old)
        }
        if (tokens.has(token)) {
          return all(({ lease }) => lease?.token === token && now < lease.deadline).flatMap((job) =>
            job.lease === null ? [] : [claimedJob(job, job.lease)]
          )
        }
        const waiting = all(({ row }) => isClaimable(row, now)).map((job): Candidate & { job: StoredJob } => ({
          ...job.row,
          job
        }))
        const held = all(({ lease }) => lease !== null).map(({ row }): Held => ({ ...row, jobs: 1 }))
        const taken = pick(waiting, held, kinds, limit).flatMap(({ job }) => give(job, as, now))
        if (taken.length > 0) tokens.set(token, now)
        return taken
      }),

    renew: (renewals, leaseMs) =>
      step((now) =>
        renewals.map(({ lease, progress }): RenewAnswer => {
          const job = find(lease.tenant, lease.id)
          if (job === undefined) return NOT_FOUND
          const current = checkLease(job.row, job.lease, lease, now)
          if (current !== "current") return { _tag: "LeaseLost", because: current }
          const renewed = { ...(job.lease as HeldLease), deadline: now + leaseMs }
          job.lease = renewed
          if (progress !== undefined) job.progress = progress
          return { _tag: "Renewed", lease: claimedJob(job, renewed).lease }
        })
      ),

    due: (kinds, limit) =>
      step((now) =>
        CAUSES.flatMap((because) =>
          all(({ row }) => kinds.includes(row.kind))
            .flatMap((job) => {
              const since = overdueSince(job, because)
              const at = since === null ? null : Math.max(since, job.quiet[because])
              return at !== null && at <= now ? [{ job, at }] : []
            })
            .toSorted((a, b) => a.at - b.at)
            .slice(0, limit)
            .map(({ job }): DueJob => {
              job.quiet = { ...job.quiet, [because]: now + DUE_AGAIN_MS }
              return { tenant: job.row.tenant, id: job.row.id, kind: job.row.kind, because }
            })
        )
      ),

    events: (tenant, id, after, limit) => step(() => find(tenant, id)?.events.slice(after, after + limit) ?? NOT_FOUND),

    output: (tenant, id, session, key) => step(() => find(tenant, id)?.outputs.get(placeOf(String(session), key))),

    list: (tenant, filter, after, limit) =>
      step(() => {
        const { kinds, states, key, dead, createdFrom = -Infinity, createdTo = Infinity, order = "newest" } = filter
        const sign = order === "oldest" ? 1 : -1
        const place = (a: Pick<Job, "createdAt" | "id">, b: Pick<Job, "createdAt" | "id">) =>
          sign * (a.createdAt - b.createdAt || compareTexts(a.id, b.id))
        const found = [...jobs.values()]
          .map(({ row }) => row)
          .filter(
            (row) =>
              row.tenant === tenant &&
              (kinds?.includes(row.kind) ?? true) &&
              (states?.includes(row.state) ?? true) &&
              (key === undefined || row.key === key) &&
              (dead === undefined || row.dead === dead) &&
              row.createdAt >= createdFrom &&
              row.createdAt <= createdTo &&
              (after === null || place(after, row) < 0)
          )
          .toSorted(place)
        const rows = found.slice(0, limit)
        const last = rows.at(-1)
        return {
          rows,
          next: last === undefined || found.length <= limit ? null : { createdAt: last.createdAt, id: last.id }
        }
      }),

    tally: (tenant) =>
      step(() => {
        const counts = new Map<string, JobTally>()
        for (const { row } of jobs.values()) {
          if (tenant !== null && row.tenant !== tenant) continue
          const place = placeOf(row.kind, row.state)
          counts.set(place, { kind: row.kind, state: row.state, jobs: (counts.get(place)?.jobs ?? 0) + 1 })
        }
        return [...counts.values()]
      }),

    unpublished: (tenants, limit) =>
      step(() => {
        const places = new Map<string, number>()
        return all(({ row, published }) => tenants.includes(row.tenant) && row.outwardSeq > published)
          .toSorted(({ row: a }, { row: b }) => a.createdAt - b.createdAt || compareTexts(a.id, b.id))
          .map((job) => {
            const place = places.get(job.row.tenant) ?? 0
            places.set(job.row.tenant, place + 1)
            return { job, place }
          })
          .toSorted((a, b) => a.place - b.place || compareTexts(a.job.row.tenant, b.job.row.tenant))
          .slice(0, limit)
          .map(({ job: { row, published } }): UnpublishedJob => {
            const { tenant, id, kind, seq, outwardSeq } = row
            return { tenant, id, kind, seq, outwardSeq, published }
          })
      }),

    published: (marks) =>
      step(() => {
        for (const { tenant, id, number } of marks) {
          const job = find(tenant, id)
          if (job !== undefined) job.published = Math.max(job.published, Math.min(number, job.row.outwardSeq))
        }
      }),

    purge: ({ kinds }, limit) =>
      step((now) => {
        const gone = all(({ row }) => isPurgeable(row, now) && (kinds?.includes(row.kind) ?? true))
          .toSorted((a, b) => (a.row.retainUntil ?? 0) - (b.row.retainUntil ?? 0))
          .slice(0, limit)
        for (const { row } of gone) {
          jobs.delete(placeOf(row.tenant, row.id))
          if (row.key !== null) keys.delete(placeOf(row.tenant, row.kind, row.key))
        }
        return gone.length
      })
  })
}

/** For so long a repeated claim is recognised; nobody waits longer for an answer. */
const TOKEN_MEMORY_MS = 3_600_000

interface ClaimAs {
  readonly worker: string
  readonly token: string
  readonly leaseMs: number
}

const CAUSES = ["lease", "timer", "ready"] as const
const NEVER = { lease: 0, timer: 0, ready: 0 }

const overdueSince = ({ row, lease }: StoredJob, because: DueJob["because"]): Millis | null => {
  switch (because) {
    case "lease":
      return lease?.deadline ?? null
    case "timer":
      return row.timer?.at ?? null
    case "ready":
      return row.readyAt
  }
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const NOT_FOUND: JobNotFound = { _tag: "NotFound" }

// Names hold no control characters, so these are unique.
const placeOf = (...names: ReadonlyArray<string>): string => names.join("\n")

const snapshotOf = ({ row, lease, progress }: StoredJob, now: Millis): JobSnapshot => ({
  row,
  seq: row.seq,
  now,
  lease,
  progress
})

const claimedJob = ({ row, progress }: StoredJob, { epoch, token, deadline }: HeldLease): ClaimedJob => ({
  row,
  lease: { tenant: row.tenant, id: row.id, epoch, token, deadline },
  progress
})
