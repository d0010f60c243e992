/**
 * The coins behind one draw, as certified binary digits of their probabilities.
 *
 * A geometric variable G, P(G = g) = (1 − q)·q^g with q = e^{−λ}, has independent binary digits: digit i is 1 with
 * probability 1 / (1 + e^{λ·2^i}), and ⌊G / 2^m⌋ is geometric again with ratio e^{−λ·2^m} (Dwork et al. 2006, "Our
 * Data, Ourselves"). A coin of probability p is "U < p" for a uniform U that is revealed 32 bits at a time, so it is
 * exact however far the comparison has to go.
 *
 * Coins are numbered as in spec: ledger §4: digit i is i (0 ≤ i < m), zero is m with tanh(λ/2), tail is m + 1.
 */
import { certifiedFloor, expNegative, type Interval } from "./Interval.ts"
import type { Ratio } from "./Rate.ts"

export interface Thresholds {
  /** Number of digits: the least m ≥ 0 with λ·2^m ≥ 45, which makes the tail coin rarer than 2⁻⁶⁴. */
  readonly m: number
  /** Bits 32·depth … 32·depth + 31 after the binary point of the probability of `coin` (0 … m + 1), as a u32. */
  readonly word: (coin: number, depth: number) => number
}

const TAIL_EXPONENT = 45n

/** Thresholds of the rate λ; words beyond the first are computed when a tie asks for them. */
export const thresholds = (rate: Ratio): Thresholds => {
  const { num, den } = rate
  let m = 0
  while (num << BigInt(m) < TAIL_EXPONENT * den) m++

  const probability = (coin: number): ((bits: bigint) => Interval) => {
    if (coin === m) return (bits) => zeroMass(expNegative(num, den, bits), bits)
    if (coin === m + 1) return (bits) => expNegative(num << BigInt(m), den, bits)
    if (!Number.isInteger(coin) || coin < 0 || coin > m) throw new RangeError(`no coin ${coin} among ${m + 2}`)
    return (bits) => digitMass(expNegative(num << BigInt(coin), den, bits), bits)
  }

  const known = new Map<string, number>()
  const word = (coin: number, depth: number): number => {
    const at = `${coin}/${depth}`
    const found = known.get(at)
    if (found !== undefined) return found
    const bits = certifiedFloor(probability(coin), 32n * BigInt(depth + 1))
    const made = Number(BigInt.asUintN(32, bits))
    known.set(at, made)
    return made
  }
  return { m, word }
}

/** x / (1 + x) for the enclosed x = e^{−λ·2^i} in 0 … 1; it grows with x. */
export const digitMass = ({ lo, hi }: Interval, bits: bigint): Interval => {
  const one = 1n << bits
  return { lo: (lo << bits) / (one + lo), hi: (hi << bits) / (one + hi) + 1n }
}

/** tanh(λ/2) = (1 − q) / (1 + q) for the enclosed q in 0 … 1; it falls with q. */
export const zeroMass = ({ lo, hi }: Interval, bits: bigint): Interval => {
  const one = 1n << bits
  return { lo: ((one - hi) << bits) / (one + hi), hi: ((one - lo) << bits) / (one + lo) + 1n }
}
