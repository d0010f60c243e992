import { bucketOf, MAX_BUCKET } from "./Bucket.ts"
import { ClientError } from "./ClientError.ts"
import type { Environment } from "./Environment.ts"

/** The L1 budget: what all values of one report may add up to. The noise of a summary is made for this bound. */
export const MAX_BUDGET = 65_536

/** One entry of a report; it adds `value` to `bucket` in summaries that ask for `filteringId`. */
export interface Contribution {
  /** 0 … 2¹²⁸ − 1. */
  readonly bucket: bigint
  /** A whole number, 0 … budget. */
  readonly value: number
  /** 0 … 2⁶⁴ − 1, and below 256 to the power of the width. */
  readonly filteringId: bigint
}

export interface ContributionsOptions extends Environment {
  /** Σ of all values, 1 … 65 536 (the default). Only downwards: a larger one would not be covered by the noise. */
  readonly budget?: number
  /** Entries a report has room for, 1 … 65 535; every report is padded to it. Default 20, as browsers do. */
  readonly entries?: number
  /** Width of every filtering id, 1 (the default) … 8 bytes; 0 writes none, as reports of version 0.1 do. */
  readonly filteringIdBytes?: number
}

const whole = (name: string, value: number, min: number, max: number): number => {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new ClientError("OptionRejected", `${name} is ${value}: give a whole number from ${min} to ${max}.`)
  return value
}

/**
 * What one report contributes, bounded as it is built.
 *
 * `add` either takes a contribution as a whole or throws and changes nothing. Contributions with the same bucket and
 * filtering id share one entry, as their sum is all that a summary can show.
 */
export class Contributions implements Iterable<Contribution> {
  readonly budget: number
  readonly entries: number
  readonly filteringIdBytes: number
  readonly #environment: Environment
  readonly #values = new Map<string, Contribution>()
  #total = 0

  /** Throws `OptionRejected` for an option out of its range. */
  constructor(options: ContributionsOptions = {}) {
    this.budget = whole("budget", options.budget ?? MAX_BUDGET, 1, MAX_BUDGET)
    this.entries = whole("entries", options.entries ?? 20, 1, 65_535)
    this.filteringIdBytes = whole("filteringIdBytes", options.filteringIdBytes ?? 1, 0, 8)
    this.#environment = options
  }

  /** Entries in use, 0 … `entries`. */
  get size(): number {
    return this.#values.size
  }

  /** What is left of the budget. */
  get remaining(): number {
    return this.budget - this.#total
  }

  /**
   * Adds `value` to a bucket, given as a number or as a text `key` (see {@link bucketOf}).
   *
   * Throws `BucketRejected`, `ValueRejected`, `FilteringIdRejected`, `BudgetExceeded` or `TooManyEntries`.
   */
  add(
    contribution: ({ readonly bucket: bigint } | { readonly key: string }) & {
      readonly value: number
      readonly filteringId?: bigint
    }
  ): this {
    const { value, filteringId = 0n } = contribution
    const bucket = "key" in contribution ? bucketOf(contribution.key, this.#environment) : contribution.bucket
    if (typeof bucket !== "bigint" || bucket < 0n || bucket > MAX_BUCKET)
      throw new ClientError(
        "BucketRejected",
        `${bucket} is no bucket: give a bigint from 0n to 2n ** 128n - 1n, or a key.`
      )
    if (!Number.isInteger(value) || value < 0)
      throw new ClientError("ValueRejected", `${value} is no value: give a whole number, for example from scale().`)
    const ids = 1n << BigInt(8 * this.filteringIdBytes)
    if (typeof filteringId !== "bigint" || filteringId < 0n || filteringId >= ids)
      throw new ClientError(
        "FilteringIdRejected",
        this.filteringIdBytes === 0
          ? "These contributions carry no filtering ids: set filteringIdBytes to 1 or more."
          : `${filteringId} is no filtering id of ${this.filteringIdBytes} bytes: give a bigint from 0n to ${ids - 1n}, or raise filteringIdBytes.`
      )
    if (value > this.remaining)
      throw new ClientError(
        "BudgetExceeded",
        `${value} does not fit: ${this.remaining} of ${this.budget} is left. Scale values down so that one report stays within the budget.`
      )
    const at = `${bucket}:${filteringId}`
    const before = this.#values.get(at)
    if (before === undefined && this.size === this.entries)
      throw new ClientError(
        "TooManyEntries",
        `All ${this.entries} entries are taken: contribute to fewer buckets, or raise entries for every report alike.`
      )
    this.#values.set(at, { bucket, value: value + (before?.value ?? 0), filteringId })
    this.#total += value
    return this
  }

  /** The contributions in the order of their first `add`, without padding. */
  [Symbol.iterator](): Iterator<Contribution> {
    return this.#values.values()
  }
}
