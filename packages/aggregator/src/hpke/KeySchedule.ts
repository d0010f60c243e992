/**
 * The key schedule of HPKE base mode (RFC 9180 §4.1, §5.1) for one suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * ChaCha20-Poly1305, with info = `aggregation_service` ‖ shared_info (spec: aggregation §3.5).
 *
 * Six HMACs, 26 compressions for a shared_info of usual length: whatever has an empty salt or no input of its own is
 * computed once. All messages are written into templates that carry their padding already.
 */
import { blocksFor, type MacKey, macKey, macPadded, pad, putWords, setMacKey, words } from "./Sha256.ts"

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0))

// "HPKE-v1" and suite_id, for the KEM (0x0020) and for the whole suite (0x0020, 0x0001, 0x0003).
const KEM = "HPKE-v1KEM\0\x20"
const SUITE = "HPKE-v1HPKE\0\x20\0\x01\0\x03"

interface Message {
  readonly bytes: Uint8Array
  readonly blocks: number
}

/** `head`, then zeros to be written over, `length` bytes in all, padded as an HMAC message. */
const message = (head: string, length: number): Message => {
  const blocks = blocksFor(length)
  const bytes = new Uint8Array(64 * blocks)
  bytes.set(bytesOf(head))
  pad(bytes, length, 64)
  return { bytes, blocks }
}

// LabeledExtract("", label, ikm) = HMAC(0^32, "HPKE-v1" ‖ suite_id ‖ label ‖ ikm); HMAC pads the empty salt with zeros.
const EAE_PRK = `${KEM}eae_prk`
const SECRET = `${SUITE}secret`
const PSK_ID_HASH = `${SUITE}psk_id_hash`
const INFO_HASH = `${SUITE}info_hash`
// LabeledExpand(prk, label, info, L) = HMAC(prk, u16(L) ‖ "HPKE-v1" ‖ suite_id ‖ label ‖ info ‖ 0x01) for L ≤ 32.
const SHARED_SECRET = `\0\x20${KEM}shared_secret`
const KEY = `\0\x20${SUITE}key`
const BASE_NONCE = `\0\x0c${SUITE}base_nonce`

const withOne = (target: Message, length: number): Message => {
  target.bytes[length - 1] = 1
  return target
}

const eae = message(EAE_PRK, EAE_PRK.length + 32)
const shared = withOne(message(SHARED_SECRET, SHARED_SECRET.length + 65), SHARED_SECRET.length + 65)
const secret = message(SECRET, SECRET.length)
// key_schedule_context = mode 0 ‖ psk_id_hash ‖ info_hash
const key = withOne(message(KEY, KEY.length + 66), KEY.length + 66)
const nonce = withOne(message(BASE_NONCE, BASE_NONCE.length + 66), BASE_NONCE.length + 66)

const infoHead = bytesOf(INFO_HASH + "aggregation_service")
let info = new Uint8Array(2048)
info.set(infoHead)

const emptySalt: MacKey = macKey()
setMacKey(emptySalt, words())

const mac = macKey()
const digest = words()

const pskIdHash = message(PSK_ID_HASH, PSK_ID_HASH.length)
macPadded(emptySalt, pskIdHash.bytes, pskIdHash.blocks, digest)
putWords(digest, key.bytes, KEY.length + 1)
putWords(digest, nonce.bytes, BASE_NONCE.length + 1)

/** The AEAD key (8) and nonce (3) of the last schedule, as little-endian words. */
export const aeadKey = new Int32Array(8)
export const aeadNonce = new Int32Array(3)

/** The AEAD key and nonce as the bytes that RFC 9180 prints. */
export const aeadBytes = (): { readonly key: Uint8Array; readonly nonce: Uint8Array } => ({
  key: new Uint8Array(aeadKey.buffer.slice(0)),
  nonce: new Uint8Array(aeadNonce.buffer.slice(0))
})

const swap = (word: number): number => (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)

/**
 * Derives `aeadKey` and `aeadNonce`.
 *
 * `point` is the shared X25519 point, `enc` the 32 bytes at `bytes[encAt]`, shared_info the `infoLength` bytes at
 * `infoBytes[infoAt]`.
 */
export const deriveKey = (
  point: Uint8Array,
  publicKey: Uint8Array,
  bytes: Uint8Array,
  encAt: number,
  infoBytes: Uint8Array,
  infoAt: number,
  infoLength: number
): void => {
  eae.bytes.set(point, EAE_PRK.length)
  macPadded(emptySalt, eae.bytes, eae.blocks, digest)
  setMacKey(mac, digest)
  // kem_context = enc ‖ pkR
  for (let i = 0; i < 32; i++) shared.bytes[SHARED_SECRET.length + i] = bytes[encAt + i]!
  shared.bytes.set(publicKey, SHARED_SECRET.length + 32)
  macPadded(mac, shared.bytes, shared.blocks, digest)
  // secret = LabeledExtract(shared_secret, "secret", "")
  setMacKey(mac, digest)
  macPadded(mac, secret.bytes, secret.blocks, digest)
  setMacKey(mac, digest)

  const length = infoHead.length + infoLength
  if (info.length < length + 72) {
    info = new Uint8Array(2 * (length + 72))
    info.set(infoHead)
  }
  for (let i = 0; i < infoLength; i++) info[infoHead.length + i] = infoBytes[infoAt + i]!
  pad(info, length, 64)
  macPadded(emptySalt, info, blocksFor(length), digest)
  putWords(digest, key.bytes, KEY.length + 33)
  putWords(digest, nonce.bytes, BASE_NONCE.length + 33)
  macPadded(mac, key.bytes, key.blocks, digest)
  for (let i = 0; i < 8; i++) aeadKey[i] = swap(digest[i]!)
  macPadded(mac, nonce.bytes, nonce.blocks, digest)
  for (let i = 0; i < 3; i++) aeadNonce[i] = swap(digest[i]!)
}
