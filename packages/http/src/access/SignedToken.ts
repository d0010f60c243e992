/**
 * A text that only the server can have made: `sotto_<purpose>_<base64url>`.
 *
 * Encoded are the number of the server's key (4 bytes), the time at which the token is over (8 bytes, milliseconds since
 * 1970, both big-endian), what it is about (a JSON list of texts) and HMAC-SHA-256 over the purpose and all of that.
 * The purpose is signed along and not encoded: a token that is renamed is a forged one.
 */
import { Buffer } from "node:buffer"
import { utf8 } from "@sotto/core/Bytes"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import { DIGEST_BYTES, digestOf, hmacSha256, sameDigest } from "./Digest.ts"

/** What a token is good for. One made for one purpose is worth nothing for another. */
export type TokenPurpose = "access" | "job" | "link"

/** A key that the server signs with, 32 bytes, and its number (1 … 2³² − 1). */
export interface ServerKey {
  readonly number: number
  readonly secret: SecretBytes
}

export interface Claims {
  /** Whom and what it is for, as the purpose says. */
  readonly about: ReadonlyArray<string>
  /** Milliseconds since 1970, whole, not negative. */
  readonly until: number
}

const HEAD_BYTES = 12

/** Signs in place of a key that is not there, so that an unknown number takes as long as a wrong signature. */
const NO_KEY = new SecretBytes(new Uint8Array(DIGEST_BYTES))

export const signToken = (purpose: TokenPurpose, { about, until }: Claims, { number, secret }: ServerKey): string => {
  const head = new Uint8Array(HEAD_BYTES)
  const view = new DataView(head.buffer)
  view.setUint32(0, number)
  view.setBigUint64(4, BigInt(until))
  const body = Buffer.concat([head, utf8(JSON.stringify(about))])
  return `${prefixOf(purpose)}${Buffer.concat([body, tag(purpose, body, secret)]).toString("base64url")}`
}

/** The claims of a token that was signed for this purpose by a known key and is not over at `now`. */
export const readToken = (
  purpose: TokenPurpose,
  token: string,
  keys: ReadonlyArray<ServerKey>,
  now: number
): Claims | undefined => {
  const prefix = prefixOf(purpose)
  if (!token.startsWith(prefix)) return undefined
  const bytes = Buffer.from(token.slice(prefix.length), "base64url")
  // One spelling only: the decoder passes over foreign characters and spare bits.
  if (bytes.toString("base64url") !== token.slice(prefix.length)) return undefined
  const body = bytes.subarray(0, -DIGEST_BYTES)
  const signature = digestOf(bytes.subarray(-DIGEST_BYTES))
  if (signature === undefined || body.length <= HEAD_BYTES) return undefined
  const key = keys.find(({ number }) => number === body.readUInt32BE(0))
  const until = Number(body.readBigUInt64BE(4))
  const signed = sameDigest(signature, tag(purpose, body, key?.secret ?? NO_KEY))
  if (!signed || key === undefined || now >= until) return undefined
  return { about: JSON.parse(body.toString("utf8", HEAD_BYTES)), until }
}

/** Whether a text claims to be a token for this purpose. */
export const isTokenText = (purpose: TokenPurpose, text: string): boolean => text.startsWith(prefixOf(purpose))

const prefixOf = (purpose: TokenPurpose): string => `sotto_${purpose}_`

const tag = (purpose: TokenPurpose, body: Uint8Array, secret: SecretBytes) =>
  hmacSha256(secret.reveal(), Buffer.concat([utf8(`sotto/token/1\0${purpose}\0`), body]))
