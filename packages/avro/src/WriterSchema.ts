import type { AvroLimits } from "./AvroLimits.ts"
import type { Cursor } from "./internal/Cursor.ts"

/**
 * The schema that a file was written with, as far as walking its rows needs it.
 *
 * Defaults, aliases, documentation and logical types do not change the bytes and are left out.
 */
export type WriterType =
  | { readonly kind: "null" | "boolean" | "int" | "long" | "float" | "double" | "bytes" | "string" }
  | { readonly kind: "fixed"; readonly size: number }
  | { readonly kind: "enum"; readonly symbols: number }
  | { readonly kind: "array" | "map"; items: WriterType }
  | { readonly kind: "union"; readonly branches: ReadonlyArray<WriterType> }
  | WriterRecord

export interface WriterRecord {
  readonly kind: "record"
  readonly name: string
  readonly fields: ReadonlyArray<WriterField>
}

export interface WriterField {
  readonly name: string
  readonly type: WriterType
}

export interface SchemaRejected {
  readonly _tag: "SchemaRejected"
  readonly reason: string
}

const PRIMITIVES = new Set(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])

/** Thrown inside this module only. */
class Refusal {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const refuse = (reason: string): never => {
  throw new Refusal(reason)
}

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

/** Reads a schema text (Avro 1.12, "Schema Declaration"). Any wrong text is a `SchemaRejected`. */
export const parseSchema = (text: string, limits: AvroLimits): WriterType | SchemaRejected => {
  const named = new Map<string, WriterType>()
  let nodes = 0

  const parse = (json: unknown, namespace: string, depth: number): WriterType => {
    if (depth > limits.schemaDepth) refuse(`the schema nests deeper than ${limits.schemaDepth}`)
    if (++nodes > limits.schemaNodes) refuse(`the schema has more than ${limits.schemaNodes} types and fields`)
    if (typeof json === "string") return reference(json, namespace)
    if (Array.isArray(json)) {
      if (json.length === 0) refuse("a union of the schema has no branches")
      return {
        kind: "union",
        branches: json.map((branch) =>
          Array.isArray(branch) ? refuse("a union of the schema holds a union") : parse(branch, namespace, depth + 1)
        )
      }
    }
    if (!isObject(json)) return refuse("the schema holds something that is no type")
    const kind = json["type"]
    if (typeof kind !== "string") return parse(kind, namespace, depth + 1)
    switch (kind) {
      case "record":
      case "error":
        return record(json, namespace, depth)
      case "enum": {
        const symbols = json["symbols"]
        if (!Array.isArray(symbols)) return refuse("an enum of the schema has no symbols")
        return declare(json, namespace, { kind: "enum", symbols: symbols.length })
      }
      case "fixed": {
        const size = json["size"]
        if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)
          return refuse("a fixed type of the schema has no valid size")
        return declare(json, namespace, { kind: "fixed", size })
      }
      case "array":
        return { kind: "array", items: parse(json["items"], namespace, depth + 1) }
      case "map":
        return { kind: "map", items: parse(json["values"], namespace, depth + 1) }
      default:
        return reference(kind, namespace)
    }
  }

  const reference = (name: string, namespace: string): WriterType => {
    if (PRIMITIVES.has(name)) return { kind: name as "null" }
    const type = named.get(name.includes(".") || namespace === "" ? name : `${namespace}.${name}`) ?? named.get(name)
    return type ?? refuse(`the schema names an unknown type ${JSON.stringify(name.slice(0, 100))}`)
  }

  const fullName = (json: Json, enclosing: string): string => {
    const name = json["name"]
    if (typeof name !== "string" || name === "") return refuse("a named type of the schema has no name")
    if (name.includes(".")) return name
    const namespace = typeof json["namespace"] === "string" ? json["namespace"] : enclosing
    return namespace === "" ? name : `${namespace}.${name}`
  }

  const declare = <T extends WriterType>(json: Json, namespace: string, type: T): T => {
    const name = fullName(json, namespace)
    if (named.has(name)) refuse(`the schema declares ${JSON.stringify(name.slice(0, 100))} twice`)
    named.set(name, type)
    return type
  }

  const record = (json: Json, enclosing: string, depth: number): WriterRecord => {
    const name = fullName(json, enclosing)
    const fields: Array<WriterField> = []
    const type = declare(json, enclosing, { kind: "record", name, fields })
    const declared = json["fields"]
    if (!Array.isArray(declared)) return refuse("a record of the schema has no fields")
    const namespace = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : ""
    const seen = new Set<string>()
    for (const field of declared) {
      if (!isObject(field) || typeof field["name"] !== "string") return refuse("a field of the schema has no name")
      if (seen.has(field["name"])) refuse(`the schema declares a field ${JSON.stringify(field["name"])} twice`)
      seen.add(field["name"])
      fields.push({ name: field["name"], type: parse(field["type"], namespace, depth + 1) })
    }
    return type
  }

  try {
    return parse(parseJson(text, limits), "", 1)
  } catch (refusal) {
    if (refusal instanceof Refusal) return { _tag: "SchemaRejected", reason: refusal.reason }
    throw refusal
  }
}

/** JSON text nests brackets up to three deep for one level of a schema (`fields`, the field, its `type`). */
const parseJson = (text: string, limits: AvroLimits): unknown => {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (quoted) {
      if (c === 0x5c) i++
      else if (c === 0x22) quoted = false
    } else if (c === 0x22) quoted = true
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > 3 * limits.schemaDepth) refuse(`the schema nests deeper than ${limits.schemaDepth}`)
    } else if (c === 0x7d || c === 0x5d) depth--
  }
  try {
    return JSON.parse(text)
  } catch {
    return refuse("the schema is not JSON")
  }
}

/** Steps over one value; `false` with a reason in the cursor when it is not a whole value of this type. */
export const skipValue = (cursor: Cursor, type: WriterType, depth: number): boolean => {
  if (depth > cursor.limits.valueDepth) return cursor.fail(`a value nests deeper than ${cursor.limits.valueDepth}`)
  switch (type.kind) {
    case "null":
      return cursor.empty()
    case "boolean": {
      const byte = cursor.bytes[cursor.at]
      if (byte !== undefined && byte > 1) return cursor.fail("a boolean is neither 0 nor 1")
      return cursor.advance(1)
    }
    case "int": {
      const value = cursor.long()
      if (value >= -0x80000000 && value <= 0x7fffffff) return true
      return cursor.fail("an int has more than 32 bits")
    }
    case "long":
      return !Number.isNaN(cursor.long())
    case "float":
      return cursor.advance(4)
    case "double":
      return cursor.advance(8)
    case "bytes":
    case "string":
      return cursor.skipBytes()
    case "fixed":
      return type.size === 0 ? cursor.empty() : cursor.advance(type.size)
    case "enum": {
      const index = cursor.long()
      return (index >= 0 && index < type.symbols) || cursor.fail(`an enum has no symbol ${index}`)
    }
    case "union": {
      const branch = readBranch(cursor, type.branches)
      return branch !== undefined && (branch.kind === "null" || skipValue(cursor, branch, depth + 1))
    }
    case "array":
    case "map":
      return skipBlocks(cursor, type, depth)
    case "record":
      if (type.fields.length === 0) return cursor.empty()
      for (const field of type.fields) if (!skipValue(cursor, field.type, depth + 1)) return false
      return true
  }
}

export const readBranch = (cursor: Cursor, branches: ReadonlyArray<WriterType>): WriterType | undefined => {
  const index = cursor.long()
  const branch = branches[index]
  if (branch === undefined) cursor.fail(`a union has no branch ${index}`)
  return branch
}

/** Items of arrays and maps come in blocks; a negative count is followed by the block's size in bytes, which must be true. */
const skipBlocks = (
  cursor: Cursor,
  { kind, items }: { readonly kind: "array" | "map"; readonly items: WriterType },
  depth: number
): boolean => {
  for (;;) {
    let count = cursor.long()
    if (Number.isNaN(count)) return false
    if (count === 0) return true
    let end = -1
    if (count < 0) {
      count = -count
      const size = cursor.length()
      if (size < 0) return false
      end = cursor.at + size
    }
    // Ends early for any count: every item takes a byte or counts as an empty value.
    for (let i = 0; i < count; i++) {
      if (kind === "map" && !cursor.skipBytes()) return false
      if (!skipValue(cursor, items, depth + 1)) return false
    }
    if (end >= 0 && cursor.at !== end) return cursor.fail("a block of items is not as long as it says")
  }
}
