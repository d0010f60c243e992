/**
 * SHA-256 and HMAC-SHA-256 results, and the only way here to compare secrets.
 *
 * Two digests always have 32 bytes, so that comparing them takes the same time whatever they are: there is no length to
 * tell apart. A text that somebody sent is hashed first and compared then.
 */
import { Buffer } from "node:buffer"
import { toHex } from "@sotto/core/Bytes"
import { createHash, createHmac, timingSafeEqual } from "node:crypto"

export type Digest = Uint8Array & { readonly Digest: unique symbol }

export const DIGEST_BYTES = 32

export const sha256 = (text: string): Digest => createHash("sha256").update(text, "utf8").digest() as never

export const sha256Hex = (text: string): string => toHex(sha256(text))

export const hmacSha256 = (key: Uint8Array, message: Uint8Array): Digest =>
  createHmac("sha256", key).update(message).digest() as never

/** The digest that these bytes are; `undefined` unless there are 32 of them. */
export const digestOf = (bytes: Uint8Array): Digest | undefined =>
  bytes.length === DIGEST_BYTES ? (bytes as Digest) : undefined

/** 64 hexadecimal digits of lower case, as `sha256sum` prints them. */
export const isDigestText = (text: string): boolean => /^[0-9a-f]{64}$/.test(text)

/** Reads what `isDigestText` says yes to. */
export const digestFromHex = (text: string): Digest => Buffer.from(text, "hex") as never

/** In constant time. */
export const sameDigest = (a: Digest, b: Digest): boolean => timingSafeEqual(a, b)
