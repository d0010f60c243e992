/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) one compression at a time, over typed arrays.
 *
 * Written out because opening a report needs 26 compressions whose starting states are mostly known beforehand, which no
 * library lets one use; with node:crypto's objects the same work costs several times more (11 µs an HMAC on Node 24).
 * Digests are eight 32-bit words, so that nothing is converted between two HMACs. State is per thread and overwritten
 * by every call.
 */

// Fractional parts of the cube roots of the first 64 primes.
const ROUND = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
])

/** Eight words: a digest or the state between two blocks. */
export type Words = Int32Array

export const words = (): Words => new Int32Array(8)

/** The state before the first block. */
export const INITIAL: Words = new Int32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
])

const schedule = new Int32Array(64)

/** Absorbs the 16 words at the start of `schedule`. */
const compress = (state: Words): void => {
  const w = schedule
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!
    const y = w[i - 2]!
    w[i] =
      ((w[i - 16]! + (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3))) | 0) +
      ((w[i - 7]! + (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10))) | 0)
  }
  let a = state[0]!
  let b = state[1]!
  let c = state[2]!
  let d = state[3]!
  let e = state[4]!
  let f = state[5]!
  let g = state[6]!
  let h = state[7]!
  let t = 0
  // Four rounds at a time, so that the variables change roles instead of being copied.
  for (let i = 0; i < 64; i += 4) {
    t = (h + (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7)))) | 0
    t = (t + (((g ^ (e & (f ^ g))) + ROUND[i]!) | 0) + w[i]!) | 0
    d = (d + t) | 0
    h = (t + (((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10)))) | 0
    h = (h + ((a & b) | (c & (a | b)))) | 0
    t = (g + (((d >>> 6) | (d << 26)) ^ ((d >>> 11) | (d << 21)) ^ ((d >>> 25) | (d << 7)))) | 0
    t = (t + (((f ^ (d & (e ^ f))) + ROUND[i + 1]!) | 0) + w[i + 1]!) | 0
    c = (c + t) | 0
    g = (t + (((h >>> 2) | (h << 30)) ^ ((h >>> 13) | (h << 19)) ^ ((h >>> 22) | (h << 10)))) | 0
    g = (g + ((h & a) | (b & (h | a)))) | 0
    t = (f + (((c >>> 6) | (c << 26)) ^ ((c >>> 11) | (c << 21)) ^ ((c >>> 25) | (c << 7)))) | 0
    t = (t + (((e ^ (c & (d ^ e))) + ROUND[i + 2]!) | 0) + w[i + 2]!) | 0
    b = (b + t) | 0
    f = (t + (((g >>> 2) | (g << 30)) ^ ((g >>> 13) | (g << 19)) ^ ((g >>> 22) | (g << 10)))) | 0
    f = (f + ((g & h) | (a & (g | h)))) | 0
    t = (e + (((b >>> 6) | (b << 26)) ^ ((b >>> 11) | (b << 21)) ^ ((b >>> 25) | (b << 7)))) | 0
    t = (t + (((d ^ (b & (c ^ d))) + ROUND[i + 3]!) | 0) + w[i + 3]!) | 0
    a = (a + t) | 0
    e = (t + (((f >>> 2) | (f << 30)) ^ ((f >>> 13) | (f << 19)) ^ ((f >>> 22) | (f << 10)))) | 0
    e = (e + ((f & g) | (h & (f | g)))) | 0
    t = a
    a = e
    e = t
    t = b
    b = f
    f = t
    t = c
    c = g
    g = t
    t = d
    d = h
    h = t
  }
  state[0] = state[0]! + a
  state[1] = state[1]! + b
  state[2] = state[2]! + c
  state[3] = state[3]! + d
  state[4] = state[4]! + e
  state[5] = state[5]! + f
  state[6] = state[6]! + g
  state[7] = state[7]! + h
}

export const copyWords = (to: Words, from: Words): void => {
  for (let i = 0; i < 8; i++) to[i] = from[i]!
}

/** Absorbs `count` blocks of 64 bytes from `bytes[at]` on. */
export const absorb = (state: Words, bytes: Uint8Array, at: number, count: number): void => {
  for (let block = 0; block < count; block++) {
    for (let i = 0; i < 16; i++, at += 4) {
      schedule[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
    }
    compress(state)
  }
}

/** Big-endian bytes of a digest. */
export const putWords = (from: Words, to: Uint8Array, at: number): void => {
  for (let i = 0; i < 8; i++) {
    const word = from[i]!
    to[at++] = word >>> 24
    to[at++] = word >>> 16
    to[at++] = word >>> 8
    to[at++] = word
  }
}

/** Blocks that `length` bytes fill together with their padding. */
export const blocksFor = (length: number): number => (length + 72) >>> 6

/** Writes the padding of a message of `length` bytes at `bytes[0]`, of which `before` more bytes were absorbed already. */
export const pad = (bytes: Uint8Array, length: number, before: number): void => {
  const end = 64 * blocksFor(length)
  bytes.fill(0, length, end)
  bytes[length] = 0x80
  const total = before + length
  bytes[end - 5] = total / 0x20000000
  bytes[end - 4] = total >>> 21
  bytes[end - 3] = total >>> 13
  bytes[end - 2] = total >>> 5
  bytes[end - 1] = total << 3
}

/** The two states behind an HMAC key of 32 bytes: one compression each, and never again for that key. */
export interface MacKey {
  readonly inner: Words
  readonly outer: Words
}

export const macKey = (): MacKey => ({ inner: words(), outer: words() })

/** Keys `mac` with eight words. */
export const setMacKey = (mac: MacKey, key: Words): void => {
  keyBlock(mac.inner, key, 0x36363636)
  keyBlock(mac.outer, key, 0x5c5c5c5c)
}

const keyBlock = (state: Words, key: Words, mask: number): void => {
  for (let i = 0; i < 8; i++) schedule[i] = key[i]! ^ mask
  for (let i = 8; i < 16; i++) schedule[i] = mask
  copyWords(state, INITIAL)
  compress(state)
}

/** HMAC of `count` blocks that `pad(…, 64)` has padded. `out` may be any words except those of `mac`. */
export const macPadded = (mac: MacKey, bytes: Uint8Array, count: number, out: Words): void => {
  copyWords(out, mac.inner)
  absorb(out, bytes, 0, count)
  for (let i = 0; i < 8; i++) schedule[i] = out[i]!
  schedule[8] = 0x80000000
  for (let i = 9; i < 15; i++) schedule[i] = 0
  schedule[15] = 8 * (64 + 32)
  copyWords(out, mac.outer)
  compress(out)
}
