import { type BucketWords, distinctBuckets, readBucket, sortBuckets } from "./Buckets.ts"

/** A key with more than 16 bytes. */
export interface DomainRejected {
  readonly _tag: "DomainRejected"
  /** The key or line, counted from 1 over everything read so far. */
  readonly row: number
  /** Bytes of the key; of a line, at least this many. */
  readonly length: number
}

/** Buckets of an output domain, collected from rows or text and then sorted without duplicates. */
export class OutputDomain {
  #words: BucketWords = new Uint32Array(4 * 1024)
  #rows = 0

  /** Keys read so far, duplicates included. */
  get rows(): number {
    return this.#rows
  }

  /** Adds the key of the big-endian bytes `bytes[start … end − 1]`, the `bucket` of an Avro row. */
  add(bytes: Uint8Array, start = 0, end: number = bytes.length): DomainRejected | undefined {
    if (4 * this.#rows === this.#words.length) {
      const bigger = new Uint32Array(2 * this.#words.length)
      bigger.set(this.#words)
      this.#words = bigger
    }
    if (!readBucket(bytes, start, end, this.#words, this.#rows)) return tooLong(this.#rows + 1, end - start)
    this.#rows++
    return undefined
  }

  /** The distinct keys in ascending order. The domain is empty afterwards: the keys are not copied. */
  take(): BucketWords {
    const words = this.#words.subarray(0, 4 * this.#rows)
    this.#words = new Uint32Array(4)
    this.#rows = 0
    return distinctBuckets(sortBuckets(words))
  }
}

/**
 * Reads a text domain, one key a line, the bytes of the line being the bucket; an empty line is bucket 0 (spec:
 * aggregation §7).
 *
 * A line ends at LF, CR LF or CR, as in Java's reader, so keys that contain these bytes need Avro. The end of the text ends
 * a line that has begun, and no other. Text may be pushed in pieces; a reader serves one object.
 */
export class DomainTextReader {
  readonly #domain: OutputDomain
  readonly #line = new Uint8Array(16)
  #length = 0
  #begun = false
  #afterReturn = false

  constructor(domain: OutputDomain) {
    this.#domain = domain
  }

  push(bytes: Uint8Array): DomainRejected | undefined {
    for (const byte of bytes) {
      const afterReturn = this.#afterReturn
      this.#afterReturn = byte === RETURN
      if (byte === LINE_FEED && afterReturn) continue
      if (byte === LINE_FEED || byte === RETURN) this.#endLine()
      else {
        if (this.#length === 16) return tooLong(this.#domain.rows + 1, 17)
        this.#line[this.#length++] = byte
        this.#begun = true
      }
    }
    return undefined
  }

  end(): void {
    if (this.#begun) this.#endLine()
    this.#afterReturn = false
  }

  #endLine(): void {
    this.#domain.add(this.#line, 0, this.#length)
    this.#length = 0
    this.#begun = false
  }
}

const LINE_FEED = 10
const RETURN = 13

const tooLong = (row: number, length: number): DomainRejected => ({ _tag: "DomainRejected", row, length })
