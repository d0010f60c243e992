/** A positive rational; `ratio` and `rateOf` bring it to lowest terms. */
export interface Ratio {
  readonly num: bigint
  readonly den: bigint
}

/** Throws unless both are at least 1. */
export const ratio = (num: bigint, den: bigint): Ratio => {
  if (num < 1n || den < 1n) throw new RangeError(`${num}/${den} is not a positive ratio`)
  let [a, b] = [num, den]
  while (b > 0n) [a, b] = [b, a % b]
  return { num: num / a, den: den / a }
}

/**
 * λ = ε / L1, the rate of the noise: a unit that moves the sums by d in total changes the probability of any set of
 * outputs by a factor of at most e^{λd}.
 *
 * `epsilon` is in micro-ε and `l1` in units of the summed values; both are positive safe integers, anything else throws.
 */
export const rateOf = (epsilon: number, l1: number): Ratio => {
  for (const [name, value] of Object.entries({ epsilon, l1 }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`${name} must be a positive safe integer, not ${value}`)
  return ratio(BigInt(epsilon), 1_000_000n * BigInt(l1))
}
