import { ClientError } from "./ClientError.ts"
import { MAX_BUDGET } from "./Contributions.ts"

/** How one measure (revenue, minutes, clicks) uses its part of the budget. */
export interface Scale {
  /** The largest value that {@link Scale.toValue} returns, ⌊share × budget⌋. */
  readonly limit: number
  /** A measured amount as an integer value, 0 … `limit`: above `max` it is cut to `max`, else rounded to the nearest. */
  readonly toValue: (measured: number) => number
  /** What a sum of values stands for in the unit of the measure; use it on a summary's metrics and its error bars. */
  readonly toMeasure: (sum: number) => number
}

/**
 * Maps 0 … `max` onto 0 … `share` of the budget.
 *
 * The noise of a summary does not depend on the values, so the more of the budget a measure uses, the smaller its
 * relative error. Choose `max` near the 99th percentile (rare larger amounts are cut) and shares that add up to at most 1.
 *
 * Throws `OptionRejected` unless 0 < `max` < ∞ and 0 < `share` ≤ 1; `toValue` throws `MeasureRejected` for a negative
 * amount or NaN.
 */
export const scale = (options: { readonly max: number; readonly share: number; readonly budget?: number }): Scale => {
  const { max, share, budget = MAX_BUDGET } = options
  if (!(max > 0 && max < Infinity))
    throw new ClientError("OptionRejected", `max is ${max}: give the largest amount that one report should count.`)
  if (!(share > 0 && share <= 1))
    throw new ClientError(
      "OptionRejected",
      `share is ${share}: give the part of the budget to use, above 0 and up to 1.`
    )
  const limit = Math.floor(share * budget)
  if (!(limit >= 1 && limit <= MAX_BUDGET))
    throw new ClientError("OptionRejected", `${share} of ${budget} is no usable limit: give a larger share or budget.`)
  return {
    limit,
    toValue: (measured) => {
      if (!(measured >= 0))
        throw new ClientError("MeasureRejected", `${measured} cannot be counted: amounts are zero or more.`)
      return Math.round((Math.min(measured, max) / max) * limit)
    },
    toMeasure: (sum) => (sum / limit) * max
  }
}
