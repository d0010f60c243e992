/** Avro containers as lines of JSON, the form in which DuckDB takes rows of any shape. */
import { blockScanner, decompress, isRejected, printRejected, rowReader, type RowReader } from "@sotto/avro"

/** Turns the chunks of one container into lines; `end` tells whether the file was whole. */
export interface AvroRows {
  push(chunk: Uint8Array): string
  end(): string
}

/** What is wrong with a container; the message names the file and the place. */
class AvroUnreadable extends Error {
  override readonly name = "AvroUnreadable"
}

type Row = Readonly<Record<string, unknown>>

export const avroRows = (file: string): AvroRows => {
  const scanner = blockScanner(file)
  let reader: RowReader<Row> | undefined
  const sound = <A>(value: A): Exclude<A, { readonly _tag: "AvroRejected" }> => {
    if (isRejected(value)) throw new AvroUnreadable(printRejected(value))
    return value as Exclude<A, { readonly _tag: "AvroRejected" }>
  }
  return {
    push: (chunk) => {
      const lines: Array<string> = []
      for (const block of sound(scanner.push(chunk))) {
        const header = scanner.header
        if (header === undefined) continue
        reader ??= sound(rowReader<Row>(file, header, header.schema))
        const data = sound(decompress(file, header.codec, block))
        const fault = reader.each(block, data, (row) => lines.push(JSON.stringify(row, plain)))
        if (fault !== undefined) sound(fault)
      }
      return lines.length === 0 ? "" : `${lines.join("\n")}\n`
    },
    end: () => {
      const fault = scanner.end()
      if (fault !== undefined) sound(fault)
      return ""
    }
  }
}

/** Longs are bigints and bytes are views: neither is JSON. */
const plain = (_: string, value: unknown): unknown => {
  if (typeof value === "bigint") {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value.toString()
  }
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64")
  if (typeof value === "object" && value !== null && "type" in value && value.type === "Buffer" && "data" in value) {
    return Buffer.from(value.data as ReadonlyArray<number>).toString("base64")
  }
  return value
}
