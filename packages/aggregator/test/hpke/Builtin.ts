/**
 * HPKE base mode as RFC 9180 writes it, with node:crypto's own HMAC and AEAD: slow, obvious, independent of what it checks.
 */
import { createCipheriv, createDecipheriv, createHmac, diffieHellman, type KeyObject } from "node:crypto"
import { importPrivateKey, importPublicKey, publicBytes } from "../../src/hpke/X25519.ts"

const KEM = Buffer.from("4b454d0020", "hex")
const SUITE = Buffer.from("48504b45002000010003", "hex")

const hmac = (key: Uint8Array, ...parts: ReadonlyArray<Uint8Array | string>): Buffer => {
  const mac = createHmac("sha256", key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}
const extract = (suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Buffer =>
  hmac(salt, "HPKE-v1", suite, label, ikm)
const expand = (suite: Uint8Array, prk: Uint8Array, label: string, info: Uint8Array, length: number): Buffer =>
  hmac(prk, Uint8Array.of(0, length), "HPKE-v1", suite, label, info, Uint8Array.of(1)).subarray(0, length)

const NOTHING = new Uint8Array(0)

export const keySchedule = (point: Uint8Array, enc: Uint8Array, publicKey: Uint8Array, info: Uint8Array) => {
  const prk = extract(KEM, NOTHING, "eae_prk", point)
  const sharedSecret = expand(KEM, prk, "shared_secret", Buffer.concat([enc, publicKey]), 32)
  const context = Buffer.concat([
    Uint8Array.of(0),
    extract(SUITE, NOTHING, "psk_id_hash", NOTHING),
    extract(SUITE, NOTHING, "info_hash", info)
  ])
  const secret = extract(SUITE, sharedSecret, "secret", NOTHING)
  return {
    sharedSecret,
    key: expand(SUITE, secret, "key", context, 32),
    nonce: expand(SUITE, secret, "base_nonce", context, 12)
  }
}

const agree = (privateKey: KeyObject, publicKey: Uint8Array): Uint8Array =>
  diffieHellman({ privateKey, publicKey: importPublicKey(publicKey) })

export const info = (sharedInfo: Uint8Array): Buffer => Buffer.concat([Buffer.from("aggregation_service"), sharedInfo])

export const builtinSeal = (
  publicKey: Uint8Array,
  infoBytes: Uint8Array,
  plaintext: Uint8Array,
  ephemeral: Uint8Array,
  aad: Uint8Array = NOTHING
): Buffer => {
  const privateKey = importPrivateKey(ephemeral)
  const enc = publicBytes(privateKey)
  const { key, nonce } = keySchedule(agree(privateKey, publicKey), enc, publicKey, infoBytes)
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 })
  cipher.setAAD(aad, { plaintextLength: plaintext.length })
  const text = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([enc, text, cipher.getAuthTag()])
}

/** `undefined` when it does not open. */
export const builtinOpen = (privateKey: Uint8Array, payload: Uint8Array, infoBytes: Uint8Array): Buffer | undefined => {
  if (payload.length < 48) return undefined
  const key = importPrivateKey(privateKey)
  try {
    const schedule = keySchedule(
      agree(key, payload.subarray(0, 32)),
      payload.subarray(0, 32),
      publicBytes(key),
      infoBytes
    )
    const decipher = createDecipheriv("chacha20-poly1305", schedule.key, schedule.nonce, { authTagLength: 16 })
    decipher.setAuthTag(payload.subarray(payload.length - 16))
    const text = decipher.update(payload.subarray(32, payload.length - 16))
    return Buffer.concat([text, decipher.final()])
  } catch {
    return undefined
  }
}
