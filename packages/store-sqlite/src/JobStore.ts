import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite"
import {
  birth,
  type Candidate,
  checkLease,
  claim,
  type ClaimKind,
  type Commit,
  type Held,
  type HeldLease,
  isCommitted,
  type Job,
  JOB_STATES,
  type JobEvent,
  type JobState,
  type Lease,
  type Millis,
  pick,
  type Plain,
  sameSubmission
} from "@sotto/core/job"
import {
  type ClaimedJob,
  type ClaimRequest,
  type CommitAnswer,
  DUE_AGAIN_MS,
  type DueJob,
  type JobCursor,
  type JobFilter,
  type JobNotFound,
  type JobSnapshot,
  JobStore,
  JobStoreUnavailable,
  type PublishedMark,
  type RenewAnswer,
  type Renewal,
  type UnpublishedJob
} from "@sotto/core/ports/JobStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { openDatabase, type Voice } from "./internal/Database.ts"

export interface SqliteJobStoreOptions {
  /** Path of the file, which may be that of the ledger; `:memory:` for a database of this process only. */
  readonly file: string
  /** Refuse a file that does not exist instead of making it. */
  readonly mustExist?: boolean
  /** How long to wait for another process that is writing. Default 10 000. */
  readonly busyMs?: number
}

/**
 * Jobs in one SQLite file (WAL, `synchronous=FULL`): what was answered is on disk, and processes that share the file take
 * turns. Time is Effect's clock, so all who share a file should agree on the time.
 */
export const layerSqliteJobStore = (options: SqliteJobStoreOptions): Layer.Layer<JobStore, JobStoreUnavailable> =>
  Layer.effect(
    JobStore,
    Effect.map(openDatabase(options, voice), ({ db, read, change }) => {
      const store = tables(db)
      return JobStore.of({
        capabilities: { durable: options.file !== ":memory:", shared: options.file !== ":memory:" },
        create: (asked) => change((now) => store.create(asked, now)),
        read: (tenant, id) => Effect.flatMap(Clock.currentTimeMillis, (now) => read(() => store.read(tenant, id, now))),
        commit: (commit) => change((now) => store.commit(commit, now)),
        commitMany: (commits) => change((now) => commits.map((one) => store.commit(one, now))),
        claim: (request) => change((now) => store.claim(request, now)),
        renew: (renewals, leaseMs) => change((now) => renewals.map((one) => store.renew(one, leaseMs, now))),
        due: (kinds, limit) => change((now) => store.due(kinds, limit, now)),
        events: (tenant, id, after, limit) => read(() => store.events(tenant, id, after, limit)),
        output: (tenant, id, session, key) => read(() => store.output(tenant, id, session, key)),
        list: (tenant, filter, after, limit) => read(() => store.list(tenant, filter, after, limit)),
        tally: (tenant) => read(() => store.tally(tenant)),
        unpublished: (tenants, limit) => read(() => store.unpublished(tenants, limit)),
        published: (marks) => change(() => store.published(marks)),
        purge: ({ kinds }, limit) => change((now) => store.purge(kinds, limit, now))
      })
    })
  )

const voice: Voice<JobStoreUnavailable> = {
  what: "job store",
  again: "Try again with the same call: what was written is recognised.",
  refuse: (because, message) =>
    new JobStoreUnavailable({ because: because === "foreign" ? "not-a-store" : because, message })
}

/** For so long a repeated claim is recognised; nobody waits longer for an answer. */
const TOKEN_MEMORY_MS = 3_600_000

/** Every method of the port as a synchronous body of one transaction. */
const tables = (db: DatabaseSync) => {
  const sql = statements(db)

  const create = (asked: Parameters<JobStore["Service"]["create"]>[0], now: Millis) => {
    const { tenant, id, kind, key } = asked.submission
    const byKey = key === null ? undefined : sql.byKey.get(tenant, key, kind)
    const known = byKey ?? sql.find.get(tenant, id)
    if (known !== undefined) {
      const snapshot = snapshotOf(known, now)
      const { row } = snapshot
      // Without a key a submission is known by its id, so that a lost reply can be asked for again.
      const same =
        (byKey !== undefined || (row.key === key && row.kind === kind)) && sameSubmission(row, asked.submission)
      return same ? ({ _tag: "Exists", ...snapshot } as const) : ({ _tag: "KeyConflict", id: row.id } as const)
    }
    const { events, job: row } = birth(asked, now)
    const { relation, concurrencyKey, priority, createdAt } = row
    const made = sql.add.run(tenant, id, kind, key, concurrencyKey, relation, -priority, createdAt, ...movingOf(row))
    append(Number(made.lastInsertRowid), events)
    return { _tag: "Created", row, seq: row.seq, now, lease: null, progress: null } as const
  }

  const append = (n: number, events: ReadonlyArray<JobEvent>): void => {
    for (const event of events) sql.append.run(n, event.seq, event.state, JSON.stringify(event))
  }

  const write = (n: number, events: ReadonlyArray<JobEvent>, row: Job, lease: HeldLease | null): void => {
    append(n, events)
    sql.write.run(...movingOf(row), lease?.token ?? null, lease?.worker ?? null, lease?.deadline ?? null, n)
  }

  const commit = (one: Commit, now: Millis): CommitAnswer => {
    const { tenant, id, expectSeq, lease, events, row, outputs = [], progress } = one
    const found = sql.find.get(tenant, id)
    if (found === undefined) return NOT_FOUND
    const n = found["n"] as number
    const seq = found["seq"] as number
    if (seq > expectSeq && isCommitted(one, sql.events.all(n, expectSeq, events.length).map(eventOf))) {
      return { _tag: "Committed", seq: expectSeq + events.length }
    }
    const held = heldOf(found)
    const current = lease === undefined ? "current" : checkLease(rowOf(found), held, lease, now)
    if (current !== "current") return { _tag: "LeaseLost", because: current }
    if (seq !== expectSeq) return { _tag: "SeqConflict", seq }
    if (events.length > 0) {
      write(n, events, row, row.holder !== null && held?.epoch === row.epoch ? held : null)
      for (const output of outputs) sql.addOutput.run(n, row.session, output.key, JSON.stringify(output.data))
    }
    if (progress !== undefined) sql.setProgress.run(JSON.stringify(progress), n)
    return { _tag: "Committed", seq: seq + events.length }
  }

  const give = (n: number, { worker, token, leaseMs }: ClaimRequest, now: Millis): ReadonlyArray<ClaimedJob> => {
    const found = sql.get.get(n) as Row
    const claimed = claim(rowOf(found), worker, now)
    if (claimed._tag === "Rejected") return []
    const { events, job: row } = claimed
    const lease = { epoch: row.epoch, token, worker, deadline: now + leaseMs }
    write(n, events, row, lease)
    return [{ row, lease: leaseOf(row, lease), progress: progressOf(found) }]
  }

  /**
   * What of a kind could be taken if there were no other kinds: at most `limit` for each tenant, in the order of the queue,
   * within the caps. Only so much is read, however many wait.
   */
  const waiting = (caps: ClaimKind, held: ReadonlyArray<Held>, now: Millis, limit: number): ReadonlyArray<Waiting> => {
    const { kind, perTenant = Infinity, perKey = Infinity } = caps
    const ours = held.filter((one) => one.kind === kind)
    const offers: Array<Waiting> = []
    let tenant = ""
    let room = 0
    const keys = new Map<string, number>()
    let lane = sql.lane.get(kind, tenant, 0)
    while (lane !== undefined) {
      const rank = lane["rank"] as number
      if (lane["tenant"] !== tenant) {
        tenant = lane["tenant"] as string
        const mine = ours.filter((one) => one.tenant === tenant)
        room = Math.min(limit, perTenant - mine.reduce((sum, { jobs }) => sum + jobs, 0))
        keys.clear()
        for (const { concurrencyKey, jobs } of mine) if (concurrencyKey !== null) keys.set(concurrencyKey, jobs)
      }
      if (room > 0) {
        for (const row of sql.laneJobs.iterate(kind, tenant, rank, now)) {
          const offer = waitingOf(row, tenant, kind, rank)
          const taken = offer.concurrencyKey === null ? 0 : (keys.get(offer.concurrencyKey) ?? 0)
          if (offer.concurrencyKey !== null) {
            if (taken >= perKey) continue
            keys.set(offer.concurrencyKey, taken + 1)
          }
          offers.push(offer)
          room -= 1
          if (room <= 0) break
        }
      }
      lane = sql.lane.get(kind, tenant, room > 0 ? rank : LAST_RANK)
    }
    return offers
  }

  const claimJobs = (request: ClaimRequest, now: Millis): ReadonlyArray<ClaimedJob> => {
    const { token, kinds, limit } = request
    sql.forgetTokens.run(now - TOKEN_MEMORY_MS)
    if (sql.token.get(token) !== undefined) return sql.withToken.all(token, now).map(claimedOf)
    const held = sql.held.all().map(heldJobsOf)
    const offers = [...new Map(kinds.map((one) => [one.kind, one])).values()].flatMap((caps) =>
      waiting(caps, held, now, limit)
    )
    const taken = pick(offers, held, kinds, limit).flatMap(({ n }) => give(n, request, now))
    if (taken.length > 0) sql.addToken.run(token, now)
    return taken
  }

  const renew = ({ lease, progress }: Renewal, leaseMs: number, now: Millis): RenewAnswer => {
    const found = sql.find.get(lease.tenant, lease.id)
    if (found === undefined) return NOT_FOUND
    const current = checkLease(rowOf(found), heldOf(found), lease, now)
    if (current !== "current") return { _tag: "LeaseLost", because: current }
    const deadline = now + leaseMs
    sql.renew.run(deadline, found["n"] as number)
    if (progress !== undefined) sql.setProgress.run(JSON.stringify(progress), found["n"] as number)
    const { tenant, id, epoch, token } = lease
    return { _tag: "Renewed", lease: { tenant, id, epoch, token, deadline } }
  }

  const due = (kinds: ReadonlyArray<string>, limit: number, now: Millis): ReadonlyArray<DueJob> =>
    CAUSES.flatMap((because) => {
      const { overdue, quiet } = sql.due[because]
      return [...new Set(kinds)]
        .flatMap((kind) => overdue.all(kind, now, limit))
        .toSorted((a, b) => (a["at"] as number) - (b["at"] as number))
        .slice(0, limit)
        .map((row) => {
          quiet.run(now + DUE_AGAIN_MS, row["n"] as number)
          return { tenant: row["tenant"] as string, id: row["id"] as string, kind: row["kind"] as string, because }
        })
    })

  const list = (tenant: string, filter: JobFilter, after: JobCursor | null, limit: number) => {
    const { kinds, key, dead, createdFrom = 0, createdTo = Number.MAX_SAFE_INTEGER, order = "newest" } = filter
    const states = filter.states ?? JOB_STATES
    const start =
      after ?? (order === "oldest" ? { createdAt: -1, id: "" } : { createdAt: Number.MAX_SAFE_INTEGER, id: "" })
    const asked = {
      tenant,
      createdFrom,
      createdTo,
      afterAt: start.createdAt,
      afterId: start.id,
      kinds: kinds === undefined ? null : JSON.stringify(kinds),
      dead: dead === undefined ? null : Number(dead),
      limit: limit + 1
    }
    // A key has few jobs, so their states need no index; without one each state has its own range of the index.
    const found = (
      key === undefined
        ? [...new Set(states)].flatMap((state) => sql.list.all[order].all({ ...asked, state }))
        : sql.list.byKey[order].all({ ...asked, key, states: JSON.stringify(states) })
    )
      .map((row) => ({ n: row["n"] as number, createdAt: row["created_at"] as number, id: row["id"] as string }))
      .toSorted((a, b) => (order === "oldest" ? 1 : -1) * (a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)))
    const page = found.slice(0, limit)
    const last = page.at(-1)
    return {
      rows: page.map(({ n }) => rowOf(sql.get.get(n) as Row)),
      next: last === undefined || found.length <= limit ? null : { createdAt: last.createdAt, id: last.id }
    }
  }

  const numberOf = (tenant: string, id: string) => sql.number.get(tenant, id)?.["n"] as number | undefined

  return {
    create,
    commit,
    claim: claimJobs,
    renew,
    due,
    list,
    read: (tenant: string, id: string, now: Millis) => {
      const found = sql.find.get(tenant, id)
      return found === undefined ? NOT_FOUND : snapshotOf(found, now)
    },
    events: (tenant: string, id: string, after: number, limit: number) => {
      const n = numberOf(tenant, id)
      return n === undefined ? NOT_FOUND : sql.events.all(n, after, limit).map(eventOf)
    },
    output: (tenant: string, id: string, session: number, key: string) => {
      const row = sql.output.get(numberOf(tenant, id) ?? -1, session, key)
      return row && { key, data: JSON.parse(row["data"] as string) as Plain }
    },
    tally: (tenant: string | null) =>
      (tenant === null ? sql.tallyAll.all() : sql.tally.all(tenant)).map((row) => ({
        kind: row["kind"] as string,
        state: row["state"] as JobState,
        jobs: row["jobs"] as number
      })),
    unpublished: (tenants: ReadonlyArray<string>, limit: number): ReadonlyArray<UnpublishedJob> =>
      [...new Set(tenants)]
        .toSorted()
        .flatMap((tenant) => sql.unpublished.all(tenant, limit).map((row, place) => ({ row, place })))
        .toSorted((a, b) => a.place - b.place)
        .slice(0, limit)
        .map(({ row }) => ({
          tenant: row["tenant"] as string,
          id: row["id"] as string,
          kind: row["kind"] as string,
          seq: row["seq"] as number,
          outwardSeq: row["outward_seq"] as number,
          published: row["published"] as number
        })),
    published: (marks: ReadonlyArray<PublishedMark>): void => {
      for (const { tenant, id, number } of marks) sql.publish.run({ tenant, id, number })
    },
    purge: (kinds: ReadonlyArray<string> | undefined, limit: number, now: Millis): number => {
      const gone = sql.purgeable.all(now, kinds === undefined ? null : JSON.stringify(kinds), limit)
      for (const { n } of gone) sql.remove.run(n as number)
      return gone.length
    }
  }
}

const statements = (db: DatabaseSync) => {
  const dueFor = (because: DueJob["because"]) => ({
    overdue: db.prepare(
      `select n, tenant, id, kind, due_${because} as at from job where kind = ? and due_${because} <= ?
       order by due_${because} limit ?`
    ),
    quiet: db.prepare(`update job set quiet_${because} = ? where n = ?`)
  })
  const listBy = (index: string, where: string) => {
    const ordered = (sign: string, direction: string) =>
      db.prepare(
        `select n, created_at, id from job indexed by ${index}
         where tenant = :tenant and ${where} and created_at between :createdFrom and :createdTo
           and (created_at, id) ${sign} (:afterAt, :afterId)
           and (:kinds is null or kind in (select value from json_each(:kinds)))
           and (:dead is null or dead = :dead)
         order by created_at ${direction}, id ${direction} limit :limit`
      )
    return { oldest: ordered(">", "asc"), newest: ordered("<", "desc") }
  }
  return {
    find: db.prepare("select * from job where tenant = ? and id = ?"),
    get: db.prepare("select * from job where n = ?"),
    number: db.prepare("select n from job where tenant = ? and id = ?"),
    byKey: db.prepare("select * from job where tenant = ? and key = ? and kind = ?"),
    add: db.prepare(
      `insert into job (tenant, id, kind, key, concurrency_key, relation, rank, created_at,
         state, seq, outward_seq, epoch, dead, ready_at, timer_at, retain_until, row)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
    ),
    write: db.prepare(
      `update job set state = ?, seq = ?, outward_seq = ?, epoch = ?, dead = ?, ready_at = ?, timer_at = ?, retain_until = ?, row = ?,
         lease_token = ?, lease_worker = ?, lease_deadline = ?, quiet_lease = 0, quiet_timer = 0, quiet_ready = 0
       where n = ?`
    ),
    append: db.prepare("insert into event (job, seq, state, body) values (?, ?, ?, ?)"),
    events: db.prepare("select body from event where job = ? and seq > ? order by seq limit ?"),
    addOutput: db.prepare(
      `insert into output (job, session, key, data) values (?, ?, ?, ?)
       on conflict do update set data = excluded.data`
    ),
    output: db.prepare("select data from output where job = ? and session = ? and key = ?"),
    setProgress: db.prepare("update job set progress = ? where n = ?"),
    token: db.prepare("select 1 from claim_token where token = ?"),
    addToken: db.prepare("insert into claim_token (token, at) values (?, ?)"),
    forgetTokens: db.prepare("delete from claim_token where at <= ?"),
    withToken: db.prepare("select * from job where lease_token = ? and lease_deadline > ? order by n"),
    held: db.prepare(
      `select tenant, kind, concurrency_key, count(*) as jobs from job where lease_deadline is not null
       group by tenant, kind, concurrency_key`
    ),
    // The next tenant or priority that has jobs waiting: one step in the index, however many there are.
    lane: db.prepare(
      `select tenant, rank from job where kind = ? and ready_at is not null and (tenant, rank) > (?, ?)
       order by tenant, rank limit 1`
    ),
    laneJobs: db.prepare(
      `select n, id, ready_at, concurrency_key, created_at from job
       where kind = ? and tenant = ? and rank = ? and ready_at <= ? order by ready_at, id`
    ),
    renew: db.prepare("update job set lease_deadline = ? where n = ?"),
    due: { lease: dueFor("lease"), timer: dueFor("timer"), ready: dueFor("ready") },
    list: {
      all: listBy("job_listed", "state = :state"),
      byKey: listBy("job_key", "key = :key and state in (select value from json_each(:states))")
    },
    tally: db.prepare("select kind, state, jobs from job_count where tenant = ? and jobs > 0"),
    tallyAll: db.prepare("select kind, state, sum(jobs) as jobs from job_count where jobs > 0 group by kind, state"),
    unpublished: db.prepare(
      `select tenant, id, kind, seq, outward_seq, published from job indexed by job_unpublished
       where tenant = ? and outward_seq > published order by created_at, id limit ?`
    ),
    publish: db.prepare(
      `update job set published = min(:number, outward_seq)
       where tenant = :tenant and id = :id and published < min(:number, outward_seq)`
    ),
    purgeable: db.prepare(
      `select n from job where retain_until <= ?1 and (?2 is null or kind in (select value from json_each(?2)))
       order by retain_until limit ?3`
    ),
    remove: db.prepare("delete from job where n = ?")
  }
}

const CAUSES = ["lease", "timer", "ready"] as const

/** Above the rank of every priority. */
const LAST_RANK = 1_000

const NOT_FOUND: JobNotFound = { _tag: "NotFound" }

type Row = Record<string, SQLOutputValue>

interface Waiting extends Candidate {
  readonly n: number
}

const waitingOf = (row: Row, tenant: string, kind: string, rank: number): Waiting => ({
  n: row["n"] as number,
  tenant,
  kind,
  id: row["id"] as string,
  concurrencyKey: row["concurrency_key"] as string | null,
  priority: -rank,
  readyAt: row["ready_at"] as number,
  createdAt: row["created_at"] as number
})

/** The columns that move with the row, in the order of the statements. */
const movingOf = (row: Job): ReadonlyArray<SQLInputValue> => [
  row.state,
  row.seq,
  row.outwardSeq,
  row.epoch,
  Number(row.dead),
  row.readyAt,
  row.timer?.at ?? null,
  row.retainUntil,
  JSON.stringify(row)
]

const rowOf = (found: Row): Job => JSON.parse(found["row"] as string) as Job

const eventOf = (row: Row): JobEvent => JSON.parse(row["body"] as string) as JobEvent

const progressOf = ({ progress }: Row): JobSnapshot["progress"] =>
  progress === null ? null : (JSON.parse(progress as string) as JobSnapshot["progress"])

const heldOf = (found: Row): HeldLease | null =>
  found["lease_deadline"] === null
    ? null
    : {
        // A lease never outlives its epoch, so it is the job's.
        epoch: found["epoch"] as number,
        token: found["lease_token"] as string,
        worker: found["lease_worker"] as string,
        deadline: found["lease_deadline"] as number
      }

const snapshotOf = (found: Row, now: Millis): JobSnapshot => {
  const row = rowOf(found)
  return { row, seq: row.seq, now, lease: heldOf(found), progress: progressOf(found) }
}

const leaseOf = ({ tenant, id }: Pick<Job, "tenant" | "id">, { epoch, token, deadline }: HeldLease): Lease => ({
  tenant,
  id,
  epoch,
  token,
  deadline
})

const claimedOf = (found: Row): ClaimedJob => {
  const row = rowOf(found)
  return { row, lease: leaseOf(row, heldOf(found) as HeldLease), progress: progressOf(found) }
}

const heldJobsOf = (row: Row): Held => ({
  tenant: row["tenant"] as string,
  kind: row["kind"] as string,
  concurrencyKey: row["concurrency_key"] as string | null,
  jobs: row["jobs"] as number
})
