/**
 * The noise of spec: ledger §4 once more, for reading: Node's HMAC and ChaCha20, comparisons of whole numbers, no haste.
 */
import { createCipheriv, createHmac } from "node:crypto"
import type { Thresholds } from "../../src/noise/Thresholds.ts"

const u16 = (value: number) => Buffer.from([value >> 8, value & 255])

/** A 128-bit bucket as its 16 bytes. */
export const bucketBytes = (bucket: bigint): Uint8Array => Buffer.from(bucket.toString(16).padStart(32, "0"), "hex")

/** First 64 bytes of OpenSSL's keystream. */
export const opensslBlock = (key: Uint8Array, bucket: Uint8Array): Buffer =>
  createCipheriv("chacha20", key, bucket).update(Buffer.alloc(64))

export const word = (seed: Uint8Array, coin: number, depth: number, bucket: Uint8Array): number => {
  const key = createHmac("sha256", seed)
    .update("sotto/noise/1\0")
    .update(u16(depth))
    .update(u16(Math.floor(coin / 16)))
    .digest()
  return opensslBlock(key, bucket).readUInt32LE(4 * (coin % 16))
}

/** P(coin): its first 32, 64, … bits against as many random ones, until they differ. */
const succeeds = (table: Thresholds, seed: Uint8Array, bucket: Uint8Array, coin: number, address: number): boolean => {
  let [drawn, probability] = [0n, 0n]
  for (let depth = 0; drawn === probability; depth++) {
    drawn = (drawn << 32n) + BigInt(word(seed, address, depth, bucket))
    probability = (probability << 32n) + BigInt(table.word(coin, depth))
  }
  return drawn < probability
}

const noise = (table: Thresholds, seed: Uint8Array, bucket: Uint8Array): bigint => {
  const { m } = table
  if (succeeds(table, seed, bucket, m, m)) return 0n
  let geometric = 0n
  for (let digit = 0; digit < m; digit++)
    if (succeeds(table, seed, bucket, digit, digit)) geometric += 2n ** BigInt(digit)
  for (let address = m + 1; succeeds(table, seed, bucket, m + 1, address); address = Math.max(address + 1, m + 3))
    geometric += 2n ** BigInt(m)
  return word(seed, m + 2, 0, bucket) % 2 === 1 ? -(1n + geometric) : 1n + geometric
}

export const release = (table: Thresholds, seed: Uint8Array, bucket: Uint8Array, sum: bigint): bigint => {
  const noised = sum + noise(table, seed, bucket)
  const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n]
  return noised < least ? least : noised > most ? most : noised
}
