/**
 * The threshold above which a key that only reports name may be released: (ε, δ) in total.
 *
 * A unit's private keys are those that only it touches. With g(v) = P(v + Z ≥ T) = q^{T−v} / (1 + q), the probability that
 * one of them shows is at most Σ g(v_i) over its values v_i ≥ 1, Σ v_i ≤ L1, at most k of them. g is convex and grows, so
 * the sum is largest at an extreme point: one key of L1, or k − 1 keys of 1 and one of L1 − k + 1 (after Rogers 2023,
 * arXiv 2309.09170). Facts of value zero must never name a key: they would cost no part of L1.
 */
import { certifiedPositive, expNegative, leastInteger } from "./Interval.ts"
import { rateOf } from "./Rate.ts"

/**
 * The least integer T > L1 that keeps the probability within δ; release a key iff its noised sum is ≥ T.
 *
 * `epsilon` in micro-ε, `deltaPico` in units of 10⁻¹² (1 … 10¹² − 1), `keysPerUnit` the declared cap k ≥ 1 (a cap above L1
 * means L1, as values are positive integers); anything else throws.
 */
export const discoveryThreshold = (of: {
  readonly epsilon: number
  readonly l1: number
  readonly deltaPico: number
  readonly keysPerUnit: number
}): bigint => {
  const { num, den } = rateOf(of.epsilon, of.l1)
  if (!Number.isSafeInteger(of.deltaPico) || of.deltaPico < 1 || of.deltaPico >= 1e12)
    throw new RangeError(`deltaPico must be an integer from 1 to 10^12 - 1, not ${of.deltaPico}`)
  if (!Number.isSafeInteger(of.keysPerUnit) || of.keysPerUnit < 1)
    throw new RangeError(`keysPerUnit must be a positive integer, not ${of.keysPerUnit}`)
  const l1 = BigInt(of.l1)
  const delta = BigInt(of.deltaPico)
  const keys = BigInt(Math.min(of.keysPerUnit, of.l1))

  // δ·(1 + q) − Σ count · q^power > 0; never zero, as q is transcendental.
  const within = (terms: ReadonlyArray<readonly [count: bigint, power: bigint]>): boolean =>
    certifiedPositive((bits) => {
      const q = expNegative(num, den, bits)
      let lo = delta * ((1n << bits) + q.lo)
      let hi = delta * ((1n << bits) + q.hi)
      for (const [count, power] of terms) {
        const mass = expNegative(num * power, den, bits)
        lo -= 10n ** 12n * count * mass.hi
        hi -= 10n ** 12n * count * mass.lo
      }
      return { lo, hi }
    })

  return leastInteger(
    l1 + 1n,
    (t) =>
      within([[1n, t - l1]]) &&
      within([
        [keys - 1n, t - 1n],
        [1n, t - l1 + keys - 1n]
      ])
  )
}
