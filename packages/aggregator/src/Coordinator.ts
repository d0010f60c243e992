/**
 * The coordinator: a thread of its own that reads, hands out work to lanes and brings their results together, so that the
 * engine's thread never waits for it. One for each `Sums` and, while a domain is read, one for that. Never loads `effect`.
 */
import { randomFillSync } from "node:crypto"
import { type MessagePort, parentPort, workerData } from "node:worker_threads"
import { filteringIds, hashKey } from "@sotto/core/aggregation"
import { readBatches } from "./internal/Batches.ts"
import type {
  CoordinatorCalls,
  CoordinatorOptions,
  EngineCalls,
  ReadFault,
  SumOutcome,
  SumTask
} from "./internal/Calls.ts"
import { readDomain } from "./internal/DomainKeys.ts"
import { inOrder, Lanes } from "./internal/Lanes.ts"
import { Merger, type Stop } from "./internal/Merger.ts"
import { Moved, Peer, type Served } from "./internal/Peer.ts"
import { planRelease, type Release } from "./internal/Release.ts"
import type { Answers, BatchResult, KeyAnswer, Questions } from "./internal/ReportBatch.ts"

const options = workerData as CoordinatorOptions

/** Work on the way for each lane: one in hand, one waiting, one done and not yet merged. */
const WINDOW = 3

/** Rows of a release that are worth a lane. */
const ROWS_FOR_A_LANE = 65_536

/** None for a single task: it is done before a thread has started. */
const lanesFor = (tasks: number): number => (tasks <= 1 ? 0 : Math.min(options.lanes, Math.ceil(tasks)))

let merger: Merger | undefined
let release: Release | undefined
let open: AsyncGenerator<Uint8Array> | undefined

/** Keys and sites are asked for once in a job, whichever lane meets them first. */
const keys = new Map<string, Promise<KeyAnswer>>()
const sites = new Map<string, Promise<string | undefined>>()

/** Distinct origins that one call to the engine's thread may hold: it answers them without a pause. */
const ORIGINS_PER_CALL = 256

/** Beyond this a hostile input asks again, which costs time instead of memory. */
const MAX_REMEMBERED = 100_000

const remembered = <A>(
  cache: Map<string, Promise<A>>,
  names: ReadonlyArray<string>,
  fetch: (names: ReadonlyArray<string>) => Promise<ReadonlyArray<A>>
): Promise<ReadonlyArray<A>> => {
  if (cache.size > MAX_REMEMBERED) cache.clear()
  const unknown = names.filter((name) => !cache.has(name))
  if (unknown.length > 0) {
    const answers = fetch(unknown)
    unknown.forEach((name, i) => {
      const answer = answers.then((all) => all[i] as A)
      answer.catch(() => {})
      cache.set(name, answer)
    })
  }
  return Promise.all(names.map((name) => cache.get(name) as Promise<A>))
}

const ask = async ({ keyIds, origins }: Questions): Promise<Answers> => ({
  keys: await remembered(keys, keyIds, (ids) => engine.call("keys", ids)),
  sites: await remembered(sites, origins, async (names) => {
    const answers: Array<string | undefined> = []
    for (let at = 0; at < names.length; at += ORIGINS_PER_CALL) {
      answers.push(...(await engine.call("sites", names.slice(at, at + ORIGINS_PER_CALL))))
    }
    return answers
  })
})

const lanes = new Lanes(new URL(options.laneModule), ask)

/** Passes on progress a few times a second. */
const meter = () => {
  let rows = 0
  let bytes = 0
  let told = 0
  const tell = () => {
    told = performance.now()
    // A lost report of progress does no harm; a closed port shows elsewhere.
    engine.call("progress", { rows, bytes }).catch(() => {})
  }
  return {
    step: (moreRows: number, moreBytes: number) => {
      rows += moreRows
      bytes += moreBytes
      if (performance.now() - told >= 200) tell()
    },
    end: tell
  }
}

const sum = async (task: SumTask): Promise<SumOutcome> => {
  const random = randomFillSync(new Int32Array(2))
  const { rules, perReport, errorLimit, unitLimit, sources } = task
  merger = new Merger(
    { filteringIds: filteringIds(rules.filteringIds), perReport, errorLimit, unitLimit },
    hashKey(random[0]!, random[1]!)
  )
  const merging = merger
  const total = sources.reduce((bytes, source) => bytes + source.size, 0)
  lanes.start(lanesFor(total / options.batchBytes))
  await lanes.begin(rules)
  const progress = meter()

  async function* tasks(): AsyncGenerator<() => Promise<{ file: number; result: BatchResult } | ReadFault>> {
    for await (const batch of readBatches(engine, sources, options.batchBytes, (bytes) => progress.step(0, bytes))) {
      yield "_tag" in batch
        ? () => Promise.resolve(batch)
        : async () => ({ file: batch.file, result: await lanes.run("batch", batch, [batch.data.buffer]) })
    }
  }
  const outcome = (file: number, stop: Stop): SumOutcome =>
    stop._tag === "Input" ? { _tag: "ReadFault", source: file, offset: stop.offset, reason: stop.reason } : stop

  for await (const done of inOrder(tasks(), WINDOW * lanes.count)) {
    if ("_tag" in done) return done
    const before = merging.reports
    const stop = merging.merge(done.result)
    progress.step(merging.reports - before, 0)
    if (stop !== undefined) return outcome(done.file, stop)
  }
  progress.end()
  return {
    _tag: "Summed",
    errors: merging.errors,
    sum: merging.sum,
    duplicates: merging.duplicates,
    units: merging.units.length,
    unitCount: merging.unitCount,
    buckets: merging.histogram.size
  }
}

const calls: Served<CoordinatorCalls> = {
  sum,
  units: ({ from, count }) => merger?.units.slice(from, from + count) ?? [],
  domain: async (task) => {
    const progress = meter()
    const outcome = await readDomain(engine, task, options.partitionKeys, progress.step)
    progress.end()
    return outcome
  },
  plan: async (task) => {
    if (merger === undefined) throw new Error("nothing was summed")
    await release?.close()
    lanes.start(lanesFor((task.domain.rows + merger.histogram.size) / ROWS_FOR_A_LANE))
    const progress = meter()
    release = await planRelease(
      task,
      merger.histogram,
      (rowsTask) =>
        lanes.run("rows", rowsTask, [
          rowsTask.buckets.buffer,
          rowsTask.sums.buffer,
          ...(rowsTask.inReports === undefined ? [] : [rowsTask.inReports.buffer])
        ]),
      WINDOW * lanes.count,
      (written) => progress.step(written, 0)
    )
    return release.files
  },
  file: (number) => {
    const file = release?.files[number]
    if (release === undefined || file === undefined) throw new Error(`no file ${number} is planned`)
    open = release.write(file)
  },
  chunk: async () => {
    const next = await open?.next()
    if (next === undefined || next.done === true) return undefined
    const bytes = next.value as Uint8Array<ArrayBuffer>
    return new Moved(bytes, [bytes.buffer])
  }
}

const engine = new Peer<EngineCalls>(parentPort as MessagePort, calls)
