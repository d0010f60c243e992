import { AVRO_LIMITS, type AvroLimits } from "./AvroLimits.ts"
import { isRejected, type AvroRejected } from "./AvroRejected.ts"
import type { Block, ContainerHeader } from "./Container.ts"
import { Cursor } from "./internal/Cursor.ts"
import { blockFault, compilePlan, rowsFit, walkRow } from "./internal/FieldPlan.ts"

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
  const found = new Uint32Array(2)
  return {
    scan: (block, data, target) => {
      const misfit = rowsFit(file, block, data, FIELDS.length)
      if (misfit !== undefined) return misfit
      const size = BUCKET_BYTES * block.rows
      const out = target !== undefined && target.length >= size ? target.subarray(0, size) : new Uint8Array(size)
      const cursor = new Cursor(data, limits)
      let row = 0
      for (; row < block.rows && walkRow(plan, cursor, found, 0); row++) {
        const [at, bytes] = found as unknown as [number, number]
        if (bytes > BUCKET_BYTES) return { _tag: "BucketTooLong", file, offset: block.offset, row, bytes }
        const to = BUCKET_BYTES * row
        const from = to + BUCKET_BYTES - bytes
        out.fill(0, to, from)
        for (let i = 0; i < bytes; i++) out[from + i] = data[at + i] as number
      }
      return blockFault(file, block, cursor, row) ?? out
    }
  }
}
