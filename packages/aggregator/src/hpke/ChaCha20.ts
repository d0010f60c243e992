/**
 * ChaCha20 (RFC 8439 §2.3) over 32-bit words: one block at a time into a shared buffer, and the stream in place.
 */

/** The last block computed, 16 little-endian words. Overwritten by the next. */
export const block = new Int32Array(16)

/** Computes block `counter` under a key of 8 and a nonce of 3 little-endian words. */
export const chachaBlock = (key: Int32Array, nonce: Int32Array, counter: number): void => {
  const k0 = key[0]!
  const k1 = key[1]!
  const k2 = key[2]!
  const k3 = key[3]!
  const k4 = key[4]!
  const k5 = key[5]!
  const k6 = key[6]!
  const k7 = key[7]!
  const n0 = nonce[0]!
  const n1 = nonce[1]!
  const n2 = nonce[2]!
  let a0 = 0x61707865
  let a1 = 0x3320646e
  let a2 = 0x79622d32
  let a3 = 0x6b206574
  let b0 = k0
  let b1 = k1
  let b2 = k2
  let b3 = k3
  let c0 = k4
  let c1 = k5
  let c2 = k6
  let c3 = k7
  let d0 = counter | 0
  let d1 = n0
  let d2 = n1
  let d3 = n2
  for (let round = 0; round < 10; round++) {
    a0 = (a0 + b0) | 0
    d0 ^= a0
    d0 = (d0 << 16) | (d0 >>> 16)
    c0 = (c0 + d0) | 0
    b0 ^= c0
    b0 = (b0 << 12) | (b0 >>> 20)
    a0 = (a0 + b0) | 0
    d0 ^= a0
    d0 = (d0 << 8) | (d0 >>> 24)
    c0 = (c0 + d0) | 0
    b0 ^= c0
    b0 = (b0 << 7) | (b0 >>> 25)
    a1 = (a1 + b1) | 0
    d1 ^= a1
    d1 = (d1 << 16) | (d1 >>> 16)
    c1 = (c1 + d1) | 0
    b1 ^= c1
    b1 = (b1 << 12) | (b1 >>> 20)
    a1 = (a1 + b1) | 0
    d1 ^= a1
    d1 = (d1 << 8) | (d1 >>> 24)
    c1 = (c1 + d1) | 0
    b1 ^= c1
    b1 = (b1 << 7) | (b1 >>> 25)
    a2 = (a2 + b2) | 0
    d2 ^= a2
    d2 = (d2 << 16) | (d2 >>> 16)
    c2 = (c2 + d2) | 0
    b2 ^= c2
    b2 = (b2 << 12) | (b2 >>> 20)
    a2 = (a2 + b2) | 0
    d2 ^= a2
    d2 = (d2 << 8) | (d2 >>> 24)
    c2 = (c2 + d2) | 0
    b2 ^= c2
    b2 = (b2 << 7) | (b2 >>> 25)
    a3 = (a3 + b3) | 0
    d3 ^= a3
    d3 = (d3 << 16) | (d3 >>> 16)
    c3 = (c3 + d3) | 0
    b3 ^= c3
    b3 = (b3 << 12) | (b3 >>> 20)
    a3 = (a3 + b3) | 0
    d3 ^= a3
    d3 = (d3 << 8) | (d3 >>> 24)
    c3 = (c3 + d3) | 0
    b3 ^= c3
    b3 = (b3 << 7) | (b3 >>> 25)
    a0 = (a0 + b1) | 0
    d3 ^= a0
    d3 = (d3 << 16) | (d3 >>> 16)
    c2 = (c2 + d3) | 0
    b1 ^= c2
    b1 = (b1 << 12) | (b1 >>> 20)
    a0 = (a0 + b1) | 0
    d3 ^= a0
    d3 = (d3 << 8) | (d3 >>> 24)
    c2 = (c2 + d3) | 0
    b1 ^= c2
    b1 = (b1 << 7) | (b1 >>> 25)
    a1 = (a1 + b2) | 0
    d0 ^= a1
    d0 = (d0 << 16) | (d0 >>> 16)
    c3 = (c3 + d0) | 0
    b2 ^= c3
    b2 = (b2 << 12) | (b2 >>> 20)
    a1 = (a1 + b2) | 0
    d0 ^= a1
    d0 = (d0 << 8) | (d0 >>> 24)
    c3 = (c3 + d0) | 0
    b2 ^= c3
    b2 = (b2 << 7) | (b2 >>> 25)
    a2 = (a2 + b3) | 0
    d1 ^= a2
    d1 = (d1 << 16) | (d1 >>> 16)
    c0 = (c0 + d1) | 0
    b3 ^= c0
    b3 = (b3 << 12) | (b3 >>> 20)
    a2 = (a2 + b3) | 0
    d1 ^= a2
    d1 = (d1 << 8) | (d1 >>> 24)
    c0 = (c0 + d1) | 0
    b3 ^= c0
    b3 = (b3 << 7) | (b3 >>> 25)
    a3 = (a3 + b0) | 0
    d2 ^= a3
    d2 = (d2 << 16) | (d2 >>> 16)
    c1 = (c1 + d2) | 0
    b0 ^= c1
    b0 = (b0 << 12) | (b0 >>> 20)
    a3 = (a3 + b0) | 0
    d2 ^= a3
    d2 = (d2 << 8) | (d2 >>> 24)
    c1 = (c1 + d2) | 0
    b0 ^= c1
    b0 = (b0 << 7) | (b0 >>> 25)
  }
  block[0] = a0 + 0x61707865
  block[1] = a1 + 0x3320646e
  block[2] = a2 + 0x79622d32
  block[3] = a3 + 0x6b206574
  block[4] = b0 + k0
  block[5] = b1 + k1
  block[6] = b2 + k2
  block[7] = b3 + k3
  block[8] = c0 + k4
  block[9] = c1 + k5
  block[10] = c2 + k6
  block[11] = c3 + k7
  block[12] = d0 + counter
  block[13] = d1 + n0
  block[14] = d2 + n1
  block[15] = d3 + n2
}

/** XORs `length` bytes in place with the stream that starts at block `counter`. */
export const chachaStream = (
  key: Int32Array,
  nonce: Int32Array,
  counter: number,
  bytes: Uint8Array,
  at: number,
  length: number
): void => {
  const end = at + length
  for (; at + 64 <= end; at += 64) {
    chachaBlock(key, nonce, counter++)
    for (let i = 0, j = at; i < 16; i++, j += 4) {
      const x = block[i]!
      bytes[j]! ^= x
      bytes[j + 1]! ^= x >>> 8
      bytes[j + 2]! ^= x >>> 16
      bytes[j + 3]! ^= x >>> 24
    }
  }
  if (at === end) return
  chachaBlock(key, nonce, counter)
  for (let i = 0; at < end; i++, at++) bytes[at]! ^= block[i >> 2]! >>> (8 * (i & 3))
}
