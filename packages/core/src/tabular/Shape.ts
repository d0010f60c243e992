/**
 * What a schema says about the form of a record: which fields there are and of which type, so that texts of a CSV file and
 * default values can be read as what they stand for. The schema itself has the last word on every value.
 */
import * as Schema from "effect/Schema"
import type { Plain } from "../job/Plain.ts"
import { type SchemaPath, stepsOf } from "./SchemaPath.ts"

/** `any`: the schema leaves it open, or allows several types. */
export type ShapeType = "text" | "number" | "integer" | "boolean" | "list" | "struct" | "any"

export interface Shape {
  readonly type: ShapeType
  readonly nullable: boolean
  /** The named members of a struct, in order. */
  readonly members: ReadonlyArray<{ readonly name: string; readonly required: boolean }>
  /** The shape of a member; `undefined` if a struct has none of this name, or this is no struct. */
  member(name: string): Shape | undefined
  /** The shape at a position of a list. */
  item(position: number): Shape | undefined
  /** How long the list always is; `null` if that differs, or this is no list. */
  readonly length: number | null
}

/** A JSON Schema, as far as shapes are read from it. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** The JSON Schema (draft 2020-12) of the JSON form of a schema; what has a name of its own is in `$defs`. */
export const jsonSchemaOf = (schema: Schema.Codec<unknown, unknown>): JsonSchema => {
  const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema)
  return Object.keys(definitions).length === 0 ? { ...root } : { ...root, $defs: definitions }
}

export const shapeOf = (schema: JsonSchema): Shape => read(schema, isSchema(schema["$defs"]) ? schema["$defs"] : {})

/** The shape at a path; `undefined` if there is no such place. */
export const shapeAt = (shape: Shape, path: SchemaPath): Shape | undefined =>
  stepsOf(path).reduce<Shape | undefined>(
    (at, step) => (typeof step === "string" ? at?.member(step) : at?.item(step.start)),
    shape
  )

/** A value read from a text, or a hint without its full stop. */
export type Converted =
  { readonly _tag: "Converted"; readonly value: Plain } | { readonly _tag: "NotConverted"; readonly hint: string }

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/**
 * Reads a text as a value of this shape. Numbers are decimal with a point, booleans `true` and `false` in any case; lists
 * and structs are JSON, and a text that is no JSON list is a list of one.
 */
export const convert = (text: string, shape: Shape): Converted => {
  const trimmed = text.trim()
  switch (shape.type) {
    case "number":
    case "integer": {
      const value = Number(trimmed)
      if (!NUMBER.test(trimmed) || !Number.isFinite(value)) return refused("a number such as 12 or 0.5", text)
      return shape.type === "integer" && !Number.isSafeInteger(value)
        ? refused("a whole number", text)
        : converted(value)
    }
    case "boolean": {
      const word = trimmed.toLowerCase()
      return word === "true" || word === "false" ? converted(word === "true") : refused("true or false", text)
    }
    case "list": {
      const items = trimmed.startsWith("[") ? parseJson(trimmed) : undefined
      if (Array.isArray(items)) return converted(items)
      const item = shape.item(0)
      const one = item === undefined ? converted(text) : convert(text, item)
      return one._tag === "Converted" ? converted([one.value]) : one
    }
    case "struct": {
      const value = parseJson(trimmed)
      return typeof value === "object" && value !== null && !Array.isArray(value)
        ? converted(value)
        : refused("a JSON object", text)
    }
    case "text":
    case "any":
      return converted(text)
  }
}

const converted = (value: Plain): Converted => ({ _tag: "Converted", value })

const refused = (wanted: string, text: string): Converted => ({
  _tag: "NotConverted",
  hint: `expected ${wanted} and not ${JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)}`
})

/** `undefined` for a text that is no JSON. */
export const parseJson = (text: string): Plain | undefined => {
  try {
    return JSON.parse(text) as Plain
  } catch {
    return undefined
  }
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const NOTHING = {
  nullable: false,
  members: [],
  member: () => undefined,
  item: () => undefined,
  length: null
}

/** Anything may be there, and anything below it. */
export const ANY: Shape = { ...NOTHING, type: "any", nullable: true, member: () => ANY, item: () => ANY }

/** Read as far as it is asked for, because schemas may contain themselves. */
const read = (schema: JsonSchema, definitions: JsonSchema, depth = 0): Shape => {
  const inside = (value: unknown): Shape => (isSchema(value) ? read(value, definitions) : ANY)
  const reference = schema["$ref"]
  if (typeof reference === "string") {
    const named = definitions[reference.replace("#/$defs/", "").replaceAll("~1", "/").replaceAll("~0", "~")]
    return isSchema(named) && depth < MAX_REFERENCES ? read(named, definitions, depth + 1) : ANY
  }
  const union = schema["anyOf"] ?? schema["oneOf"]
  if (Array.isArray(union)) return readUnion(union.filter(isSchema), definitions, depth)
  switch (schema["type"]) {
    case "string":
      return { ...NOTHING, type: "text" }
    case "number":
    case "integer":
    case "boolean":
      return { ...NOTHING, type: schema["type"] }
    case "array": {
      const fixed = Array.isArray(schema["prefixItems"]) ? schema["prefixItems"] : []
      const rest = schema["items"]
      const bounded = schema["maxItems"] === fixed.length && schema["minItems"] === fixed.length
      return {
        ...NOTHING,
        type: "list",
        length: bounded ? fixed.length : null,
        item: (position) => (position < fixed.length ? inside(fixed[position]) : bounded ? undefined : inside(rest))
      }
    }
    case "object": {
      const properties = isSchema(schema["properties"]) ? schema["properties"] : {}
      const required = Array.isArray(schema["required"]) ? schema["required"] : []
      const others = schema["additionalProperties"]
      return {
        ...NOTHING,
        type: "struct",
        members: Object.keys(properties).map((name) => ({ name, required: required.includes(name) })),
        member: (name) =>
          Object.hasOwn(properties, name)
            ? inside(properties[name])
            : isSchema(others) || schema["properties"] === undefined
              ? inside(others)
              : undefined
      }
    }
    default:
      return ANY
  }
}

/** Chains of names of names, at most. */
const MAX_REFERENCES = 100

const NOT_FINITE = ["Infinity", "-Infinity", "NaN"]

/** One type, perhaps with `null`; the words for numbers that JSON has not do not make a number a text. */
const readUnion = (branches: ReadonlyArray<JsonSchema>, definitions: JsonSchema, depth: number): Shape => {
  const others = branches.filter(({ type }) => type !== "null")
  const nullable = others.length < branches.length
  const told = others.filter((one) => !isNotFinite(one))
  const [only] = told
  if (only === undefined || depth >= MAX_REFERENCES) return ANY
  if (told.length === 1) {
    const shape = read(only, definitions, depth + 1)
    return { ...shape, nullable: nullable || shape.nullable }
  }
  const types = new Set(told.map((one) => read(one, definitions, depth + 1).type))
  const [type] = types
  return types.size === 1 && (type === "text" || type === "number" || type === "boolean")
    ? { ...NOTHING, type, nullable }
    : { ...ANY, nullable }
}

const isNotFinite = ({ type, enum: words }: JsonSchema): boolean =>
  type === "string" && Array.isArray(words) && words.every((word) => NOT_FINITE.includes(String(word)))
