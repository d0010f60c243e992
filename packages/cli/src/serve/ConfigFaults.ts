/** What is wrong with a configuration, in words for the person who wrote it. */
import * as SchemaIssue from "effect/SchemaIssue"

type Path = ReadonlyArray<PropertyKey>

/** A part of a JSON schema, as far as it is looked at here. */
interface Part {
  readonly properties?: Readonly<Record<string, Part>>
  readonly additionalProperties?: Part | boolean
  readonly items?: Part
  readonly anyOf?: ReadonlyArray<Part>
}

/** `http.port`, `apiKeys[0].tenant`, `buckets["a b"]`. */
const printPath = (path: Path): string =>
  path
    .map((key, i) =>
      typeof key === "number"
        ? `[${key}]`
        : /^[$\w]+$/.test(String(key))
          ? `${i === 0 ? "" : "."}${String(key)}`
          : `[${JSON.stringify(String(key))}]`
    )
    .join("")

/** Names of the fields that may stand at a place. */
const fieldsAt = (part: Part | undefined, path: Path): ReadonlyArray<string> => {
  if (part === undefined) return []
  if (part.anyOf !== undefined) return part.anyOf.flatMap((one) => fieldsAt(one, path))
  const [key, ...rest] = path
  if (key === undefined) return Object.keys(part.properties ?? {})
  const other = typeof part.additionalProperties === "object" ? part.additionalProperties : undefined
  return fieldsAt(typeof key === "number" ? part.items : (part.properties?.[String(key)] ?? other), rest)
}

const valueAt = (document: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key], document)

/** What stands there; of a text not what it is: it may be a secret in the wrong place. */
const found = (value: unknown): string =>
  typeof value === "number" || value === null || typeof value === "boolean"
    ? String(value)
    : Array.isArray(value)
      ? "a list"
      : typeof value === "string"
        ? "a text"
        : "an object"

/** How many letters two names differ in, in order, cheaply: enough to find a slip of the finger. */
const similar = (a: string, b: string): boolean => {
  const [x, y] = [a.toLowerCase().replace(/[-_]/g, ""), b.toLowerCase().replace(/[-_]/g, "")]
  if (x === y || x.startsWith(y) || y.startsWith(x)) return true
  let start = 0
  while (start < x.length && x[start] === y[start]) start++
  let end = 0
  while (end < Math.min(x.length, y.length) - start && x.at(-1 - end) === y.at(-1 - end)) end++
  return Math.max(x.length, y.length) - start - end <= 2
}

const unknownField = (path: Path, schema: Part): string => {
  const name = String(path.at(-1))
  const fields = fieldsAt(schema, path.slice(0, -1))
  if (fields.length === 0) return "expected a name of 1 to 64 of A-Z a-z 0-9 . _ - that begins with a letter or digit"
  const meant = fields.find((field) => similar(field, name))
  return meant === undefined
    ? `there is no such field; there are ${fields.join(", ")}`
    : `there is no such field; did you mean ${meant}?`
}

/** One line for each fault: where, and what was expected there. */
export const faultsOf = (issue: SchemaIssue.Issue, document: unknown, schema: object): ReadonlyArray<string> => {
  const format = SchemaIssue.makeFormatterStandardSchemaV1({
    leafHook: (leaf) =>
      leaf._tag === "UnexpectedKey"
        ? UNKNOWN
        : leaf._tag === "MissingKey"
          ? "is missing"
          : SchemaIssue.defaultLeafHook(leaf)
  })
  const faults = format(issue).issues.map(({ path = [], message }) => {
    const keys = path as Path
    const place = keys.length === 0 ? "" : `${printPath(keys)}: `
    if (message === UNKNOWN) return `${place}${unknownField(keys, schema)}`
    return `${place}${message}${message.startsWith("expected") ? `, found ${found(valueAt(document, keys))}` : ""}`
  })
  return [...new Set(faults)]
}

const UNKNOWN = "unknown"
