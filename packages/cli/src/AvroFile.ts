/** A whole Avro file of one of our four shapes, read into rows: for commands that show or copy files of moderate size. */
import { readFileSync, statSync } from "node:fs"
import { decompress, isRejected, printRejected, readContainer, rowReader } from "@sotto/avro"
import { AVRO_SCHEMAS } from "@sotto/core/aggregation"
import { CommandError } from "./Failure.ts"

const SHAPES = {
  reports: ["payload", "key_id", "shared_info"],
  debugSummary: ["bucket", "unnoised_metric", "noise", "annotations"],
  summary: ["bucket", "metric"],
  domain: ["bucket"]
} as const

export type Shape = keyof typeof SHAPES

export interface AvroRow {
  readonly bucket: Uint8Array
  readonly metric: bigint
  readonly unnoised_metric: bigint
  readonly noise: bigint
  readonly annotations: ReadonlyArray<string>
  readonly payload: Uint8Array
  readonly key_id: string
  readonly shared_info: string
}

export interface AvroFile {
  readonly shape: Shape
  readonly rows: ReadonlyArray<AvroRow>
  /** Metadata of the header besides the schema and the codec, e.g. `sotto.epsilon`. */
  readonly metadata: ReadonlyMap<string, string>
}

/** What can be held as objects without trouble; larger files are for the aggregation, not for the eye. */
const LARGEST = 512 * 1024 * 1024

const unless = <A>(value: A): Exclude<A, { readonly _tag: "AvroRejected" }> => {
  if (isRejected(value)) throw new CommandError(printRejected(value))
  return value as Exclude<A, { readonly _tag: "AvroRejected" }>
}

/** The shape whose fields the writer has, the widest first: a debug summary has a bucket too. */
const shapeOf = (file: string, schema: string): Shape => {
  const fields = (JSON.parse(schema) as { readonly fields?: ReadonlyArray<{ readonly name: string }> }).fields ?? []
  const names = new Set(fields.map(({ name }) => name))
  const shape = (Object.keys(SHAPES) as Array<Shape>).find((shape) => SHAPES[shape].every((name) => names.has(name)))
  if (shape === undefined) {
    throw new CommandError(
      `${file} holds neither reports nor a domain nor a summary: its rows have the fields ${[...names].join(", ") || "(none)"}.`
    )
  }
  return shape
}

export const readAvroFile = (file: string): AvroFile => {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (stat === undefined) throw new CommandError(`There is no file ${file}.`)
  if (stat.isDirectory()) throw new CommandError(`${file} is a folder; name one Avro file in it.`)
  if (stat.size > LARGEST)
    throw new CommandError(
      `${file} has ${Math.round(stat.size / 1e6)} MB, more than this command reads (${LARGEST / 1e6} MB).`
    )
  if (stat.size === 0) throw new CommandError(`${file} is empty.`)
  const { header, blocks } = unless(readContainer(file, readFileSync(file)))
  if (header === undefined) throw new CommandError(`${file} is empty.`)
  const shape = shapeOf(file, header.schema)
  const reader = unless(rowReader<AvroRow>(file, header, AVRO_SCHEMAS[shape]))
  const rows: Array<AvroRow> = []
  for (const block of blocks) {
    const data = unless(decompress(file, header.codec, block))
    // Values that are views of the block are copied, so that a block can go.
    unless(
      reader.each(block, data, (row) =>
        rows.push({ ...row, ...(row.bucket === undefined ? {} : { bucket: row.bucket.slice() }) })
      )
    )
  }
  return { shape, rows, metadata: metadataOf(header.metadata) }
}

const metadataOf = (entries: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, string> =>
  new Map(
    [...entries]
      .filter(([name]) => !name.startsWith("avro."))
      .map(([name, value]) => [name, Buffer.from(value).toString("utf8")])
  )
