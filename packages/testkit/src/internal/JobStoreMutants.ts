/** Stores of jobs that are wrong in one way each: a right one with a method made wrong. A name says the mistake. */
import type { Commit, JobEvent, OutputData } from "@sotto/core/job"
import {
  type ClaimedJob,
  type CommitAnswer,
  type DueJob,
  type JobSnapshot,
  JobStore,
  type JobStoreUnavailable,
  type RenewAnswer
} from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { JobStoreLab } from "../JobStoreLab.ts"
import type { Mutant } from "../Law.ts"
import type { LawClock } from "../LawClock.ts"
import { commitOf, KINDS, placeOf, type Store, TENANTS, tokenOf } from "./JobHistory.ts"

type Subject = JobStore | LawClock | JobStoreLab

const mutant = (name: string, change: (store: Store) => Partial<Store>): Mutant<Subject> => ({
  name,
  apply: (subject) =>
    Layer.provideMerge(
      Layer.effect(
        JobStore,
        Effect.map(JobStore, (store) => JobStore.of({ ...store, ...change(store) }))
      ),
      subject
    )
})

type Committing = Effect.Effect<CommitAnswer, JobStoreUnavailable>

/** A store whose commits go another way. */
const committing = (
  name: string,
  how: (store: Store, commit: Commit, now: JobSnapshot | undefined) => Committing
): Mutant<Subject> =>
  mutant(name, (store) => ({
    commit: (commit) =>
      Effect.flatMap(store.read(commit.tenant, commit.id), (found) =>
        how(store, commit, "_tag" in found ? undefined : found)
      )
  }))

const without = <K extends keyof Commit>(commit: Commit, name: K): Omit<Commit, K> => {
  const { [name]: _, ...rest } = commit
  return rest
}

const withoutLease = (commit: Commit): Commit => without(commit, "lease")

const restamped = (commit: Commit, seq: number): Commit => {
  const events = commit.events.map((event, i): JobEvent => ({ ...event, seq: seq + i + 1 }))
  return { ...commit, expectSeq: seq, events, row: { ...commit.row, seq: seq + events.length } }
}

const dropping = (name: string, because: DueJob["because"]) =>
  mutant(name, (store) => ({
    due: (kinds, limit) => Effect.map(store.due(kinds, limit), (due) => due.filter((job) => job.because !== because))
  }))

export const jobStoreMutants = {
  touchesRow: committing("writes another row than the fold", (store, commit) =>
    store.commit({ ...commit, row: { ...commit.row, updatedAt: commit.row.createdAt } })
  ),
  wrongSeq: mutant("counts from 0", (store) => ({
    read: (tenant, id) =>
      Effect.map(store.read(tenant, id), (found) => ("_tag" in found ? found : { ...found, seq: found.seq - 1 }))
  })),
  pagesFromCursor: mutant("repeats the event at the cursor", (store) => ({
    events: (tenant, id, after, limit) => store.events(tenant, id, Math.max(0, after - 1), limit)
  })),
  newestEventsFirst: mutant("gives the newest events first", (store) => ({
    events: (tenant, id, after, limit) =>
      Effect.map(store.events(tenant, id, after, limit), (found) => ("_tag" in found ? found : found.toReversed()))
  })),
  allEvents: mutant("ignores the limit of events", (store) => ({
    events: (tenant, id, after) => store.events(tenant, id, after, 1_000)
  })),

  noFence: committing("takes writes without a look at the lease", (store, commit) =>
    store.commit(withoutLease(commit))
  ),
  epochOnly: committing("compares the epoch only", (store, commit, now) =>
    store.commit(
      commit.lease !== undefined && now?.lease?.epoch === commit.lease.epoch ? { ...commit, lease: now.lease } : commit
    )
  ),
  ignoresDeadline: committing("takes writes after the deadline", (store, commit, now) =>
    store.commit(now?.lease?.token === commit.lease?.token ? withoutLease(commit) : commit)
  ),
  losesOutputs: committing("loses outputs", (store, commit) => store.commit(without(commit, "outputs"))),
  losesProgress: committing("loses the progress of commits", (store, commit) =>
    store.commit(without(commit, "progress"))
  ),
  losesEvents: committing("answers and writes nothing", (_, commit) =>
    Effect.succeed({ _tag: "Committed", seq: commit.row.seq })
  ),
  outputsOfRefused: mutant("keeps the outputs of refused commits", (store) => {
    const outputs = new Map<string, OutputData>()
    return {
      commit: (commit) => {
        for (const output of commit.outputs ?? [])
          outputs.set(`${placeOf(commit)}/${commit.row.session}/${output.key}`, output)
        return store.commit(commit)
      },
      output: (tenant, id, session, key) => Effect.succeed(outputs.get(`${tenant}/${id}/${session}/${key}`))
    }
  }),
  outputsOfFirstSession: mutant("gives every session the outputs of the first", (store) => ({
    output: (tenant, id, _, key) => store.output(tenant, id, 1, key)
  })),

  givesAgain: mutant("gives a job that is held to another worker", (store) => {
    let given: ReadonlyArray<ClaimedJob> = []
    return {
      claim: (request) =>
        Effect.map(store.claim(request), (claimed) => {
          const answer = [...claimed, ...given].slice(0, request.limit)
          given = claimed.length > 0 ? claimed : given
          return answer
        })
    }
  }),
  ownToken: mutant("makes tokens up", (store) => ({
    claim: (request) => store.claim({ ...request, token: `${request.token}-0` })
  })),
  shortLease: mutant("gives half the time", (store) => ({
    claim: (request) => store.claim({ ...request, leaseMs: request.leaseMs / 2 })
  })),
  sharedClaim: mutant("answers claims at the same time alike", (store) => {
    let running = 0
    let shared: ReadonlyArray<ClaimedJob> | undefined
    return {
      claim: (request) =>
        Effect.gen(function* () {
          running++
          yield* Effect.yieldNow
          shared ??= yield* store.claim(request)
          const answer = shared
          running--
          if (running === 0) shared = undefined
          return answer
        })
    }
  }),

  renewsEverything: mutant("says Renewed whatever was lost", (store) => ({
    renew: (renewals, leaseMs) =>
      Effect.map(store.renew(renewals, leaseMs), (answers) =>
        answers.map((answer, i): RenewAnswer => {
          const lease = renewals[i]?.lease
          return lease === undefined ? answer : { _tag: "Renewed", lease }
        })
      )
  })),
  renewsNothing: mutant("says Renewed and renews nothing", (store) => ({
    renew: (renewals, leaseMs) =>
      Effect.gen(function* () {
        const now = yield* Effect.map(store.read("north", "a"), (found) => ("_tag" in found ? 0 : found.now))
        return renewals.map(({ lease }): RenewAnswer => ({
          _tag: "Renewed",
          lease: { ...lease, deadline: now + leaseMs }
        }))
      })
  })),
  addsTime: mutant("adds to what was left of the lease", (store) => ({
    renew: (renewals, leaseMs) => store.renew(renewals, leaseMs + 1_000)
  })),
  vagueReason: mutant("does not say why a lease was lost", (store) => {
    const vague = <A>(answer: A): A =>
      (answer as { _tag: string })._tag === "LeaseLost" ? { ...answer, because: "superseded" } : answer
    return {
      commit: (commit) => Effect.map(store.commit(commit), vague),
      renew: (renewals, leaseMs) => Effect.map(store.renew(renewals, leaseMs), (answers) => answers.map(vague))
    }
  }),
  forgetsRenewedProgress: mutant("loses the progress of renewals", (store) => ({
    renew: (renewals, leaseMs) =>
      store.renew(
        renewals.map(({ lease }) => ({ lease })),
        leaseMs
      )
  })),
  progressOfLost: mutant("keeps the progress of who lost the lease", (store) => ({
    renew: (renewals, leaseMs) =>
      Effect.gen(function* () {
        const answers = yield* store.renew(renewals, leaseMs)
        for (const { lease, progress } of renewals) {
          const found = yield* store.read(lease.tenant, lease.id)
          if ("_tag" in found || progress === undefined) continue
          const { row, seq } = found
          yield* store.commit({ tenant: row.tenant, id: row.id, expectSeq: seq, events: [], row, progress })
        }
        return answers
      })
  })),

  forgetsKeys: mutant("knows no keys", (store) => ({
    create: (job) => store.create({ ...job, submission: { ...job.submission, key: null } })
  })),
  sharesKeys: mutant("shares keys between kinds", (store) => {
    const keys = new Map<string, string>()
    return {
      create: (job) => {
        const { tenant, id, key } = job.submission
        const place = `${tenant}/${key ?? ""}`
        const known = keys.get(place)
        if (key !== null && known === undefined) keys.set(place, id)
        return key !== null && known !== undefined && known !== id
          ? Effect.succeed({ _tag: "KeyConflict", id: known })
          : store.create(job)
      }
    }
  }),
  sameKeySameJob: mutant("finds a job by its key whatever its parameters", (store) => ({
    create: (job) =>
      Effect.gen(function* () {
        const answer = yield* store.create(job)
        if (answer._tag !== "KeyConflict") return answer
        const found = yield* store.read(job.submission.tenant, answer.id)
        return "_tag" in found ? answer : { _tag: "Exists" as const, ...found }
      })
  })),
  staleBirth: mutant("says another time of birth", (store) => ({
    create: (job) =>
      Effect.map(store.create(job), (answer) =>
        answer._tag === "KeyConflict"
          ? answer
          : { ...answer, row: { ...answer.row, createdAt: answer.row.createdAt - 1 } }
      )
  })),
  forgetsCommits: committing("compares the seq before it looks whether it was written", (store, commit, now) =>
    now !== undefined && now.seq !== commit.expectSeq
      ? Effect.succeed({ _tag: "SeqConflict", seq: now.seq })
      : store.commit(commit)
  ),
  leaseFirst: committing("looks at the lease before it looks whether it was written", (store, commit, now) =>
    commit.lease !== undefined && now?.lease?.token !== commit.lease.token
      ? Effect.succeed({ _tag: "LeaseLost", because: "superseded" })
      : store.commit(commit)
  ),
  claimsAgain: mutant("claims more when asked again", (store) => {
    let claims = 0
    return { claim: (request) => store.claim({ ...request, token: tokenOf(5_000 + claims++) }) }
  }),
  forgetsClaims: mutant("answers a repeated claim with nothing", (store) => {
    const tokens = new Set<string>()
    return {
      claim: (request) => {
        if (tokens.has(request.token)) return Effect.succeed([])
        tokens.add(request.token)
        return store.claim(request)
      }
    }
  }),
  appendsAnywhere: committing("appends wherever the log is", (store, commit, now) =>
    store.commit(now === undefined ? commit : restamped(commit, now.seq))
  ),
  tornCommit: committing("reads, then writes", (store, commit, now) =>
    Effect.gen(function* () {
      yield* Effect.yieldNow
      const answer = yield* store.commit(commit)
      return answer._tag === "SeqConflict" && now?.seq === commit.expectSeq
        ? { _tag: "Committed" as const, seq: commit.row.seq }
        : answer
    })
  ),
  allOrNothing: mutant("refuses a batch from the first refusal on", (store) => ({
    commitMany: (commits) =>
      Effect.gen(function* () {
        const answers: Array<CommitAnswer> = []
        for (const commit of commits) {
          const last = answers.at(-1)
          answers.push(last === undefined || last._tag === "Committed" ? yield* store.commit(commit) : last)
        }
        return answers
      })
  })),
  reversedVerdicts: mutant("gives the verdicts of a batch in another order", (store) => ({
    commitMany: (commits) => Effect.map(store.commitMany(commits), (answers) => answers.toReversed())
  })),

  ignoresCaps: mutant("ignores caps", (store) => ({
    claim: (request) => store.claim({ ...request, kinds: request.kinds.map(({ kind }) => ({ kind })) })
  })),
  takesOneMore: mutant("takes one more than asked for", (store) => ({
    claim: (request) => store.claim({ ...request, limit: request.limit + 1 })
  })),
  servesById: mutant("serves by id, whoever owns the job", (store) => ({
    claim: (request) =>
      Effect.gen(function* () {
        const all = yield* store.claim({ ...request, limit: 100 })
        const byId = all.toSorted((a, b) => (a.row.id < b.row.id ? -1 : 1))
        for (const { row, lease } of byId.slice(request.limit)) {
          const held = { epoch: lease.epoch, token: lease.token, worker: request.worker, deadline: lease.deadline }
          const snapshot = { row, seq: row.seq, lease: held, progress: null }
          const commit = commitOf({ snapshot }, { _tag: "Release", epoch: lease.epoch }, row.updatedAt)
          if (commit !== undefined) yield* store.commit(commit)
        }
        return byId.slice(0, request.limit)
      })
  })),
  notesNothing: mutant("gives what is due out again and again", (store) => {
    let given: ReadonlyArray<DueJob> = []
    return {
      due: (kinds, limit) =>
        Effect.map(store.due(kinds, limit), (due) => {
          const again = given.filter(({ kind }) => kinds.includes(kind))
          given = [...given, ...due]
          return [...again, ...due]
        })
    }
  }),
  allKinds: mutant("gives out what is due of every kind", (store) => ({ due: (_, limit) => store.due(KINDS, limit) })),
  youngestFirst: mutant("gives out what is due for the shortest time first", (store) => ({
    due: (kinds, limit) =>
      Effect.map(store.due(kinds, 1_000), (due) =>
        (["lease", "timer", "ready"] as const).flatMap((because) =>
          due.filter((job) => job.because === because).slice(-limit)
        )
      )
  })),
  forgetsLeases: dropping("never says that a lease is over", "lease"),
  forgetsTimers: dropping("never says that a timer is due", "timer"),
  forgetsReady: dropping("never says that a job is ready", "ready"),

  readsAnyTenant: mutant("reads a job of any tenant", (store) => ({
    read: (tenant, id) =>
      Effect.gen(function* () {
        for (const any of [tenant, ...TENANTS]) {
          const found = yield* store.read(any, id)
          if (!("_tag" in found)) return found
        }
        return { _tag: "NotFound" as const }
      })
  })),
  listsEverybody: mutant("lists the jobs of everybody", (store) => ({
    list: (_, filter, after, limit) =>
      Effect.gen(function* () {
        const rows = []
        for (const tenant of TENANTS) rows.push(...(yield* store.list(tenant, filter, after, limit)).rows)
        return { rows, next: null }
      })
  })),
  talliesEverybody: mutant("tallies the jobs of everybody", (store) => ({ tally: () => store.tally(null) })),
  pagesByOffset: mutant("pages by offset", (store) => {
    const offsets = new Map<string, number>()
    return {
      list: (tenant, filter, after, limit) =>
        Effect.map(store.list(tenant, filter, null, 1_000), ({ rows }) => {
          const start = after === null ? 0 : (offsets.get(after.id) ?? 0)
          const page = rows.slice(start, start + limit)
          const last = page.at(-1)
          if (last === undefined || start + limit >= rows.length) return { rows: page, next: null }
          offsets.set(last.id, start + limit)
          return { rows: page, next: { createdAt: last.createdAt, id: last.id } }
        })
    }
  }),
  skipsTies: mutant("skips the jobs of the same millisecond", (store) => ({
    list: (tenant, filter, after, limit) =>
      store.list(
        tenant,
        filter,
        after && { createdAt: after.createdAt, id: filter.order === "oldest" ? "~~" : " " },
        limit
      )
  })),
  ignoresFilter: mutant("looks at kinds only", (store) => ({
    list: (tenant, { kinds, order }, after, limit) =>
      store.list(
        tenant,
        { ...(kinds === undefined ? {} : { kinds }), ...(order === undefined ? {} : { order }) },
        after,
        limit
      )
  })),
  oneOrder: mutant("knows one order", (store) => ({
    list: (tenant, filter, after, limit) => store.list(tenant, { ...filter, order: "newest" }, after, limit)
  })),
  talliesZeros: mutant("tallies what is not there", (store) => ({
    tally: (tenant) =>
      Effect.map(store.tally(tenant), (tally) => [...tally, { kind: "work", state: "Unknown", jobs: 0 }])
  })),
  talliesStatesOnly: mutant("tallies all kinds as one", (store) => ({
    tally: (tenant) => Effect.map(store.tally(tenant), (tally) => tally.map((line) => ({ ...line, kind: "work" })))
  })),
  countsLimit: mutant("says that it purged as many as asked for", (store) => ({
    purge: (policy, limit) => Effect.as(store.purge(policy, limit), limit)
  })),
  purgesAllKinds: mutant("purges every kind", (store) => ({ purge: (_, limit) => store.purge({}, limit) })),
  purgesNothing: mutant("purges nothing", () => ({ purge: () => Effect.succeed(0) })),
  publishesNothing: mutant("gives nothing out to be published", () => ({ unpublished: () => Effect.succeed([]) })),
  marksNothing: mutant("forgets what was published", () => ({ published: () => Effect.void })),
  marksEverything: mutant("takes a whole job for published", (store) => ({
    published: (marks) => store.published(marks.map((mark) => ({ ...mark, number: 1_000 })))
  })),
  lowersNotes: mutant("lets a note fall", (store) => {
    const notes = new Map<string, number>()
    return {
      published: (marks) => {
        for (const mark of marks) notes.set(placeOf(mark), mark.number)
        return store.published(marks)
      },
      unpublished: (tenants, limit) =>
        Effect.map(store.unpublished(tenants, limit), (found) =>
          found.map((one) => ({
            ...one,
            published: Math.min(one.published, notes.get(placeOf(one)) ?? one.published)
          }))
        )
    }
  }),
  marksEverybody: mutant("takes jobs of one id for one", (store) => ({
    published: (marks) => store.published(marks.flatMap((mark) => TENANTS.map((tenant) => ({ ...mark, tenant }))))
  })),
  mixesTenants: mutant("gives out what any tenant has not published", (store) => ({
    unpublished: (_, limit) => store.unpublished(TENANTS, limit)
  })),
  oneTenantFirst: mutant("publishes one tenant after the other", (store) => ({
    unpublished: (tenants, limit) =>
      Effect.map(
        Effect.forEach([...new Set(tenants)].toSorted(), (tenant) => store.unpublished([tenant], limit)),
        (found) => found.flat().slice(0, limit)
      )
  })),
  unlimitedOutbox: mutant("gives more out to be published than asked for", (store) => ({
    unpublished: (tenants) => store.unpublished(tenants, 1_000)
  })),
  marksBehind: mutant("answers before it notes what was published", (store) => {
    let behind: Parameters<Store["published"]>[0] = []
    return {
      published: (marks) => {
        const earlier = behind
        behind = marks
        return earlier.length > 0 ? store.published(earlier) : Effect.void
      },
      unpublished: (tenants, limit) =>
        Effect.map(store.unpublished(tenants, limit), (found) =>
          found.flatMap((one) => {
            const marked = behind.filter((mark) => placeOf(mark) === placeOf(one)).map(({ number }) => number)
            const published = Math.max(one.published, ...marked)
            return published < one.outwardSeq ? [{ ...one, published }] : []
          })
        )
    }
  }),
  wrongClock: mutant("tells the time of another clock", (store) => ({
    read: (tenant, id) =>
      Effect.map(store.read(tenant, id), (found) => ("_tag" in found ? found : { ...found, now: found.now - 1 }))
  })),
  writesBehind: mutant("answers before it writes", (store) => {
    let behind: Commit | undefined
    return {
      commit: (commit) =>
        Effect.gen(function* () {
          if (behind !== undefined) yield* store.commit(behind)
          behind = commit
          return { _tag: "Committed" as const, seq: commit.row.seq }
        })
    }
  })
}
