/**
 * Parameters of a configuration and their places `${name}` in its SQL (other systems C1).
 *
 * A value is text that becomes part of a statement, so its form is checked first: inside a literal it may not end the
 * literal, outside it may only be a list of names, numbers and simple literals.
 */

export interface Parameter {
  readonly key: string
  readonly value: string
}

export interface ParameterRejected {
  readonly _tag: "ParameterRejected"
  /** The parameter, or the name of a place that none has. */
  readonly key: string
  readonly hint: string
}

const refuse = (key: string, hint: string): ParameterRejected => ({ _tag: "ParameterRejected", key, hint })

export const isParameterRejected = (value: unknown): value is ParameterRejected =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "ParameterRejected"

/** `_regex/<key>/<pattern>/<replacement>/<flags>`; a `\/` inside a part is a slash. */
const DERIVED = /^_regex\/((?:[^/\\]|\\[^])+)\/((?:[^/\\]|\\[^])+)\/((?:[^/\\]|\\[^])*)\/([gimsu]*)$/

const MOST_VALUE = 10_000

/**
 * A pattern is another's text that runs in our process: without repeated groups, with few repetitions and on a short text
 * it cannot run for long.
 */
const MOST_PATTERN = 200
const MOST_REPETITIONS = 3
const MOST_MATCHED = 300

/** The value of each parameter, derived ones computed. `given` are those that a run has by itself. */
export const parameterValues = (
  parameters: ReadonlyArray<Parameter>,
  given: Readonly<Record<string, string>>
): ReadonlyMap<string, string> | ParameterRejected => {
  const values = new Map(Object.entries(given))
  const derived: Array<Parameter> = []
  for (const { key, value } of parameters) {
    if (!/^\w[\w.-]*$/.test(key)) return refuse(key, "name parameters by letters, digits, _ . and -")
    if (values.has(key) || derived.some((one) => one.key === key)) return refuse(key, "give each parameter once")
    if (value.length > MOST_VALUE) return refuse(key, `use at most ${MOST_VALUE} characters`)
    if (value.startsWith("_regex/")) derived.push({ key, value })
    else values.set(key, value)
  }
  for (const { key, value } of derived) {
    const [, from = "", pattern = "", replacement = "", flags = ""] = DERIVED.exec(value) ?? []
    if (from === "") return refuse(key, "write _regex/<parameter>/<pattern>/<replacement>/<flags>")
    const source = values.get(from)
    if (source === undefined) return refuse(key, `${from} is no parameter with a plain value`)
    if (source.length > MOST_MATCHED) return refuse(key, `${from} has more than ${MOST_MATCHED} characters`)
    const regex = readPattern(pattern, flags)
    if (typeof regex === "string") return refuse(key, regex)
    values.set(key, source.replace(regex, replacement.replaceAll("\\/", "/")))
  }
  return values
}

/** The expression, or what to do about it. */
const readPattern = (pattern: string, flags: string): RegExp | string => {
  const bare = pattern.replace(/\\./g, "x").replace(/\[[^\]]*\]/g, "x")
  if (pattern.length > MOST_PATTERN) return `use a pattern of at most ${MOST_PATTERN} characters`
  if (/\)[*+{]/.test(bare)) return "use a pattern without a repeated group"
  if ((bare.match(/[*+{]/g) ?? []).length > MOST_REPETITIONS) {
    return `use a pattern with at most ${MOST_REPETITIONS} repetitions`
  }
  try {
    return new RegExp(pattern, flags)
  } catch {
    return "write a regular expression and its flags"
  }
}

const PLACE = /\$\{([^}]*)\}/g
const ITEM = String.raw`(?:[\w.:-]+|'[\w .:-]*')`
const LIST = new RegExp(String.raw`^\s*(?:${ITEM}(?:\s*,\s*${ITEM})*)?\s*$`)
/** What cannot end a literal, a quoted name or a comment. */
const QUIET = /^[\w .,:@/+-]*$/

/** The template with every place filled. */
export const fillParameters = (template: string, values: ReadonlyMap<string, string>): string | ParameterRejected => {
  let filled = ""
  let end = 0
  let open: Open = ""
  for (const place of template.matchAll(PLACE)) {
    const between = template.slice(end, place.index)
    open = openAfter(between, open)
    const key = place[1] ?? ""
    const value = values.get(key)
    if (value === undefined)
      return refuse(key, `no parameter has this name; there are ${[...values.keys()].join(", ")}`)
    if (value.includes("--")) return refuse(key, "write no -- in a value: it would begin a comment")
    if (open === "" && !LIST.test(value)) {
      return refuse(key, "outside quotes a value is a list of names, numbers and simple literals such as 'click'")
    }
    if (open !== "" && !QUIET.test(value)) {
      return refuse(key, "inside quotes a value has letters, digits, blanks and . , : @ / + - _ only")
    }
    filled += between + value
    end = place.index + place[0].length
  }
  return filled + template.slice(end)
}

/** What a place stands in: code (empty), a literal, a quoted name or a comment. */
type Open = "" | "'" | '"' | "`" | "--" | "/*"

const openAfter = (piece: string, before: Open): Open => {
  let open = before
  for (let i = 0; i < piece.length; i++) {
    const char = piece[i] as string
    const two = piece.slice(i, i + 2)
    if (open === "") {
      if (char === "'" || char === '"' || char === "`") open = char
      else if (two === "--" || two === "/*") open = two
    } else if (open === "--") {
      if (char === "\n") open = ""
    } else if (open === "/*") {
      if (two === "*/") open = ""
    } else if (char === "\\" && open !== "`") i++
    else if (char === open) open = ""
  }
  return open
}
