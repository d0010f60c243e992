import { crc32, inflateRawSync } from "node:zlib"
import { AVRO_LIMITS, type AvroLimits } from "./AvroLimits.ts"
import { avroRejected, type AvroRejected } from "./AvroRejected.ts"
import type { Block } from "./Block.ts"
import { snappyLength, unsnap } from "./internal/Snappy.ts"

/** The codecs that every Avro library reads (Avro 1.12, "Required Codecs") and Snappy. */
export const CODECS = ["null", "deflate", "snappy"] as const
export type Codec = (typeof CODECS)[number]

/** The data of a block. With codec `null` these are its bytes, not a copy. */
export const decompress = (
  file: string,
  codec: Codec,
  block: Block,
  limits: AvroLimits = AVRO_LIMITS
): Uint8Array | AvroRejected => {
  const tooLarge = () =>
    avroRejected(file, block.offset, `the block has more than ${limits.blockBytes} bytes after decompression`)
  switch (codec) {
    case "null":
      return block.bytes.length > limits.blockBytes ? tooLarge() : block.bytes
    case "deflate":
      return inflate(file, block, limits, tooLarge)
    case "snappy": {
      if (block.bytes.length < 4) return avroRejected(file, block.offset, "the block is too short for Snappy")
      const compressed = block.bytes.subarray(0, -4)
      const length = snappyLength(compressed)
      if (length !== undefined && length.value > limits.blockBytes) return tooLarge()
      const data = length === undefined ? undefined : unsnap(compressed, length)
      if (data === undefined) return avroRejected(file, block.offset, "the block is not valid Snappy data")
      const [a, b, c, d] = block.bytes.subarray(-4) as unknown as [number, number, number, number]
      if (crc32(data) !== ((a << 24) | (b << 16) | (c << 8) | d) >>> 0)
        return avroRejected(file, block.offset, "the checksum of the block does not fit its data")
      return data
    }
  }
}

/**
 * Raw deflate (RFC 1951). Bytes behind the end of the data are left alone: Python's writers cut a zlib stream (RFC 1950)
 * out of its frame and leave some of its checksum there.
 */
const inflate = (
  file: string,
  block: Block,
  limits: AvroLimits,
  tooLarge: () => AvroRejected
): Uint8Array | AvroRejected => {
  try {
    const data = inflateRawSync(block.bytes, { maxOutputLength: limits.blockBytes })
    return new Uint8Array(data.buffer, data.byteOffset, data.length)
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") return tooLarge()
    return avroRejected(file, block.offset, "the block is not valid deflate data")
  }
}
