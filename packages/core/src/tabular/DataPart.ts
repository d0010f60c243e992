/**
 * The `data` part of a submission: JSON that says how the file is to be read.
 *
 * Real clients differ, and all of them are taken (spec: ondemand §1): the name may be called `jobName`, unknown members are ignored, members may be
 * written in any case, `null` is the same as absent, a default may be a text whatever its field is.
 */
import { parseJson } from "./Shape.ts"
import type { MappingEntry } from "./Mapping.ts"

export interface DataPart {
  /** `null`: the most recent version that is active. */
  readonly version: string | null
  /** `null`: told by the file's part or name. */
  readonly mimeType: string | null
  /** `null`: the job is called after its file. */
  readonly name: string | null
  readonly mapping: ReadonlyArray<MappingEntry>
  readonly outputMapping: ReadonlyArray<MappingEntry>
}

/** Why the part is refused: a whole sentence. */
export interface DataPartRejected {
  readonly _tag: "DataPartRejected"
  readonly message: string
}

export const readDataPart = (text: string): DataPart | DataPartRejected => {
  const read = parseJson(text)
  const members = membersOf(read)
  if (members === undefined) return rejected(`The part "data" must be a JSON object.`)
  const version = optionalText(members, "version")
  const mimeType = optionalText(members, "mimetype")
  const name = optionalText(members, "name") ?? optionalText(members, "jobname")
  for (const [member, value] of Object.entries({ version, mimeType, name })) {
    if (value === WRONG) return rejected(`The member "${member}" of "data" must be a text or null.`)
  }
  const mapping = readEntries(members.get("mapping"), "mapping")
  if ("_tag" in mapping) return mapping
  const outputMapping = readEntries(members.get("outputmapping"), "outputMapping")
  if ("_tag" in outputMapping) return outputMapping
  return { version: given(version), mimeType: given(mimeType), name: given(name), mapping, outputMapping }
}

export const isDataPartRejected = (read: DataPart | DataPartRejected): read is DataPartRejected => "_tag" in read

type Members = ReadonlyMap<string, unknown>

/** By names in lower case; of two that differ in case only the first counts. */
const membersOf = (value: unknown): Members | undefined => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const members = new Map<string, unknown>()
  for (const [name, member] of Object.entries(value)) {
    const key = name.toLowerCase()
    if (!members.has(key)) members.set(key, member)
  }
  return members
}

const WRONG: unique symbol = Symbol("wrong")

/** Blank is the same as absent: forms send empty texts for fields that nobody filled in. */
const optionalText = (members: Members, name: string): string | typeof WRONG | undefined => {
  const value = members.get(name) ?? undefined
  if (value === undefined) return undefined
  return typeof value !== "string" ? WRONG : value.trim() === "" ? undefined : value.trim()
}

const given = (value: string | typeof WRONG | undefined): string | null => (typeof value === "string" ? value : null)

const readEntries = (value: unknown, list: string): ReadonlyArray<MappingEntry> | DataPartRejected => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return rejected(`The member "${list}" of "data" must be an array or null.`)
  const entries: Array<MappingEntry> = []
  for (const [i, item] of value.entries()) {
    const members = membersOf(item)
    const source = members?.get("source") ?? ""
    const destination = members?.get("destination")
    const defaultValue = members?.get("defaultvalue") ?? null
    const fault = (sentence: string) => rejected(`Entry ${i + 1} of ${list}: ${sentence}`)
    if (members === undefined || typeof source !== "string" || typeof destination !== "string") {
      return fault(`write {"source": "…", "destination": "…"}, with a "defaultValue" if you like.`)
    }
    if (!isDefault(defaultValue)) return fault("the defaultValue must be a text, a number, a boolean or null.")
    if (source.trim() === "" && defaultValue === null) return fault("without a source there must be a defaultValue.")
    entries.push({ source: source.trim(), destination: destination.trim(), defaultValue })
  }
  return entries
}

const isDefault = (value: unknown): value is MappingEntry["defaultValue"] =>
  value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number"

const rejected = (message: string): DataPartRejected => ({ _tag: "DataPartRejected", message })
