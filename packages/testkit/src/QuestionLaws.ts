/**
 * The laws of naming questions (spec: ledger §2, §4): what a fingerprint must tell apart, and what follows from it.
 *
 * Not a port: the subject is the scheme itself, so that a wrong one can be shown to be caught.
 */
import {
  addReport,
  emptySum,
  type Epsilon,
  type Fingerprint,
  fingerprint,
  type Question,
  reportMacs,
  type ReportSum,
  seedOf
} from "@sotto/core/budget"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as fc from "fast-check"
import type { Law, Mutant } from "./Law.ts"
import { LEDGER_TEST_KEYS } from "./LedgerLab.ts"

/** How reports add up, how a question is named, and what its seed is at the n-th attempt. */
export class QuestionScheme extends Context.Service<
  QuestionScheme,
  {
    readonly add: (sum: ReportSum, mac: Uint8Array) => void
    readonly name: (fingerprintKey: Uint8Array, question: Question) => Fingerprint
    readonly seed: (noiseKey: Uint8Array, question: Fingerprint, attempt: number) => Uint8Array
  }
>()("@sotto/testkit/QuestionScheme") {}

type Scheme = QuestionScheme["Service"]

const right: Scheme = { add: addReport, name: fingerprint, seed: (key, question) => seedOf(key, question) }

/** The scheme of core. */
export const layerQuestionScheme: Layer.Layer<QuestionScheme> = Layer.succeed(QuestionScheme, right)

const mutant = (name: string, wrong: Partial<Scheme>): Mutant<QuestionScheme> => ({
  name,
  apply: () => Layer.succeed(QuestionScheme, { ...right, ...wrong })
})

const forgetting = (what: string, forgotten: Partial<Question>) =>
  mutant(`fingerprint without ${what}`, { name: (key, question) => right.name(key, { ...question, ...forgotten }) })

const xorAccumulator = mutant("XOR accumulator", {
  add: (sum, mac) => {
    const view = new DataView(mac.buffer, mac.byteOffset, mac.length)
    for (let i = 0; i < 8; i++) sum.words[i] = (sum.words[i] as number) ^ view.getUint32(4 * i)
    sum.reports++
  }
})

const orderedAccumulator = mutant("accumulator that depends on the order", {
  add: (sum, mac) => {
    sum.words.set([...sum.words.slice(1), sum.words[0] as number])
    addReport(sum, mac)
  }
})

const seedPerAttempt = mutant("seed per attempt", {
  seed: (key, question, attempt) => right.seed(key, question.replace(/^../, `0${attempt % 10}`) as Fingerprint, 0)
})

const property =
  <A>(input: fc.Arbitrary<A>, body: (scheme: Scheme, input: A) => boolean) =>
  (subject: Layer.Layer<QuestionScheme>): fc.IAsyncProperty<unknown> =>
    fc.asyncProperty(input, (value) =>
      Effect.runPromise(
        Effect.provide(
          QuestionScheme.use((scheme) => Effect.sync(() => body(scheme, value))),
          subject
        )
      )
    ) as fc.IAsyncProperty<unknown>

const F = LEDGER_TEST_KEYS.fingerprintKey
const sumOf = (scheme: Scheme, macs: ReadonlyArray<Uint8Array>): ReportSum => {
  const sum = emptySum()
  for (const mac of macs) scheme.add(sum, mac)
  return sum
}

const macs = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 6 })
const questions = fc.record({
  scope: fc.constantFrom("default", "other", ""),
  sums: fc.constantFrom("histogram/1" as const, "histogram/1;perReport=65536" as const),
  epsilon: fc.integer({ min: 1, max: 4 }).map((n) => (n * 1_000_000) as Epsilon),
  l1: fc.constantFrom(65_536, 65_535, 1),
  filteringIds: fc.uniqueArray(fc.bigInt({ min: 0n, max: 3n }), { maxLength: 4 }).map((ids) => ids.toSorted())
})

const text = (question: object): string =>
  JSON.stringify(question, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value))

const PORT = "QuestionScheme"

export const questionLaws: ReadonlyArray<Law<QuestionScheme>> = [
  {
    id: "ORDER-FREE",
    port: PORT,
    rule: "The order in which reports are added does not change their question.",
    mutants: [orderedAccumulator],
    property: property(fc.tuple(macs, fc.infiniteStream(fc.nat())), (scheme, [list, keys]) => {
      const shuffled = list
        .map((mac) => ({ mac, at: keys.next().value }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ mac }) => mac)
      return sumOf(scheme, list).words.join() === sumOf(scheme, shuffled).words.join()
    })
  },
  {
    id: "ONE-NAME",
    port: PORT,
    rule: "Two questions have one fingerprint exactly when they agree in scope, sums, ε, L1, filtering ids and reports.",
    mutants: [
      forgetting("ids", { filteringIds: [] }),
      forgetting("ε", { epsilon: 1 as Epsilon }),
      forgetting("L1", { l1: 1 }),
      forgetting("scope", { scope: "" }),
      forgetting("reports", { reports: emptySum() })
    ],
    property: property(fc.tuple(questions, questions, macs, fc.nat(5)), (scheme, [first, other, list, changed]) => {
      // The second differs from the first in at most one member, or in a report that is counted twice.
      const member = (["scope", "sums", "epsilon", "l1", "filteringIds"] as const)[changed]
      const second = member === undefined ? first : { ...first, [member]: other[member] }
      const counted = member === undefined ? list.concat(list.slice(0, 1)) : list
      const a = scheme.name(F, { ...first, reports: sumOf(scheme, list) })
      const b = scheme.name(F, { ...second, reports: sumOf(scheme, counted) })
      return (a === b) === (text(first) === text(second) && counted.length === list.length)
    })
  },
  {
    id: "NO-SWAP",
    port: PORT,
    rule: "Whoever sees the sums of crafted reports still cannot swap some of them for others unseen by linear algebra.",
    mutants: [xorAccumulator],
    property: property(fc.nat(), (scheme, salt) => {
      const named = reportMacs(F)
      // 257 pairs over 256 bits: some set of differences always sums to zero over GF(2).
      const crafted = (i: number, side: number) =>
        named.cleartext(Uint8Array.of(i & 255, i >> 8, side, salt & 255, (salt >> 8) & 255), F)
      const pairs = Array.from({ length: 257 }, (_, i) => [crafted(i, 0), crafted(i, 1)] as const)
      const swap = dependentSet(pairs.map(([a, b]) => bits(a) ^ bits(b)))
      const before = sumOf(
        scheme,
        pairs.map(([a]) => a)
      )
      const after = sumOf(
        scheme,
        pairs.map(([a, b], i) => (swap.has(i) ? b : a))
      )
      return swap.size > 0 && before.words.join() !== after.words.join()
    })
  },
  {
    id: "ONE-SEED",
    port: PORT,
    rule: "A question has one seed for ever, whatever the attempt; another question or another key has another.",
    mutants: [seedPerAttempt],
    property: property(fc.tuple(questions, questions, fc.nat(20)), (scheme, [one, two, attempt]) => {
      const [k, other] = [...LEDGER_TEST_KEYS.noiseKeys.values()] as [Uint8Array, Uint8Array]
      const first = scheme.name(F, { ...one, reports: emptySum() })
      const second = scheme.name(F, { ...two, reports: emptySum() })
      const seed = scheme.seed(k, first, 0).join()
      return (
        scheme.seed(k, first, attempt).join() === seed &&
        scheme.seed(other, first, 0).join() !== seed &&
        (scheme.seed(k, second, 0).join() === seed) === (first === second)
      )
    })
  }
]

const bits = (mac: Uint8Array): bigint => mac.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)

/** Indices of vectors over GF(2) that sum to zero, by elimination; empty when they are independent. */
const dependentSet = (vectors: ReadonlyArray<bigint>): ReadonlySet<number> => {
  const pivots = new Map<number, { readonly vector: bigint; readonly members: bigint }>()
  for (const [i, start] of vectors.entries()) {
    let vector = start
    let members = 1n << BigInt(i)
    for (;;) {
      if (vector === 0n) return new Set(vectors.flatMap((_, j) => ((members >> BigInt(j)) & 1n ? [j] : [])))
      const top =
        vector.toString(16).length * 4 - Math.clz32(Number.parseInt(vector.toString(16)[0] as string, 16)) + 28
      const pivot = pivots.get(top)
      if (pivot === undefined) {
        pivots.set(top, { vector, members })
        break
      }
      vector ^= pivot.vector
      members ^= pivot.members
    }
  }
  return new Set()
}
