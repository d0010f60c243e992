/** A browser's JSON reports into rows of a reports file. */
import { AVRO_SCHEMAS } from "@sotto/core/aggregation"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { CommandError } from "../Failure.ts"
import { type ReportRow, rowBlocks, writeAvro } from "./ReportFile.ts"

/** A file that was read: its name for messages, and its text. */
export interface JsonFile {
  readonly name: string
  readonly text: string
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const wrong = (at: string, what: string): never => {
  throw new CommandError(`${at} ${what}`)
}

const textOf = (value: unknown, at: string): string =>
  typeof value === "string" ? value : wrong(at, value === undefined ? "is missing." : "is not a string.")

const bytesOf = (value: unknown, at: string): Uint8Array => {
  const text = textOf(value, at)
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text && text !== "" ? bytes : wrong(at, "is not base64 of a payload.")
}

/** The row of one report; `at` names it in messages. */
const rowOf = (report: unknown, at: string, cleartext: boolean): ReportRow => {
  if (!isObject(report)) return wrong(at, "is not a report: a report is a JSON object.")
  const list = report["aggregation_service_payloads"]
  const payloadAt = `${at}: aggregation_service_payloads`
  if (!Array.isArray(list)) return wrong(payloadAt, list === undefined ? "is missing." : "is not a list.")
  // Formats with several payloads meant several helpers, each with a part of the data; which to count is not ours to guess.
  if (list.length !== 1)
    return wrong(payloadAt, `has ${list.length} payloads; a report that can be aggregated has one.`)
  const payload: unknown = list[0]
  if (!isObject(payload)) return wrong(`${payloadAt}[0]`, "is not an object.")
  const member = cleartext ? "debug_cleartext_payload" : "payload"
  if (cleartext && payload[member] === undefined)
    wrong(
      `${payloadAt}[0].${member}`,
      "is missing: only debug reports carry their cleartext. Pack it without --cleartext."
    )
  return {
    payload: bytesOf(payload[member], `${payloadAt}[0].${member}`),
    key_id: textOf(payload["key_id"], `${payloadAt}[0].key_id`),
    shared_info: textOf(report["shared_info"], `${at}: shared_info`)
  }
}

/**
 * The rows of all reports of all files, in order. A file holds one report or a JSON array of them; members that a row does
 * not need (trigger ids, debug keys, the coordinator) are left out. `shared_info` is taken as it stands: it is bound into
 * the encryption, so a report whose shared_info was rewritten cannot be opened.
 *
 * `cleartext` takes `debug_cleartext_payload` in place of `payload`. Throws `CommandError` naming file and member at the
 * first report that is not one, so a file is packed whole or not at all.
 */
export const pack = (files: Iterable<JsonFile>, options: { readonly cleartext: boolean }): Array<ReportRow> => {
  const rows: Array<ReportRow> = []
  for (const { name, text } of files) {
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch (error) {
      throw new CommandError(`${name}: is not JSON: ${(error as Error).message}`)
    }
    if (Array.isArray(json))
      json.forEach((report: unknown, i) => rows.push(rowOf(report, `${name}: [${i}]`, options.cleartext)))
    else rows.push(rowOf(json, name, options.cleartext))
  }
  return rows
}

/** Packs the files at `paths` into the reports file `out`; answers how many reports it holds. */
export const packFiles = async (
  paths: ReadonlyArray<string>,
  out: string,
  options: { readonly cleartext: boolean }
): Promise<number> => {
  const files = paths.map((name) => ({ name, text: readText(name) }))
  const rows = pack(files, options)
  const name = createHash("sha256")
  for (const { text } of files) name.update(`${text.length}\0${text}`)
  await writeAvro(out, AVRO_SCHEMAS.reports, name.digest("hex"), (write) => rowBlocks(rows, write))
  return rows.length
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`)
  }
}
