import { AVRO_LIMITS, type AvroLimits } from "./AvroLimits.ts"
import { avroRejected, isRejected, type AvroRejected } from "./AvroRejected.ts"
import { CODECS, type Codec } from "./Codec.ts"
import { Cursor } from "./internal/Cursor.ts"
import type { Block } from "./Block.ts"

/**
 * What stands before the first block of an object container (Avro 1.12, "Object Container Files").
 *
 * Plain data, so that it can be posted to a thread.
 */
export interface ContainerHeader {
  readonly schema: string
  readonly codec: Codec
  /** Every entry, `avro.schema` and `avro.codec` included. */
  readonly metadata: ReadonlyMap<string, Uint8Array>
  /** 16 bytes that end the header and each block. */
  readonly sync: Uint8Array
  /** Bytes of the header; the first block begins there. */
  readonly length: number
}

/** The header is longer than what was given; it needs at least `bytes` from the start of the file. */
export interface HeaderCut {
  readonly _tag: "HeaderCut"
  readonly bytes: number
}

const MAGIC = [0x4f, 0x62, 0x6a, 0x01]
const SYNC_BYTES = 16

const text = new TextDecoder("utf-8", { fatal: true })

/** Reads the header at the start of `bytes`. */
export const readHeader = (
  file: string,
  bytes: Uint8Array,
  limits: AvroLimits = AVRO_LIMITS
): ContainerHeader | HeaderCut | AvroRejected => {
  const reject = (offset: number, reason: string) => avroRejected(file, offset, reason)
  const cut = (needed: number): HeaderCut | AvroRejected =>
    needed > limits.headerBytes
      ? reject(0, `the header is longer than ${limits.headerBytes} bytes`)
      : { _tag: "HeaderCut", bytes: needed }

  for (let i = 0; i < MAGIC.length; i++) {
    if (i >= bytes.length) return cut(MAGIC.length)
    if (bytes[i] !== MAGIC[i]) return reject(i, "this is not an Avro object container (it does not begin with Obj1)")
  }

  const cursor = new Cursor(bytes, limits)
  cursor.at = MAGIC.length
  // A number is cut only at the end of the bytes; ten of them are always a number or a wrong one.
  const number = (): number | HeaderCut | AvroRejected => {
    const start = cursor.at
    const value = cursor.long()
    if (!Number.isNaN(value)) return value
    return bytes.length - start < 10 ? cut(bytes.length + 1) : reject(start, "a number has more than 64 bits")
  }
  const piece = (): Uint8Array | HeaderCut | AvroRejected => {
    const start = cursor.at
    const length = number()
    if (typeof length !== "number") return length
    if (length < 0) return reject(start, `a length is negative: ${length}`)
    if (cursor.at + length > bytes.length) return cut(cursor.at + length)
    cursor.at += length
    return bytes.subarray(cursor.at - length, cursor.at)
  }

  const metadata = new Map<string, Uint8Array>()
  let entries = 0
  for (;;) {
    const start = cursor.at
    let count = number()
    if (typeof count !== "number") return count
    if (count === 0) break
    let size: number | undefined
    if (count < 0) {
      count = -count
      const announced = number()
      if (typeof announced !== "number") return announced
      size = announced
    }
    const first = cursor.at
    entries += count
    if (entries > limits.metadataEntries)
      return reject(start, `the header has more than ${limits.metadataEntries} metadata entries`)
    for (let i = 0; i < count; i++) {
      const at = cursor.at
      const key = piece()
      if (!(key instanceof Uint8Array)) return key
      const value = piece()
      if (!(value instanceof Uint8Array)) return value
      const name = decode(key)
      if (name === undefined) return reject(at, "the name of a metadata entry is not UTF-8")
      metadata.set(name, value.slice())
    }
    if (size !== undefined && cursor.at - first !== size)
      return reject(start, "a block of metadata is not as long as it says")
  }
  const length = cursor.at + SYNC_BYTES
  if (length > bytes.length) return cut(length)
  if (length > limits.headerBytes) return reject(0, `the header is longer than ${limits.headerBytes} bytes`)

  const schemaBytes = metadata.get("avro.schema")
  if (schemaBytes === undefined) return reject(0, "the header has no avro.schema")
  const schema = decode(schemaBytes)
  if (schema === undefined) return reject(0, "the schema is not UTF-8")
  const codecBytes = metadata.get("avro.codec")
  const codec = codecBytes === undefined ? "null" : (decode(codecBytes) ?? "?")
  if (!isCodec(codec))
    return reject(0, `codec ${JSON.stringify(codec.slice(0, 40))} is not supported, only ${CODECS.join(", ")}`)
  return { schema, codec, metadata, sync: bytes.slice(cursor.at, length), length }
}

const isCodec = (name: string): name is Codec => (CODECS as ReadonlyArray<string>).includes(name)

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return text.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Cuts a file into blocks while it is being read.
 *
 * Blocks are views of the pushed chunk, which must stay unchanged while they are used; only a block that spans chunks is
 * copied, once. After a rejection every further call gives the same rejection.
 */
export interface BlockScanner {
  /** `undefined` until the whole header was pushed. */
  readonly header: ContainerHeader | undefined
  /** The blocks that this chunk completes. */
  push(chunk: Uint8Array): ReadonlyArray<Block> | AvroRejected
  /** To be called after the last chunk: a rejection when the file is cut. An object of zero bytes is none, and has no header. */
  end(): AvroRejected | undefined
}

export const blockScanner = (file: string, limits: AvroLimits = AVRO_LIMITS): BlockScanner => new Scanner(file, limits)

class Scanner implements BlockScanner {
  header: ContainerHeader | undefined = undefined
  readonly #file: string
  readonly #limits: AvroLimits
  #rejected: AvroRejected | undefined = undefined

  // The start of the file while its header is incomplete.
  #head = new Uint8Array(0)
  #headLength = 0
  #headNeeds = 1

  // The block being read: its two numbers digit by digit, then a body of its own when it spans chunks.
  #blockOffset = 0
  #raw = 0
  #scale = 1
  #digits = 0
  #rows = -1
  #body: Uint8Array | undefined = undefined
  #filled = 0
  #offset = 0

  constructor(file: string, limits: AvroLimits) {
    this.#file = file
    this.#limits = limits
  }

  push(chunk: Uint8Array): ReadonlyArray<Block> | AvroRejected {
    if (this.#rejected !== undefined) return this.#rejected
    const blocks = this.header === undefined ? this.#pushHead(chunk) : this.#pushBlocks(chunk, 0)
    if (isRejected(blocks)) this.#rejected = blocks
    return blocks
  }

  end(): AvroRejected | undefined {
    if (this.#rejected !== undefined) return this.#rejected
    if (this.header === undefined) {
      return this.#headLength === 0
        ? undefined
        : avroRejected(this.#file, this.#headLength, "the file ends inside its header")
    }
    if (this.#offset === this.#blockOffset) return undefined
    return avroRejected(this.#file, this.#blockOffset, `the file ends at byte ${this.#offset}, inside this block`)
  }

  #pushHead(chunk: Uint8Array): ReadonlyArray<Block> | AvroRejected {
    const before = this.#headLength
    const whole = before === 0 ? chunk : this.#keep(chunk)
    if (whole.length >= this.#headNeeds) {
      const header = readHeader(this.#file, whole, this.#limits)
      if (isRejected(header)) return header
      if (!("_tag" in header)) {
        this.header = header
        this.#head = new Uint8Array(0)
        this.#offset = this.#blockOffset = header.length
        return this.#pushBlocks(chunk, header.length - before)
      }
      this.#headNeeds = header.bytes
    }
    if (before === 0) this.#keep(chunk)
    return []
  }

  #keep(chunk: Uint8Array): Uint8Array {
    const length = this.#headLength + chunk.length
    if (length > this.#head.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#head.length))
      grown.set(this.#head.subarray(0, this.#headLength))
      this.#head = grown
    }
    this.#head.set(chunk, this.#headLength)
    this.#headLength = length
    return this.#head.subarray(0, length)
  }

  #pushBlocks(chunk: Uint8Array, from: number): ReadonlyArray<Block> | AvroRejected {
    const blocks: Array<Block> = []
    let at = from
    while (at < chunk.length) {
      if (this.#body !== undefined) {
        const part = chunk.subarray(at, at + this.#body.length - this.#filled)
        this.#body.set(part, this.#filled)
        this.#filled += part.length
        this.#offset += part.length
        at += part.length
        if (this.#filled < this.#body.length) break
        const rejected = this.#finish(this.#body, blocks)
        if (rejected !== undefined) return rejected
        continue
      }
      const number = this.#digit(chunk[at++] as number)
      if (number === undefined) continue
      if (typeof number !== "number") return number
      if (this.#rows < 0) {
        if (number < 0) return this.#reject(`the number of rows is negative: ${number}`)
        if (!Number.isSafeInteger(number)) return this.#reject(`the number of rows is too large: ${number}`)
        this.#rows = number
        continue
      }
      if (number < 0) return this.#reject(`the size of the block is negative: ${number}`)
      if (number > this.#limits.storedBlockBytes)
        return this.#reject(`the block has ${number} bytes, more than ${this.#limits.storedBlockBytes}`)
      const length = number + SYNC_BYTES
      if (chunk.length - at < length) {
        this.#body = new Uint8Array(length)
        this.#filled = 0
        continue
      }
      this.#offset += length
      at += length
      const rejected = this.#finish(chunk.subarray(at - length, at), blocks)
      if (rejected !== undefined) return rejected
    }
    return blocks
  }

  /** Takes one byte of a zigzag varint; a number when it is the last one. */
  #digit(byte: number): number | AvroRejected | undefined {
    this.#offset++
    this.#raw += (byte & 0x7f) * this.#scale
    this.#scale *= 128
    this.#digits++
    if (byte >= 0x80) return this.#digits < 10 ? undefined : this.#reject("a number has more than 64 bits")
    if (this.#digits === 10 && byte > 1) return this.#reject("a number has more than 64 bits")
    const raw = this.#raw
    this.#raw = 0
    this.#scale = 1
    this.#digits = 0
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }

  #finish(body: Uint8Array, blocks: Array<Block>): AvroRejected | undefined {
    const { sync } = this.header as ContainerHeader
    const size = body.length - SYNC_BYTES
    for (let i = 0; i < SYNC_BYTES; i++) {
      if (body[size + i] !== sync[i]) return this.#reject("the block does not end with the sync marker of the file")
    }
    blocks.push({ offset: this.#blockOffset, rows: this.#rows, bytes: body.subarray(0, size) })
    this.#body = undefined
    this.#rows = -1
    this.#blockOffset = this.#offset
    return undefined
  }

  #reject(reason: string): AvroRejected {
    return avroRejected(this.#file, this.#blockOffset, reason)
  }
}

/** A whole file at once. An object of zero bytes has no header and no blocks. */
export const readContainer = (
  file: string,
  bytes: Uint8Array,
  limits: AvroLimits = AVRO_LIMITS
): { readonly header: ContainerHeader | undefined; readonly blocks: ReadonlyArray<Block> } | AvroRejected => {
  const scanner = blockScanner(file, limits)
  const blocks = scanner.push(bytes)
  if (isRejected(blocks)) return blocks
  return scanner.end() ?? { header: scanner.header, blocks }
}
