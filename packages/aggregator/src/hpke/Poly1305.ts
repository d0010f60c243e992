/**
 * Poly1305 (RFC 8439 §2.5) as ChaCha20-Poly1305 uses it without associated data: the ciphertext, zeros up to a multiple of
 * 16 bytes, and the two lengths.
 *
 * Numbers modulo 2^130 − 5 are six limbs of 22 bits in doubles: the sum of six products stays below 2^53, so double
 * arithmetic is exact, and faster than `Math.imul` on smaller limbs or `bigint`.
 */

const LIMB = 0x3fffff
const DOWN = 1 / 0x400000

const u32 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)

// The last piece: up to 15 bytes of text with zeros behind them, then the length block.
const tail = new Uint8Array(32)

/** The tag as four little-endian words in `out`. `key` is the first 8 words of block 0: r, then s. */
export const polyTag = (key: Int32Array, bytes: Uint8Array, at: number, length: number, out: Int32Array): void => {
  const whole = length & ~15
  tail.fill(0)
  for (let i = whole; i < length; i++) tail[i - whole] = bytes[at + i]!
  tail[24] = length
  tail[25] = length >>> 8
  tail[26] = length >>> 16
  tail[27] = length >>> 24
  poly(key, bytes, at, whole, tail, length === whole ? 16 : 0, 32, out)
}

/** Poly1305 proper over two pieces of whole 16-byte blocks; exported for the vectors of the RFC. */
export const poly = (
  key: Int32Array,
  first: Uint8Array,
  firstAt: number,
  firstLength: number,
  second: Uint8Array,
  secondAt: number,
  secondEnd: number,
  out: Int32Array
): void => {
  const t0 = key[0]! & 0x0fffffff
  const t1 = key[1]! & 0x0ffffffc
  const t2 = key[2]! & 0x0ffffffc
  const t3 = key[3]! & 0x0ffffffc
  const r0 = t0 & LIMB
  const r1 = ((t0 >>> 22) | (t1 << 10)) & LIMB
  const r2 = ((t1 >>> 12) | (t2 << 20)) & LIMB
  const r3 = (t2 >>> 2) & LIMB
  const r4 = ((t2 >>> 24) | (t3 << 8)) & LIMB
  const r5 = t3 >>> 14
  // 2^132 ≡ 4·5 = 20: what leaves the sixth limb comes back multiplied by 20.
  const s1 = r1 * 20
  const s2 = r2 * 20
  const s3 = r3 * 20
  const s4 = r4 * 20
  const s5 = r5 * 20
  let h0 = 0
  let h1 = 0
  let h2 = 0
  let h3 = 0
  let h4 = 0
  let h5 = 0
  let bytes = first
  let at = firstAt
  let end = firstAt + firstLength
  for (;;) {
    for (; at < end; at += 16) {
      const u = u32(bytes, at)
      const v = u32(bytes, at + 4)
      const w = u32(bytes, at + 8)
      const x = u32(bytes, at + 12)
      h0 += u & LIMB
      h1 += ((u >>> 22) | (v << 10)) & LIMB
      h2 += ((v >>> 12) | (w << 20)) & LIMB
      h3 += (w >>> 2) & LIMB
      h4 += ((w >>> 24) | (x << 8)) & LIMB
      h5 += (x >>> 14) | 0x40000
      const d0 = h0 * r0 + h1 * s5 + h2 * s4 + h3 * s3 + h4 * s2 + h5 * s1
      let d1 = h0 * r1 + h1 * r0 + h2 * s5 + h3 * s4 + h4 * s3 + h5 * s2
      let d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s5 + h4 * s4 + h5 * s3
      let d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s5 + h5 * s4
      let d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * s5
      let d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0
      let carry = Math.floor(d0 * DOWN)
      h0 = d0 - carry * 0x400000
      d1 += carry
      carry = Math.floor(d1 * DOWN)
      h1 = d1 - carry * 0x400000
      d2 += carry
      carry = Math.floor(d2 * DOWN)
      h2 = d2 - carry * 0x400000
      d3 += carry
      carry = Math.floor(d3 * DOWN)
      h3 = d3 - carry * 0x400000
      d4 += carry
      carry = Math.floor(d4 * DOWN)
      h4 = d4 - carry * 0x400000
      d5 += carry
      carry = Math.floor(d5 * DOWN)
      h5 = d5 - carry * 0x400000
      h0 += carry * 20
      carry = Math.floor(h0 * DOWN)
      h0 -= carry * 0x400000
      h1 += carry
    }
    if (bytes === second) break
    bytes = second
    at = secondAt
    end = secondEnd
  }
  let g0 = h0 | 0
  let g1 = h1 | 0
  let g2 = h2 | 0
  let g3 = h3 | 0
  let g4 = h4 | 0
  let g5 = h5 | 0
  // Twice, because folding the top bits (2^130 ≡ 5) can carry once more through every limb.
  for (let turn = 0; turn < 2; turn++) {
    g2 += g1 >>> 22
    g1 &= LIMB
    g3 += g2 >>> 22
    g2 &= LIMB
    g4 += g3 >>> 22
    g3 &= LIMB
    g5 += g4 >>> 22
    g4 &= LIMB
    g0 += (g5 >>> 20) * 5
    g5 &= 0xfffff
    g1 += g0 >>> 22
    g0 &= LIMB
  }
  // h − p if h ≥ p: adding 5 then carries out of bit 130. No branch on the value.
  const q0 = g0 + 5
  const q1 = g1 + (q0 >>> 22)
  const q2 = g2 + (q1 >>> 22)
  const q3 = g3 + (q2 >>> 22)
  const q4 = g4 + (q3 >>> 22)
  const q5 = g5 + (q4 >>> 22)
  const take = -(q5 >>> 20)
  g0 = (g0 & ~take) | (q0 & LIMB & take)
  g1 = (g1 & ~take) | (q1 & LIMB & take)
  g2 = (g2 & ~take) | (q2 & LIMB & take)
  g3 = (g3 & ~take) | (q3 & LIMB & take)
  g4 = (g4 & ~take) | (q4 & LIMB & take)
  g5 = (g5 & ~take) | (q5 & 0xfffff & take)
  let sum = ((g0 | (g1 << 22)) >>> 0) + (key[4]! >>> 0)
  out[0] = sum | 0
  sum = (((g1 >>> 10) | (g2 << 12)) >>> 0) + (key[5]! >>> 0) + (sum > 0xffffffff ? 1 : 0)
  out[1] = sum | 0
  sum = (((g2 >>> 20) | (g3 << 2) | (g4 << 24)) >>> 0) + (key[6]! >>> 0) + (sum > 0xffffffff ? 1 : 0)
  out[2] = sum | 0
  sum = (((g4 >>> 8) | (g5 << 14)) >>> 0) + (key[7]! >>> 0) + (sum > 0xffffffff ? 1 : 0)
  out[3] = sum | 0
}
