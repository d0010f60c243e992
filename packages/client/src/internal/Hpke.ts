import { chacha20poly1305 } from "@noble/ciphers/chacha.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { ClientError } from "../ClientError.ts"
import type { WebCrypto } from "../Environment.ts"

/*
 * RFC 9180 single-shot seal in base mode: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001,
 * ChaCha20-Poly1305 0x0003. WebCrypto has the curve but not the cipher, hence the two libraries.
 */

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0))

const concat = (...parts: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

const EMPTY = new Uint8Array(0)
const KEM_SUITE = Uint8Array.of(0x4b, 0x45, 0x4d, 0, 0x20) // "KEM" ‖ kem_id
const SUITE = Uint8Array.of(0x48, 0x50, 0x4b, 0x45, 0, 0x20, 0, 1, 0, 3) // "HPKE" ‖ kem_id ‖ kdf_id ‖ aead_id

// RFC 9180 §4, LabeledExtract and LabeledExpand; one HMAC block is enough for the ≤ 32 bytes asked for here.
const extract = (suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array =>
  hmac(sha256, salt, concat(ascii("HPKE-v1"), suite, ascii(label), ikm))

const expand = (suite: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array =>
  hmac(
    sha256,
    prk,
    concat(Uint8Array.of(0, length), ascii("HPKE-v1"), suite, ascii(label), info, Uint8Array.of(1))
  ).subarray(0, length)

/** A key pair of WebCrypto for one message. */
export interface Ephemeral {
  readonly privateKey: unknown
  /** The raw 32 bytes of the public key. */
  readonly publicKey: Uint8Array
}

/** A fresh pair from the host's random generator. */
export const generateEphemeral = async (crypto: WebCrypto): Promise<Ephemeral> => {
  const pair = (await crypto.subtle.generateKey({ name: "X25519" }, false, ["deriveBits"])) as {
    readonly privateKey: never
    readonly publicKey: never
  }
  return {
    privateKey: pair.privateKey,
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))
  }
}

/**
 * `enc ‖ ciphertext ‖ tag` (32 + plaintext + 16 bytes).
 *
 * `ephemeral` is an argument for the vectors of RFC 9180 A.2 only: a pair must never be used for two messages.
 */
export const sealWith = async (
  crypto: WebCrypto,
  ephemeral: Ephemeral,
  recipient: Uint8Array<ArrayBuffer>,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array
): Promise<Uint8Array> => {
  const imported = await crypto.subtle.importKey("raw", recipient, { name: "X25519" }, false, [])
  const algorithm = { name: "X25519" as const, public: imported as never }
  // A point of small order gives a secret that everybody knows; RFC 9180 §7.1.4 refuses it, and some hosts already do.
  const dh = await crypto.subtle.deriveBits(algorithm, ephemeral.privateKey as never, 256).then(
    (bits) => new Uint8Array(bits),
    () => EMPTY
  )
  if (dh.every((byte) => byte === 0))
    throw new ClientError("PublicKeyRejected", "The public key is no usable X25519 point: fetch the key list again.")
  const secret = expand(
    KEM_SUITE,
    extract(KEM_SUITE, EMPTY, "eae_prk", dh),
    "shared_secret",
    concat(ephemeral.publicKey, recipient),
    32
  )
  const context = concat(
    Uint8Array.of(0),
    extract(SUITE, EMPTY, "psk_id_hash", EMPTY),
    extract(SUITE, EMPTY, "info_hash", info)
  )
  const prk = extract(SUITE, secret, "secret", EMPTY)
  const key = expand(SUITE, prk, "key", context, 32)
  const nonce = expand(SUITE, prk, "base_nonce", context, 12)
  return concat(ephemeral.publicKey, chacha20poly1305(key, nonce, aad).encrypt(plaintext))
}
