/**
 * The 32 secret bytes from which all noise of one release follows (spec: ledger §4).
 *
 * A `QuestionSeed` is derived from the noise key and a fingerprint, so the same question always gets the same noise.
 * A `FreshSeed` is drawn anew: for debug runs and for runs without a ledger. The two types never mix, because noise
 * that somebody paid for must not depend on a draw, and a debug run must not reveal noise that somebody paid for.
 *
 * A seed is as secret as the noise it makes: never log it, store it or put it into a message.
 */
import { hmac } from "@noble/hashes/hmac.js"
import { sha256 } from "@noble/hashes/sha2.js"
import { concat, label, u32 } from "../internal/Bytes.ts"

export type QuestionSeed = Uint8Array & { readonly QuestionSeed: unique symbol }
export type FreshSeed = Uint8Array & { readonly FreshSeed: unique symbol }
export type NoiseSeed = QuestionSeed | FreshSeed

export const SEED_BYTES = 32

/** Marks the MAC of a fingerprint as a seed; only `seedOf` of the budget should call it. Throws unless it is 32 bytes. */
export const questionSeed = (mac: Uint8Array): QuestionSeed => seed(mac) as QuestionSeed

/** Marks 32 uniformly random bytes as a seed. Throws on any other length. */
export const freshSeed = (random: Uint8Array): FreshSeed => seed(random) as FreshSeed

/** The Avro sync marker (16 bytes) of summary shard `shard` (0 … 2³² − 1): fixed, so that a repeat writes the same bytes. */
export const syncMarker = (seed: NoiseSeed, shard: number): Uint8Array =>
  hmac(sha256, seed, concat(label("sotto/sync/1"), u32(shard))).slice(0, 16)

// A copy, so that a caller who overwrites his buffer does not change the seed.
const seed = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, not ${bytes.length}`)
  return bytes.slice()
}
