import type { AvroLimits } from "../AvroLimits.ts"

/** A varint that is cut, longer than ten bytes, or beyond ±2⁵³: `reason` says which. */
const BAD = Number.NaN

/**
 * A place in the bytes of one block, and what went wrong there.
 *
 * One object is reused for a whole block, so that reading a row allocates nothing.
 */
export class Cursor {
  readonly bytes: Uint8Array
  readonly limits: AvroLimits
  at = 0
  emptyValues = 0
  reason: string | undefined = undefined

  constructor(bytes: Uint8Array, limits: AvroLimits) {
    this.bytes = bytes
    this.limits = limits
  }

  /** `false`, and the first reason is kept. */
  fail(reason: string): false {
    this.reason ??= `${reason} (byte ${this.at} of the block's data)`
    return false
  }

  /**
   * A zigzag varint (Avro 1.12, "Binary Encoding"): exact within ±2⁵³, `BAD` when cut or longer than 64 bits.
   * Beyond 2⁵³ the result is rounded, which is enough for counts and lengths: they are refused long before.
   */
  long(): number {
    const bytes = this.bytes
    const first = bytes[this.at]
    if (first !== undefined && first < 0x80) {
      this.at++
      return (first >>> 1) ^ -(first & 1)
    }
    let raw = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      const byte = bytes[this.at]
      if (byte === undefined) {
        this.fail("a number is cut off")
        return BAD
      }
      this.at++
      raw += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (i === 9 && byte > 1) break
        return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
      }
      scale *= 128
    }
    this.fail("a number has more than 64 bits")
    return BAD
  }

  /** The length of bytes that follow, all of them present; −1 when not so. */
  length(): number {
    const length = this.long()
    if (length >= 0 && length <= this.bytes.length - this.at) return length
    this.fail(length < 0 ? `a length is negative: ${length}` : `${length} bytes are announced, fewer follow`)
    return -1
  }

  skipBytes(): boolean {
    const length = this.length()
    if (length < 0) return false
    this.at += length
    return true
  }

  advance(count: number): boolean {
    if (count > this.bytes.length - this.at) return this.fail("a value is cut off")
    this.at += count
    return true
  }

  /** Counts a value that takes no bytes against the limit. */
  empty(): boolean {
    this.emptyValues++
    return (
      this.emptyValues <= this.limits.emptyValues ||
      this.fail(`more than ${this.limits.emptyValues} values of no bytes in a block`)
    )
  }
}
