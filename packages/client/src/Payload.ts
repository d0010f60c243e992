import type { Contributions } from "./Contributions.ts"

// CBOR items of fixed text, RFC 8949 §3; 0x60 | length starts a text string.
const text = (value: string): ReadonlyArray<number> => [
  0x60 | value.length,
  ...Array.from(value, (char) => char.charCodeAt(0))
]
const DATA = [0xa2, ...text("data")]
const ID = text("id")
const VALUE = [...text("value"), 0x44]
const BUCKET = [...text("bucket"), 0x50]
const OPERATION = [...text("operation"), ...text("histogram")]

const count = (n: number): ReadonlyArray<number> =>
  n < 24 ? [0x80 | n] : n < 256 ? [0x98, n] : [0x99, n >> 8, n & 255]

/**
 * The plaintext of a report, byte for byte as Chrome writes it (spec: aggregation §3.6): canonical CBOR of
 * `{"data": [{"id", "value", "bucket"} …], "operation": "histogram"}`, padded with null contributions (bucket 0, value 0,
 * id 0) to `contributions.entries`. The length depends on the options only, so it says nothing about the person.
 */
export const encodePayload = (contributions: Contributions): Uint8Array<ArrayBuffer> => {
  const { entries, filteringIdBytes } = contributions
  const id = filteringIdBytes === 0 ? [] : [...ID, 0x40 | filteringIdBytes]
  const entry = [filteringIdBytes === 0 ? 0xa2 : 0xa3, ...id]
  const length = entry.length + filteringIdBytes + VALUE.length + 4 + BUCKET.length + 16
  const head = [...DATA, ...count(entries)]
  const out = new Uint8Array(head.length + entries * length + OPERATION.length)
  let at = 0
  const put = (bytes: ReadonlyArray<number>): void => {
    out.set(bytes, at)
    at += bytes.length
  }
  const number = (value: bigint, bytes: number): void => {
    for (let i = at + bytes - 1; value > 0n; i--, value >>= 8n) out[i] = Number(value & 255n)
    at += bytes
  }
  put(head)
  const given = contributions[Symbol.iterator]()
  for (let i = 0; i < entries; i++) {
    const next = given.next()
    const { bucket, value, filteringId } = next.done === true ? { bucket: 0n, value: 0, filteringId: 0n } : next.value
    put(entry)
    number(filteringId, filteringIdBytes)
    put(VALUE)
    number(BigInt(value), 4)
    put(BUCKET)
    number(bucket, 16)
  }
  put(OPERATION)
  return out
}
