import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import {
  birth,
  claim,
  decide,
  JOB_STATES,
  type KindRules,
  leased,
  type NewJob,
  relations,
  RETRY
} from "@sotto/core/job"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobStore, type JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import { layerMemoryLedgerKeys } from "@sotto/memory"
import { layerSqliteBudgetLedger, layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import {
  checkLaw,
  JobStoreLab,
  jobStoreLaws,
  type JobStoreSubject,
  layerLawClock,
  LEDGER_TEST_KEYS
} from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, expect, it } from "vitest"
import { APPLICATION_ID, MIGRATIONS } from "../src/Schema.ts"

// In memory where there is one: the laws wait for some thousand commits.
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sotto-jobs-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const fresh = () => join(folder, `jobs-${files++}.db`)
const open = (file: string) => Layer.orDie(layerSqliteJobStore({ file }))

const subject: Layer.Layer<JobStoreSubject> = Layer.unwrap(
  Effect.sync(() => {
    const file = fresh()
    const reopen = Effect.map(Layer.build(open(file)), (context) => Context.get(context, JobStore))
    return Layer.mergeAll(open(file), Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen })), layerLawClock)
  })
)

const KIND: KindRules = { name: "work", relation: "leased", lifecycle: leased, outward: { events: () => [] } }

const job = (id: string): NewJob => ({
  _tag: "NewJob",
  submission: {
    id,
    tenant: "north",
    kind: "work",
    relation: "leased",
    key: null,
    name: null,
    parameters: null,
    inputs: [],
    priority: 0,
    notBefore: null,
    deadlineMs: null,
    concurrencyKey: null,
    retry: RETRY,
    silenceMs: null,
    retentionMs: 1_000
  },
  report: null,
  state: "Queued",
  outward: []
})

const using = <A, E>(file: string, body: (store: JobStore["Service"]) => Effect.Effect<A, E>) =>
  Effect.runPromise(Effect.provide(JobStore.use(body), layerSqliteJobStore({ file })))

describe("jobs in SQLite", () => {
  it.each(jobStoreLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 15, seed: 5 })
  })

  it("share a file with ledger and records, and remember across restarts", async () => {
    const file = fresh()
    const keys = layerMemoryLedgerKeys(LEDGER_TEST_KEYS)
    const all = () =>
      Layer.mergeAll(
        layerSqliteJobStore({ file }),
        layerSqliteRecords({ file }),
        layerSqliteBudgetLedger({ file }).pipe(Layer.provide(keys))
      )
    const id = { collection: "hooks", tenant: "north", key: "a" }
    const put = { ...id, bytes: Uint8Array.of(1), expectVersion: null, expiresAt: null }
    await Effect.runPromise(
      Effect.gen(function* () {
        yield* (yield* JobStore).create(job("a"))
        yield* (yield* Records).put(put)
        yield* (yield* BudgetLedger).purge("default", 5)
      }).pipe(Effect.provide(all()))
    )
    const found = await Effect.runPromise(
      Effect.gen(function* () {
        const store = yield* JobStore
        const record = yield* (yield* Records).get(id)
        return [yield* store.create(job("a")), record?.version, yield* (yield* BudgetLedger).floor("default")]
      }).pipe(Effect.provide(all()))
    )
    expect(found).toMatchObject([{ _tag: "Exists", seq: 1 }, 1, 5])
    const db = new DatabaseSync(file)
    expect(db.prepare("pragma journal_mode").get()).toEqual({ journal_mode: "wal" })
    expect(db.prepare("pragma integrity_check").get()).toEqual({ integrity_check: "ok" })
    db.close()
  })

  it("have the states and steps of the lifecycle in their schema", async () => {
    const file = fresh()
    await using(file, (store) => store.tally(null))
    const db = new DatabaseSync(file)
    const steps = db
      .prepare("select relation, from_state, to_states from transition")
      .all()
      .flatMap((row) =>
        String(row["to_states"])
          .split(" ")
          .map((to) => `${row["relation"]} ${row["from_state"]} ${to}`)
      )
    const listed = Object.entries(relations).flatMap(([name, { rows }]) =>
      rows.flatMap(({ from, to, same }) => (same === true ? [] : [`${name} ${from} ${to}`]))
    )
    expect(new Set(steps)).toEqual(new Set(listed))
    const table = String(db.prepare("select sql from sqlite_schema where name = 'job'").get()?.["sql"])
    const states = /state in \(([^)]*)\)\),\s*seq/.exec(table)?.[1]?.match(/\w+/g)
    expect(new Set(states)).toEqual(new Set(JOB_STATES))
    db.close()
  })

  it("refuse by their schema what a store never does", async () => {
    const file = fresh()
    await using(file, (store) => store.create(job("a")))
    const db = new DatabaseSync(file)
    db.exec("pragma foreign_keys = on")
    expect(() => db.exec("update event set body = '{}'")).toThrow("never changes")
    expect(() => db.exec("delete from event")).toThrow("go with their job")
    expect(() => db.exec("delete from job")).toThrow("only ended jobs")
    expect(() => db.exec("insert into event select job, 3, state, body from event")).toThrow("no gap")
    expect(() => db.exec("insert into event select job, 2, 'Succeeded', body from event")).toThrow("no such step")
    expect(() => db.exec("update job set state = 'Cancelled', ready_at = null, retain_until = 1")).toThrow("fold")
    expect(() => db.exec("update job set lease_deadline = 1, lease_token = 't', lease_worker = 'w'")).toThrow("CHECK")
    expect(() => db.exec("update job set published = 1")).toThrow("CHECK")
    db.exec("update job set outward_seq = 2, published = 2")
    expect(() => db.exec("update job set published = 1")).toThrow("stays so")
    expect(() => db.exec("update record_version set last = last - 1")).toThrow("given once")
    db.close()
    const torn = await using(file, (store) =>
      Effect.gen(function* () {
        const found = yield* store.read("north", "a")
        if ("_tag" in found) return found
        const claimed = claim(found.row, "w", found.now)
        if (claimed._tag === "Rejected") return claimed
        // A commit that claims by itself has no lease to go with the holder.
        const { events, job: row } = claimed
        return yield* Effect.flip(store.commit({ tenant: "north", id: "a", expectSeq: 1, events, row }))
      })
    )
    expect(torn).toMatchObject({ _tag: "JobStoreUnavailable", message: expect.stringContaining("is damaged") })
    expect(await using(file, (store) => store.read("north", "a"))).toMatchObject({ seq: 1, row: { state: "Queued" } })
  })

  it("find in a file of an earlier version what was never published", async () => {
    const file = fresh()
    const db = new DatabaseSync(file)
    for (const migration of MIGRATIONS.slice(0, 2)) db.exec(migration)
    db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = 2`)
    const { events, job: row } = birth({ ...job("a"), outward: [{ name: "submitted" }, { name: "queued" }] }, 5)
    db.prepare(
      `insert into job (tenant, id, kind, relation, state, seq, epoch, dead, rank, created_at, ready_at, row)
       values ('north', 'a', 'work', 'leased', 'Queued', 1, 0, 0, 0, 5, 5, ?)`
    ).run(JSON.stringify(row))
    db.prepare("insert into event (job, seq, state, body) values (1, 1, 'Queued', ?)").run(JSON.stringify(events[0]))
    db.close()
    const found = await using(file, (store) =>
      Effect.gen(function* () {
        const before = yield* store.unpublished(["north"], 10)
        yield* store.published([{ tenant: "north", id: "a", number: 9 }])
        return { before, after: yield* store.unpublished(["north"], 10), job: yield* store.read("north", "a") }
      })
    )
    expect(found).toMatchObject({
      before: [{ tenant: "north", id: "a", kind: "work", seq: 1, outwardSeq: 2, published: 0 }],
      after: [],
      job: { row }
    })
  })

  it("write calls of one moment together, each with its own outcome", async () => {
    const file = fresh()
    const answers = await using(file, (store) =>
      Effect.gen(function* () {
        yield* store.create(job("a"))
        const found = yield* store.read("north", "a")
        if ("_tag" in found) return []
        const renamed = decide(KIND, found.row, { _tag: "Rename", name: "b" }, found.now)
        if (renamed._tag === "Rejected") return []
        const { events, job: row } = renamed
        const good = { tenant: "north", id: "a", expectSeq: 1, events, row }
        const bad = { ...good, events: events.map((event) => ({ ...event, seq: 5 })) }
        const calls: ReadonlyArray<Effect.Effect<{ readonly _tag: string }, JobStoreUnavailable>> = [
          store.commit(bad),
          store.commit(good),
          store.commit({ ...bad, expectSeq: 2 }),
          store.create(job("b"))
        ]
        return yield* Effect.all(
          calls.map((call) => Effect.match(call, { onFailure: ({ _tag }) => _tag, onSuccess: ({ _tag }) => _tag })),
          { concurrency: "unbounded" }
        )
      })
    )
    expect(answers).toEqual(["JobStoreUnavailable", "Committed", "JobStoreUnavailable", "Created"])
    expect(await using(file, (store) => store.events("north", "a", 0, 10))).toHaveLength(2)
    expect(await using(file, (store) => store.tally(null))).toEqual([{ kind: "work", state: "Queued", jobs: 2 }])
  })

  it("are each taken by one of several that open the file", async () => {
    const file = fresh()
    await using(file, (store) =>
      Effect.forEach(
        Array.from({ length: 40 }, (_, i) => job(`job-${i}`)),
        store.create
      )
    )
    const worker = (name: string) =>
      using(file, (store) =>
        Effect.gen(function* () {
          const taken: Array<string> = []
          for (let i = 0; i < 12; i++) {
            const token = `token-of-${name}-${i}`.padEnd(16, "x")
            const claimed = yield* store.claim({
              kinds: [{ kind: "work" }],
              worker: name,
              token,
              leaseMs: 60_000,
              limit: 3
            })
            taken.push(...claimed.map(({ row }) => row.id))
          }
          return taken
        })
      )
    const taken = (await Promise.all(["a", "b", "c"].map(worker))).flat()
    expect(taken.toSorted()).toEqual(Array.from({ length: 40 }, (_, i) => `job-${i}`).toSorted())
  })

  it("wait for another writer, then say that it is busy", async () => {
    const file = fresh()
    await using(file, (store) => store.create(job("a")))
    const other = new DatabaseSync(file)
    other.exec("begin immediate")
    const refused = Effect.runPromise(
      Effect.flip(
        Effect.provide(
          JobStore.use((store) => store.create(job("b"))),
          layerSqliteJobStore({ file, busyMs: 30 })
        )
      )
    )
    expect(await refused).toMatchObject({ _tag: "JobStoreUnavailable", because: "busy" })
    const waiting = using(file, (store) => store.create(job("b")))
    other.exec("commit")
    other.close()
    expect(await waiting).toMatchObject({ _tag: "Created" })
  })

  it("say that a file is missing, and leave it so", async () => {
    const file = fresh()
    const error = await Effect.runPromise(
      Effect.flip(
        Effect.provide(
          JobStore.use((store) => store.tally(null)),
          layerSqliteJobStore({ file, mustExist: true })
        )
      )
    )
    expect(error).toMatchObject({ because: "missing", message: `There is no job store at ${file}.` })
    expect(existsSync(file)).toBe(false)
  })
})
