/**
 * An API key: `sotto_<id>_<secret>`, an id of 16 hexadecimal digits to find it by, and a secret of 256 bits.
 *
 * Kept is the SHA-256 of the whole text. A slow hash would be for passwords, which people choose and others guess; 2²⁵⁶
 * secrets cannot be tried at any speed, and every request pays for the hash.
 */
import { toHex } from "@sotto/core/Bytes"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { isDigestText, sha256Hex } from "./Digest.ts"

export const API_KEY_ID_BYTES = 8

export const API_KEY_SECRET_BYTES = 32

const Id = Schema.String.check(Schema.isPattern(/^[0-9a-f]{16}$/))

const Hash = Schema.String.check(Schema.makeFilter(isDigestText))

/** What is kept of a key, and may be shown. Times are milliseconds since 1970. */
export const ApiKey = Schema.Struct({
  id: Id,
  tenant: Schema.String,
  /** Who uses it, for people and the log. */
  name: Schema.String,
  /** The model that its on-demand jobs are for; absent: any. */
  model: Schema.optionalKey(Schema.String),
  /** SHA-256 of the whole key, hexadecimal. */
  hash: Hash,
  /** The end of the secret, by which its owner knows it again. */
  last4: Schema.String,
  created: Schema.Int,
  /** From then on it is refused; `null`: never. */
  expires: Schema.NullOr(Schema.Int),
  revoked: Schema.NullOr(Schema.Int)
})

export type ApiKey = typeof ApiKey.Type

/** What deciding about a request needs of a key: a kept one, or one of the configuration. */
export type KnownApiKey = Pick<ApiKey, "id" | "tenant" | "name" | "model" | "hash" | "expires" | "revoked">

/** The key made of 8 random bytes for the id and 32 for the secret. */
export const apiKeyText = (id: Uint8Array, secret: Uint8Array): Redacted.Redacted =>
  Redacted.make(apiKeyOf(toHex(id), toHex(secret)))

/** The key of which somebody sent the parts. */
export const apiKeyOf = (id: string, secret: string): string => `sotto_${id}_${secret}`

/** The id in a text that is spelled like a key; whether there is such a key is another question. */
export const apiKeyId = (text: string): string | undefined => /^sotto_([0-9a-f]{16})_[0-9a-f]{64}$/.exec(text)?.[1]

/** A key that the configuration gives as a text; `undefined` when it is not spelled like one. */
export const knownApiKey = (
  text: Redacted.Redacted,
  facts: Pick<ApiKey, "tenant" | "name" | "model" | "expires">
): KnownApiKey | undefined => {
  const id = apiKeyId(Redacted.value(text))
  return id === undefined ? undefined : { ...facts, id, hash: sha256Hex(Redacted.value(text)), revoked: null }
}

export const apiKeyState = (
  { expires, revoked }: Pick<ApiKey, "expires" | "revoked">,
  now: number
): "active" | "expired" | "revoked" =>
  revoked !== null ? "revoked" : expires !== null && expires <= now ? "expired" : "active"
