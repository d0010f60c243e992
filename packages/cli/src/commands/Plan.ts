import { printEpsilon } from "@sotto/core/budget"
import { type Accuracy, accuracy, plan as planOf, rmsre } from "@sotto/core/noise"
import { UsageError } from "../Failure.ts"
import { epsilonOf } from "../Options.ts"
import { bold, grouped, print, printJson, table } from "../Terminal.ts"

export interface PlanOptions {
  readonly epsilon: string
  readonly share: number
  readonly targetError: number
  readonly confidence: number
  readonly keys: number
  readonly counts?: string
  readonly l1Sensitivity: number
  readonly json: boolean
}

const countsOf = (text: string | undefined): ReadonlyArray<number> =>
  (text ?? "")
    .split(",")
    .filter((piece) => piece.trim() !== "")
    .map((piece) => {
      if (!/^\s*\d{1,15}\s*$/.test(piece))
        throw new UsageError(`--counts takes whole numbers such as 10,100,1000, not ${piece}.`)
      return Number(piece)
    })

const rounded = (value: number): string => (value >= 100 ? grouped(Math.round(value)) : value.toPrecision(3))

/** What ε, share and counts give; nothing here looks at data, so it costs no budget. */
export const plan = async (options: PlanOptions): Promise<void> => {
  const epsilon = epsilonOf(options.epsilon)
  const l1 = options.l1Sensitivity
  const { keys, share } = options
  const [relativeError, confidence] = [options.targetError / 100, options.confidence / 100]
  const noise = accuracy({ epsilon, l1, keys })
  const conversions = planOf({ epsilon, l1, share, relativeError, confidence, keys })
  const expected = countsOf(options.counts)
  const counts = expected.map((count) => ({
    count,
    relativeHalfWidth: count === 0 ? Number.POSITIVE_INFINITY : conversions.halfWidth / count
  }))
  // τ of one conversion keeps empty keys from deciding alone.
  const error = expected.length === 0 ? undefined : rmsre(expected, conversions.stdDev, 1)
  if (options.json) {
    return printJson({
      epsilon: printEpsilon(epsilon),
      l1,
      share,
      noise,
      conversions: { ...conversions, targetError: relativeError, confidence, keys },
      ...(error === undefined ? {} : { counts, rmsre: error })
    })
  }
  const sure = `${options.confidence} %`
  await print(noiseTable(`noise at ε = ${printEpsilon(epsilon)}`, noise, conversions.valuePerConversion, keys))
  await print(
    `\nOne conversion adds ${grouped(conversions.valuePerConversion)} to its key (share ${share} of ${grouped(l1)}).`
  )
  await print(
    `For an error of at most ${options.targetError} % with ${sure} confidence a key needs ${bold(`${grouped(conversions.conversions)} conversions`)}.`
  )
  if (error === undefined) return
  const rows = counts.map(({ count, relativeHalfWidth }) => [
    grouped(count),
    Number.isFinite(relativeHalfWidth) ? `±${(100 * relativeHalfWidth).toPrecision(3)}%` : "no signal"
  ])
  await print(`\n${table(["conversions", `error with ${sure}`], rows)}`)
  await print(`\nRoot mean square relative error over these keys: ${(100 * error).toPrecision(3)} %`)
}

/** The noise of one key in what sums are counted in, and in conversions. */
const noiseTable = (title: string, noise: Accuracy, valuePerConversion: number, keys: number): string => {
  const { p90, p95, p99 } = noise.halfWidth
  const width = (name: string, half: bigint) => [name, grouped(half), rounded(Number(half) / valuePerConversion)]
  const size = (name: string, value: number) => [name, rounded(value), rounded(value / valuePerConversion)]
  const together = keys > 1 ? noise.simultaneousHalfWidth95 : undefined
  return table(
    [title, "in sums", "in conversions"],
    [
      size("standard deviation", noise.stdDev),
      size("mean absolute error", noise.expectedAbsError),
      width("90 % within ±", p90),
      width("95 % within ±", p95),
      width("99 % within ±", p99),
      ...(together === undefined ? [] : [width(`95 % within ±, all ${grouped(keys)} keys at once`, together)])
    ]
  )
}
