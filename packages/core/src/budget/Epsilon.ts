/**
 * ε of one question, in micro-ε: an integer 1 … 64 000 000 (0 < ε ≤ 64).
 *
 * An integer, because budgets are sums and sums must not round: with doubles 0.64 fits 99 times into 64, not 100.
 */
export type Epsilon = number & { readonly Epsilon: unique symbol }

/** The most that one question, or all questions about one unit together, may cost: ε = 64. */
export const MAX_EPSILON = 64_000_000 as Epsilon

/** ε of a question that names none: 10 (spec: aggregation §9.4). */
export const DEFAULT_EPSILON = 10_000_000 as Epsilon

/** Decimal places of `job_epsilon` (spec: aggregation §9.4). */
export const JOB_EPSILON_DECIMALS = 2

/** Decimal places of `debug_privacy_epsilon`, the command line and the native API: all that micro-ε can hold. */
export const EPSILON_DECIMALS = 6

/** Why a text is not an ε; `hint` is a sentence for the person who wrote it. */
export interface EpsilonRejected {
  readonly _tag: "EpsilonRejected"
  readonly text: string
  readonly hint: string
}

/**
 * Reads a plain decimal such as `10`, `0.25` or `10.0`, with at most `decimals` (0 … 6) places.
 *
 * The grammar is JSON's number (RFC 8259 §6) without sign and exponent: no blank, no comma, no leading zero (`010`,
 * `00.5`), a digit on both sides of the point. What could be read in two ways is refused, never defaulted.
 */
export const parseEpsilon = (text: string, decimals: number): Epsilon | EpsilonRejected => {
  const match = /^(0|[1-9]\d{0,2})(?:\.(\d+))?$/.exec(text)
  if (match === null) return rejected(text, "Write a plain decimal number such as 10 or 0.25.")
  const [, whole = "", fraction = ""] = match
  if (fraction.length > decimals) {
    return rejected(text, `Use at most ${decimals} decimal place${decimals === 1 ? "" : "s"}.`)
  }
  const micro = Number(whole) * 1_000_000 + Number(fraction.padEnd(6, "0"))
  return isEpsilon(micro) ? micro : rejected(text, "Choose a value above 0 and at most 64.")
}

/** The shortest decimal that reads back as this ε: `10`, `0.25`, `0.000001`. */
export const printEpsilon = (epsilon: Epsilon): string => {
  const fraction = String(epsilon % 1_000_000)
    .padStart(6, "0")
    .replace(/0+$/, "")
  const whole = Math.floor(epsilon / 1_000_000)
  return fraction === "" ? `${whole}` : `${whole}.${fraction}`
}

/** Is this number of micro-ε in range and whole? */
export const isEpsilon = (micro: number): micro is Epsilon =>
  Number.isInteger(micro) && micro >= 1 && micro <= MAX_EPSILON

const rejected = (text: string, hint: string): EpsilonRejected => ({ _tag: "EpsilonRejected", text, hint })
