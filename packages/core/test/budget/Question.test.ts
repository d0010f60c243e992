import { createHash, createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Epsilon } from "../../src/budget/Epsilon.ts"
import {
  addReport,
  addSum,
  emptySum,
  fingerprint,
  keyCheck,
  ledgerIdentity,
  type Question,
  reportMacs,
  type ReportSum,
  seedOf,
  sumBytes,
  sumsName
} from "../../src/budget/Question.ts"
import type { Fingerprint } from "../../src/budget/Spend.ts"
import { fromHex, toHex } from "../../src/internal/Bytes.ts"
import { MECHANISM } from "../../src/noise/DiscreteLaplace.ts"
import { syncMarker } from "../../src/noise/Seed.ts"
import { ledgerVectors } from "../vectors/makeLedger.ts"

const vectors = JSON.parse(readFileSync(new URL("../vectors/ledger.json", import.meta.url), "utf8")) as ReturnType<
  typeof ledgerVectors
>

const bytes = (hex: string) => fromHex(hex) as Uint8Array
const text = (value: string) => new TextEncoder().encode(value)
const byteArray = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const F = bytes("d6dc44d2544d80e83cde8f66160e218f4548f35653f6eb7add844aac01348ef0")
const K = bytes("f8a582ecbeb8bf911d719c1a772b4b58b548e7ebcd525bfbacd61ce561365644")

const sumOf = (macs: ReadonlyArray<Uint8Array>): ReportSum => {
  const sum = emptySum()
  for (const mac of macs) addReport(sum, mac)
  return sum
}

const question = (more: Partial<Question> = {}): Question => ({
  scope: "default",
  sums: "histogram/1",
  epsilon: 10_000_000 as Epsilon,
  l1: 65_536,
  filteringIds: [0n],
  reports: emptySum(),
  ...more
})

/** The three reports of the published vectors. */
const published = (): ReportSum => {
  const macs = reportMacs(F)
  return sumOf(
    [1, 2, 3].map((i) =>
      macs.encrypted(
        new Uint8Array(32).fill(i),
        new Uint8Array(16).fill(16 + i),
        text(`{"api":"shared-storage","report_id":"00000000-0000-0000-0000-00000000000${i}"}`)
      )
    )
  )
}

describe("Question", () => {
  it("has vectors that node:crypto still computes", () => {
    expect(vectors).toEqual(ledgerVectors())
  })

  it("names the published reports and questions (spec: ledger §6)", () => {
    const macs = reportMacs(F)
    const [first] = vectors.questions
    expect(first?.reports.map((r) => toHex(macs.encrypted(bytes(r.enc), bytes(r.tag), text(r.sharedInfo))))).toEqual([
      "03e6aa0635270c70a4ca11b2f96832b256f24f58a89cd67fbe91f05cdd35c401",
      "50df03d232f310c6cb0da99306441204054fdef04a5ab0cbfd0031effa523b17",
      "f6018dd0b9d11f6e3397c5bbe9f4db1b25e179ed65111c5b90edaffc7da0f933"
    ])
    const reports = published()
    expect(toHex(sumBytes(reports))).toBe("4ac73ba921eb3ca5a36f8101e9a11fd18223a8365808a3a74c7fd2495528f84b")
    const ten = fingerprint(F, question({ reports }))
    expect(ten).toBe("d4fcc84380e25d4e04960dd878e5ed46bb0de8bb1baea8e7a47b396a564aeb0e")
    const seed = seedOf(K, ten)
    expect(toHex(seed)).toBe("550562a95b8c3cf8dd2792b0dda8b38821a15342eb397d53a747efabf52903eb")
    expect(toHex(syncMarker(seed, 1))).toBe("df0189af89d5ded80b777b374f98f87b")
    expect(fingerprint(F, question({ reports, epsilon: 1_000_000 as Epsilon }))).toBe(
      "08e322938b052e040ed6498ba01c9a7115fb704123c045bbd7d1a6e2e380816a"
    )
    expect(fingerprint(F, question({ reports, epsilon: 64_000_000 as Epsilon, filteringIds: [5n, 0n, 5n] }))).toBe(
      "5639e5141b197c63176395cf6a48e11eadcf9acd08316028b26abaa07f0710dd"
    )
    expect(fingerprint(F, question())).toBe("74fa4619de4690247e92c69e38b3689e5a1b2bf25a23df9ae885ed91894e2ad8")
  })

  it.each(vectors.questions.map((v) => [v.name, v] as const))("agrees with the file: %s", (_, v) => {
    const macs = reportMacs(bytes(v.fingerprintKey))
    const sum = sumOf(v.reports.map((r) => macs.encrypted(bytes(r.enc), bytes(r.tag), text(r.sharedInfo))))
    const name = fingerprint(bytes(v.fingerprintKey), {
      scope: v.scope,
      sums: v.sums as "histogram/1",
      epsilon: Number(v.microEpsilon) as Epsilon,
      l1: Number(v.l1),
      filteringIds: v.ids.map(BigInt),
      reports: sum
    })
    const seed = seedOf(bytes(v.noiseKey), name)
    expect({ acc: toHex(sumBytes(sum)), n: String(sum.reports), name, seed: toHex(seed) }).toEqual({
      acc: v.acc,
      n: v.n,
      name: v.fingerprint,
      seed: v.seed
    })
    expect(v.mechanism).toBe(MECHANISM)
    expect(toHex(syncMarker(seed, 1))).toBe(v.sync1)
  })

  it.each(vectors.keyChecks.map((v) => [v.key, v.kcv] as const))("checks key %s by 8 bytes", (key, kcv) => {
    expect(keyCheck(bytes(key))).toBe(kcv)
    expect(ledgerIdentity(bytes("00112233445566778899aabbccddeeff"), bytes(key))).toEqual({
      ledgerId: "00112233445566778899aabbccddeeff",
      fingerprintKcv: kcv
    })
  })

  it("names reports as the formula says, one after the other with one key", () => {
    const macs = reportMacs(F)
    const out = new Uint8Array(32)
    const plain = (kind: number, a: Uint8Array, b: Uint8Array, info: Uint8Array) =>
      createHmac("sha256", F)
        .update("sotto/report/1\0")
        .update(Uint8Array.of(kind))
        .update(a)
        .update(b)
        .update(createHash("sha256").update("aggregation_service").update(info).digest())
        .digest("hex")
    fc.assert(
      fc.property(
        byteArray(32),
        byteArray(16),
        fc.uint8Array({ maxLength: 200 }),
        fc.uint8Array({ maxLength: 200 }),
        (enc, tag, info, payload) => {
          expect(toHex(macs.encrypted(enc, tag, info, out))).toBe(plain(1, enc, tag, info))
          expect(toHex(macs.cleartext(payload, info, out))).toBe(
            plain(0, createHash("sha256").update(payload).digest(), new Uint8Array(16), info)
          )
        }
      )
    )
  })

  it("adds MACs as integers mod 2^256, with every carry", () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(byteArray(32), fc.constant(new Uint8Array(32).fill(255))), { maxLength: 8 }),
        (macs) => {
          const total = macs.reduce((sum, mac) => (sum + BigInt(`0x${toHex(mac)}`)) % 2n ** 256n, 0n)
          const sum = sumOf(macs)
          return toHex(sumBytes(sum)) === total.toString(16).padStart(64, "0") && sum.reports === macs.length
        }
      )
    ))

  it("sums to the same whatever the order and the number of lanes", () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(byteArray(32), fc.nat(15)), { maxLength: 40 }), (macs) => {
        const lanes = Array.from({ length: 16 }, (_, lane) =>
          sumOf(macs.filter(([, at]) => at === lane).map(([mac]) => mac))
        )
        const merged = emptySum()
        for (const lane of lanes.toReversed()) addSum(merged, lane)
        expect(merged).toEqual(sumOf(macs.map(([mac]) => mac)))
      })
    ))

  it("forgets the order and repetition of filtering ids, and nothing else", () => {
    const name = (more: Partial<Question>) => fingerprint(F, question({ reports: published(), ...more }))
    expect(name({ filteringIds: [7n, 0n, 7n] })).toBe(name({ filteringIds: [0n, 7n] }))
    const fewer = published()
    fewer.reports--
    const others = [
      name({}),
      name({ scope: "other" }),
      name({ sums: sumsName(true) }),
      name({ epsilon: 10_000_001 as Epsilon }),
      name({ l1: 65_535 }),
      name({ filteringIds: [1n] }),
      name({ filteringIds: [0n, 1n] }),
      name({ filteringIds: [] }),
      name({ reports: emptySum() }),
      name({ reports: fewer }),
      fingerprint(K, question({ reports: published() }))
    ]
    expect(new Set(others).size).toBe(others.length)
  })

  it("has another seed for another question and for another key", () => {
    const [a, b] = [1, 2].map((n) => String(n).repeat(64) as Fingerprint) as [Fingerprint, Fingerprint]
    expect(new Set([seedOf(K, a), seedOf(K, b), seedOf(F, a)].map(toHex)).size).toBe(3)
    expect(seedOf(K, a)).toEqual(seedOf(K, a))
  })

  it("refuses keys and parts of another length", () => {
    const macs = reportMacs(F)
    const [enc, tag, info] = [new Uint8Array(32), new Uint8Array(16), new Uint8Array(3)]
    expect(() => reportMacs(F.subarray(1))).toThrow("the fingerprint key has 32 bytes, not 31")
    expect(() => macs.encrypted(enc.subarray(1), tag, info)).toThrow(RangeError)
    expect(() => macs.encrypted(enc, tag.subarray(1), info)).toThrow(RangeError)
    expect(() => addReport(emptySum(), tag)).toThrow(RangeError)
    expect(() => seedOf(K, "00" as Fingerprint)).toThrow(RangeError)
    expect(() => seedOf(K, "x".repeat(64) as Fingerprint)).toThrow(RangeError)
    expect(() => keyCheck(tag)).toThrow(RangeError)
  })

  // Why the accumulator adds: with XOR, 257 reports of one's own always contain a set that can be swapped unseen.
  it("is not fooled by the linear collision that breaks an XOR accumulator", () => {
    const macs = reportMacs(F)
    const info = text(`{"api":"shared-storage"}`)
    const pairs = Array.from({ length: 257 }, (_, i) =>
      [0, 1].map((side) => macs.cleartext(text(`${i}/${side}`), info))
    ) as Array<[Uint8Array, Uint8Array]>
    const swapped = dependentSubset(pairs.map(([a, b]) => BigInt(`0x${toHex(a)}`) ^ BigInt(`0x${toHex(b)}`)))
    const first = pairs.map(([a]) => a)
    const second = pairs.map(([a, b], i) => (swapped.has(i) ? b : a))
    const xor = (list: ReadonlyArray<Uint8Array>) => list.reduce((sum, mac) => sum ^ BigInt(`0x${toHex(mac)}`), 0n)
    expect(swapped.size).toBeGreaterThan(0)
    expect(xor(second)).toBe(xor(first))
    expect(sumBytes(sumOf(second))).not.toEqual(sumBytes(sumOf(first)))
  })
})

/** Indices of vectors over GF(2) whose sum is zero; 257 vectors of 256 bits always have some (Gaussian elimination). */
const dependentSubset = (vectors: ReadonlyArray<bigint>): ReadonlySet<number> => {
  const pivots = new Map<number, { readonly vector: bigint; readonly from: bigint }>()
  for (const [i, start] of vectors.entries()) {
    let vector = start
    let from = 1n << BigInt(i)
    while (vector !== 0n) {
      const top = vector.toString(2).length
      const pivot = pivots.get(top)
      if (pivot === undefined) {
        pivots.set(top, { vector, from })
        break
      }
      vector ^= pivot.vector
      from ^= pivot.from
    }
    if (vector === 0n) return new Set([...vectors.keys()].filter((j) => (from >> BigInt(j)) % 2n === 1n))
  }
  throw new Error("the vectors are independent")
}
