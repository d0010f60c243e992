import avsc from "avsc"
import { AVRO_LIMITS, type AvroLimits } from "./AvroLimits.ts"
import { avroRejected, type AvroRejected } from "./AvroRejected.ts"
import type { Block } from "./Block.ts"
import type { ContainerHeader } from "./Container.ts"
import { Cursor } from "./internal/Cursor.ts"
import { blockFault } from "./internal/FieldPlan.ts"
import { parseSchema, skipValue } from "./WriterSchema.ts"

/**
 * Reads rows of any shape into objects through avsc's types and schema resolution: `long` as bigint, `bytes` as a view.
 *
 * For summaries and other files of moderate size; reports and domains have faster scanners.
 */
export interface RowReader<Row> {
  /** Calls `use` for each row of a block; nothing is called when the block is unsound. */
  each(
    block: Pick<Block, "offset" | "rows">,
    data: Uint8Array,
    use: (row: Row, index: number) => void
  ): AvroRejected | undefined
}

/**
 * @param schema What the caller wants to read, as a schema text. The writer's record may have another name, other fields
 *   beside, and another order (spec: aggregation §3.1).
 */
export const rowReader = <Row>(
  file: string,
  header: Pick<ContainerHeader, "schema">,
  schema: string,
  limits: AvroLimits = AVRO_LIMITS
): RowReader<Row> | AvroRejected => {
  const writer = parseSchema(header.schema, limits)
  if ("_tag" in writer) return avroRejected(file, 0, writer.reason)
  const types = resolve(header.schema, schema)
  if (typeof types === "string") return avroRejected(file, 0, types)
  return {
    each: (block, data, use) => {
      // avsc trusts its input: it loops as often as a count says. So the block is walked before it is decoded.
      const cursor = new Cursor(data, limits)
      let row = 0
      while (row < block.rows && skipValue(cursor, writer, 1)) row++
      const fault = blockFault(file, block, cursor, row)
      if (fault !== undefined) return fault
      const buffer = Buffer.from(data.buffer, data.byteOffset, data.length)
      let at = 0
      for (row = 0; row < block.rows; row++) {
        const decoded = decode(types, buffer, at)
        if (typeof decoded === "string") return avroRejected(file, block.offset, `row ${row} of this block: ${decoded}`)
        at = decoded.offset
        use(decoded.value as Row, row)
      }
      return undefined
    }
  }
}

interface Types {
  readonly reader: avsc.Type
  readonly resolver: unknown
}

const resolve = (written: string, wanted: string): Types | string => {
  try {
    const writer = avsc.Type.forSchema(JSON.parse(written), { registry: { long: bigLong } })
    const names = writer instanceof avsc.types.RecordType ? nameParts(writer.name) : {}
    const schema: unknown = JSON.parse(wanted)
    const named =
      typeof schema === "object" && schema !== null && !Array.isArray(schema) ? { ...schema, ...names } : schema
    const reader = avsc.Type.forSchema(named as avsc.Schema, { registry: { long: bigLong } })
    return { reader, resolver: reader.createResolver(writer) }
  } catch (error) {
    return `its schema does not resolve: ${(error as Error).message.slice(0, 300)}`
  }
}

/** avsc matches records by name; ours are matched by shape. */
const nameParts = (name: string | undefined): { readonly name?: string; readonly namespace?: string } => {
  if (name === undefined) return {}
  const dot = name.lastIndexOf(".")
  return dot < 0 ? { name } : { name: name.slice(dot + 1), namespace: name.slice(0, dot) }
}

const decode = (
  { reader, resolver }: Types,
  buffer: Buffer,
  at: number
): { value: unknown; offset: number } | string => {
  try {
    const decoded = reader.decode(buffer, at, resolver as avsc.Resolver) as { value: unknown; offset: number }
    return decoded.offset < 0 ? "a value is cut off" : decoded
  } catch (error) {
    return (error as Error).message.slice(0, 300)
  }
}

/** avsc hands a long over as 8 bytes, little-endian. */
const bigLong = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8)
    buffer.writeBigInt64LE(value)
    return buffer
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint" && BigInt.asIntN(64, value) === value,
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0)
})
