/**
 * Which keys generated reports contribute to, and how often: cells with weights, each holding one key per measure.
 *
 * A report picks one cell with probability weight / Σ weights and contributes to all keys of that cell. Cells of weight 0
 * are in the output domain and nobody hits them, as in real domains.
 */
import { parse } from "csv-parse/sync"
import { CommandError } from "../Failure.ts"

/** `count` contributes its whole share for every event, `amount` a share of what was paid. */
export type Measure = "count" | "amount"

export interface KeySpace {
  /** The measures of a cell; they share the budget of a report equally. */
  readonly measures: ReadonlyArray<Measure>
  /** All keys: those of cell c are `domain[c × measures.length …]`, in the order of `measures`. */
  readonly domain: ReadonlyArray<bigint>
  /** Sum of the weights of the cells 0 … c. */
  readonly cumulative: Float64Array
}

const cumulate = (weights: ReadonlyArray<number>): Float64Array => {
  let sum = 0
  return Float64Array.from(weights, (weight) => (sum += weight))
}

const MAX_CELLS = 10_000_000

/**
 * Purchases and revenue of `campaigns` in `regions`, both Zipf distributed (weight 1/rank): few keys are popular, most are
 * rare. The last tenth of the campaigns has not started yet and gets no reports.
 *
 * A bucket reads as hex digits: 4 of the measure (1 purchases, 2 revenue), 12 of the campaign, 16 of the region, all from 1.
 */
export const campaignKeySpace = (campaigns: number, regions: number): KeySpace => {
  if (!(campaigns >= 1 && regions >= 1 && campaigns * regions <= MAX_CELLS))
    throw new CommandError(
      `${campaigns} campaigns in ${regions} regions: choose at least 1 of each, and at most ${MAX_CELLS} pairs.`
    )
  const started = campaigns - Math.floor(campaigns / 10)
  const domain: Array<bigint> = []
  const weights: Array<number> = []
  for (let campaign = 1; campaign <= campaigns; campaign++)
    for (let region = 1; region <= regions; region++) {
      for (const measure of [1n, 2n]) domain.push((measure << 112n) | (BigInt(campaign) << 64n) | BigInt(region))
      weights.push(campaign <= started ? 1 / (campaign * region) : 0)
    }
  return { measures: ["count", "amount"], domain, cumulative: cumulate(weights) }
}

/**
 * A key space from CSV text: a line `bucket,weight` per key, after an optional line with these words. A bucket is decimal
 * or `0x` and hex digits, below 2¹²⁸; a weight is 0 or more. Every report contributes 65 536 to one key, so that
 * sums / 65 536 are counts. `name` is the file in messages. Throws `CommandError` naming the line.
 */
export const csvKeySpace = (text: string, name: string): KeySpace => {
  const wrong = (line: number, what: string): never => {
    throw new CommandError(`${name}:${line}: ${what}`)
  }
  let records: ReadonlyArray<{ readonly record: ReadonlyArray<string>; readonly info: { readonly lines: number } }>
  try {
    records = parse(text, {
      bom: true,
      trim: true,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true
    }) as never
  } catch (error) {
    throw new CommandError(`${name} is not CSV: ${(error as Error).message}`)
  }
  const seen = new Set<bigint>()
  const weights: Array<number> = []
  for (const [i, { record, info }] of records.entries()) {
    if (i === 0 && record.join(",") === "bucket,weight") continue
    const [digits = "", weight = ""] = record
    if (record.length !== 2) wrong(info.lines, "write a bucket, a comma and a weight.")
    const bucket = /^(0x[0-9a-f]{1,32}|\d{1,39})$/i.test(digits) ? BigInt(digits) : -1n
    if (bucket < 0n || bucket >= 1n << 128n)
      wrong(
        info.lines,
        `${JSON.stringify(digits)} is no bucket: write a number below 2^128, decimal or as 0x and hex digits.`
      )
    if (seen.has(bucket)) wrong(info.lines, `the bucket ${digits} stands here a second time.`)
    if (!/^\d{1,15}(\.\d{1,15})?(e[+-]?\d{1,2})?$/i.test(weight))
      wrong(info.lines, `${JSON.stringify(weight)} is no weight: write a number, 0 or more.`)
    seen.add(bucket)
    weights.push(Number(weight))
  }
  const cumulative = cumulate(weights)
  if (!((cumulative.at(-1) ?? 0) > 0)) throw new CommandError(`${name}: at least one key needs a weight above 0.`)
  return { measures: ["count"], domain: [...seen], cumulative }
}

/** The cell at `uniform` (0 ≤ uniform < 1); never one of weight 0. */
export const cellAt = ({ cumulative }: KeySpace, uniform: number): number => {
  const at = uniform * (cumulative.at(-1) as number)
  let low = 0
  let high = cumulative.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((cumulative[middle] as number) > at) high = middle
    else low = middle + 1
  }
  return low
}
