/** Reports files: their rows, and reading and writing files whole. */
import {
  blockScanner,
  decompress,
  isRejected,
  printRejected,
  REPORT_COLUMNS,
  reportScanner,
  type Rows,
  RowWriter,
  writeBlock,
  writeHeader
} from "@sotto/avro"
import { createHash } from "node:crypto"
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs"
import { CommandError } from "../Failure.ts"

/** One record of a reports file, with the names of its fields there (spec: aggregation §3.1). */
export interface ReportRow {
  /** Encrypted: encapsulated key, ciphertext and tag. In a cleartext file: the CBOR plaintext. */
  readonly payload: Uint8Array
  readonly key_id: string
  readonly shared_info: string
}

const CHUNK = 1 << 20
const utf8 = new TextDecoder()

/** The rows of the file at `path`, read as they are asked for. Throws `CommandError` naming file and offset. */
export function* readReports(path: string): Generator<ReportRow> {
  const sound = <A>(value: A): Exclude<A, { readonly _tag: "AvroRejected" }> => {
    if (isRejected(value)) throw new CommandError(printRejected(value))
    return value as Exclude<A, { readonly _tag: "AvroRejected" }>
  }
  const file = openToRead(path)
  try {
    const blocks = blockScanner(path)
    let rows: Exclude<ReturnType<typeof reportScanner>, { readonly _tag: "AvroRejected" }> | undefined
    for (;;) {
      // A new chunk each time: blocks are views of it.
      const chunk = Buffer.allocUnsafeSlow(CHUNK)
      const length = readSync(file, chunk, 0, CHUNK, null)
      if (length === 0) break
      for (const block of sound(blocks.push(chunk.subarray(0, length)))) {
        const header = blocks.header
        if (header === undefined) break
        rows ??= sound(reportScanner(path, header))
        const data = sound(decompress(path, header.codec, block))
        const table = sound(rows.scan(block, data))
        for (let row = 0; row < table.length; row += REPORT_COLUMNS) {
          const field = (column: number): Uint8Array => {
            const at = table[row + column] as number
            return data.subarray(at, at + (table[row + column + 1] as number))
          }
          yield { payload: field(0), key_id: utf8.decode(field(2)), shared_info: utf8.decode(field(4)) }
        }
      }
    }
    sound(blocks.end())
  } finally {
    closeSync(file)
  }
}

const openToRead = (path: string): number => {
  try {
    return openSync(path, "r")
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}`)
  }
}

const BLOCK = 262_144

/** Hands `rows` to `write` in blocks of about 256 KiB. */
export const rowBlocks = (rows: Iterable<ReportRow>, write: (rows: Rows) => void): void => {
  const writer = new RowWriter()
  for (const { key_id, payload, shared_info } of rows) {
    writer.report(payload, key_id, shared_info)
    if (writer.bytes >= BLOCK) write(writer.take())
  }
  write(writer.take())
}

/**
 * Writes an Avro file whole or not at all. `name` stands for the content: the sync marker is made of it, so that equal
 * content gives equal bytes.
 */
export const writeAvro = <A>(
  path: string,
  schema: string,
  name: string,
  body: (write: (rows: Rows) => void) => Promise<A> | A
): Promise<A> =>
  writeWhole(path, (write) => {
    const sync = createHash("sha256").update(`sotto/avro/1\0${schema}\0${name}`).digest().subarray(0, 16)
    write(writeHeader({ schema, sync }))
    return body((rows) => write(writeBlock(rows, sync)))
  })

/** Gives `path` its new content only when `body` has written all of it; a failure leaves what was there. */
export const writeWhole = async <A>(
  path: string,
  body: (write: (bytes: Uint8Array) => void) => Promise<A> | A
): Promise<A> => {
  const partial = `${path}.partial-${process.pid}`
  const file = openToWrite(partial)
  let open = true
  try {
    const result = await body((bytes) => {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
    })
    fsyncSync(file)
    closeSync(file)
    open = false
    renameSync(partial, path)
    return result
  } catch (error) {
    if (open) closeSync(file)
    rmSync(partial, { force: true })
    throw error
  }
}

const openToWrite = (path: string): number => {
  try {
    return openSync(path, "w")
  } catch (error) {
    throw new CommandError(`${path} cannot be written: ${(error as Error).message}`)
  }
}
