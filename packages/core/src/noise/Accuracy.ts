/**
 * How far released numbers lie from the truth. All of it depends on ε and L1 only, so it costs no budget.
 *
 * With q = e^{−λ}: Var Z = 1 / (2·sinh²(λ/2)), E|Z| = 1 / sinh λ, P(Z ≥ t) = q^t / (1 + q) and P(|Z| ≥ t) =
 * 2·q^t / (1 + q) for t ≥ 1. Widths are integers and certified minimal; the other figures are doubles for display.
 */
import { certifiedPositive, expNegative, leastInteger } from "./Interval.ts"
import { type Ratio, ratio, rateOf } from "./Rate.ts"

export interface Accuracy {
  /** ε / L1 in lowest terms. */
  readonly lambda: Ratio
  readonly stdDev: number
  readonly expectedAbsError: number
  /** The true sum lies within ± this of a released number with 90, 95, 99 % probability. */
  readonly halfWidth: { readonly p90: bigint; readonly p95: bigint; readonly p99: bigint }
  /** All `keys` true sums lie within ± this at once with 95 % probability. */
  readonly simultaneousHalfWidth95?: bigint
}

/** `epsilon` in micro-ε, `l1` and `keys` positive integers; anything else throws. */
export const accuracy = (of: {
  readonly epsilon: number
  readonly l1: number
  readonly keys?: number | undefined
}): Accuracy => {
  const lambda = rateOf(of.epsilon, of.l1)
  const width = (oneIn: bigint): bigint => halfWidth(lambda, ratio(1n, oneIn))
  return {
    lambda,
    stdDev: stdDev(lambda),
    expectedAbsError: expectedAbsError(lambda),
    halfWidth: { p90: width(10n), p95: width(20n), p99: width(100n) },
    ...(of.keys === undefined ? {} : { simultaneousHalfWidth95: width(20n * atLeastOne("keys", of.keys)) })
  }
}

const real = (rate: Ratio): number => Number(rate.num) / Number(rate.den)

export const stdDev = (rate: Ratio): number => Math.SQRT1_2 / Math.sinh(real(rate) / 2)

export const expectedAbsError = (rate: Ratio): number => 1 / Math.sinh(real(rate))

/**
 * The least integer t ≥ 0 with P(|Z| > t) ≤ α. For n keys at once pass α / n (the union bound).
 * `alpha` is a rational, because 1 − 0.95 is not 0.05. From 1 on the answer is 0; what is not positive throws.
 */
export const halfWidth = (rate: Ratio, alpha: Ratio): bigint =>
  leastInteger(0n, (t) => tailAtMost(rate, 2n, t + 1n, alpha))

/**
 * The least integer t ≥ 1 such that of `keys` sums that are truly zero, one or more is released as t or above with
 * probability at most α. Dropping smaller rows is post-processing, hence free; it hides small true sums too.
 */
export const pruneThreshold = (rate: Ratio, keys: number, alpha: Ratio): bigint =>
  leastInteger(1n, (t) => tailAtMost(rate, atLeastOne("keys", keys), t, alpha))

// factor · q^t / (1 + q) ≤ α, that is α·(1 + q) − factor·q^t > 0: never zero, as q is transcendental.
const tailAtMost = ({ num, den }: Ratio, factor: bigint, t: bigint, level: Ratio): boolean => {
  const alpha = ratio(level.num, level.den)
  return certifiedPositive((bits) => {
    const one = 1n << bits
    const q = expNegative(num, den, bits)
    const power = expNegative(num * t, den, bits)
    return {
      lo: alpha.num * (one + q.lo) - alpha.den * factor * power.hi,
      hi: alpha.num * (one + q.hi) - alpha.den * factor * power.lo
    }
  })
}

/** What someone who plans a measurement knows or wants. */
export interface PlanInput {
  /** ε of the whole budget, in micro-ε. */
  readonly epsilon: number
  readonly l1: number
  /** Part of the contribution budget that one conversion spends on a key, 0 < share ≤ 1. */
  readonly share: number
  /** E.g. 0.05 for five per cent, > 0. */
  readonly relativeError: number
  /** Probability that the error stays below `relativeError`, 0 < confidence < 1; 0.95 unless told. */
  readonly confidence?: number | undefined
  /** Number of keys that should all stay below it at once; 1 unless told. */
  readonly keys?: number | undefined
  /** Number of questions that share the budget equally; 1 unless told. */
  readonly queries?: number | undefined
}

/** Errors in units of one conversion, for keys to which each conversion contributes `valuePerConversion`. */
export interface Plan {
  readonly valuePerConversion: number
  readonly epsilonPerQuery: number
  readonly stdDev: number
  readonly halfWidth: number
  /** Least number of conversions a key needs to keep the relative error. */
  readonly conversions: number
}

/**
 * The continuous limit of the formulas above, for 1 ≪ L1 / ε: σ = √2 / (ε·share), half-width ln(n / α) / (ε·share).
 * A value that is out of its range throws.
 */
export const plan = (input: PlanInput): Plan => {
  const { epsilon, l1, share, relativeError, confidence = 0.95, keys = 1, queries = 1 } = input
  if (!(share > 0 && share <= 1)) throw new RangeError(`share must be above 0 and at most 1, not ${share}`)
  if (!(relativeError > 0)) throw new RangeError(`relativeError must be above 0, not ${relativeError}`)
  if (!(confidence > 0 && confidence < 1)) throw new RangeError(`confidence must be between 0 and 1, not ${confidence}`)
  atLeastOne("keys", keys)
  atLeastOne("queries", queries)
  rateOf(epsilon, l1)
  const epsilonPerQuery = epsilon / 1_000_000 / queries
  const scale = 1 / (epsilonPerQuery * share)
  const width = scale * Math.log(keys / (1 - confidence))
  return {
    valuePerConversion: Math.floor(l1 * share),
    epsilonPerQuery,
    stdDev: Math.SQRT2 * scale,
    halfWidth: width,
    conversions: Math.ceil(width / relativeError)
  }
}

/**
 * Root mean square relative error of `values` under noise of standard deviation `deviation`, where values below `tau`
 * count as `tau` so that empty keys do not decide alone (the RMSRE_τ of Noise Lab). NaN without values.
 */
export const rmsre = (values: ReadonlyArray<number>, deviation: number, tau: number): number => {
  let total = 0
  for (const value of values) total += (deviation / Math.max(tau, value)) ** 2
  return Math.sqrt(total / values.length)
}

const atLeastOne = (name: string, value: number): bigint => {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`${name} must be a positive integer, not ${value}`)
  return BigInt(value)
}
