/**
 * A JSON reader that keeps what `JSON.parse` loses: the literal text of numbers, and where the value ends.
 *
 * Values are `null`, booleans, strings, arrays, `JsonNumber` and `JsonObject`. Total: every text gives a value or a
 * `JsonRejected`.
 */
export type Json = null | boolean | string | JsonNumber | JsonObject | ReadonlyArray<Json>

export interface JsonNumber {
  readonly _tag: "JsonNumber"
  /** As written, e.g. `0.10`. */
  readonly literal: string
}

export interface JsonObject {
  readonly _tag: "JsonObject"
  /** In order of first appearance; of a name given twice the last value counts. */
  readonly members: ReadonlyMap<string, Json>
}

export interface JsonRejected {
  readonly _tag: "JsonRejected"
  /** Index of the UTF-16 unit where reading stopped. */
  readonly at: number
  /** A sentence without its full stop. */
  readonly hint: string
}

export interface JsonOptions {
  /** Unquoted names and single quotes, as protobuf's reader accepts them (spec: aggregation §1.1). */
  readonly lenient?: boolean
  /** Text behind the value is ignored, as Jackson does (spec: aggregation §3.3). */
  readonly trailing?: boolean
}

/** Arrays and objects inside each other, at most. */
export const MAX_JSON_DEPTH = 500

export const readJson = (text: string, options: JsonOptions = {}): Json | JsonRejected => {
  const reader = new Reader(text, options.lenient === true)
  const value = reader.value(0)
  if (value === undefined) return reader.rejected()
  if (options.trailing !== true) {
    reader.blanks()
    if (reader.at < text.length) {
      reader.refuse("expected nothing more behind the JSON value")
      return reader.rejected()
    }
  }
  return value
}

export const isJsonRejected = (value: Json | JsonRejected): value is JsonRejected =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "JsonRejected"

export const isJsonObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "JsonObject"

export const isJsonNumber = (value: Json): value is JsonNumber =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "JsonNumber"

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const BARE_NAME = /[A-Za-z_$][A-Za-z0-9_$.-]*/y
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t"
}

/** A recursive-descent reader; methods answer `undefined` after `refuse`. */
class Reader {
  readonly text: string
  readonly lenient: boolean
  at = 0
  hint = ""

  constructor(text: string, lenient: boolean) {
    this.text = text
    this.lenient = lenient
  }

  rejected(): JsonRejected {
    return { _tag: "JsonRejected", at: this.at, hint: this.hint }
  }

  refuse(hint: string): undefined {
    this.hint = hint
  }

  blanks(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
      this.at++
    }
  }

  value(depth: number): Json | undefined {
    if (depth > MAX_JSON_DEPTH) return this.refuse(`expected at most ${MAX_JSON_DEPTH} nested arrays and objects`)
    this.blanks()
    const c = this.text[this.at]
    if (c === "{") return this.object(depth)
    if (c === "[") return this.array(depth)
    if (c === '"' || (this.lenient && c === "'")) return this.string(c)
    if (c === "t" && this.word("true")) return true
    if (c === "f" && this.word("false")) return false
    if (c === "n" && this.word("null")) return null
    NUMBER.lastIndex = this.at
    const literal = NUMBER.exec(this.text)?.[0]
    if (literal === undefined) return this.refuse("expected a JSON value")
    this.at += literal.length
    return { _tag: "JsonNumber", literal }
  }

  word(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false
    this.at += word.length
    return true
  }

  object(depth: number): JsonObject | undefined {
    this.at++
    const members = new Map<string, Json>()
    this.blanks()
    if (this.word("}")) return { _tag: "JsonObject", members }
    for (;;) {
      this.blanks()
      const name = this.name()
      if (name === undefined) return undefined
      this.blanks()
      if (!this.word(":")) return this.refuse("expected ':' behind a member's name")
      const value = this.value(depth + 1)
      if (value === undefined) return undefined
      members.set(name, value)
      this.blanks()
      if (this.word("}")) return { _tag: "JsonObject", members }
      if (!this.word(",")) return this.refuse("expected ',' or '}'")
    }
  }

  array(depth: number): ReadonlyArray<Json> | undefined {
    this.at++
    const items: Array<Json> = []
    this.blanks()
    if (this.word("]")) return items
    for (;;) {
      const value = this.value(depth + 1)
      if (value === undefined) return undefined
      items.push(value)
      this.blanks()
      if (this.word("]")) return items
      if (!this.word(",")) return this.refuse("expected ',' or ']'")
    }
  }

  name(): string | undefined {
    const c = this.text[this.at]
    if (c === '"' || (this.lenient && c === "'")) return this.string(c)
    if (this.lenient) {
      BARE_NAME.lastIndex = this.at
      const name = BARE_NAME.exec(this.text)?.[0]
      if (name !== undefined) {
        this.at += name.length
        return name
      }
    }
    return this.refuse("expected a member's name")
  }

  string(quote: string): string | undefined {
    let out = ""
    let from = ++this.at
    for (;;) {
      const c = this.text[this.at]
      if (c === undefined) return this.refuse("expected the end of a string")
      if (c === quote) {
        out += this.text.slice(from, this.at)
        this.at++
        return out
      }
      if (c < " " && !this.lenient) return this.refuse("expected no control character in a string")
      if (c !== "\\") {
        this.at++
        continue
      }
      out += this.text.slice(from, this.at)
      const escape = this.text[this.at + 1] ?? ""
      if (escape === "u") {
        const hex = this.text.slice(this.at + 2, this.at + 6)
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) return this.refuse("expected four hexadecimal digits behind \\u")
        out += String.fromCharCode(Number.parseInt(hex, 16))
        this.at += 6
      } else {
        const plain = Object.hasOwn(ESCAPES, escape) && (escape !== "'" || this.lenient) ? ESCAPES[escape] : undefined
        if (plain === undefined) return this.refuse("expected a known escape behind a backslash")
        out += plain
        this.at += 2
      }
      from = this.at
    }
  }
}
