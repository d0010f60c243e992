import { readBucket } from "./Buckets.ts"
import type { Contributions } from "./Contributions.ts"

/** The payload is not what a report may carry: REPORT_PARSING_ERROR. */
export const PAYLOAD_MALFORMED = -1
/** A histogram; its contributions are in the sink. */
export const PAYLOAD_HISTOGRAM = 0
/** Well formed, but of another operation: UNSUPPORTED_OPERATION. Its contributions are not in the sink. */
export const PAYLOAD_OTHER_OPERATION = 1

export type PayloadOutcome = typeof PAYLOAD_MALFORMED | typeof PAYLOAD_HISTOGRAM | typeof PAYLOAD_OTHER_OPERATION

/** Arrays, maps, tags and indefinite strings inside each other, at most; clients need three. */
export const MAX_CBOR_DEPTH = 64

/**
 * Decodes the plaintext `bytes[start … end − 1]` of one report and appends its contributions, null ones included, to
 * `sink`. Anything but PAYLOAD_HISTOGRAM leaves `sink.length` as it was. Never throws, linear in the bytes.
 *
 * The plaintext is CBOR (RFC 8949): `{"operation": text, "data": [{"bucket": bstr, "value": bstr, "id": bstr?}, …]}` with
 * big-endian strings of at most 16, 4 and 8 bytes; shorter ones, the empty one included, are zero-extended. Missing
 * `data` means no contributions. Unknown members, such as padding, and bytes behind the map are ignored (spec: aggregation
 * §3.6). Definite and indefinite lengths are read. A member given twice, a tag around a known value, or a key that is
 * neither text nor an integer is malformed: no client writes it, and decoders would disagree about it.
 */
export const decodePayload = (bytes: Uint8Array, start: number, end: number, sink: Contributions): PayloadOutcome => {
  const length = sink.length
  if (decodeCanonical(bytes, start, end, sink)) return PAYLOAD_HISTOGRAM
  sink.length = length
  const outcome = new Decoder(bytes, start, end, sink).payload()
  if (outcome !== PAYLOAD_HISTOGRAM) sink.length = length
  return outcome
}

// What Chrome writes, in canonical order of keys: a2 64 "data" <array> { a2|a3 [62 "id" bstr] 65 "value" bstr 66 "bucket" bstr } … 69
// "operation" 69 "histogram". False on any surprise: the general decoder then decides.
const decodeCanonical = (bytes: Uint8Array, start: number, end: number, sink: Contributions): boolean => {
  if (end - start < 7 || bytes[start] !== 0xa2 || !matches(bytes, start + 1, DATA)) return false
  let at = start + 6
  const head = bytes[at] as number
  let count: number
  if (head >= 0x80 && head <= 0x97) {
    count = head - 0x80
    at += 1
  } else if (head === 0x98) {
    count = bytes[at + 1] as number
    at += 2
  } else if (head === 0x99) {
    count = ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    at += 3
  } else return false
  // The smallest contribution below has 36 bytes, so a count that cannot fit reserves nothing.
  if (!(count * 36 <= end - at)) return false
  sink.reserve(count)
  const { buckets, values, ids } = sink
  let row = sink.length
  for (let i = 0; i < count; i++, row++) {
    const members = bytes[at] as number
    let hi = 0
    let lo = 0
    if (members === 0xa3) {
      if (bytes[at + 1] !== 0x62 || bytes[at + 2] !== 0x69 || bytes[at + 3] !== 0x64) return false
      const size = (bytes[at + 4] as number) - 0x40
      if (!(size >= 0 && size <= 8) || at + 5 + size > end) return false
      at += 5
      for (let k = 0; k < size; k++) {
        hi = (hi << 8) | (lo >>> 24)
        lo = (lo << 8) | (bytes[at + k] as number)
      }
      at += size
    } else if (members === 0xa2) at += 1
    else return false
    if (at + 35 > end) return false
    // 65 "value" 44
    if (
      bytes[at] !== 0x65 ||
      bytes[at + 1] !== 0x76 ||
      bytes[at + 2] !== 0x61 ||
      bytes[at + 3] !== 0x6c ||
      bytes[at + 4] !== 0x75 ||
      bytes[at + 5] !== 0x65 ||
      bytes[at + 6] !== 0x44
    )
      return false
    values[row] =
      ((bytes[at + 7] as number) << 24) |
      ((bytes[at + 8] as number) << 16) |
      ((bytes[at + 9] as number) << 8) |
      (bytes[at + 10] as number)
    at += 11
    // 66 "bucket" 50
    if (
      bytes[at] !== 0x66 ||
      bytes[at + 1] !== 0x62 ||
      bytes[at + 2] !== 0x75 ||
      bytes[at + 3] !== 0x63 ||
      bytes[at + 4] !== 0x6b ||
      bytes[at + 5] !== 0x65 ||
      bytes[at + 6] !== 0x74 ||
      bytes[at + 7] !== 0x50
    )
      return false
    readBucket(bytes, at + 8, at + 24, buckets, row)
    ids[2 * row] = hi
    ids[2 * row + 1] = lo
    at += 24
  }
  if (at + 20 > end || !matches(bytes, at, OPERATION_HISTOGRAM)) return false
  sink.length = row
  return true
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0))

const DATA = ascii("ddata")
const OPERATION_HISTOGRAM = ascii("ioperationihistogram")
const KEY_DATA = ascii("data")
const KEY_OPERATION = ascii("operation")
const KEY_BUCKET = ascii("bucket")
const KEY_VALUE = ascii("value")
const KEY_ID = ascii("id")
const HISTOGRAM = ascii("histogram")

const matches = (bytes: Uint8Array, at: number, text: Uint8Array): boolean => {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false
  return true
}

const BYTES = 2
const TEXT = 3
const ARRAY = 4
const MAP = 5
const TAG = 6
const SIMPLE = 7
const INDEFINITE = -1
const BREAK = 0xff
/** Longest string whose content matters, and one more to see that it is longer. */
const SCRATCH = 17

/** The general decoder: any well-formed CBOR. Every method returns false (or below 0) where the bytes are malformed. */
class Decoder {
  readonly bytes: Uint8Array
  at: number
  readonly end: number
  readonly sink: Contributions
  /** Of the last header read. */
  major = 0
  argument = 0
  /** Content of the last string read, and its true length. */
  readonly text = new Uint8Array(SCRATCH)
  textLength = 0

  constructor(bytes: Uint8Array, start: number, end: number, sink: Contributions) {
    this.bytes = bytes
    this.at = start
    this.end = Math.min(end, bytes.length)
    this.sink = sink
  }

  payload(): PayloadOutcome {
    if (!this.expect(MAP)) return PAYLOAD_MALFORMED
    const members = this.argument
    let operation: boolean | undefined
    let data = false
    for (let i = 0; i !== members; i++) {
      if (members === INDEFINITE && this.atBreak()) break
      if (!this.key()) return PAYLOAD_MALFORMED
      if (this.isText(KEY_DATA)) {
        if (data || !this.contributions()) return PAYLOAD_MALFORMED
        data = true
      } else if (this.isText(KEY_OPERATION)) {
        if (operation !== undefined || !this.expect(TEXT) || !this.string()) return PAYLOAD_MALFORMED
        operation = this.isText(HISTOGRAM)
      } else if (!this.skip(1)) return PAYLOAD_MALFORMED
    }
    return operation === undefined ? PAYLOAD_MALFORMED : operation ? PAYLOAD_HISTOGRAM : PAYLOAD_OTHER_OPERATION
  }

  contributions(): boolean {
    if (!this.expect(ARRAY)) return false
    const count = this.argument
    for (let i = 0; i !== count; i++) {
      if (count === INDEFINITE && this.atBreak()) return true
      if (!this.contribution()) return false
    }
    return true
  }

  contribution(): boolean {
    if (!this.expect(MAP)) return false
    const members = this.argument
    const { sink } = this
    sink.reserve(1)
    const row = sink.length
    let bucket = false
    let value = false
    let id = false
    for (let i = 0; i !== members; i++) {
      if (members === INDEFINITE && this.atBreak()) break
      if (!this.key()) return false
      if (this.isText(KEY_BUCKET)) {
        if (bucket || !this.number(16)) return false
        bucket = readBucket(this.text, 0, this.textLength, sink.buckets, row)
      } else if (this.isText(KEY_VALUE)) {
        if (value || !this.number(4)) return false
        sink.values[row] = this.word(0, this.textLength)
        value = true
      } else if (this.isText(KEY_ID)) {
        if (id || !this.number(8)) return false
        const split = Math.max(0, this.textLength - 4)
        sink.ids[2 * row] = this.word(0, split)
        sink.ids[2 * row + 1] = this.word(split, this.textLength)
        id = true
      } else if (!this.skip(2)) return false
    }
    if (!bucket || !value) return false
    if (!id) sink.ids.fill(0, 2 * row, 2 * row + 2)
    sink.length = row + 1
    return true
  }

  expect(major: number): boolean {
    return this.header() && this.major === major
  }

  /** A byte string of at most `size` bytes, into `text`. */
  number(size: number): boolean {
    return this.expect(BYTES) && this.string() && this.textLength <= size
  }

  /** Big-endian word of `text[from … to − 1]`, at most four bytes. */
  word(from: number, to: number): number {
    let word = 0
    for (let i = from; i < to; i++) word = (word << 8) | (this.text[i] as number)
    return word >>> 0
  }

  /** A member's key. An integer, which some decoders read as its decimal text, is never a known one. */
  key(): boolean {
    if (!this.header()) return false
    if (this.major === TEXT) return this.string()
    this.textLength = 0
    return this.major === 0 || this.major === 1
  }

  isText(text: Uint8Array): boolean {
    return this.textLength === text.length && matches(this.text, 0, text)
  }

  atBreak(): boolean {
    if (this.at >= this.end || this.bytes[this.at] !== BREAK) return false
    this.at++
    return true
  }

  /**
   * Reads a header into `major` and `argument`. A definite string or container that cannot fit is refused here, so that
   * no count costs more than the bytes that are there.
   */
  header(): boolean {
    if (this.at >= this.end) return false
    const initial = this.bytes[this.at++] as number
    this.major = initial >> 5
    const info = initial & 31
    if (info < 24) this.argument = info
    else if (info < 28) {
      const size = 1 << (info - 24)
      if (this.end - this.at < size) return false
      let argument = 0
      // Beyond 2⁵³ this rounds, which no length survives and no integer or tag needs.
      for (let i = 0; i < size; i++) argument = argument * 256 + (this.bytes[this.at++] as number)
      this.argument = argument
      if (this.major === SIMPLE && info === 24 && argument < 32) return false
    } else if (info === 31 && this.major >= BYTES && this.major <= MAP) {
      this.argument = INDEFINITE
      return true
    } else return false
    const left = this.end - this.at
    if (this.major === BYTES || this.major === TEXT || this.major === ARRAY) return this.argument <= left
    return this.major !== MAP || this.argument * 2 <= left
  }

  /** The content of the string whose header was just read; `text` keeps its first bytes. */
  string(): boolean {
    this.textLength = 0
    if (this.argument !== INDEFINITE) return this.chunk()
    const major = this.major
    while (!this.atBreak()) {
      if (!this.header() || this.major !== major || this.argument === INDEFINITE || !this.chunk()) return false
    }
    return true
  }

  chunk(): boolean {
    const size = this.argument
    for (let i = 0; i < size && this.textLength + i < SCRATCH; i++) {
      this.text[this.textLength + i] = this.bytes[this.at + i] as number
    }
    this.textLength += size
    this.at += size
    return true
  }

  /** Passes over one item of any kind, which lies `depth` containers deep. */
  skip(depth: number): boolean {
    if (depth > MAX_CBOR_DEPTH || !this.header()) return false
    const { major, argument } = this
    if (major === BYTES || major === TEXT) return this.string()
    if (major === TAG) return this.skip(depth + 1)
    if (major !== ARRAY && major !== MAP) return true
    for (let i = 0; i !== argument; i++) {
      if (argument === INDEFINITE && this.atBreak()) return true
      if (!this.skip(depth + 1)) return false
      if (major === MAP && !this.skip(depth + 1)) return false
    }
    return true
  }
}
