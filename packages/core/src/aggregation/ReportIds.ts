import { type HashKey, halfSip } from "./KeyedHash.ts"

/**
 * Reads a `report_id` the way `java.util.UUID` does and writes its 128 bits as four words, most significant first, to
 * `out[at … at + 3]`. False, and nothing written, unless the text is five groups of hexadecimal digits with dashes
 * between and at most 36 characters (spec: aggregation §4.1-7).
 *
 * A group may be shorter or longer than in the canonical form: it is zero-extended, or its surplus high bits dropped.
 */
export const parseReportId = (text: string, out: Uint32Array, at = 0): boolean => {
  const length = text.length
  if (length > 36) return false
  let group = 0
  let digits = 0
  // Of the current group the last 48 bits: 16 high and 32 low.
  let high = 0
  let low = 0
  let first = 0
  let second = 0
  let third = 0
  let fourth = 0
  for (let i = 0; i <= length; i++) {
    const c = i < length ? text.charCodeAt(i) : DASH
    if (c === DASH) {
      if (digits === 0) return false
      if (group === 0) first = low
      else if (group === 1) second = low & 0xffff
      else if (group === 2) third = low & 0xffff
      else if (group === 3) fourth = low & 0xffff
      else if (i < length) return false
      else {
        out[at] = first
        out[at + 1] = (second << 16) | third
        out[at + 2] = (fourth << 16) | (high & 0xffff)
        out[at + 3] = low
        return true
      }
      group++
      digits = 0
      high = 0
      low = 0
    } else {
      const digit = c >= 48 && c <= 57 ? c - 48 : (c | 32) >= 97 && (c | 32) <= 102 ? (c | 32) - 87 : -1
      if (digit < 0) return false
      high = ((high << 4) | (low >>> 28)) & 0xffff
      low = (low << 4) | digit
      digits++
    }
  }
  return false
}

const DASH = 45

/** The canonical text of the id at `words[at … at + 3]`. */
export const printReportId = (words: Uint32Array, at = 0): string => {
  const hex = [0, 1, 2, 3].map((i) => (words[at + i] as number).toString(16).padStart(8, "0")).join("")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const SEGMENTS = 256
const FIRST_CAPACITY = 16

/**
 * A set of 128-bit report ids, for de-duplication.
 *
 * Open addressing over `Uint32Array`s, cut into 256 segments that grow by half when 3/4 full: between 22 and 32 bytes an
 * id, plus one segment of a 256th of the ids while it grows. The hash is keyed, because whoever writes reports chooses
 * their ids.
 */
export class ReportIds {
  #size = 0
  readonly #key: HashKey
  readonly #slots: Array<Uint32Array> = []
  readonly #sizes = new Uint32Array(SEGMENTS)
  // The all-zero id marks an empty slot, so it is remembered here.
  #zero = false

  constructor(key: HashKey) {
    this.#key = key
    for (let i = 0; i < SEGMENTS; i++) this.#slots.push(new Uint32Array(4 * FIRST_CAPACITY))
  }

  get size(): number {
    return this.#size
  }

  /** Bytes of the tables now. */
  get byteLength(): number {
    return this.#slots.reduce((sum, slots) => sum + slots.byteLength, 0)
  }

  /** Adds the id of these four words; false when it was there already. */
  add(a: number, b: number, c: number, d: number): boolean {
    if ((a | b | c | d) === 0) {
      const fresh = !this.#zero
      this.#zero = true
      if (fresh) this.#size++
      return fresh
    }
    const hash = halfSip(this.#key, a, b, c, d)
    const segment = hash & (SEGMENTS - 1)
    let slots = this.#slots[segment] as Uint32Array
    let at = place(slots, hash, a, b, c, d)
    if (at < 0) return false
    const size = (this.#sizes[segment] as number) + 1
    if (size * 4 > (slots.length >>> 2) * 3) {
      slots = grown(slots, this.#key)
      this.#slots[segment] = slots
      at = place(slots, hash, a, b, c, d)
    }
    slots[at] = a
    slots[at + 1] = b
    slots[at + 2] = c
    slots[at + 3] = d
    this.#sizes[segment] = size
    this.#size++
    return true
  }
}

/** Index of the empty slot for this id, or −1 when the id is in. */
const place = (slots: Uint32Array, hash: number, a: number, b: number, c: number, d: number): number => {
  const length = slots.length
  let at = home(hash, length >>> 2) << 2
  for (;;) {
    const x = slots[at] as number
    const y = slots[at + 1] as number
    const z = slots[at + 2] as number
    const w = slots[at + 3] as number
    if ((x | y | z | w) === 0) return at
    if (x === a >>> 0 && y === b >>> 0 && z === c >>> 0 && w === d >>> 0) return -1
    at += 4
    if (at === length) at = 0
  }
}

/** The high bits of the hash scaled to 0 … capacity − 1; the low eight chose the segment. */
const home = (hash: number, capacity: number): number => Math.floor(((hash >>> 8) / 0x100_0000) * capacity)

const grown = (slots: Uint32Array, key: HashKey): Uint32Array => {
  const capacity = slots.length >>> 2
  const bigger = new Uint32Array(4 * (capacity + Math.ceil(capacity / 2)))
  for (let i = 0; i < slots.length; i += 4) {
    const a = slots[i] as number
    const b = slots[i + 1] as number
    const c = slots[i + 2] as number
    const d = slots[i + 3] as number
    if ((a | b | c | d) === 0) continue
    const at = place(bigger, halfSip(key, a, b, c, d), a, b, c, d)
    bigger[at] = a
    bigger[at + 1] = b
    bigger[at + 2] = c
    bigger[at + 3] = d
  }
  return bigger
}
