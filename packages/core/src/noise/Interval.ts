/**
 * Certified arithmetic: enclosures of irrational numbers between two integers over a power of two.
 *
 * Every rounding goes outwards, so an enclosure is a proof; where it is too wide to decide, the precision is doubled.
 * The numbers decided here are e^{−λ} combined with rationals, λ a positive rational: transcendental (Lindemann and
 * Weierstrass), hence never on a boundary, hence every loop below ends.
 */

/** lo ≤ 2^bits · x ≤ hi, for the `bits` it was asked with. */
export interface Interval {
  readonly lo: bigint
  readonly hi: bigint
}

/** e^{−num/den} for num ≥ 0 and den > 0, with an error of a few units in the last of `bits` places. */
export const expNegative = (num: bigint, den: bigint, bits: bigint): Interval => {
  // Halve the exponent until it is at most 2^−8; each squaring on the way back doubles the relative error.
  let halvings = 0n
  while (num << 8n > den << halvings) halvings++
  const places = bits + halvings + 32n
  const one = 1n << places
  const xLo = (num << places) / (den << halvings)
  const xHi = xLo + 1n

  // 1 − x + x²/2! − …, terms rounded outwards; terms alternate and fall, so the rest is below the last one.
  let [lo, hi] = [one, one]
  let [termLo, termHi] = [one, one]
  for (let k = 1n; termHi > 2n; k++) {
    termLo = ((termLo * xLo) >> places) / k
    termHi = (((termHi * xHi) >> places) + 1n) / k + 1n
    if (k & 1n) {
      lo -= termHi
      hi -= termLo
    } else {
      lo += termLo
      hi += termHi
    }
  }
  lo -= termHi
  hi += termHi

  for (let i = 0n; i < halvings; i++) {
    lo = (lo * lo) >> places
    hi = ((hi * hi) >> places) + 1n
  }
  const excess = places - bits
  return { lo: lo >> excess, hi: (hi >> excess) + 1n }
}

/** ⌊2^bits · x⌋ of the irrational x that `enclose` encloses. */
export const certifiedFloor = (enclose: (bits: bigint) => Interval, bits: bigint): bigint => {
  for (let working = bits + 64n; ; working *= 2n) {
    const { lo, hi } = enclose(working)
    const excess = working - bits
    if (lo >> excess === hi >> excess) return lo >> excess
  }
}

/** Whether the nonzero x that `enclose` encloses is positive. */
export const certifiedPositive = (enclose: (bits: bigint) => Interval): boolean => {
  for (let bits = 96n; ; bits *= 2n) {
    const { lo, hi } = enclose(bits)
    if (lo > 0n) return true
    if (hi < 0n) return false
  }
}

/** The least integer ≥ `from` for which `holds`, given that it holds for all larger ones too. */
export const leastInteger = (from: bigint, holds: (n: bigint) => boolean): bigint => {
  let step = 1n
  while (!holds(from + step - 1n)) step *= 2n
  // Fails below `low`, holds at `high`.
  let low = from + step / 2n
  let high = from + step - 1n
  while (low < high) {
    const middle = (low + high) >> 1n
    if (holds(middle)) high = middle
    else low = middle + 1n
  }
  return low
}
