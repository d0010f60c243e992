/**
 * The name of a question, and the seed that follows from it (spec: ledger §2, §4).
 *
 * A question is *which reports, which filtering ids, at what ε, L1, bounds and mechanism, in which scope*. Two runs with
 * one fingerprint ask the same, so they pay once and get the same noise. What only chooses what to print (domain, output
 * place, thresholds) is not part of it.
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { concat, fromHex, label, lp, toHex, u32, u64, utf8 } from "../internal/Bytes.ts"
import { MECHANISM } from "../noise/DiscreteLaplace.ts"
import { questionSeed, type QuestionSeed } from "../noise/Seed.ts"
import type { Epsilon } from "./Epsilon.ts"
import type { Fingerprint, KeyCheck, LedgerIdentity } from "./Spend.ts"

/** How reports become sums; a change of the decoding rules that can change a sum bumps the number. */
export type SumsName = "histogram/1" | "histogram/1;perReport=65536"

/** `bounded`: the values of one report are cut once they pass 65 536 (spec: ledger §7). */
export const sumsName = (bounded: boolean): SumsName => (bounded ? "histogram/1;perReport=65536" : "histogram/1")

/** Bytes of a report's MAC. */
export const MAC_BYTES = 32

/**
 * Names reports: 32 bytes each, unpredictable without the key.
 *
 * Arguments are views and are only read; `out` (32 bytes) may be reused from call to call. About 3 µs a report, because
 * the key's two blocks are hashed once. Not to be shared by threads: it has a scratch buffer.
 */
export interface ReportMacs {
  /** `enc`: HPKE's 32 bytes; `tag`: the 16 bytes that end the ciphertext; `sharedInfo`: the text as it was sent. */
  encrypted(enc: Uint8Array, tag: Uint8Array, sharedInfo: Uint8Array, out?: Uint8Array): Uint8Array
  /** `payload`: the cleartext CBOR. */
  cleartext(payload: Uint8Array, sharedInfo: Uint8Array, out?: Uint8Array): Uint8Array
}

/** `fingerprintKey`: the 32 bytes F of `LedgerKeys`. */
export const reportMacs = (fingerprintKey: Uint8Array): ReportMacs => {
  const keyed = hmac.create(sha256, checked(fingerprintKey, 32, "fingerprint key"))
  const running = keyed.clone()
  // The context string of HPKE's info (spec: aggregation §3.5) starts what is hashed of shared_info.
  const contextual = sha256.create().update(utf8("aggregation_service"))
  const hashing = contextual.clone()
  const head = label("sotto/report/1")
  const message = concat(head, new Uint8Array(1 + 32 + 16 + 32))
  const kind = head.length
  const infoHash = message.subarray(kind + 49)
  const finish = (sharedInfo: Uint8Array, out: Uint8Array): Uint8Array => {
    contextual._cloneInto(hashing).update(sharedInfo).digestInto(infoHash)
    keyed._cloneInto(running).update(message).digestInto(out)
    return out
  }
  return {
    encrypted: (enc, tag, sharedInfo, out = new Uint8Array(MAC_BYTES)) => {
      message[kind] = 1
      message.set(checked(enc, 32, "encapsulated key"), kind + 1)
      message.set(checked(tag, 16, "authentication tag"), kind + 33)
      return finish(sharedInfo, out)
    },
    cleartext: (payload, sharedInfo, out = new Uint8Array(MAC_BYTES)) => {
      message[kind] = 0
      message.set(sha256(payload), kind + 1)
      message.fill(0, kind + 33, kind + 49)
      return finish(sharedInfo, out)
    }
  }
}

/**
 * The sum of the MACs of the counted reports, mod 2²⁵⁶, and their number.
 *
 * Addition commutes, so lanes sum and a merger adds, in any order. `words` are eight 32-bit digits, most significant
 * first. As secret as F: sums of known reports are linear equations about their MACs. Plain data, so that threads can
 * post it.
 */
export interface ReportSum {
  readonly words: Uint32Array
  reports: number
}

export const emptySum = (): ReportSum => ({ words: new Uint32Array(8), reports: 0 })

/** Counts one report by its 32-byte MAC. */
export const addReport = (sum: ReportSum, mac: Uint8Array): void => {
  checked(mac, MAC_BYTES, "report MAC")
  let carry = 0
  for (let i = 7; i >= 0; i--) {
    const at = 4 * i
    const word =
      (((mac[at] as number) << 24) |
        ((mac[at + 1] as number) << 16) |
        ((mac[at + 2] as number) << 8) |
        (mac[at + 3] as number)) >>>
      0
    carry = addWord(sum.words, i, word, carry)
  }
  sum.reports++
}

/** Adds the reports of `other`, which keeps its own. */
export const addSum = (sum: ReportSum, other: ReportSum): void => {
  let carry = 0
  for (let i = 7; i >= 0; i--) carry = addWord(sum.words, i, other.words[i] as number, carry)
  sum.reports += other.reports
}

/** `acc` of the fingerprint: 32 bytes, big-endian. */
export const sumBytes = (sum: ReportSum): Uint8Array => concat(...Array.from(sum.words, u32))

/** What a fingerprint names. `filteringIds` in any order, equal ones count once; `l1` is the bound of one report, 65 536. */
export interface Question {
  readonly scope: string
  readonly sums: SumsName
  readonly epsilon: Epsilon
  readonly l1: number
  readonly filteringIds: ReadonlyArray<bigint>
  readonly reports: ReportSum
}

export const fingerprint = (fingerprintKey: Uint8Array, question: Question): Fingerprint => {
  const ids = [...new Set(question.filteringIds)].toSorted((a, b) => (a < b ? -1 : 1))
  const mac = hmac(
    sha256,
    checked(fingerprintKey, 32, "fingerprint key"),
    concat(
      label("sotto/question/1"),
      lp(question.scope),
      lp(MECHANISM),
      lp(question.sums),
      u64(question.epsilon),
      u64(question.l1),
      u32(ids.length),
      ...ids.map(u64),
      u64(question.reports.reports),
      sumBytes(question.reports)
    )
  )
  return toHex(mac) as Fingerprint
}

/** The seed of a question's noise, from the 32 bytes K of the noise key. The same question gives the same seed for ever. */
export const seedOf = (noiseKey: Uint8Array, question: Fingerprint): QuestionSeed =>
  questionSeed(
    hmac(
      sha256,
      checked(noiseKey, 32, "noise key"),
      concat(label("sotto/seed/1"), bytesOf(question, 32, "fingerprint"))
    )
  )

/** Tells two keys (F or K) apart without saying anything about them (spec: ledger §1). */
export const keyCheck = (key: Uint8Array): KeyCheck =>
  toHex(hmac(sha256, checked(key, 32, "key"), label("sotto/kcv/1")).subarray(0, 8)) as KeyCheck

/** What a ledger is stamped with when it is made and compared with when it is opened. `ledgerId` has 16 bytes. */
export const ledgerIdentity = (ledgerId: Uint8Array, fingerprintKey: Uint8Array): LedgerIdentity => ({
  ledgerId: toHex(checked(ledgerId, 16, "ledger id")),
  fingerprintKcv: keyCheck(fingerprintKey)
})

const addWord = (words: Uint32Array, i: number, word: number, carry: number): number => {
  const total = (words[i] as number) + word + carry
  words[i] = total >>> 0
  return total >= 0x1_0000_0000 ? 1 : 0
}

// Wrong lengths come from a mistake in a program, not from a report, and would merge the names of different things.
const checked = (bytes: Uint8Array, length: number, what: string): Uint8Array => {
  if (bytes.length !== length) throw new RangeError(`the ${what} has ${length} bytes, not ${bytes.length}`)
  return bytes
}

const bytesOf = (text: string, length: number, what: string): Uint8Array => {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new RangeError(`the ${what} is not hexadecimal`)
  return checked(bytes, length, what)
}
