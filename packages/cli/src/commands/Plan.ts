import { printEpsilon } from "@sotto/core/budget"
import { accuracy, plan as planOf, rmsre } from "@sotto/core/noise"
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
  const noise = accuracy({ epsilon, l1, keys: options.keys })
  const planned = planOf({
    epsilon,
    l1,
    share: options.share,
    relativeError: options.targetError / 100,
    confidence: options.confidence / 100,
    keys: options.keys
  })
  const counts = countsOf(options.counts)
  const perKey = counts.map((count) => ({
    count,
    relativeHalfWidth: count === 0 ? Number.POSITIVE_INFINITY : planned.halfWidth / count
  }))
  // τ of one conversion keeps empty keys from deciding alone.
  const error = counts.length === 0 ? undefined : rmsre(counts, planned.stdDev, 1)
  if (options.json) {
    return printJson({
      epsilon: printEpsilon(epsilon),
      l1,
      share: options.share,
      noise,
      conversions: {
        ...planned,
        targetError: options.targetError / 100,
        confidence: options.confidence / 100,
        keys: options.keys
      },
      ...(error === undefined ? {} : { counts: perKey, rmsre: error })
    })
  }
  const sure = `${options.confidence} %`
  await print(
    table(
      [`noise at ε = ${printEpsilon(epsilon)}`, "in sums", "in conversions"],
      [
        ["standard deviation", rounded(noise.stdDev), rounded(planned.stdDev)],
        [
          "mean absolute error",
          rounded(noise.expectedAbsError),
          rounded(noise.expectedAbsError / planned.valuePerConversion)
        ],
        [
          "90 % within ±",
          grouped(noise.halfWidth.p90),
          rounded(Number(noise.halfWidth.p90) / planned.valuePerConversion)
        ],
        [
          "95 % within ±",
          grouped(noise.halfWidth.p95),
          rounded(Number(noise.halfWidth.p95) / planned.valuePerConversion)
        ],
        [
          "99 % within ±",
          grouped(noise.halfWidth.p99),
          rounded(Number(noise.halfWidth.p99) / planned.valuePerConversion)
        ],
        ...(options.keys > 1
          ? [
              [
                `95 % within ±, all ${grouped(options.keys)} keys at once`,
                grouped(noise.simultaneousHalfWidth95 ?? 0n),
                rounded(Number(noise.simultaneousHalfWidth95 ?? 0n) / planned.valuePerConversion)
              ]
            ]
          : [])
      ]
    )
  )
  await print(
    `\nOne conversion adds ${grouped(planned.valuePerConversion)} to its key (share ${options.share} of ${grouped(l1)}).`
  )
  await print(
    `For an error of at most ${options.targetError} % with ${sure} confidence a key needs ${bold(`${grouped(planned.conversions)} conversions`)}.`
  )
  if (error !== undefined) {
    await print("")
    await print(
      table(
        ["conversions", `error with ${sure}`],
        perKey.map(({ count, relativeHalfWidth }) => [
          grouped(count),
          Number.isFinite(relativeHalfWidth) ? `±${(100 * relativeHalfWidth).toPrecision(3)}%` : "no signal"
        ])
      )
    )
    await print(`\nRoot mean square relative error over these keys: ${(100 * error).toPrecision(3)} %`)
  }
}
