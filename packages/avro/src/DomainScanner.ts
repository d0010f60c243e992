import { AVRO_LIMITS, type AvroLimits } from "./AvroLimits.ts"
import { isRejected, type AvroRejected } from "./AvroRejected.ts"
import type { Block } from "./Block.ts"
import type { ContainerHeader } from "./Container.ts"
import { Cursor } from "./internal/Cursor.ts"
import { blockFault, compilePlan, rowsFit, walkRows } from "./internal/FieldPlan.ts"

const FIELDS = ["bucket"]

/** A bucket is a 128-bit number. */
export const BUCKET_BYTES = 16

/** A bucket of more than 16 bytes: the file is sound, but no output domain (the job is invalid, spec: aggregation §2.5). */
export interface BucketTooLong {
  readonly _tag: "BucketTooLong"
  readonly file: string
  readonly offset: number
  /** Row in its block, from 0. */
  readonly row: number
  readonly bytes: number
}

/** Reads the buckets of one file. */
export interface DomainScanner {
  /**
   * The buckets of a block, 16 bytes each, big-endian; what the file left out in front is zero. They lie in `out` when
   * that is large enough, else in a new array.
   */
  scan(
    block: Pick<Block, "offset" | "rows">,
    data: Uint8Array,
    out?: Uint8Array
  ): Uint8Array | AvroRejected | BucketTooLong
}

/** Refuses a file whose rows have no field `bucket` of bytes. */
export const domainScanner = (
  file: string,
  header: Pick<ContainerHeader, "schema">,
  limits: AvroLimits = AVRO_LIMITS
): DomainScanner | AvroRejected => {
  const plan = compilePlan(file, header.schema, FIELDS, limits)
  if (isRejected(plan)) return plan
  let found = new Uint32Array(0)
  return {
    scan: (block, data, target) => {
      const misfit = rowsFit(file, block, data, FIELDS.length)
      if (misfit !== undefined) return misfit
      const size = BUCKET_BYTES * block.rows
      const out = target !== undefined && target.length >= size ? target.subarray(0, size) : new Uint8Array(size)
      if (found.length < 2 * block.rows) found = new Uint32Array(2 * block.rows)
      const cursor = new Cursor(data, limits)
      const walked = walkRows(plan, cursor, block.rows, found, 2)
      const fault = blockFault(file, block, cursor, walked)
      if (fault !== undefined) return fault
      for (let row = 0; row < block.rows; row++) {
        const at = found[2 * row] as number
        const bytes = found[2 * row + 1] as number
        if (bytes > BUCKET_BYTES) return { _tag: "BucketTooLong", file, offset: block.offset, row, bytes }
        const to = BUCKET_BYTES * row
        const from = to + BUCKET_BYTES - bytes
        for (let i = to; i < from; i++) out[i] = 0
        for (let i = 0; i < bytes; i++) out[from + i] = data[at + i] as number
      }
      return out
    }
  }
}
