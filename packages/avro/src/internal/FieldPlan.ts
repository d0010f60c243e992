import type { AvroLimits } from "../AvroLimits.ts"
import { avroRejected, type AvroRejected } from "../AvroRejected.ts"
import { parseSchema, readBranch, skipValue, type WriterType } from "../WriterSchema.ts"
import type { Cursor } from "./Cursor.ts"

/** One field of the writer: captured into a slot, or skipped when `slot` is −1. */
interface Step {
  readonly name: string
  readonly slot: number
  readonly type: WriterType
}

/**
 * How to walk the rows of one file for some of its fields, all of them bytes or strings (which are encoded alike, and
 * which Avro resolves into each other).
 *
 * The writer's record may have another name, the fields another order and any others between them (spec: aggregation
 * §3.1). A nullable field, as data frames write it, is accepted as long as no row is null, as the original's reader does.
 */
export interface FieldPlan {
  readonly steps: ReadonlyArray<Step>
  /** The slots of the fields in their order, when all fields are wanted and none is a union: the common file. */
  readonly plain: Uint8Array | undefined
}

export const compilePlan = (
  file: string,
  schema: string,
  wanted: ReadonlyArray<string>,
  limits: AvroLimits
): FieldPlan | AvroRejected => {
  const writer = parseSchema(schema, limits)
  if ("_tag" in writer) return avroRejected(file, 0, writer.reason)
  if (writer.kind !== "record") return avroRejected(file, 0, `its rows are ${writer.kind} values, not records`)
  for (const name of wanted) {
    const field = writer.fields.find((field) => field.name === name)
    if (field === undefined) return avroRejected(file, 0, `its rows have no field ${name}`)
    if (!isText(field.type) && !(field.type.kind === "union" && field.type.branches.some(isText)))
      return avroRejected(file, 0, `its field ${name} is ${field.type.kind}, not bytes or string`)
  }
  const steps = writer.fields.map(({ name, type }) => ({ name, slot: wanted.indexOf(name), type }))
  const plain = steps.every(({ slot, type }) => slot >= 0 && isText(type))
  return { steps, plain: plain ? Uint8Array.from(steps, ({ slot }) => slot) : undefined }
}

const isText = (type: WriterType): boolean => type.kind === "bytes" || type.kind === "string"

/**
 * Walks the rows of a block, `columns` numbers of the table for each; gives how many could be walked, and leaves the
 * cursor with the reason at the first that could not.
 */
export const walkRows = (
  plan: FieldPlan,
  cursor: Cursor,
  rows: number,
  table: Uint32Array,
  columns: number
): number => {
  let row = plan.plain === undefined ? 0 : walkPlainRows(plan.plain, cursor, rows, table, columns)
  while (row < rows && walkRow(plan, cursor, table, columns * row)) row++
  return row
}

/** The hot loop: stops before the first row that is not plain sailing, which `walkRow` then judges. */
const walkPlainRows = (
  slots: Uint8Array,
  cursor: Cursor,
  rows: number,
  table: Uint32Array,
  columns: number
): number => {
  const bytes = cursor.bytes
  const end = bytes.length
  for (let row = 0; row < rows; row++) {
    let at = cursor.at
    for (let field = 0; field < slots.length; field++) {
      // A varint of at most three bytes. Bytes past the end read as 0 and leave `at` past the end as well.
      let raw = bytes[at++] as number
      if (raw >= 0x80) {
        raw = (raw & 0x7f) | ((bytes[at++] as number) << 7)
        if (raw >= 0x4000) {
          raw = (raw & 0x3fff) | ((bytes[at++] as number) << 14)
          if (raw >= 0x200000) return row
        }
      }
      const length = raw >>> 1
      if ((raw & 1) !== 0 || at + length > end) return row
      const to = columns * row + 2 * (slots[field] as number)
      table[to] = at
      table[to + 1] = length
      at += length
    }
    cursor.at = at
  }
  return rows
}

/** Walks one row; slot `s` gets its position and length in `table[at + 2s]` and `table[at + 2s + 1]`. */
const walkRow = (plan: FieldPlan, cursor: Cursor, table: Uint32Array, at: number): boolean => {
  for (const { name, slot, type } of plan.steps) {
    if (slot < 0) {
      if (!skipValue(cursor, type, 2)) return false
      continue
    }
    if (type.kind === "union") {
      const branch = readBranch(cursor, type.branches)
      if (branch === undefined) return false
      if (!isText(branch)) return cursor.fail(`field ${name} is ${branch.kind}`)
    }
    const length = cursor.length()
    if (length < 0) return false
    table[at + 2 * slot] = cursor.at
    table[at + 2 * slot + 1] = length
    cursor.at += length
  }
  return true
}

/** Every wanted field takes a byte at least, so that a lie about the rows costs no memory. */
export const rowsFit = (
  file: string,
  block: { readonly offset: number; readonly rows: number },
  data: Uint8Array,
  leastBytes: number
): AvroRejected | undefined =>
  block.rows * leastBytes > data.length
    ? avroRejected(file, block.offset, `the block announces ${block.rows} rows, its ${data.length} bytes hold fewer`)
    : undefined

/** The rejection for a row that could not be walked, or for bytes after the last row. */
export const blockFault = (
  file: string,
  block: { readonly offset: number; readonly rows: number },
  cursor: Cursor,
  row: number
): AvroRejected | undefined => {
  if (row < block.rows) return avroRejected(file, block.offset, `row ${row} of this block: ${cursor.reason}`)
  return cursor.at === cursor.bytes.length
    ? undefined
    : avroRejected(file, block.offset, `${cursor.bytes.length - cursor.at} bytes follow the last row of this block`)
}
