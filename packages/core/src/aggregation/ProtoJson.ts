/** What `printProtoJson` prints; members in the order given, `undefined` ones left out. */
export type ProtoJson =
  | string
  | number
  | bigint
  | boolean
  | null
  | ReadonlyArray<ProtoJson>
  | { readonly [name: string]: ProtoJson | undefined }

/**
 * JSON as protobuf's Java printer writes it: two blanks of indentation, `{` and `}` of an empty object on lines of their
 * own, arrays inline, and `'<>=&` escaped inside strings (spec: aggregation §1.5). A bigint is printed as a number.
 */
export const printProtoJson = (value: ProtoJson, indent = ""): string => {
  if (typeof value === "string") return quoteHtmlSafe(value)
  if (typeof value !== "object" || value === null) return String(value)
  if (Array.isArray(value)) {
    return `[${(value as ReadonlyArray<ProtoJson>).map((item) => printProtoJson(item, indent)).join(", ")}]`
  }
  const inner = `${indent}  `
  const members = Object.entries(value).flatMap(([name, member]) =>
    member === undefined ? [] : [`${inner}${quoteHtmlSafe(name)}: ${printProtoJson(member, inner)}`]
  )
  return members.length === 0 ? `{\n${indent}}` : `{\n${members.join(",\n")}\n${indent}}`
}

const quoteHtmlSafe = (text: string): string =>
  JSON.stringify(text).replace(/['<>=&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
