/**
 * How the records of one file become those of a model, and what the model gives becomes rows: schemas, mappings and columns
 * put together once, before a job is paid (spec: ondemand §3, §4).
 */
import type { Plain, PlainObject } from "../job/Plain.ts"
import {
  type FieldFault,
  inputMapping,
  type InputMapping,
  type MappingEntry,
  outputMapping,
  type OutputMapping
} from "./Mapping.ts"
import type { RecordForm } from "./MimeType.ts"
import type { RecordsOffer } from "./Model.ts"
import {
  fieldsOf,
  type Layout,
  layoutOf,
  MAX_COLUMNS,
  type Table,
  tableWithHeader,
  tableWithoutHeader,
  widthOf
} from "./Table.ts"

export type Planned<T> =
  | { readonly _tag: "Planned"; readonly value: T }
  | { readonly _tag: "Faulty"; readonly faults: ReadonlyArray<FieldFault> }

export interface RecordPlan<I, O> {
  readonly _tag: "RecordPlan"
  /** The header line of the result; `null` if its form has none. */
  readonly header: ReadonlyArray<string> | null
  /** `value` is what the file holds: the cells of a row, or a value of JSON. */
  read(value: Plain): Planned<I>
  /** The row for what the model gave: the cells, or a value of JSON. */
  write(value: O): Planned<Plain>
}

/** What does not fit together, as whole sentences. Nothing is billed for it. */
export interface PlanRejected {
  readonly _tag: "PlanRejected"
  readonly faults: ReadonlyArray<string>
}

export interface PlanRequest {
  readonly form: RecordForm
  /** The first row of a CSV file: its header, or its first record; `undefined` if it has none. */
  readonly firstRow: ReadonlyArray<string> | undefined
  readonly mapping: ReadonlyArray<MappingEntry>
  readonly outputMapping: ReadonlyArray<MappingEntry>
}

export const planRecords = <I, O>(
  { input, output }: RecordsOffer<I, O>,
  { form, firstRow, mapping, outputMapping: wanted }: PlanRequest
): RecordPlan<I, O> | PlanRejected => {
  const table = form._tag === "Csv" ? tableFrom(form, firstRow) : undefined
  if (table !== undefined && "_tag" in table) return table
  const into = inputMapping(mapping, { shape: input.shape, ...(table === undefined ? {} : { table }) })
  const out = outputMapping(wanted, output.shape)
  if (into._tag === "MappingRejected" || out._tag === "MappingRejected") {
    const faults = [into, out].flatMap((one) => (one._tag === "MappingRejected" ? one.faults : []))
    return { _tag: "PlanRejected", faults }
  }
  const fields = form._tag === "Csv" ? (out.destinations ?? fieldsOf(output.shape)) : undefined
  if (fields !== undefined && widthOf(fields) > MAX_COLUMNS) {
    const fault = `The result would have ${widthOf(fields)} columns; map to at most ${MAX_COLUMNS}.`
    return { _tag: "PlanRejected", faults: [fault] }
  }
  const layout = fields === undefined ? undefined : layoutOf(fields)
  return {
    _tag: "RecordPlan",
    header: form._tag === "Csv" && form.header ? (layout?.header ?? null) : null,
    read: (value) => readRecord(value, table, into, input),
    write: (value) => writeRecord(value, layout, out, output)
  }
}

const tableFrom = (
  { header }: { readonly header: boolean },
  firstRow: ReadonlyArray<string> | undefined
): Table | PlanRejected => {
  if (firstRow === undefined) {
    const wanted = header ? "The file is empty; its first line should be the header." : "The file is empty."
    return { _tag: "PlanRejected", faults: [wanted] }
  }
  const table = header ? tableWithHeader(firstRow) : tableWithoutHeader(firstRow.length)
  return "_tag" in table ? { _tag: "PlanRejected", faults: [table.message] } : table
}

const readRecord = <I>(
  value: Plain,
  table: Table | undefined,
  into: InputMapping,
  input: RecordsOffer<I, unknown>["input"]
): Planned<I> => {
  let record = value
  if (table !== undefined) {
    const cells = value as ReadonlyArray<string>
    if (cells.length !== table.columns.length) {
      return faulty("", `expected ${table.columns.length} fields and not ${cells.length}`)
    }
    record = table.record(cells)
  }
  const mapped = into.apply(record)
  if (mapped._tag === "NotMapped") return { _tag: "Faulty", faults: mapped.faults }
  const read = input.decode(mapped.record)
  return read._tag === "Coded" ? { _tag: "Planned", value: read.value } : faulty("", read.message)
}

const writeRecord = <O>(
  value: O,
  layout: Layout | undefined,
  out: OutputMapping,
  output: RecordsOffer<unknown, O>["output"]
): Planned<Plain> => {
  const written = output.encode(value)
  if (written._tag === "NotCoded") return faulty("", written.message)
  const mapped = out.apply(written.value as PlainObject)
  if (mapped._tag === "NotMapped") return { _tag: "Faulty", faults: mapped.faults }
  return { _tag: "Planned", value: layout === undefined ? mapped.record : layout.row(mapped.record) }
}

const faulty = (path: string, hint: string): Planned<never> => ({ _tag: "Faulty", faults: [{ path, hint }] })
