import { RecordsUnreadable, type ReadRecord } from "@sotto/core/ports/RecordFormat"
import type { Plain } from "@sotto/core/job"

/** Arrays and objects inside each other, at most. */
const MAX_DEPTH = 64

export interface ItemLimits {
  /** UTF-16 units of one item. */
  readonly maxLength: number
}

/**
 * The items of a JSON array, of a text that comes in pieces; an object is taken for the only item. Only where an item
 * ends is found here; what it says is read by the language.
 */
export class JsonItems {
  readonly #limits: ItemLimits
  #state: "start" | "item" | "end" = "start"
  /** The item so far. */
  #text = ""
  /** Whether something other than blanks was seen of it. */
  #begun = false
  #alone = false
  #depth = 0
  #inString = false
  #escaped = false
  #items = 0
  #line = 1
  #itemLine = 1

  constructor(limits: ItemLimits) {
    this.#limits = limits
  }

  /** The items that end in this piece, or why the rest cannot be read. */
  push(piece: string): ReadonlyArray<ReadRecord> | RecordsUnreadable {
    const items: Array<ReadRecord> = []
    let from = 0
    for (let i = 0; i < piece.length; i++) {
      const c = piece.charCodeAt(i)
      if (c === LF) this.#line++
      if (this.#state !== "item") {
        if (isBlank(c)) continue
        if (this.#state === "end") return this.#unreadable("there is more behind the array")
        if (c === OPEN_ARRAY) {
          this.#state = "item"
          from = i + 1
          continue
        }
        if (c !== OPEN_OBJECT) return this.#unreadable("expected an array of objects")
        this.#state = "item"
        this.#alone = true
        from = i
      }
      if (!this.#begun && !isBlank(c)) {
        this.#begun = true
        this.#itemLine = this.#line
      }
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (c === BACKSLASH) this.#escaped = true
        else if (c === QUOTE) this.#inString = false
        continue
      }
      if (c === QUOTE) this.#inString = true
      else if (c === OPEN_ARRAY || c === OPEN_OBJECT) {
        if (++this.#depth > MAX_DEPTH)
          return this.#unreadable(`more than ${MAX_DEPTH} arrays and objects are in each other`)
      } else if (c === CLOSE_ARRAY || c === CLOSE_OBJECT || c === COMMA) {
        const ends = this.#depth === 0 && !this.#alone
        if (ends || (this.#alone && this.#depth === 1 && c !== COMMA)) {
          const text = this.#text + piece.slice(from, ends ? i : i + 1)
          if (ends && c === CLOSE_OBJECT) return this.#unreadable("a } closes nothing")
          const last = !ends || c === CLOSE_ARRAY
          if (!(last && ends && this.#items === 0 && text.trim() === "")) {
            const item = this.#item(text)
            if (item instanceof RecordsUnreadable) return item
            items.push(item)
          }
          this.#text = ""
          this.#begun = false
          this.#depth = 0
          from = i + 1
          if (last) this.#state = "end"
        } else if (c !== COMMA) this.#depth--
      }
    }
    if (this.#state === "item") this.#text += piece.slice(from)
    return this.#text.length > this.#limits.maxLength ? this.#unreadable("an item is longer than is allowed") : items
  }

  /** What is wrong if the text ends here. */
  end(): RecordsUnreadable | undefined {
    return this.#state === "end"
      ? undefined
      : this.#unreadable(this.#state === "start" ? "the file is empty" : "the array is not closed")
  }

  #item(text: string): ReadRecord | RecordsUnreadable {
    if (text.length > this.#limits.maxLength) return this.#unreadable("an item is longer than is allowed")
    this.#items++
    const value = parsed(text)
    return value === undefined
      ? this.#unreadable(`item ${this.#items} is no JSON`)
      : { _tag: "Record", line: this.#itemLine, value }
  }

  #unreadable(what: string): RecordsUnreadable {
    const line = this.#begun ? this.#itemLine : this.#line
    return new RecordsUnreadable({ line, message: `Line ${line} cannot be read as a JSON array: ${what}.` })
  }
}

/** The values of NDJSON: one in each line. A line that is no JSON is told of and does not end the file. */
export class JsonLines {
  readonly #limits: ItemLimits
  #text = ""
  #line = 0

  constructor(limits: ItemLimits) {
    this.#limits = limits
  }

  push(piece: string): ReadonlyArray<ReadRecord> | RecordsUnreadable {
    const lines = (this.#text + piece).split("\n")
    this.#text = lines.pop() ?? ""
    const records: Array<ReadRecord> = []
    for (const line of lines) {
      this.#line++
      if (line.length > this.#limits.maxLength) return this.#tooLong(this.#line)
      records.push(...this.#record(line))
    }
    return this.#text.length > this.#limits.maxLength ? this.#tooLong(this.#line + 1) : records
  }

  /** The last line, which may end with the file. */
  end(): ReadonlyArray<ReadRecord> {
    this.#line++
    return this.#record(this.#text)
  }

  #record(text: string): ReadonlyArray<ReadRecord> {
    if (text.trim() === "") return []
    const value = isTooDeep(text) ? undefined : parsed(text)
    return value === undefined
      ? [
          {
            _tag: "Broken",
            line: this.#line,
            hint: `expected one JSON value in a line, at most ${MAX_DEPTH} levels deep`
          }
        ]
      : [{ _tag: "Record", line: this.#line, value }]
  }

  #tooLong(line: number): RecordsUnreadable {
    return new RecordsUnreadable({ line, message: `Line ${line} is longer than is allowed. Split the record.` })
  }
}

const parsed = (text: string): Plain | undefined => {
  try {
    return JSON.parse(text) as Plain
  } catch {
    return undefined
  }
}

const isTooDeep = (text: string): boolean => {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (c === BACKSLASH && inString) i++
    else if (c === QUOTE) inString = !inString
    else if (inString) continue
    else if (c === OPEN_ARRAY || c === OPEN_OBJECT) {
      if (++depth > MAX_DEPTH) return true
    } else if (c === CLOSE_ARRAY || c === CLOSE_OBJECT) depth--
  }
  return false
}

const [LF, QUOTE, BACKSLASH, COMMA] = [0x0a, 0x22, 0x5c, 0x2c]
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]

const isBlank = (c: number): boolean => c === 0x20 || c === LF || c === 0x0d || c === 0x09
