/**
 * HPKE (RFC 9180) as aggregatable reports use it: base mode, single shot, DHKEM(X25519, HKDF-SHA256) 0x0020,
 * HKDF-SHA256 0x0001, ChaCha20-Poly1305 0x0003, info = `aggregation_service` ‖ shared_info, no AAD, payload = encapsulated
 * key (32) ‖ ciphertext ‖ tag (16) (spec: aggregation §3.5).
 *
 * `open` works on offsets into one buffer and decrypts in place, because an object per report costs more than its
 * decryption.
 */
import type { KeyObject } from "node:crypto"
import { block, chachaBlock, chachaStream } from "./ChaCha20.ts"
import { aeadKey, aeadNonce, deriveKey } from "./KeySchedule.ts"
import { polyTag } from "./Poly1305.ts"
import { importPrivateKey, importPublicKey, publicBytes, sharedPoint } from "./X25519.ts"

export const ENC_BYTES = 32
export const TAG_BYTES = 16

/** Who opens: a private key with its public half, which is part of the key schedule. */
export interface Recipient {
  readonly privateKey: KeyObject
  readonly publicKey: Uint8Array
}

/** `undefined` unless `privateKey` has 32 bytes. The public half is computed, so the two always fit. */
export const recipient = (privateKey: Uint8Array): Recipient | undefined => {
  if (privateKey.length !== 32) return undefined
  const key = importPrivateKey(privateKey)
  return { privateKey: key, publicKey: publicBytes(key) }
}

/** Numbers per report in `descriptors`: payload offset, payload length, shared_info offset, shared_info length. */
export const DESCRIPTOR = 4

/** Not opened yet: what the caller puts into `statuses` for the reports that `open` shall try. */
export const SEALED = 0
/** The plaintext stands at payload offset + 32 and has payload length − 48 bytes. */
export const OPENED = 1
/** Wrong key, altered, too short, or an encapsulated key of small order; the bytes are as they were. */
export const REFUSED = 2

const tag = new Int32Array(4)

/**
 * Opens every report of `0 … count − 1` whose status is `SEALED`, in place, and sets its status.
 *
 * Never throws for what a report holds; offsets must lie inside `bytes`.
 */
export const open = (
  to: Recipient,
  bytes: Uint8Array,
  descriptors: Uint32Array,
  count: number,
  statuses: Uint8Array
): void => {
  for (let i = 0; i < count; i++) {
    if (statuses[i] !== SEALED) continue
    const d = DESCRIPTOR * i
    statuses[i] = openOne(to, bytes, descriptors[d]!, descriptors[d + 1]!, descriptors[d + 2]!, descriptors[d + 3]!)
      ? OPENED
      : REFUSED
  }
}

const openOne = (
  to: Recipient,
  bytes: Uint8Array,
  payloadAt: number,
  payloadLength: number,
  infoAt: number,
  infoLength: number
): boolean => {
  if (payloadLength < ENC_BYTES + TAG_BYTES) return false
  const point = sharedPoint(to.privateKey, importPublicKey(bytes.subarray(payloadAt, payloadAt + ENC_BYTES)))
  if (point === undefined) return false
  deriveKey(point, to.publicKey, bytes, payloadAt, bytes, infoAt, infoLength)
  const textAt = payloadAt + ENC_BYTES
  const length = payloadLength - ENC_BYTES - TAG_BYTES
  chachaBlock(aeadKey, aeadNonce, 0)
  polyTag(block, bytes, textAt, length, tag)
  // All four words, without an early exit: where a forged tag differs must not show in the time.
  let difference = 0
  for (let i = 0, at = textAt + length; i < 4; i++, at += 4) {
    difference |= tag[i]! ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
  }
  if (difference !== 0) return false
  chachaStream(aeadKey, aeadNonce, 1, bytes, textAt, length)
  return true
}

/** Seals for one recipient. The public key is imported once. */
export interface Sealer {
  /**
   * The payload of a report: `plaintext.length + 48` bytes.
   *
   * `sharedInfo` is the UTF-8 of the report's `shared_info`. `ephemeralSecret` is 32 uniformly random bytes, new for every
   * report: with one used twice, two texts leak their difference. Deterministic, hence also for tests and samples.
   * `undefined` when the public key has small order.
   */
  seal(sharedInfo: Uint8Array, plaintext: Uint8Array, ephemeralSecret: Uint8Array): Uint8Array | undefined
}

/** `undefined` unless `publicKey` has 32 bytes. */
export const sealer = (publicKey: Uint8Array): Sealer | undefined => {
  if (publicKey.length !== 32) return undefined
  const raw = publicKey.slice()
  const key = importPublicKey(raw)
  return {
    seal(sharedInfo, plaintext, ephemeralSecret) {
      const ephemeral = importPrivateKey(ephemeralSecret)
      const point = sharedPoint(ephemeral, key)
      if (point === undefined) return undefined
      const payload = new Uint8Array(ENC_BYTES + plaintext.length + TAG_BYTES)
      payload.set(publicBytes(ephemeral))
      payload.set(plaintext, ENC_BYTES)
      deriveKey(point, raw, payload, 0, sharedInfo, 0, sharedInfo.length)
      chachaStream(aeadKey, aeadNonce, 1, payload, ENC_BYTES, plaintext.length)
      chachaBlock(aeadKey, aeadNonce, 0)
      polyTag(block, payload, ENC_BYTES, plaintext.length, tag)
      for (let i = 0, at = ENC_BYTES + plaintext.length; i < 4; i++) {
        const word = tag[i]!
        payload[at++] = word
        payload[at++] = word >>> 8
        payload[at++] = word >>> 16
        payload[at++] = word >>> 24
      }
      return payload
    }
  }
}
