/**
 * The files of a release as bytes (spec: aggregation §10, ledger §7).
 *
 * Rows lie in blocks of a fixed number of rows, cut at the beginning of each shard, so that the bytes depend on nothing
 * but sums, domain and seed: not on lanes, not on partitions.
 */
import { writeBlock, writeHeader } from "@sotto/avro"
import {
  AVRO_SCHEMAS,
  type BucketWords,
  compareBuckets,
  type Histogram,
  printDebugJson,
  printSummaryJson,
  shardSizes,
  sortBuckets,
  type SummaryRow
} from "@sotto/core/aggregation"
import { freshSeed, syncMarker } from "@sotto/core/noise"
import type { PlannedFile, ReleaseTask, RowsOutcome, RowsTask } from "./Calls.ts"
import { heldKeys, type KeyTable, openKeys } from "./DomainKeys.ts"
import { inOrder } from "./Lanes.ts"

/** Rows of a block: a quarter of a megabyte or so. */
const BLOCK_ROWS = 16_384

export type RunRows = (task: RowsTask) => Promise<RowsOutcome>

export interface Release {
  readonly files: ReadonlyArray<PlannedFile>
  write(file: PlannedFile): AsyncGenerator<Uint8Array>
  close(): Promise<void>
}

interface Section {
  readonly keys: KeyTable
  readonly inDomain: boolean
}

/** `window`: blocks that may be on the way to or from lanes at a time. */
export const planRelease = async (
  task: ReleaseTask,
  histogram: Histogram,
  run: RunRows,
  window: number,
  onRows: (rows: number) => void
): Promise<Release> => {
  const domain: Section = { keys: await openKeys(task.domain), inDomain: true }
  const others: Section = {
    keys: heldKeys(task.debug || task.reportKeys ? await keysOutside(histogram, domain.keys) : new Uint32Array(0)),
    inDomain: false
  }
  const sectionsOf = (kind: PlannedFile["kind"]): ReadonlyArray<Section> =>
    kind === "debug" || task.reportKeys ? [domain, others] : [domain]
  const filesOf = (kind: PlannedFile["kind"]): ReadonlyArray<PlannedFile> => {
    const [inside = 0, outside = 0] = sectionsOf(kind).map(({ keys }) => keys.rows)
    const sizes = task.single ? [inside + outside] : shardSizes(inside, outside, task.shardRows)
    return sizes.map((rows, i) => ({ kind, index: i + 1, rows }))
  }
  // Debug rows first, as the original does; the last summary shard is what a reader waits for.
  const files = [...(task.debug ? filesOf("debug") : []), ...filesOf("summary")]

  /** The pieces of the sections that make up a file. */
  const piecesOf = (file: PlannedFile): ReadonlyArray<{ section: Section; from: number; to: number }> => {
    let skip = files
      .filter((other) => other.kind === file.kind && other.index < file.index)
      .reduce((sum, other) => sum + other.rows, 0)
    let left = file.rows
    return sectionsOf(file.kind).map((section) => {
      const from = Math.min(skip, section.keys.rows)
      skip -= from
      const to = Math.min(from + left, section.keys.rows)
      left -= to - from
      return { section, from, to }
    })
  }

  function* blocksOf(file: PlannedFile): Generator<{ section: Section; from: number; count: number }> {
    for (const { section, from, to } of piecesOf(file)) {
      for (let at = from; at < to; at += BLOCK_ROWS) yield { section, from: at, count: Math.min(BLOCK_ROWS, to - at) }
    }
  }

  async function* writeAvro(file: PlannedFile): AsyncGenerator<Uint8Array> {
    const debug = file.kind === "debug"
    const sync = syncMarker(freshSeed(task.noise?.seed ?? new Uint8Array(32)), file.index)
    const schema = debug ? AVRO_SCHEMAS.debugSummary : AVRO_SCHEMAS.summary
    yield writeHeader({ schema, metadata: debug ? task.debugMetadata : task.metadata, sync })
    function* starts() {
      for (const { section, from, count } of blocksOf(file)) {
        yield async () => {
          const words = await section.keys.read(from, count)
          const data = await run(rowsTask(words, histogram, task, debug ? "debug" : "facts", section.inDomain))
          return { rows: count, data: data as Uint8Array }
        }
      }
    }
    for await (const rows of inOrder(starts(), window)) {
      onRows(rows.rows)
      yield writeBlock(rows, sync)
    }
  }

  // The whole file at once: this form is for looking at small results.
  async function* writeJson(file: PlannedFile): AsyncGenerator<Uint8Array> {
    const rows: Array<SummaryRow & { unnoisedMetric: bigint; noise: bigint; inDomain: boolean; inReports: boolean }> =
      []
    for (const { section, from, count } of blocksOf(file)) {
      const rowsOf = rowsTask(await section.keys.read(from, count), histogram, task, "metrics", section.inDomain)
      const { inDomain, inReports } = rowsOf
      const [buckets, sums] = [rowsOf.buckets.slice(), rowsOf.sums.slice()]
      const metrics = (await run(rowsOf)) as BigInt64Array
      for (let i = 0; i < count; i++) {
        const bucket = withoutZeros(buckets.subarray(16 * i, 16 * i + 16))
        const unnoisedMetric = sums[i]!
        const metric = metrics[i]!
        const noise = BigInt.asIntN(64, metric - unnoisedMetric)
        rows.push({ bucket, metric, unnoisedMetric, noise, inDomain, inReports: inReports?.[i] === 1 })
      }
      onRows(count)
    }
    const pieces = file.kind === "debug" ? printDebugJson(rows) : printSummaryJson(rows)
    yield new TextEncoder().encode([...pieces].join(""))
  }

  return {
    files,
    write: task.format === "json" ? writeJson : writeAvro,
    close: () => domain.keys.close()
  }
}

const withoutZeros = (bucket: Uint8Array): Uint8Array => {
  const first = bucket.findIndex((byte) => byte !== 0)
  return first < 0 ? bucket.subarray(16) : bucket.subarray(first)
}

const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1

/** Looks the sums of these keys up; a key that no report has gets 0, and noise like any other. */
const rowsTask = (
  words: BucketWords,
  histogram: Histogram,
  { noise }: ReleaseTask,
  form: RowsTask["form"],
  inDomain: boolean
): RowsTask => {
  const count = words.length / 4
  const buckets = new Uint8Array(16 * count)
  const view = new DataView(buckets.buffer)
  for (let i = 0; i < words.length; i++) view.setUint32(4 * i, words[i]!)
  const sums = new BigInt64Array(count)
  const halves = new Uint32Array(sums.buffer)
  const inReports = form === "facts" ? undefined : new Uint8Array(count)
  const sum = new Uint32Array(2)
  for (let i = 0; i < count; i++) {
    const present = histogram.lookup(words, i, sum, 0)
    halves[2 * i + LOW] = sum[0]!
    halves[2 * i + 1 - LOW] = sum[1]!
    if (inReports !== undefined && present) inReports[i] = 1
  }
  return { buckets, sums, noise, form, inDomain, inReports }
}

/** The keys of reports that the domain does not have, in ascending order. */
const keysOutside = async (histogram: Histogram, domain: KeyTable): Promise<BucketWords> => {
  const present = sortBuckets(histogram.buckets())
  const rows = present.length / 4
  let kept = 0
  let row = 0
  const keepTo = (end: number) => {
    present.copyWithin(4 * kept, 4 * row, 4 * end)
    kept += end - row
    row = end
  }
  for (let from = 0; from < domain.rows && row < rows; from += BLOCK_ROWS) {
    const words = await domain.read(from, Math.min(BLOCK_ROWS, domain.rows - from))
    for (let i = 0; i < words.length / 4; i++) {
      let end = row
      while (end < rows && compareBuckets(present, end, words, i) < 0) end++
      keepTo(end)
      if (row < rows && compareBuckets(present, row, words, i) === 0) row++
    }
  }
  keepTo(rows)
  return present.subarray(0, 4 * kept)
}
