/** The data plane without threads: the same modules, driven in an order that the test chooses. */
import { filteringIds, hashKey, recordsPerShard } from "@sotto/core/aggregation"
import { readBatches } from "../src/internal/Batches.ts"
import type { EngineCalls, ReadFault, ReleaseTask, SortedKeys } from "../src/internal/Calls.ts"
import { readDomain } from "../src/internal/DomainKeys.ts"
import { Merger, type Stop } from "../src/internal/Merger.ts"
import type { Peer } from "../src/internal/Peer.ts"
import { planRelease, type RunRows } from "../src/internal/Release.ts"
import { encodeRows } from "../src/internal/ReleaseRows.ts"
import {
  type Answers,
  batchReader,
  type BatchResult,
  type BatchRules,
  type Questions
} from "../src/internal/ReportBatch.ts"
import { AS_OF, RULES } from "./Harness.ts"

export const BATCH_RULES: BatchRules = {
  input: "encrypted",
  checks: "full",
  reporter: RULES.reporter,
  filteringIds: [0n],
  debugRun: false,
  asOf: AS_OF,
  fingerprintKey: new Uint8Array(32).fill(9)
}

export type Files = ReadonlyArray<readonly [name: string, bytes: Uint8Array]>

/** An engine that has these objects and none of them as a path. */
export const engineOf = (files: Files): Peer<EngineCalls> =>
  ({
    call: async (name: string, argument: never) => {
      if (name === "locate") return undefined
      const { source, offset, length } = argument as { source: number; offset: number; length: number }
      return files[source]![1].slice(offset, offset + length)
    }
  }) as unknown as Peer<EngineCalls>

export const sourcesOf = (files: Files) => files.map(([name, bytes]) => ({ name, size: bytes.length }))

/** Knows the test key under `key-1`. */
export const answer = async ({ keyIds, origins }: Questions): Promise<Answers> => ({
  keys: keyIds.map((id) =>
    id === "key-1"
      ? { _tag: "Key", privateKey: new Uint8Array(32).fill(7) }
      : id === "denied"
        ? { _tag: "JobFails", tag: "KeyDenied", keyId: id, message: "no" }
        : { _tag: "NoKey", mask: 1 << (id === "unusable" ? 5 : 4) }
  ),
  sites: origins.map(RULES.siteOf)
})

export interface LocalOptions {
  readonly rules?: Partial<BatchRules>
  readonly perReport?: number
  readonly errorLimit?: bigint
  readonly unitLimit?: number
  readonly batchBytes?: number
  /** Readers that take turns, as lanes do. */
  readonly lanes?: number
}

export const readAll = async (
  files: Files,
  options: LocalOptions = {}
): Promise<{
  readonly merger: Merger
  readonly stop: Stop | ReadFault | undefined
  readonly results: Array<BatchResult>
}> => {
  const rules = { ...BATCH_RULES, ...options.rules }
  const merger = new Merger(
    {
      filteringIds: filteringIds(rules.filteringIds),
      perReport: options.perReport,
      errorLimit: options.errorLimit,
      unitLimit: options.unitLimit ?? 30_000
    },
    hashKey(1, 2)
  )
  const lanes = Array.from({ length: options.lanes ?? 1 }, () => batchReader(rules, answer))
  const results: Array<BatchResult> = []
  let turn = 0
  for await (const batch of readBatches(engineOf(files), sourcesOf(files), options.batchBytes ?? 1 << 20, () => {})) {
    if ("_tag" in batch) return { merger, stop: batch, results }
    const result = await lanes[turn++ % lanes.length]!(batch)
    results.push(result)
    const stop = merger.merge(result)
    if (stop !== undefined) return { merger, stop, results }
  }
  return { merger, stop: undefined, results }
}

/** Everything about a merger that the engine can see, and the sums. */
export const view = (merger: Merger) => ({
  errors: merger.errors,
  sum: { words: [...merger.sum.words], reports: merger.sum.reports },
  duplicates: merger.duplicates,
  units: merger.units,
  unitCount: merger.unitCount,
  histogram: sumsOf(merger)
})

export const sumsOf = (merger: Merger): ReadonlyMap<bigint, bigint> => {
  const words = merger.histogram.buckets()
  const sums: Array<[bigint, bigint]> = []
  for (let row = 0; row < words.length / 4; row++) {
    let bucket = 0n
    for (let i = 0; i < 4; i++) bucket = (bucket << 32n) | BigInt(words[4 * row + i]!)
    sums.push([bucket, merger.histogram.get(words, row)!])
  }
  return new Map(sums.sort(([a], [b]) => (a < b ? -1 : 1)))
}

export const domainOf = async (
  files: Files,
  options: { format?: "avro" | "text"; partitionKeys?: number; folder?: string } = {}
) =>
  readDomain(
    engineOf(files),
    { sources: sourcesOf(files), format: options.format ?? "avro", folder: options.folder ?? "/nowhere" },
    options.partitionKeys ?? 1 << 22,
    () => {}
  )

export const keysOf = (keys: ReadonlyArray<bigint>): SortedKeys => {
  // No Set: V8 hashes a bigint by its lowest 64 bits, so keys that differ above them would all collide.
  const sorted = [...keys].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)).filter((key, i, all) => key !== all[i - 1])
  const held = new SharedArrayBuffer(16 * sorted.length)
  const words = new Uint32Array(held)
  sorted.forEach((key, row) => {
    for (let i = 0; i < 4; i++) words[4 * row + 3 - i] = Number((key >> BigInt(32 * i)) & 0xffffffffn)
  })
  return { _tag: "SortedKeys", rows: sorted.length, held }
}

export const NOISE = { seed: new Uint8Array(32).fill(3), epsilon: 10_000_000, l1: 65_536 }

export const releaseAll = async (
  merger: Merger,
  domain: SortedKeys,
  task: Partial<ReleaseTask> = {},
  run: RunRows = async (rows) => encodeRows(rows),
  window = 3
): Promise<ReadonlyArray<{ readonly name: string; readonly rows: number; readonly bytes: Buffer }>> => {
  const release = await planRelease(
    {
      domain,
      reportKeys: false,
      debug: false,
      shardRows: recordsPerShard()!,
      single: false,
      format: "avro",
      noise: NOISE,
      metadata: [],
      debugMetadata: [],
      ...task
    },
    merger.histogram,
    run,
    window,
    () => {}
  )
  const files = []
  for (const file of release.files) {
    const parts: Array<Uint8Array> = []
    for await (const part of release.write(file)) parts.push(part)
    files.push({ name: `${file.kind}-${file.index}`, rows: file.rows, bytes: Buffer.concat(parts) })
  }
  await release.close()
  return files
}
