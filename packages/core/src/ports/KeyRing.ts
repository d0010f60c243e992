import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SecretBytes } from "./SecretBytes.ts"

/** No key has this id. A report error, `DECRYPTION_KEY_NOT_FOUND` (spec: aggregation §3.5). */
export class KeyNotFound extends Schema.TaggedError<KeyNotFound>()("KeyNotFound", {
  keyId: Schema.String,
  message: Schema.String
}) {}

/** The key exists and we may not have it. Ends the job, `PERMISSION_ERROR`. */
export class KeyDenied extends Schema.TaggedError<KeyDenied>()("KeyDenied", {
  keyId: Schema.String,
  message: Schema.String
}) {}

/** The key was given and cannot be used: not unwrapped, of another kind, damaged. A report error, `DECRYPTION_KEY_FETCH_ERROR`. */
export class KeyUnusable extends Schema.TaggedError<KeyUnusable>()("KeyUnusable", {
  keyId: Schema.String,
  message: Schema.String
}) {}

/** Nobody could answer. Ends the attempt, `INTERNAL_ERROR`; asking again may help. */
export class KeyUnavailable extends Schema.TaggedError<KeyUnavailable>()("KeyUnavailable", {
  keyId: Schema.String,
  message: Schema.String
}) {}

export type KeyError = KeyNotFound | KeyDenied | KeyUnusable | KeyUnavailable

/** An X25519 pair, 32 raw bytes each (RFC 7748). */
export interface DecryptionKey {
  readonly id: string
  readonly publicKey: Uint8Array
  readonly privateKey: SecretBytes
}

/** The private keys that open reports, by the `key_id` that a report names. */
export class KeyRing extends Context.Service<
  KeyRing,
  {
    /** The pair with exactly this id (case matters, no normalisation). */
    privateKey(keyId: string): Effect.Effect<DecryptionKey, KeyError>
  }
>()("@sotto/core/ports/KeyRing") {}
