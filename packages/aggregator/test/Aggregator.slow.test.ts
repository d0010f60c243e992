import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  Contributions,
  decodePayload,
  filteringIds,
  hashKey,
  Histogram,
  PAYLOAD_HISTOGRAM
} from "@sotto/core/aggregation"
import { layerFsBlobStore } from "@sotto/fs"
import * as Effect from "effect/Effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import {
  BUCKET,
  cbor,
  container,
  type Contribution,
  domainFile,
  get,
  put,
  release,
  type Row,
  run,
  sealed,
  sharedInfo,
  sum
} from "./Harness.ts"
import { readAll, sumsOf } from "./Local.ts"

let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "sotto-test-"))))
afterAll(() => rmSync(folder, { recursive: true }))

const REPORTS = 20_000
const KEYS = 300_000

/** Padded reports with some duplicates, some that do not open, and some of other filtering ids. */
const rows = (): ReadonlyArray<Row> =>
  Array.from({ length: REPORTS }, (_, n) => {
    const values: ReadonlyArray<Contribution> = [
      [BigInt(n % 1000) << 90n, 3, 0n],
      [BigInt(n), n, BigInt(n % 3)]
    ]
    const id = n % 50 === 7 ? n - 7 : n
    const info = sharedInfo(id, { scheduled_report_time: String(1769817600 - 3600 * (n % 40)) })
    const row = sealed(n, cbor(values, 20), info)
    return n % 100 === 3 ? { ...row, sharedInfo: `${info} ` } : row
  })

describe("a larger aggregation", () => {
  it("gives the same for 1 to 16 lanes, any batch size and either way of reading", async () => {
    const all = rows()
    const objects = {
      "in/a": container(all.slice(0, 9000), { perBlock: 60 }),
      "in/b": container(all.slice(9000, 9001)),
      "in/c": container(all.slice(9001), { perBlock: 311, codec: "snappy" }),
      "domain/d": domainFile(Array.from({ length: KEYS }, (_, i) => BigInt((i * 7919) % KEYS)))
    }
    const once = (lanes: number, batchBytes: number, files: boolean) =>
      run(
        Effect.gen(function* () {
          yield* put(objects)
          const sums = yield* sum({ filteringIds: filteringIds([0n, 2n]), perReport: 65_536 })
          yield* release(sums, { shardRows: 200_000 })
          const shards = [yield* get("out/summary-1-of-2.avro"), yield* get("out/summary-2-of-2.avro")]
          return { sums, shards }
        }),
        { lanes, batchBytes, partitionKeys: files ? 50_000 : 1_000_000 },
        ...(files ? [layerFsBlobStore({ buckets: { [BUCKET]: join(folder, `${lanes}`) } })] : [])
      )
    const first = await once(1, 1 << 20, false)
    expect(first.sums.errors).toMatchObject({ total: REPORTS, withErrors: REPORTS / 100 })
    expect(first.sums.duplicates).toBe(REPORTS / 50)
    for (const [lanes, batchBytes, files] of [
      [2, 1 << 18, true],
      [5, 50_000, false],
      [16, 1 << 20, true]
    ] as const) {
      const other = await once(lanes, batchBytes, files)
      expect(other.sums).toEqual(first.sums)
      expect(other.shards.map((shard, i) => shard.equals(first.shards[i]!))).toEqual([true, true])
    }
  })

  it("leaves the event loop of its caller free", async () => {
    const objects = {
      "in/a": container(rows().slice(0, 6000), { perBlock: 60 }),
      "domain/d": domainFile(Array.from({ length: KEYS }, (_, i) => BigInt(i)))
    }
    const busy = await run(
      Effect.gen(function* () {
        yield* put(objects)
        // Time on the processor, not on the clock: what neighbours take from a busy machine is not ours.
        let longest = 0
        let last = process.threadCpuUsage()
        const watch = setInterval(() => {
          const { user, system } = process.threadCpuUsage(last)
          last = process.threadCpuUsage()
          longest = Math.max(longest, (user + system) / 1000)
        }, 1)
        const sums = yield* sum()
        yield* release(sums)
        clearInterval(watch)
        return longest
      }),
      { lanes: 2 },
      layerFsBlobStore({ buckets: { [BUCKET]: join(folder, "free") } })
    )
    expect(busy).toBeLessThan(50)
  })
})

describe("payloads mutated below the encryption", () => {
  it("are counted or summed as the decoder alone would have it, twelve thousand of them", async () => {
    const plain = cbor([
      [1n, 1],
      [2n, 2, 0n],
      [3n << 100n, 70_000, 7n]
    ])
    // A small linear congruential generator: the same mutants in every run.
    let state = 12345
    const next = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const texts = Array.from({ length: 12_000 }, (_, n) => {
      const text = n % 4 === 3 ? Uint8Array.from({ length: next(80) }, () => next(256)) : plain.slice()
      for (let changes = 1 + next(3); changes > 0 && text.length > 0; changes--) text[next(text.length)] = next(256)
      return n % 4 === 2 ? text.slice(0, next(text.length)) : text
    })
    const expected = new Histogram(hashKey(1, 2))
    let malformed = 0
    for (const text of texts) {
      const sink = new Contributions()
      if (decodePayload(text, 0, text.length, sink) !== PAYLOAD_HISTOGRAM) malformed++
      else expected.addReport(sink, 0, sink.length, filteringIds([0n]), 65_536)
    }
    const { merger, stop } = await readAll([["a", container(texts.map((text, n) => sealed(n, text)))]], {
      perReport: 65_536
    })
    expect(stop).toBeUndefined()
    expect(merger.errors).toMatchObject({ total: texts.length, withErrors: malformed })
    expect(malformed).toBeGreaterThan(3000)
    expect(malformed).toBeLessThan(11_000)
    const sums = sumsOf(merger)
    expect(sums.size).toBe(expected.size)
    expect(sums).toEqual(sumsOf({ histogram: expected } as typeof merger))
  })
})
