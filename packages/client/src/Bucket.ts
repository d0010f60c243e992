import { sha256 } from "@noble/hashes/sha2.js"
import { type Environment, utf8 } from "./Environment.ts"

/** The largest bucket, 2¹²⁸ − 1. */
export const MAX_BUCKET = (1n << 128n) - 1n

/**
 * The bucket of a text key: the first 16 bytes of SHA-256 of its UTF-8, big-endian.
 *
 * Plain on purpose, so that whoever writes the output domain can compute the same in SQL or a shell
 * (`printf %s KEY | sha256sum | cut -c1-32`). Among a billion keys two share a bucket with probability 10⁻²¹.
 * The key is not hidden: whoever can guess it can compute its bucket.
 */
export const bucketOf = (key: string, environment: Environment = {}): bigint => {
  let bucket = 0n
  for (const byte of sha256(utf8(key, environment)).subarray(0, 16)) bucket = (bucket << 8n) | BigInt(byte)
  return bucket
}
