/**
 * Reports from … to of a generated set. Report i is a function of the plan and i alone, so neither the size of batches nor
 * the number of threads changes a byte.
 */
import { Contributions, encodePayload, type ReportApi, scale, sharedInfo } from "@sotto/client"
import { sealer } from "@sotto/aggregator/hpke"
import { type Rows, RowWriter } from "@sotto/avro"
import { createCipheriv } from "node:crypto"
import { cellAt, type KeySpace } from "./KeySpace.ts"

/** What all reports of a set have in common; survives a structured clone. */
export interface Plan {
  /** 32 bytes made of the seed. */
  readonly key: Uint8Array
  readonly keySpace: KeySpace
  /** For whom to seal (32 raw bytes); `undefined` leaves the payloads in the clear, with an empty key id. */
  readonly recipient: { readonly id: string; readonly key: Uint8Array } | undefined
  readonly api: ReportApi
  readonly origin: string
  readonly destination: string
  readonly debugMode: boolean
  /** Seconds since 1970; reports are scheduled within the `spreadSeconds` before it. */
  readonly asOf: number
  readonly spreadSeconds: number
}

/** Reports in a form that passes between threads cheaply. */
export interface Batch {
  /** The records, ready to be a block of a reports file. */
  readonly rows: Rows
  /** What the reports contributed: an index into the domain and a value, pair by pair. */
  readonly hits: Uint32Array<ArrayBuffer>
}

const LARGEST_AMOUNT = 500

// Two blocks of ChaCha20 a report: 32 bytes of ephemeral secret, 16 of id, 30 of draws.
const WORDS = 128

/** The words of the reports `from` … `to − 1`: the key stream of the seed, addressed by its block counter. */
const wordsOf = (key: Uint8Array, from: number, to: number): Buffer => {
  const counterAndNonce = Buffer.alloc(16)
  counterAndNonce.writeUInt32LE((from * WORDS) / 64)
  return createCipheriv("chacha20", key, counterAndNonce).update(Buffer.alloc((to - from) * WORDS))
}

const uuidOf = (bytes: Buffer): string => {
  const hex = bytes.toString("hex")
  const variant = "89ab".charAt((bytes[8] as number) & 3)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** Makes the reports `from` … `to − 1`. */
export type BatchMaker = (from: number, to: number) => Batch

/** `undefined` when nothing can be sealed for the recipient's key. */
export const batchMaker = (plan: Plan): BatchMaker | undefined => {
  const { api, keySpace } = plan
  const seals = plan.recipient && sealer(plan.recipient.key)
  if (plan.recipient !== undefined && seals?.seal(new Uint8Array(0), new Uint8Array(0), plan.key) === undefined)
    return undefined
  const measures = keySpace.measures.length
  const count = scale({ max: 1, share: 1 / measures })
  const amount = scale({ max: LARGEST_AMOUNT, share: 1 / measures })
  const keyId = utf8.encode(plan.recipient?.id ?? "")
  const writer = new RowWriter()
  return (from, to) => {
    const hits: Array<number> = []
    const words = wordsOf(plan.key, from, to)
    for (let at = 0; at < words.length; at += WORDS) {
      const uniform = (draw: number): number => words.readUIntBE(at + 48 + 6 * draw, 6) / 2 ** 48
      const contributions = new Contributions()
      const cell = cellAt(keySpace, uniform(0))
      // Mostly small, up to the largest; products need no function whose last digit differs between machines.
      const paid = LARGEST_AMOUNT * uniform(1) * uniform(2)
      keySpace.measures.forEach((measure, i) => {
        const key = cell * measures + i
        const value = measure === "count" ? count.toValue(1) : amount.toValue(paid)
        contributions.add({ bucket: keySpace.domain[key] as bigint, value })
        hits.push(key, value)
      })
      const scheduledReportTime = plan.asOf - 1 - Math.floor(uniform(3) * plan.spreadSeconds)
      const info = utf8.encode(
        sharedInfo({
          api,
          reportingOrigin: plan.origin,
          scheduledReportTime,
          reportId: uuidOf(words.subarray(at + 32, at + 48)),
          debugMode: plan.debugMode,
          ...(api.startsWith("attribution-reporting") ? { attributionDestination: plan.destination } : {}),
          // The day on which the ad was seen, up to a week before; debug reports carry none.
          ...(api === "attribution-reporting"
            ? { sourceRegistrationTime: dayOf(scheduledReportTime - Math.floor(uniform(4) * 7 * DAY)) }
            : {})
        })
      )
      const plaintext = encodePayload(contributions)
      writer.report(seals?.seal(info, plaintext, words.subarray(at, at + 32)) ?? plaintext, keyId, info)
    }
    return { rows: writer.take(), hits: Uint32Array.from(hits) }
  }
}

const DAY = 86_400
const dayOf = (seconds: number): number => Math.max(0, Math.floor(seconds / DAY)) * DAY
const utf8 = new TextEncoder()
