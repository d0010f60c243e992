import type { Rows } from "./RowWriter.ts"

export interface ContainerOptions {
  /** The schema text as it shall stand in the file. */
  readonly schema: string
  /** Further entries in the order in which they shall stand; names must not begin with `avro.`. */
  readonly metadata?: ReadonlyArray<readonly [name: string, value: string | Uint8Array]>
  /** 16 bytes. Readers look for them between blocks; a writer of reproducible files derives them from the content's name. */
  readonly sync: Uint8Array
}

const utf8 = new TextEncoder()
const SYNC_BYTES = 16

/**
 * The header of a container that is not compressed: magic, `avro.schema`, the further entries, sync marker.
 *
 * There is no `avro.codec` entry, as in the original's files (spec: aggregation §3.1). A wrong marker or name is a defect
 * of the caller and throws.
 */
export const writeHeader = ({ schema, metadata = [], sync }: ContainerOptions): Uint8Array => {
  checkSync(sync)
  const reserved = metadata.find(([name]) => name.startsWith("avro."))
  if (reserved !== undefined) throw new RangeError(`metadata ${reserved[0]} is reserved`)
  const entries = [["avro.schema", schema] as const, ...metadata]
  const pieces = [Uint8Array.of(0x4f, 0x62, 0x6a, 0x01), varint(entries.length)]
  for (const [name, value] of entries) {
    const key = utf8.encode(name)
    const bytes = typeof value === "string" ? utf8.encode(value) : value
    pieces.push(varint(key.length), key, varint(bytes.length), bytes)
  }
  return join([...pieces, varint(0), sync])
}

/** One block: number of rows, size, data, sync marker. A block without rows is written as nothing. */
export const writeBlock = ({ rows, data }: Rows, sync: Uint8Array): Uint8Array => {
  checkSync(sync)
  return rows === 0 ? new Uint8Array(0) : join([varint(rows), varint(data.length), data, sync])
}

const checkSync = (sync: Uint8Array): void => {
  if (sync.length !== SYNC_BYTES) throw new RangeError(`a sync marker has ${SYNC_BYTES} bytes, not ${sync.length}`)
}

const varint = (value: number): Uint8Array => {
  const bytes: Array<number> = []
  let rest = 2 * value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  return Uint8Array.from([...bytes, rest])
}

const join = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  const out = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    out.set(piece, at)
    at += piece.length
  }
  return out
}
