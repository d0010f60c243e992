import { makeNoise } from "@sotto/core/noise"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { RowsTask } from "../../src/internal/Calls.ts"
import { encodeRows } from "../../src/internal/ReleaseRows.ts"
import { cleartext, container, type Contribution, debugFacts, type Fact, facts, type Row, SEED } from "../Harness.ts"
import { keysOf, type LocalOptions, NOISE, readAll, releaseAll } from "../Local.ts"

const BOUND = 65_536
const CLEAR: LocalOptions = { rules: { input: "cleartext" }, perReport: BOUND }

const mergerOf = async (rows: ReadonlyArray<Row>) => (await readAll([["a", container(rows)]], CLEAR)).merger
const rowsOf = (reports: ReadonlyArray<ReadonlyArray<Contribution>>) => reports.map((values, n) => cleartext(n, values))

const contribution = fc.tuple(fc.bigInt(0n, 9n), fc.nat(90_000)) as unknown as fc.Arbitrary<Contribution>
const unbound = fc.array(
  fc.array(fc.tuple(fc.bigInt(0n, 9n), fc.nat(16_000)) as unknown as fc.Arbitrary<Contribution>, { maxLength: 4 }),
  { maxLength: 12 }
)
const reports = fc.array(fc.array(contribution, { maxLength: 4 }), { maxLength: 12 })
const domains = fc.array(fc.bigInt(0n, 14n), { minLength: 1, maxLength: 12 })

const release = async (
  all: ReadonlyArray<ReadonlyArray<Contribution>>,
  domain: ReadonlyArray<bigint>,
  seed = NOISE.seed
) => {
  const [file] = await releaseAll(await mergerOf(rowsOf(all)), keysOf(domain), { noise: { ...NOISE, seed } })
  return { bytes: file!.bytes, facts: facts(file!.bytes) }
}

/** What the noiser was given: keys, un-noised values and rate, in order. */
const recorded = async (all: ReadonlyArray<ReadonlyArray<Contribution>>, domain: ReadonlyArray<bigint>) => {
  const seen: Array<{ buckets: string; sums: ReadonlyArray<bigint>; noise: unknown }> = []
  await releaseAll(await mergerOf(rowsOf(all)), keysOf(domain), {}, async (task: RowsTask) => {
    seen.push({ buckets: Buffer.from(task.buckets).toString("hex"), sums: [...task.sums], noise: task.noise })
    return encodeRows(task)
  })
  return seen
}

// Record and replay (Re:cord-play, arXiv 2602.17454): with the noise recorded or fixed, neighbours are compared exactly.
describe("a release", () => {
  it("1: gives the noiser the same keys, order and rate for neighbours, and values within L1", () =>
    fc.assert(
      fc.asyncProperty(
        reports,
        fc.array(contribution, { maxLength: 4 }),
        fc.nat(),
        fc.boolean(),
        domains,
        async (all, other, at, removed, domain) => {
          const neighbour = [...all]
          if (all.length > 0) neighbour[at % all.length] = removed ? [] : other
          const [a, b] = [await recorded(all, domain), await recorded(neighbour, domain)]
          expect(a.map(({ buckets, noise }) => ({ buckets, noise }))).toEqual(
            b.map(({ buckets, noise }) => ({ buckets, noise }))
          )
          const [x, y] = [a.flatMap(({ sums }) => sums), b.flatMap(({ sums }) => sums)]
          const distance = x.reduce((sum, value, i) => sum + (value > y[i]! ? value - y[i]! : y[i]! - value), 0n)
          // A report that is replaced is one blanked and one added.
          expect(distance <= BigInt(removed ? BOUND : 2 * BOUND)).toBe(true)
        }
      ),
      { numRuns: 60 }
    ))

  it("2: shifts with its sums", () =>
    fc.assert(
      fc.asyncProperty(reports, fc.bigInt(0n, 9n), fc.integer({ min: 1, max: BOUND }), async (all, bucket, value) => {
        const domain = [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]
        const before = await release(all, domain)
        const after = await release([...all, [[bucket, value]]], domain)
        expect(after.facts).toEqual(
          before.facts.map((fact) => (fact.bucket === bucket ? { bucket, metric: fact.metric + BigInt(value) } : fact))
        )
      }),
      { numRuns: 40 }
    ))

  it("3: has the bytes of its sums and domain, whatever their order and number of copies (5)", () =>
    fc.assert(
      fc.asyncProperty(reports, domains, async (all, domain) => {
        const shuffled = [...domain, ...domain].toReversed()
        expect((await release(all.toReversed(), shuffled)).bytes.equals((await release(all, domain)).bytes)).toBe(true)
      }),
      { numRuns: 40 }
    ))

  it("4: noises a key that no report has like one with value 0", async () => {
    const absent = await release([[[1n, 5]]], [1n, 2n])
    const present = await release(
      [
        [
          [1n, 5],
          [2n, 0]
        ]
      ],
      [1n, 2n]
    )
    expect(absent.bytes.equals(present.bytes)).toBe(true)
    expect(absent.facts[1]!.metric).not.toBe(0n)
  })

  it("6: shows in its debug rows the sums, and the noise of the summary", () =>
    fc.assert(
      fc.asyncProperty(unbound, domains, async (all, domain) => {
        const merger = await mergerOf(rowsOf(all))
        const files = await releaseAll(merger, keysOf(domain), { debug: true })
        expect(files.map(({ name }) => name).slice(-1)).toEqual(["summary-1"])
        const debug = files.filter(({ name }) => name.startsWith("debug")).flatMap(({ bytes }) => debugFacts(bytes))
        const summary = facts(files.at(-1)!.bytes)
        expect(
          debug
            .filter((row) => row.annotations.includes("in_domain"))
            .map(({ bucket, unnoised, noise }): Fact => ({ bucket, metric: unnoised + noise }))
        ).toEqual(summary)
        const noise = makeNoise(SEED, NOISE.epsilon, NOISE.l1)
        for (const row of debug) {
          expect(row.noise).toBe(noise.noise(Buffer.from(row.bucket.toString(16).padStart(32, "0"), "hex")))
          const inReports = all.some((values) =>
            values.some(([bucket, value]) => bucket === row.bucket && (bucket !== 0n || value > 0))
          )
          const tags = [...(inReports ? ["in_reports"] : []), ...(domain.includes(row.bucket) ? ["in_domain"] : [])]
          expect(row.annotations).toEqual(tags)
        }
        const outside = debug.filter((row) => !row.annotations.includes("in_domain"))
        expect(outside.map(({ bucket }) => bucket)).toEqual(
          [
            ...new Set(
              all
                .flat()
                .filter(([bucket, value]) => bucket !== 0n || value > 0)
                .map(([bucket]) => bucket)
            )
          ]
            .filter((bucket) => !domain.includes(bucket))
            .sort((a, b) => (a < b ? -1 : 1))
        )
      }),
      { numRuns: 40 }
    ))

  it("7: repeats its bytes with its seed, and shares nothing with another", async () => {
    const all: ReadonlyArray<ReadonlyArray<Contribution>> = [[[1n, 5]]]
    const domain = Array.from({ length: 50 }, (_, i) => BigInt(i))
    const [a, again, other] = [
      await release(all, domain),
      await release(all, domain),
      await release(all, domain, new Uint8Array(32).fill(4))
    ]
    expect(again.bytes.equals(a.bytes)).toBe(true)
    expect(other.facts.filter((fact, i) => fact.metric === a.facts[i]!.metric).length).toBeLessThan(3)
    expect(other.bytes.subarray(-16).equals(a.bytes.subarray(-16))).toBe(false)
  })

  it("agrees on every key with a release over a larger domain", () =>
    fc.assert(
      fc.asyncProperty(reports, domains, domains, async (all, domain, more) => {
        const small = (await release(all, domain)).facts
        const large = new Map(
          (await release(all, [...domain, ...more])).facts.map(({ bucket, metric }) => [bucket, metric])
        )
        for (const { bucket, metric } of small) expect(large.get(bucket)).toBe(metric)
      }),
      { numRuns: 40 }
    ))

  it("does not depend on which of its blocks are done first, nor on how many are on the way", async () => {
    const domain = keysOf(Array.from({ length: 60_000 }, (_, i) => BigInt(i) << 70n))
    const merger = await mergerOf(rowsOf([[[1n << 70n, 9]]]))
    const plain = await releaseAll(merger, domain, { shardRows: 40_000 })
    let turn = 0
    const jumbled = await releaseAll(
      merger,
      domain,
      { shardRows: 40_000 },
      async (task) => {
        for (let ticks = (7 - turn++) % 5; ticks > 0; ticks--) await Promise.resolve()
        return encodeRows(task)
      },
      16
    )
    expect(plain.map(({ name, rows }) => [name, rows])).toEqual([
      ["summary-1", 40_000],
      ["summary-2", 20_000]
    ])
    expect(jumbled.map(({ bytes }, i) => bytes.equals(plain[i]!.bytes))).toEqual([true, true])
    const all = plain.flatMap(({ bytes }) => facts(bytes))
    expect(all.every(({ bucket }, i) => bucket === BigInt(i) << 70n)).toBe(true)
    expect(all.length).toBe(60_000)
  })

  it("cuts shards by rows, report keys beginning a new one", async () => {
    const merger = await mergerOf(
      rowsOf([
        [
          [20n, 1],
          [21n, 2],
          [22n, 3],
          [1n, 4]
        ]
      ])
    )
    const files = await releaseAll(merger, keysOf([1n, 2n, 3n]), { shardRows: 2, debug: true, noise: undefined })
    expect(files.map(({ name, rows }) => `${name}:${rows}`)).toEqual([
      "debug-1:2",
      "debug-2:1",
      "debug-3:2",
      "debug-4:1",
      "summary-1:2",
      "summary-2:1"
    ])
    const optional = await releaseAll(merger, keysOf([1n, 2n, 3n]), {
      shardRows: 2,
      reportKeys: true,
      noise: undefined
    })
    expect(optional.map(({ bytes }) => facts(bytes).map(({ bucket, metric }) => `${bucket}=${metric}`))).toEqual([
      ["1=4", "2=0"],
      ["3=0"],
      ["20=1", "21=2"],
      ["22=3"]
    ])
  })

  it("writes no shard for nothing, and one empty file where there must be one", async () => {
    const merger = await mergerOf([])
    expect(await releaseAll(merger, keysOf([]), { reportKeys: true })).toEqual([])
    const [single] = await releaseAll(merger, keysOf([]), { reportKeys: true, single: true })
    expect(facts(single!.bytes)).toEqual([])
    const [json] = await releaseAll(merger, keysOf([]), { reportKeys: true, single: true, format: "json" })
    expect(JSON.parse(json!.bytes.toString())).toEqual([])
  })
})
