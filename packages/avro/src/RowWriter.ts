/** Rows of one block, encoded (Avro 1.12, "Binary Encoding"), ready for `writeBlock`. */
export interface Rows {
  readonly rows: number
  readonly data: Uint8Array
}

const BUCKET_BYTES = 16
const utf8 = new TextEncoder()

/** Which half of a 64-bit number comes first in memory here. */
const LOW = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1

/**
 * Encodes rows of our four shapes into one growing array.
 *
 * The same rows give the same bytes, on every machine. A caller cuts blocks where it likes, by `bytes` or `count`.
 */
export class RowWriter {
  #data: Uint8Array
  #at = 0
  #rows = 0

  /** @param capacity Bytes to begin with; the array doubles as needed and is kept between blocks. */
  constructor(capacity = 65_536) {
    this.#data = new Uint8Array(Math.max(capacity, 64))
  }

  get count(): number {
    return this.#rows
  }

  get bytes(): number {
    return this.#at
  }

  /** `payload`: bytes, `key_id`: string, `shared_info`: string. */
  report(payload: Uint8Array, keyId: string | Uint8Array, sharedInfo: string | Uint8Array): void {
    this.#bytes(payload)
    this.#bytes(typeof keyId === "string" ? utf8.encode(keyId) : keyId)
    this.#bytes(typeof sharedInfo === "string" ? utf8.encode(sharedInfo) : sharedInfo)
    this.#rows++
  }

  /** `bucket`: bytes, all 16, as clients write output domains. */
  domainKey(buckets: Uint8Array, at = 0): void {
    this.#bytes(buckets.subarray(at, at + BUCKET_BYTES))
    this.#rows++
  }

  /** `bucket`: bytes without leading zeros, zero being no bytes (spec: aggregation §3.1), `metric`: long. */
  fact(buckets: Uint8Array, at: number, metric: bigint): void {
    this.#shortBucket(buckets, at)
    this.#long(metric)
    this.#rows++
  }

  /** `count` facts from number `from` on: bucket n is `buckets[16n … 16n + 15]`, its metric `metrics[n]`. */
  facts(buckets: Uint8Array, metrics: BigInt64Array, from: number, count: number): void {
    // Halves of the metrics: a bigint for each would cost more than everything else here.
    const halves = new Int32Array(metrics.buffer, metrics.byteOffset, 2 * metrics.length)
    for (let n = from; n < from + count; n++) {
      this.#shortBucket(buckets, BUCKET_BYTES * n)
      this.#halves(halves[2 * n + LOW] as number, halves[2 * n + 1 - LOW] as number)
      this.#rows++
    }
  }

  /** A fact of a debug run. `annotations` are the symbols' numbers, in the order in which they shall stand. */
  debugFact(
    buckets: Uint8Array,
    at: number,
    unnoisedMetric: bigint,
    noise: bigint,
    annotations: ReadonlyArray<number>
  ): void {
    this.#shortBucket(buckets, at)
    this.#long(unnoisedMetric)
    this.#long(noise)
    this.#room(10 * (annotations.length + 2))
    if (annotations.length > 0) {
      this.#number(annotations.length)
      for (const symbol of annotations) this.#number(symbol)
    }
    this.#number(0)
    this.#rows++
  }

  /** The rows so far, in an array of their own; the writer is empty again. */
  take(): Rows {
    const rows = { rows: this.#rows, data: this.#data.slice(0, this.#at) }
    this.#at = 0
    this.#rows = 0
    return rows
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#data.length) return
    const grown = new Uint8Array(Math.max(2 * this.#data.length, this.#at + bytes))
    grown.set(this.#data.subarray(0, this.#at))
    this.#data = grown
  }

  #bytes(bytes: Uint8Array): void {
    this.#room(bytes.length + 10)
    this.#number(bytes.length)
    this.#data.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #shortBucket(buckets: Uint8Array, at: number): void {
    this.#room(BUCKET_BYTES + 1)
    let from = at
    const end = at + BUCKET_BYTES
    while (from < end && buckets[from] === 0) from++
    this.#number(end - from)
    while (from < end) this.#data[this.#at++] = buckets[from++] as number
  }

  /** A non-negative number below 2⁵². */
  #number(value: number): void {
    let rest = 2 * value
    while (rest >= 0x80) {
      this.#data[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#data[this.#at++] = rest
  }

  #long(value: bigint): void {
    this.#halves(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
  }

  /** A long of two signed halves, as a zigzag varint. */
  #halves(low: number, high: number): void {
    this.#room(10)
    const sign = high >> 31
    let zigzagLow = ((low << 1) ^ sign) >>> 0
    let zigzagHigh = (((high << 1) | (low >>> 31)) ^ sign) >>> 0
    while (zigzagHigh !== 0 || zigzagLow >= 0x80) {
      this.#data[this.#at++] = (zigzagLow & 0x7f) | 0x80
      zigzagLow = ((zigzagLow >>> 7) | (zigzagHigh << 25)) >>> 0
      zigzagHigh >>>= 7
    }
    this.#data[this.#at++] = zigzagLow
  }
}
