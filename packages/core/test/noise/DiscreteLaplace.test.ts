import { createHash, createHmac, randomBytes } from "node:crypto"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fromHex } from "../../src/internal/Bytes.ts"
import { clampInt64, discreteLaplace, makeNoise, type Noise, noiseWith } from "../../src/noise/DiscreteLaplace.ts"
import { rateOf } from "../../src/noise/Rate.ts"
import { freshSeed, type NoiseSeed, questionSeed } from "../../src/noise/Seed.ts"
import { type Thresholds, thresholds } from "../../src/noise/Thresholds.ts"
import { keyedWords, type Words } from "../../src/noise/Words.ts"
import { blackBox } from "./BlackBox.ts"
import { consecutiveBuckets, draws } from "./Draws.ts"
import * as reference from "./Reference.ts"
import { Stream } from "./Stream.ts"

const sha256 = (text: string) => createHash("sha256").update(text).digest()
const seedNamed = (name: string): NoiseSeed => questionSeed(sha256(name))
const bytes = (...buckets: ReadonlyArray<bigint>) => Buffer.concat(buckets.map(reference.bucketBytes))
const MAX = 0xffffffff
const NO_BUCKET = reference.bucketBytes(0n)

const EDGE = 2n ** 63n
const sums = fc.oneof(
  fc.bigInt({ min: -EDGE, max: EDGE - 1n }),
  fc.bigInt({ min: EDGE - 20_000n, max: EDGE - 1n }),
  fc.bigInt({ min: -EDGE, max: 20_000n - EDGE }),
  fc.bigInt({ min: -20_000n, max: 20_000n }),
  fc.constantFrom(0n, EDGE - 1n, -EDGE, 2n ** 32n - 1n, -(2n ** 32n), -1n)
)
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(freshSeed)
const buckets = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })
const rows = fc.array(fc.tuple(buckets, sums), { minLength: 1, maxLength: 4 })

const released = (noise: Noise, rows: ReadonlyArray<readonly [bigint, bigint]>): Array<bigint> => {
  const out = new BigInt64Array(rows.length)
  noise.release(
    bytes(...rows.map(([bucket]) => bucket)),
    BigInt64Array.from(rows, ([, sum]) => sum),
    out,
    0,
    rows.length
  )
  return [...out]
}

describe("the noise of a question", () => {
  const K = sha256("sotto test noise key")
  const buckets = [0n, 1n, 2n ** 32n, 2n ** 128n - 1n]

  it.each([
    [10, "d4fcc84380e25d4e04960dd878e5ed46bb0de8bb1baea8e7a47b396a564aeb0e", [-13080n, 4416n, -6481n, -6870n]],
    [1, "08e322938b052e040ed6498ba01c9a7115fb704123c045bbd7d1a6e2e380816a", [-24357n, -126474n, -73372n, 114652n]],
    [64, "5639e5141b197c63176395cf6a48e11eadcf9acd08316028b26abaa07f0710dd", [1492n, -122n, 132n, -3959n]]
  ])("is the published one at ε = %d", (epsilon, fingerprint, expected) => {
    const seed = questionSeed(
      createHmac("sha256", K)
        .update("sotto/seed/1\0")
        .update(fromHex(fingerprint) as Uint8Array)
        .digest()
    )
    const noise = makeNoise(seed, epsilon * 1_000_000, 65_536)
    expect(buckets.map((bucket) => noise.noise(reference.bucketBytes(bucket)))).toEqual(expected)
    expect(
      released(
        noise,
        buckets.map((bucket) => [bucket, 0n])
      )
    ).toEqual(expected)
  })
})

describe("a draw", () => {
  it.each([
    [10_000_000, 65_536, [-18347, -9072, -387, -1199, 42574, 5222, 919, 11512]],
    [1_000_000, 65_536, [-51115, 9326, 286351, 8947, -38811, -117533, 184183, -21824]],
    [64_000_000, 65_536, [939, 892, -164, 2238, 378, 845, -839, -460]],
    [1_000_000, 1, [1, 0, 0, -1, -1, 0, 0, 0]]
  ])(
    "turns one stream of words, read in the order of the coins, into the golden numbers (ε = %d/10^6, L1 = %d)",
    (epsilon, l1, golden) => {
      const table = thresholds(rateOf(epsilon, l1))
      const stream = new Stream("golden")
      const drawn = golden.map(() => {
        const words = Array.from({ length: table.m + 3 }, () => stream.u32())
        return Number(discreteLaplace(table, (coin) => words[coin] as number, NO_BUCKET))
      })
      expect(drawn).toEqual(golden)
    }
  )

  /** Words by "coin/depth"; reading any other throws, and `read` tells what was read. */
  const scripted = (script: ReadonlyMap<string, number>): { words: Words; read: Set<string> } => {
    const read = new Set<string>()
    const words: Words = (coin, depth) => {
      const at = `${coin}/${depth}`
      const word = script.get(at)
      if (word === undefined) throw new Error(`read ${at}, which is not scripted`)
      read.add(at)
      return word
    }
    return { words, read }
  }

  /** A word that makes the coin succeed or fail at `depth`; undefined where none does. */
  const deciding = (threshold: number, success: boolean): number | undefined =>
    success ? (threshold > 0 ? threshold - 1 : undefined) : threshold < MAX ? threshold + 1 : undefined

  const valueOf = (m: number, success: (coin: number) => boolean, tails: number, negative: boolean): bigint => {
    let geometric = BigInt(tails) << BigInt(m)
    for (let i = 0; i < m; i++) if (success(i)) geometric += 1n << BigInt(i)
    return success(m) ? 0n : negative ? -(1n + geometric) : 1n + geometric
  }

  /** Plays one pattern of coins; a coin that depth 0 cannot decide that way is decided at depth 1. */
  const play = (
    table: Thresholds,
    success: (coin: number) => boolean,
    tieUntil: (coin: number) => number,
    negative: boolean
  ) => {
    const { m } = table
    const script = new Map<string, number>([[`${m + 2}/0`, negative ? MAX : MAX - 1]])
    const toss = (coin: number, address: number, wanted: boolean) => {
      let depth = 0
      for (; depth < tieUntil(address) || deciding(table.word(coin, depth), wanted) === undefined; depth++)
        script.set(`${address}/${depth}`, table.word(coin, depth))
      script.set(`${address}/${depth}`, deciding(table.word(coin, depth), wanted) as number)
    }
    for (let coin = 0; coin <= m; coin++) toss(coin, coin, success(coin))
    let tails = 0
    let address = m + 1
    for (; success(address); address = address === m + 1 ? m + 3 : address + 1) {
      toss(m + 1, address, true)
      tails++
    }
    toss(m + 1, address, false)
    const { words, read } = scripted(script)
    expect(discreteLaplace(table, words, NO_BUCKET)).toBe(valueOf(m, success, tails, negative))
    // Every word was read, and no other exists.
    expect([...read].sort()).toEqual([...script.keys()].sort())
  }

  it.each([
    [1_000_000, 1],
    [750_000, 1],
    [64_000_000, 1],
    [1_000_000, 16],
    [5_000_000, 32]
  ])("adds up every pattern of digits, zero and sign at ε = %d/10^6, L1 = %d", (epsilon, l1) => {
    const table = thresholds(rateOf(epsilon, l1))
    for (let pattern = 0; pattern < 2 ** (table.m + 1); pattern++)
      for (const negative of [false, true])
        play(
          table,
          (coin) => coin <= table.m && ((pattern >> coin) & 1) === 1,
          () => 0,
          negative
        )
  })

  it("decides a tie of any coin at any depth by that coin's further words and leaves the others as they are", () => {
    for (const [epsilon, l1] of [
      [1_000_000, 1],
      [10_000_000, 65_536],
      [64_000_000, 1]
    ] as const) {
      const table = thresholds(rateOf(epsilon, l1))
      for (let tied = 0; tied < table.m + 2; tied++)
        for (let depth = 1; depth <= 4; depth++)
          for (const wins of [false, true])
            for (const others of [false, true])
              play(
                table,
                (coin) => (coin === tied ? wins : others && coin < table.m),
                (coin) => (coin === tied ? depth : 0),
                others
              )
    }
  })

  it("tosses the tail coin again at new addresses for every success, ties included", () => {
    const table = thresholds(rateOf(10_000_000, 65_536))
    const { m } = table
    for (let tosses = 1; tosses <= 5; tosses++)
      for (const tie of [0, 1, 3])
        play(
          table,
          (coin) => coin === 2 || coin === m + 1 || (coin >= m + 3 && coin < m + 2 + tosses),
          (coin) => (coin > m ? tie : 0),
          true
        )
  })

  it("is the magnitude with either sign, so zero has no sign", () => {
    const table = thresholds(rateOf(1_000_000, 1))
    for (const sign of [0, 1]) {
      const words: Words = (coin) => (coin === table.m + 2 ? sign : coin <= table.m ? 0 : MAX)
      expect(discreteLaplace(table, words, NO_BUCKET)).toBe(0n)
    }
  })
})

describe("the path that releases", () => {
  it("equals the readable one for any seed, ε, L1, bucket and sum", () =>
    fc.assert(
      fc.property(
        seeds,
        fc.oneof(fc.constantFrom(1, 10_000_000, 1_000_000, 64_000_000), fc.integer({ min: 1, max: 64_000_000 })),
        fc.oneof(fc.constantFrom(65_536, 1), fc.integer({ min: 1, max: 2 ** 53 - 1 })),
        rows,
        (seed, epsilon, l1, rows) => {
          const table = thresholds(rateOf(epsilon, l1))
          const noise = makeNoise(seed, epsilon, l1)
          const expected = rows.map(([bucket, sum]) =>
            reference.release(table, seed, reference.bucketBytes(bucket), sum)
          )
          expect(released(noise, rows)).toEqual(expected)
          expect(rows.map(([b, sum]) => clampInt64(sum + noise.noise(reference.bucketBytes(b))))).toEqual(expected)
        }
      ),
      { numRuns: 100 }
    ))

  it("equals it for any thresholds, with ties of any coins and tails that succeed", () =>
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 0, max: 66 }),
        fc.infiniteStream(fc.nat({ max: 0xffffffff })),
        fc.array(fc.nat({ max: 67 })),
        rows,
        (seed, m, random, tied, rows) => {
          const [made, ties] = [new Map<string, number>(), new Map<string, number>()]
          const word = (coin: number, depth: number): number => {
            const at = `${coin}/${depth}`
            const tie = ties.get(at)
            if (tie !== undefined) return tie
            if (!made.has(at)) made.set(at, random.next().value as number)
            // At most every other toss of the tail succeeds.
            return (made.get(at) as number) >>> (coin === m + 1 ? 1 : 0)
          }
          const first = reference.bucketBytes(rows[0]?.[0] as bigint)
          for (const coin of tied) if (coin < m + 2) ties.set(`${coin}/0`, reference.word(seed, coin, 0, first))
          const table = { m, word }
          expect(released(noiseWith(seed, table), rows)).toEqual(
            rows.map(([bucket, sum]) => reference.release(table, seed, reference.bucketBytes(bucket), sum))
          )
        }
      ),
      { numRuns: 100 }
    ))

  it.each([0, 1, 31, 32, 33, 61, 62, 63, 64, 80])("carries between the halves when all of %i digits agree", (m) => {
    const seed = seedNamed("carry")
    const buckets = Array.from({ length: 16 }, (_, i) => BigInt(i))
    const edges = [0n, -1n, 1n, 2n ** 32n - 1n, -(2n ** 32n), EDGE - 1n, -EDGE, EDGE - 2n ** 62n, 2n ** 62n - EDGE]
    for (const digit of [0, MAX]) {
      const noise = noiseWith(seed, { m, word: (coin) => (coin < m ? digit : 0) })
      const magnitude = digit === 0 ? 1n : 2n ** BigInt(m)
      const words = keyedWords(seed)
      for (const sum of edges)
        expect(
          released(
            noise,
            buckets.map((bucket) => [bucket, sum])
          )
        ).toEqual(
          buckets.map((bucket) =>
            clampInt64(words(m + 2, 0, reference.bucketBytes(bucket)) & 1 ? sum - magnitude : sum + magnitude)
          )
        )
    }
  })

  it("saturates at both ends of int64", () => {
    const noise = makeNoise(seedNamed("saturation"), 10_000_000, 65_536)
    const all = Array.from({ length: 64 }, (_, i) => BigInt(i))
    const signs = all.map((bucket) => noise.noise(reference.bucketBytes(bucket)))
    expect(
      released(
        noise,
        all.map((b) => [b, EDGE - 1n])
      )
    ).toEqual(signs.map((z) => (z > 0n ? EDGE - 1n : EDGE - 1n + z)))
    expect(
      released(
        noise,
        all.map((b) => [b, -EDGE])
      )
    ).toEqual(signs.map((z) => (z < 0n ? -EDGE : -EDGE + z)))
  })

  it("moves with its sum: release(x + c) = release(x) + c, so a key without data is noised as one with", () =>
    fc.assert(
      fc.property(
        seeds,
        buckets,
        fc.bigInt({ min: -(2n ** 61n), max: 2n ** 61n }),
        fc.bigInt({ min: -(2n ** 61n), max: 2n ** 61n }),
        (seed, bucket, x, c) => {
          const noise = makeNoise(seed, 1_000_000, 1000)
          const [both, one, none] = released(noise, [
            [bucket, x + c],
            [bucket, x],
            [bucket, 0n]
          ]) as [bigint, bigint, bigint]
          expect(both).toBe(one + c)
          expect(one).toBe(none + x)
        }
      )
    ))

  it("gives each bucket its noise, whatever the order, the pieces and the places of the arrays", () => {
    const noise = makeNoise(seedNamed("pieces"), 10_000_000, 65_536)
    const n = 100
    const whole = new BigInt64Array(n)
    const asked = consecutiveBuckets(n)
    noise.release(asked, new BigInt64Array(n), whole, 0, n)

    const pieces = new BigInt64Array(n).fill(7n)
    for (const [from, to] of [
      [60, 100],
      [0, 1],
      [1, 1],
      [1, 60]
    ] as const) {
      noise.release(asked, new BigInt64Array(n), pieces, from, to)
      if (to === 1) expect(pieces[1]).toBe(7n)
    }
    expect(pieces).toEqual(whole)

    const backwards = Buffer.concat(Array.from({ length: n }, (_, i) => asked.subarray(16 * (n - 1 - i), 16 * (n - i))))
    const reversed = new BigInt64Array(n)
    noise.release(backwards, new BigInt64Array(n), reversed, 0, n)
    expect(reversed.toReversed()).toEqual(whole)

    const odd = new Uint8Array(16 * n + 3)
    odd.set(asked, 3)
    const shared = new BigInt64Array(new SharedArrayBuffer(8 * (n + 2)), 16, n)
    noise.release(odd.subarray(3), shared, shared, 0, n)
    expect([...shared]).toEqual([...whole])
  })

  it("is the same again for the same seed, and for (kε, k·L1)", () => {
    const [first, again] = [
      draws(seedNamed("same"), 3_000_000, 100, 1000),
      draws(seedNamed("same"), 3_000_000, 100, 1000)
    ]
    expect(again).toEqual(first)
    expect(draws(seedNamed("same"), 21_000_000, 700, 1000)).toEqual(first)
  })

  it("is unrelated for another question", () => {
    const [a, b] = [
      draws(seedNamed("question 1"), 1_000_000, 65_536, 1000),
      draws(seedNamed("question 2"), 1_000_000, 65_536, 1000)
    ]
    expect(a.filter((z, i) => z === b[i]).length).toBeLessThan(3)
  })

  it.each([
    [-1, 1],
    [0, 5],
    [3, 2],
    [0.5, 2],
    [0, Number.NaN]
  ])("refuses the range %d to %d of four buckets", (from, to) => {
    const four = new BigInt64Array(4)
    expect(() => makeNoise(seedNamed("range"), 1, 1).release(new Uint8Array(64), four, four, from, to)).toThrow(
      RangeError
    )
  })

  it.each([
    [0, 1],
    [1, 0],
    [0.5, 1],
    [Number.NaN, 1]
  ])("refuses ε = %d/10^6 with L1 = %d", (epsilon, l1) =>
    expect(() => makeNoise(seedNamed("range"), epsilon, l1)).toThrow(RangeError)
  )

  it("passes the black-box check on a seed of the system, false alarm below one in two million", () => {
    const seed = freshSeed(randomBytes(32))
    const refused = blackBox(draws(seed, 10_000_000, 65_536, 100_000), 10 / 65_536)
    expect(refused, `seed ${Buffer.from(seed).toString("hex")}`).toEqual([])
  })
})
