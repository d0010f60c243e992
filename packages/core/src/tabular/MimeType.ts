/** Media types of input files, and the form of records that they tell of. */

export interface MimeType {
  /** In lower case, without parameters. */
  readonly essence: string
  /** Names in lower case, values without their quotes. */
  readonly parameters: ReadonlyMap<string, string>
}

/** `undefined` unless the text is a type, a subtype and parameters (RFC 9110 §8.3.1). */
export const parseMime = (text: string): MimeType | undefined => {
  const [essence = "", ...rest] = splitParameters(text)
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+\/[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(essence.trim())) return undefined
  const parameters = new Map<string, string>()
  for (const parameter of rest) {
    if (parameter.trim() === "") continue
    const [, name = "", value = ""] = /^\s*([^\s=]+)\s*=\s*(.*?)\s*$/s.exec(parameter) ?? []
    if (name === "") return undefined
    const key = name.toLowerCase()
    if (!parameters.has(key)) parameters.set(key, unquoted(value))
  }
  return { essence: essence.trim().toLowerCase(), parameters }
}

const splitParameters = (text: string): ReadonlyArray<string> => text.match(/(?:"(?:\\.|[^"\\])*"|[^;"])+|"/gs) ?? []

const unquoted = (value: string): string =>
  value.startsWith('"') && value.endsWith('"') && value.length > 1
    ? value.slice(1, -1).replaceAll(/\\(.)/gs, "$1")
    : value

/** How the records of a file are written: rows of texts, one JSON array, or a JSON value in each line. */
export type RecordForm =
  { readonly _tag: "Csv"; readonly header: boolean } | { readonly _tag: "Json" } | { readonly _tag: "Ndjson" }

/** `NoRecords`: a type that holds no records. `Refused`: one that does, but not as it says. */
export type FormOfMime =
  RecordForm | { readonly _tag: "NoRecords" } | { readonly _tag: "Refused"; readonly message: string }

const CSV = ["text/csv", "application/csv", "text/x-csv"]
const JSON_ARRAY = ["application/json", "text/json"]
const NDJSON = [
  "application/x-ndjson",
  "application/ndjson",
  "application/jsonl",
  "application/jsonlines",
  "application/x-jsonlines",
  "application/json-lines"
]

/** A header line is there unless the type says `header=absent` (RFC 4180 §3). Texts are UTF-8. */
export const formOf = ({ essence, parameters }: MimeType): FormOfMime => {
  const records = [...CSV, ...JSON_ARRAY, ...NDJSON].includes(essence)
  if (!records) return { _tag: "NoRecords" }
  const charset = parameters.get("charset")?.toLowerCase() ?? "utf-8"
  if (!["utf-8", "utf8", "us-ascii", "ascii"].includes(charset)) {
    return { _tag: "Refused", message: `Convert the file to UTF-8; "${charset}" is not read.` }
  }
  if (JSON_ARRAY.includes(essence)) return { _tag: "Json" }
  if (NDJSON.includes(essence)) return { _tag: "Ndjson" }
  const header = parameters.get("header")?.toLowerCase() ?? "present"
  return header === "present" || header === "absent"
    ? { _tag: "Csv", header: header === "present" }
    : { _tag: "Refused", message: `Write header=present or header=absent into the MIME type, not header=${header}.` }
}

/** The type in which a form is written. */
export const mimeOfForm = (form: RecordForm): string =>
  form._tag === "Csv"
    ? `text/csv; header=${form.header ? "present" : "absent"}`
    : form._tag === "Json"
      ? "application/json"
      : "application/x-ndjson"

const EXTENSIONS: Readonly<Record<string, string>> = {
  csv: "text/csv",
  json: "application/json",
  ndjson: "application/x-ndjson",
  jsonl: "application/x-ndjson",
  txt: "text/plain",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  bmp: "image/bmp",
  tif: "image/tiff",
  tiff: "image/tiff",
  svg: "image/svg+xml",
  pdf: "application/pdf",
  xml: "application/xml",
  html: "text/html",
  zip: "application/zip",
  mp3: "audio/mpeg",
  wav: "audio/wav",
  mp4: "video/mp4"
}

/** Types that senders put on a file of which they know nothing; spreadsheets call CSV files their own. */
const VAGUE = ["application/octet-stream", "binary/octet-stream", "application/vnd.ms-excel"]

/**
 * The type of an input file, as it was given: what the request says, else the type of its part, else the ending of its name;
 * `undefined` if nothing tells (spec: ondemand §1).
 */
export const mimeOf = (told: {
  readonly declared: string | null
  readonly part: string | null
  readonly fileName: string
}): string | undefined => {
  if (told.declared !== null) return told.declared
  const ending = EXTENSIONS[/\.([A-Za-z0-9]+)$/.exec(told.fileName)?.[1]?.toLowerCase() ?? ""]
  const part = told.part === null ? undefined : parseMime(told.part)
  if (part !== undefined && !VAGUE.includes(part.essence)) return told.part ?? undefined
  return ending ?? (part === undefined ? undefined : (told.part ?? undefined))
}

/** The usual ending of a file of this type, without the point; `dat` for one that is not known. */
export const extensionOf = ({ essence }: MimeType): string => {
  const form = formOf({ essence, parameters: new Map() })
  if (form._tag === "Csv") return "csv"
  if (form._tag === "Json") return "json"
  if (form._tag === "Ndjson") return "ndjson"
  return Object.entries(EXTENSIONS).find(([, type]) => type === essence)?.[0] ?? "dat"
}

/** Whether a type is one of these, which may end in `/*`. */
export const isAccepted = ({ essence }: MimeType, accepted: ReadonlyArray<string>): boolean =>
  accepted.some((one) => {
    const type = one.toLowerCase()
    return type === "*/*" || type === essence || (type.endsWith("/*") && essence.startsWith(type.slice(0, -1)))
  })
