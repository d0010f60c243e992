/** The file beside a result that names every record that has none (spec: ondemand §4). */
import type { Plain } from "../job/Plain.ts"
import type { RecordForm } from "./MimeType.ts"

/** Where a record failed: before the model saw it, in the model, or behind it. */
export type RecordStage = "input" | "model" | "output"

export interface RecordError {
  /** Number of the record in the file, from 1. */
  readonly record: number
  /** The line of the file in which the record begins, from 1. */
  readonly line: number
  readonly stage: RecordStage
  /** The schema path of the field; empty if it is the whole record. */
  readonly path: string
  readonly message: string
}

const COLUMNS = ["record", "line", "stage", "path", "message"] as const

/** The header line of the file in this form; unlike the result it has one whenever the form can. */
export const errorForm = (
  form: RecordForm
): { readonly form: RecordForm; readonly header: ReadonlyArray<string> | null } =>
  form._tag === "Csv" ? { form: { _tag: "Csv", header: true }, header: COLUMNS } : { form, header: null }

export const errorRow = (form: RecordForm, error: RecordError): Plain =>
  form._tag === "Csv" ? COLUMNS.map((column) => String(error[column])) : { ...error }

/** One line for people, e.g. `record 3 (line 4), x: expected a number`. */
export const describeError = ({ record, line, path, message }: RecordError): string =>
  `record ${record} (line ${line})${path === "" ? "" : `, ${path}`}: ${message}`
