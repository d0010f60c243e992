/**
 * Workers are killed (`kill -9`) at named points and at any moment, over one SQLite file, until 500 jobs are done. What they
 * leave is compared with what the same jobs leave when nobody is disturbed.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { foldHistory, genesis, verifyChain } from "@sotto/core/budget"
import { evolve, fold, isTerminal, type Job, type JobEvent, type Plain } from "@sotto/core/job"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobStore } from "@sotto/core/ports/JobStore"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { Engine, layerEngine, type SubmitRequest } from "@sotto/engine"
import { generateLedgerKeys, layerFileLedgerKeys, layerFsBlobStore, layerSystemEntropy } from "@sotto/fs"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteBudgetLedger, layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import { toHex } from "@sotto/core/Bytes"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { afterAll, describe, expect, it } from "vitest"
import { AS_OF, container, domainFile, report, sharedInfo } from "../../packages/aggregator/test/Harness.ts"
import { Crew, type Plan } from "./Crew.ts"
import { chainKind, type Held, KEYS_FILE, POINTS, summaryKind } from "./Kinds.ts"

const TENANT = "acme"
const JOBS = 500

/** Reports of so many sites-apart groups, so many units; the first `EXCLUSIVE` are asked once and for all. */
const GROUPS = 24
const EXCLUSIVE = 16
/** Each of the other groups is asked this often, with another ε each time, … */
const PRICES = 3
/** … and the last price is asked by two jobs: one question, one charge. */
const SUMMARIES = EXCLUSIVE + (GROUPS - EXCLUSIVE) * (PRICES + 1)
const QUESTIONS = EXCLUSIVE + (GROUPS - EXCLUSIVE) * PRICES

/** So many workers are killed; so the end is near whatever the machine. */
const DISTURBED = 26

const micro = (price: number) => 1_000_000 + 100_000 * price

const root = mkdtempSync(join(tmpdir(), "sotto-crash-"))
const crews: Array<Crew> = []
afterAll(() => {
  for (const crew of crews) crew.end()
  rmSync(root, { recursive: true, force: true })
})

const shared = join(root, "shared")

/** mulberry32 (Tommy Ettinger, public domain): numbers in [0, 1) that a seed repeats. */
const random = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

const summaryRequest = (group: number, price: number | undefined, twin = ""): SubmitRequest => {
  const key = `summary-${group}${price === undefined ? "" : `-${price}`}${twin}`
  return {
    kind: "aggregation",
    tenant: TENANT,
    key,
    parameters: {
      jobRequestId: key,
      inputDataBucketName: "in",
      inputDataBlobPrefix: `reports-${group}/`,
      outputDataBucketName: "out",
      outputDataBlobPrefix: `summary/${key}.avro`,
      jobParameters: {
        reporting_site: "https://example.com",
        output_domain_bucket_name: "in",
        output_domain_blob_prefix: "domain/"
      },
      ...(price === undefined ? {} : { jobEpsilon: micro(price) }),
      asOf: AS_OF
    }
  }
}

const summaries: ReadonlyArray<SubmitRequest> = Array.from({ length: GROUPS }, (_, group) =>
  group < EXCLUSIVE
    ? [summaryRequest(group, undefined)]
    : [
        ...Array.from({ length: PRICES }, (_, price) => summaryRequest(group, price)),
        summaryRequest(group, PRICES - 1, "-again")
      ]
).flat()

/** All jobs in the order in which they are submitted: the dear ones spread among the cheap ones. */
const requests: ReadonlyArray<SubmitRequest> = Array.from({ length: JOBS }, (_, n) => {
  const at = Math.floor((n * SUMMARIES) / JOBS)
  const next = Math.floor(((n + 1) * SUMMARIES) / JOBS)
  const key = `chain-${n}`
  return next > at
    ? (summaries[at] as SubmitRequest)
    : { kind: "chain", tenant: TENANT, key, parameters: { name: key, steps: 3, rounds: 4_000 } }
})

const makeInput = Effect.gen(function* () {
  const blobs = yield* BlobStore
  const put = (key: string, bytes: Uint8Array) => blobs.write({ bucket: "in", key }, bytes, { mode: "replace" })
  yield* put("domain/1.avro", domainFile([0n, 1n, 2n, 3n, 9n]))
  for (let group = 0; group < GROUPS; group++) {
    const members = { reporting_origin: `https://g${group}.example.com` }
    const rows = Array.from({ length: 12 }, (_, n) => {
      const id = 100 * group + n
      return report(id, [[BigInt(n % 4), 100 + n]], sharedInfo(id, members))
    })
    yield* put(`reports-${group}/1.avro`, container(rows.slice(0, 6)))
    yield* put(`reports-${group}/2.avro`, container(rows.slice(6)))
  }
  yield* generateLedgerKeys(join(shared, KEYS_FILE))
}).pipe(Effect.provide(Layer.merge(layerFsBlobStore({ buckets: { in: join(shared, "in") } }), layerSystemEntropy)))

const portsOf = (home: string) => {
  const file = join(home, "store.db")
  const keys = join(home, KEYS_FILE)
  return layerEngine({ kinds: [chainKind, summaryKind] }).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        layerSqliteJobStore({ file }),
        layerSqliteRecords({ file }),
        layerMemoryJobQueue(),
        layerSystemEntropy,
        layerSqliteBudgetLedger({ file }).pipe(Layer.provideMerge(layerFileLedgerKeys(keys)))
      )
    )
  )
}

type Ports = Engine | JobStore | BudgetLedger | LedgerKeys

/** All jobs with their logs and the data of their outputs. */
interface Told {
  readonly job: Job
  readonly events: ReadonlyArray<JobEvent>
  readonly outputs: ReadonlyMap<string, Plain>
}

const readAll = Effect.gen(function* () {
  const store = yield* JobStore
  const { rows } = yield* store.list(TENANT, {}, null, 1_000)
  return yield* Effect.forEach(rows, (job) =>
    Effect.gen(function* () {
      const events = yield* store.events(TENANT, job.id, 0, 1_000)
      const outputs = new Map<string, Plain>()
      for (const { key } of job.outputs) {
        const output = yield* store.output(TENANT, job.id, job.session, key)
        if (output !== undefined) outputs.set(key, output.data)
      }
      return { job, events: "_tag" in events ? [] : events, outputs } satisfies Told
    })
  )
})

const readLedger = Effect.gen(function* () {
  const ledger = yield* BudgetLedger
  const keys = yield* LedgerKeys
  return {
    history: yield* ledger.history("default", 0, 1_000),
    units: yield* ledger.units("default", undefined, 1_000),
    head: yield* ledger.head("default"),
    known: yield* keys.head("default"),
    start: genesis(toHex(yield* keys.ledgerId), "default")
  }
})

const filesUnder = (folder: string): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return [path.slice(folder.length), readFileSync(path).toString("base64")] as const
      })
      .sort(([a], [b]) => (a < b ? -1 : 1))
  )

const isObject = ([path]: readonly [string, string]): boolean => !path.split("/").some((part) => part.startsWith("."))

/** Writes in the name of a lease that is over, as exactly as if it were the right one; answers whether it was taken. */
const writeStale = Effect.fnUntraced(function* (lease: Held) {
  const store = yield* JobStore
  const read = yield* store.read(lease.tenant, lease.id)
  if ("_tag" in read || (read.lease?.token === lease.token && read.row.epoch === lease.epoch)) return undefined
  const { row, seq, now } = read
  const event: JobEvent = {
    _tag: "OutputEmitted",
    key: "stale",
    seq: seq + 1,
    at: now,
    state: row.state,
    epoch: row.epoch,
    session: row.session,
    outward: []
  }
  const [written, renewed] = [
    yield* store.commit({
      tenant: lease.tenant,
      id: lease.id,
      expectSeq: seq,
      lease,
      events: [event],
      row: evolve(row, event),
      outputs: [{ key: "stale", data: null }]
    }),
    yield* store.renew([{ lease: { ...lease, deadline: now } }], 1_200)
  ]
  return written._tag !== "LeaseLost" && written._tag !== "SeqConflict"
    ? "taken"
    : renewed[0]?._tag === "Renewed"
      ? "taken"
      : written._tag === "LeaseLost"
        ? "refused"
        : undefined
})

/** Runs all jobs in a new home and answers all that is left there. */
const run = async (name: string, places: number, plan: (worker: number) => Plan) => {
  const home = join(root, name)
  mkdirSync(join(home, "out"), { recursive: true })
  // The same keys for another ledger: each has its own memory of how far its chain had come.
  for (const file of [KEYS_FILE, `${KEYS_FILE}.heads`]) copyFileSync(join(shared, file), join(home, file))
  const runtime = ManagedRuntime.make(portsOf(home))
  const play = <A, E>(effect: Effect.Effect<A, E, Ports>) => runtime.runPromise(effect)
  const crew = new Crew({ home, shared })
  crews.push(crew)
  const stale = { attempts: 0, taken: 0 }
  const open: Array<Held> = []
  let seen = 0
  const attack = async () => {
    open.push(...crew.leases.slice(seen))
    seen = crew.leases.length
    const tried = await play(Effect.forEach(open, writeStale))
    const rest = open.filter((_, i) => tried[i] === undefined)
    open.splice(0, open.length, ...rest)
    stale.attempts += tried.filter((one) => one !== undefined).length
    stale.taken += tried.filter((one) => one === "taken").length
  }
  const started = Date.now()
  try {
    await play(Effect.flatMap(Engine, (engine) => Effect.forEach(requests, engine.submit, { concurrency: 64 })))
    await crew.work(places, plan, async () => {
      await attack()
      const tally = await play(Effect.flatMap(Engine, (engine) => engine.tally(TENANT)))
      return tally.every(({ state }) => isTerminal(state))
    })
    await attack()
    return {
      counts: crew.counts,
      leases: crew.leases.length,
      stale,
      jobs: await play(readAll),
      ledger: await play(readLedger),
      files: filesUnder(join(home, "out")),
      seconds: (Date.now() - started) / 1_000
    }
  } finally {
    crew.end()
    await runtime.dispose()
  }
}

const ENDS = new Set(["Succeeded", "Failed", "Cancelled", "Skipped"])

/** Entries of a log that its own log does not allow: written by a worker that did not have the job then. */
const strangers = ({ events, outputs, job }: Told): number => {
  const workers = new Map(events.flatMap((event) => (event._tag === "Claimed" ? [[event.epoch, event.worker]] : [])))
  const ended = new Set(events.flatMap((event) => (event._tag === "LeaseExpired" ? [[event.epoch, event.seq]] : [])))
  const late = events.filter((event) =>
    [...ended].some(([epoch = 0, seq = 0]) => event.seq > seq && event.epoch === epoch && event._tag !== "LeaseExpired")
  )
  const told = [
    ...events.flatMap((event) =>
      event._tag === "OutputEmitted" ? [{ at: event.epoch, data: outputs.get(event.key) }] : []
    ),
    ...(job.kind === "chain" && job.outcome?._tag === "Succeeded"
      ? [{ at: events.at(-1)?.epoch ?? 0, data: job.outcome.result }]
      : [])
  ]
  const wrong = told.filter(({ at, data }) => {
    const by = (data as { readonly by?: { readonly worker: string; readonly epoch: number } } | null)?.by
    return by?.epoch !== at || by.worker !== workers.get(at)
  })
  return late.length + wrong.length
}

/** What a job is to the one who asked: the same whoever ran it, and however often. */
const essence = ({ job, outputs }: Told) => {
  const {
    by: _,
    budget: __,
    ...result
  } = (job.outcome?._tag === "Succeeded" ? job.outcome.result : {}) as Record<string, Plain>
  const links = [...outputs].map(([key, data]) => [key, (data as { readonly link: Plain }).link])
  return [job.key, job.state, result, links] as const
}
const essences = (told: ReadonlyArray<Told>) => told.map(essence).sort(([a], [b]) => ((a ?? "") < (b ?? "") ? -1 : 1))

describe("500 jobs whose workers are killed", () => {
  it("are all done, once, byte for byte as without a kill, and every ε is accounted for", async () => {
    const wanted = process.env["SOTTO_SEED"] ?? "20261121"
    const seed = wanted === "random" ? Date.now() : Number(wanted)
    const next = random(seed)
    const within = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
    mkdirSync(join(shared, "in"), { recursive: true })
    await Effect.runPromise(makeInput)

    const calm = await run("calm", 2, () => ({ _tag: "Live" }))

    const points = POINTS.map((point) => ({ point, order: next() })).sort((a, b) => a.order - b.order)
    const crashed = await run("crashed", 3, (worker): Plan => {
      // Each point once, while there is work of all sorts; then any moment. The last ones are left to finish.
      const named = points[worker]
      if (named !== undefined) return { _tag: "AtPoint", point: named.point, nth: within(1, 2) }
      if (worker >= DISTURBED) return { _tag: "Live" }
      const afterMs = within(100, 2_000)
      return worker % 3 === 0
        ? { _tag: "Frozen", afterMs, forMs: within(1_500, 2_200), thenMs: within(0, 500) }
        : { _tag: "AtMoment", afterMs }
    })

    const { jobs, ledger, counts, stale } = crashed
    const terminal = jobs.map(({ events }) => events.filter(({ _tag }) => ENDS.has(_tag)).length)
    const again = jobs.map(({ events }) => {
      const keys = events.flatMap((event) => (event._tag === "OutputEmitted" ? [event.key] : []))
      return keys.length - new Set(keys).size
    })
    const asked = (one: typeof calm) => one.ledger.history.map(({ fingerprint }) => fingerprint).sort()
    const spent = (one: typeof calm) => one.ledger.history.reduce((sum, { epsilon }) => sum + epsilon, 0)
    const differing = [...new Map([...calm.files, ...crashed.files].filter(isObject)).keys()].filter(
      (path) => calm.files.get(path) !== crashed.files.get(path)
    )
    const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((a, b) => a + b, 0)
    const table = {
      seed,
      seconds: `${crashed.seconds} (undisturbed: ${calm.seconds})`,
      workers: counts.workers,
      killed: sum(Object.values(counts.kills)),
      ...Object.fromEntries(Object.entries(counts.kills).map(([point, n]) => [`killed: ${point}`, n])),
      frozenForLongerThanALease: counts.frozen,
      claims: crashed.leases,
      leasesExpired: sum(jobs.map(({ events }) => events.filter(({ _tag }) => _tag === "LeaseExpired").length)),
      refusedToFrozenWorkers: counts.refusedWrites + counts.refusedRenewals,
      jobs: jobs.length,
      done: jobs.filter(({ job }) => job.state === "Succeeded").length,
      lost: JOBS - terminal.filter((ends) => ends > 0).length,
      doneTwice: sum(terminal.map((ends) => Math.max(0, ends - 1))) + sum(again),
      staleWritesTried: stale.attempts,
      staleWritesAccepted: stale.taken + sum(jobs.map(strangers)),
      questions: QUESTIONS,
      charges: ledger.history.length,
      unaccountedMicroEpsilon: spent(crashed) - spent(calm),
      differingFiles: differing.length
    }
    console.info(
      Object.entries(table)
        .map(([what, count]) => `${what.padEnd(30)} ${count}`)
        .join("\n")
    )

    expect(table).toMatchObject({
      jobs: JOBS,
      done: JOBS,
      lost: 0,
      doneTwice: 0,
      staleWritesAccepted: 0,
      charges: QUESTIONS,
      unaccountedMicroEpsilon: 0,
      differingFiles: 0
    })
    // The disturbance was real: each named point and other moments killed, leases ran out, writes came too late.
    for (const kills of Object.values(counts.kills)) expect(kills).toBeGreaterThan(0)
    expect(table.leasesExpired).toBeGreaterThan(0)
    expect(counts.frozen).toBeGreaterThan(0)
    expect(stale.attempts).toBeGreaterThan(JOBS / 2)

    for (const { job, events } of jobs) expect(fold(events)).toEqual(job)
    expect(essences(jobs)).toEqual(essences(calm.jobs))
    expect([...crashed.files.keys()].filter((path) => isObject([path, ""]))).toEqual([...calm.files.keys()])
    expect(crashed.files.size).toBeGreaterThanOrEqual(JOBS)

    // One charge for each question, the chain whole and as long as the head beside the keys says, units its fold.
    expect(asked(crashed)).toEqual(asked(calm))
    expect(new Set(asked(crashed)).size).toBe(QUESTIONS)
    expect(verifyChain(ledger.start, ledger.history)).toEqual(ledger.head)
    const folded = [...foldHistory(ledger.history)].map(([id, { spent, closed }]) => ({ id, spent, closed }))
    const units = ledger.units.map(({ id, spent, closed }) => ({ id, spent, closed }))
    expect(units).toEqual(folded.sort((a, b) => (a.id < b.id ? -1 : 1)))
    const sequences = new Set(ledger.history.map(({ sequence }) => sequence))
    const paid = jobs.flatMap(({ job }) => {
      if (job.kind !== "aggregation" || job.outcome?._tag !== "Succeeded") return []
      return [(job.outcome.result as { readonly budget: { readonly sequence: number } }).budget.sequence]
    })
    expect(paid).toHaveLength(SUMMARIES)
    expect(new Set(paid)).toEqual(sequences)
  })
})
