/**
 * The output domain: every key of every object, sorted, each once (spec: aggregation §7).
 *
 * At most one partition of keys is in memory. What does not fit goes to sorted runs in a folder, which are merged into one
 * file; either way the keys can be read by their number.
 */
import { type FileHandle, open, unlink } from "node:fs/promises"
import { join } from "node:path"
import { blockScanner, decompress, type DomainScanner, domainScanner, isRejected } from "@sotto/avro"
import { type BucketWords, compareBuckets, DomainTextReader, OutputDomain } from "@sotto/core/aggregation"
import type { DomainOutcome, DomainTask, EngineCalls, ReadFault, SortedKeys } from "./Calls.ts"
import { readObject } from "./Objects.ts"
import type { Peer } from "./Peer.ts"

const KEY_BYTES = 16
/** Keys that are read from or written to a run at a time. */
const SLICE = 65_536

type Refusal = Exclude<DomainOutcome, SortedKeys>

export const readDomain = async (
  engine: Peer<EngineCalls>,
  task: DomainTask,
  partitionKeys: number,
  onSteps: (rows: number, bytes: number) => void
): Promise<DomainOutcome> => {
  const domain = new OutputDomain()
  const runs: Array<string> = []
  const spill = async () => {
    const path = join(task.folder, `run-${runs.length}`)
    runs.push(path)
    await writeKeys(path, [domain.take()])
  }
  const read = task.format === "avro" ? avroReader : textReader
  for (const [index, source] of task.sources.entries()) {
    const reader = read(source.name, domain, index)
    for await (const piece of readObject(engine, index, source)) {
      if (!(piece instanceof Uint8Array)) return piece
      for (const push of reader.push(piece)) {
        const before = domain.rows
        const refusal = push()
        if (refusal !== undefined) return refusal
        onSteps(domain.rows - before, 0)
        if (domain.rows >= partitionKeys) await spill()
      }
      onSteps(0, piece.length)
    }
    const refusal = reader.end()
    if (refusal !== undefined) return refusal
  }
  if (runs.length === 0) {
    const words = domain.take()
    const held = new SharedArrayBuffer(words.byteLength)
    new Uint32Array(held).set(words)
    return { _tag: "SortedKeys", rows: words.length / 4, held }
  }
  if (domain.rows > 0) await spill()
  const path = join(task.folder, "keys")
  const rows = await mergeRuns(runs, path)
  return { _tag: "SortedKeys", rows, held: { path } }
}

interface Reader {
  /** Steps that each add a bounded number of keys. */
  push(piece: Uint8Array): Iterable<() => Refusal | undefined>
  end(): Refusal | undefined
}

const textReader = (name: string, domain: OutputDomain): Reader => {
  const text = new DomainTextReader(domain)
  let line = 0
  return {
    *push(piece) {
      for (let at = 0; at < piece.length; at += SLICE) {
        yield () => {
          const before = domain.rows
          const rejected = text.push(piece.subarray(at, at + SLICE))
          line += domain.rows - before
          if (rejected === undefined) return undefined
          return { _tag: "KeyTooLong", reason: `${name}: line ${line + 1} has more than 16 bytes` }
        }
      }
    },
    end: () => void text.end()
  }
}

const avroReader = (name: string, domain: OutputDomain, index: number): Reader => {
  const blocks = blockScanner(name)
  let keys: DomainScanner | undefined
  const fault = ({ offset, reason }: { readonly offset: number; readonly reason: string }): ReadFault => ({
    _tag: "ReadFault",
    source: index,
    offset,
    reason
  })
  return {
    *push(piece) {
      const found = blocks.push(piece)
      if (isRejected(found)) {
        yield () => fault(found)
        return
      }
      const header = blocks.header
      if (header === undefined) return
      if (keys === undefined) {
        const scanner = domainScanner(name, header)
        if (isRejected(scanner)) {
          yield () => fault(scanner)
          return
        }
        keys = scanner
      }
      const scanner = keys
      for (const block of found) {
        yield () => {
          const data = decompress(name, header.codec, block)
          if (isRejected(data)) return fault(data)
          const buckets = scanner.scan(block, data)
          if (isRejected(buckets)) return fault(buckets)
          if ("_tag" in buckets) {
            const { offset, row, bytes } = buckets
            return {
              _tag: "KeyTooLong",
              reason: `${name}: byte ${offset}: key ${row} of this block has ${bytes} bytes`
            }
          }
          for (let at = 0; at < buckets.length; at += KEY_BYTES) domain.add(buckets, at, at + KEY_BYTES)
          return undefined
        }
      }
    },
    end: () => {
      const cut = blocks.end()
      return cut === undefined ? undefined : fault(cut)
    }
  }
}

const bytesOf = (words: BucketWords): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength)

const writeKeys = async (path: string, parts: Iterable<BucketWords> | AsyncIterable<BucketWords>): Promise<number> => {
  // Domain keys are no secret, and still nobody's business.
  const file = await open(path, "wx", 0o600)
  try {
    let rows = 0
    for await (const words of parts) {
      await file.writev([bytesOf(words)])
      rows += words.length / 4
    }
    return rows
  } finally {
    await file.close()
  }
}

/** Merges sorted runs into one file of distinct keys, removes them, and gives the number of keys. */
const mergeRuns = async (paths: ReadonlyArray<string>, path: string): Promise<number> => {
  const runs = await Promise.all(paths.map(async (run) => new Run(await open(run, "r"))))
  try {
    await Promise.all(runs.map((run) => run.fill()))
    return await writeKeys(path, merged(runs.filter((run) => !run.done)))
  } finally {
    await Promise.all(runs.map((run) => run.close()))
    await Promise.all(paths.map((run) => unlink(run)))
  }
}

/** One sorted run and where reading it has come to. */
class Run {
  words: BucketWords = new Uint32Array(0)
  row = 0
  done = false
  readonly #file: FileHandle
  readonly #slice = new Uint32Array(4 * SLICE)
  #at = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  async fill(): Promise<void> {
    const bytes = bytesOf(this.#slice)
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, this.#at)
    this.#at += bytesRead
    this.words = this.#slice.subarray(0, bytesRead / 4)
    this.row = 0
    this.done = bytesRead === 0
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

const below = (a: Run, b: Run): boolean => compareBuckets(a.words, a.row, b.words, b.row) < 0

/** Slices of the sorted union, from a binary heap of runs ordered by their next key. */
async function* merged(runs: ReadonlyArray<Run>): AsyncGenerator<BucketWords> {
  const heap: Array<Run> = []
  const sift = (from: number) => {
    for (let at = from; ;) {
      const left = 2 * at + 1
      if (left >= heap.length) return
      const child = left + 1 < heap.length && below(heap[left + 1]!, heap[left]!) ? left + 1 : left
      if (!below(heap[child]!, heap[at]!)) return
      ;[heap[at], heap[child]] = [heap[child]!, heap[at]!]
      at = child
    }
  }
  heap.push(...runs)
  for (let at = heap.length >> 1; at >= 0; at--) if (at < heap.length) sift(at)

  const out = new Uint32Array(4 * SLICE)
  const last = new Uint32Array(4)
  let any = false
  let rows = 0
  while (heap.length > 0) {
    const run = heap[0]!
    if (!any || compareBuckets(run.words, run.row, last, 0) !== 0) {
      last.set(run.words.subarray(4 * run.row, 4 * run.row + 4))
      out.set(last, 4 * rows)
      any = true
      if (++rows === SLICE) {
        yield out
        rows = 0
      }
    }
    if (4 * ++run.row === run.words.length) {
      await run.fill()
      if (run.done) {
        heap[0] = heap.at(-1)!
        heap.pop()
      }
    }
    sift(0)
  }
  if (rows > 0) yield out.subarray(0, 4 * rows)
}

/** Sorted keys, read by their number. */
export interface KeyTable {
  readonly rows: number
  read(from: number, count: number): Promise<BucketWords>
  close(): Promise<void>
}

export const heldKeys = (words: BucketWords): KeyTable => ({
  rows: words.length / 4,
  read: (from, count) => Promise.resolve(words.subarray(4 * from, 4 * (from + count))),
  close: () => Promise.resolve()
})

export const openKeys = async ({ rows, held }: SortedKeys): Promise<KeyTable> => {
  if (held instanceof SharedArrayBuffer) return heldKeys(new Uint32Array(held))
  const file = await open(held.path, "r")
  return {
    rows,
    read: async (from, count) => {
      const words = new Uint32Array(4 * count)
      const { bytesRead } = await file.read(bytesOf(words), 0, words.byteLength, KEY_BYTES * from)
      if (bytesRead !== words.byteLength)
        throw new Error(`the spilled keys end at byte ${KEY_BYTES * from + bytesRead}`)
      return words
    },
    close: () => file.close()
  }
}
