import { AVRO_LIMITS, type AvroLimits } from "./AvroLimits.ts"
import { isRejected, type AvroRejected } from "./AvroRejected.ts"
import type { Block } from "./Block.ts"
import type { ContainerHeader } from "./Container.ts"
import { Cursor } from "./internal/Cursor.ts"
import { blockFault, compilePlan, rowsFit, walkRows } from "./internal/FieldPlan.ts"

const FIELDS = ["payload", "key_id", "shared_info"]

/** Numbers a row takes in the table: position and length of `payload`, of `key_id`, of `shared_info`. */
export const REPORT_COLUMNS = 6

/** Finds the reports of one file without making an object for any. */
export interface ReportScanner {
  /**
   * A table of `REPORT_COLUMNS` numbers for each row, positions counting from the start of `data` (what `decompress`
   * gave). It lies in `table` when that is large enough, else in a new one.
   */
  scan(block: Pick<Block, "offset" | "rows">, data: Uint8Array, table?: Uint32Array): Uint32Array | AvroRejected
}

/** Refuses, naming the field, a file whose rows lack one of the three fields of a report (spec: aggregation §3.1). */
export const reportScanner = (
  file: string,
  header: Pick<ContainerHeader, "schema">,
  limits: AvroLimits = AVRO_LIMITS
): ReportScanner | AvroRejected => {
  const plan = compilePlan(file, header.schema, FIELDS, limits)
  if (isRejected(plan)) return plan
  return {
    scan: (block, data, table) => {
      const misfit = rowsFit(file, block, data, FIELDS.length)
      if (misfit !== undefined) return misfit
      const size = REPORT_COLUMNS * block.rows
      const out = table !== undefined && table.length >= size ? table.subarray(0, size) : new Uint32Array(size)
      const cursor = new Cursor(data, limits)
      const row = walkRows(plan, cursor, block.rows, out, REPORT_COLUMNS)
      return blockFault(file, block, cursor, row) ?? out
    }
  }
}
