import type { Millis } from "./Lifecycle.ts"

/**
 * How often and when failed work is tried again, as data.
 *
 * A failure is an epoch that ended by an expired lease or by a retryable failure. Parking, handing back at a graceful
 * stop, cancelling and resetting are none.
 */
export interface RetryPolicy {
  /** 1 … 100; with the last of them the job is dead. */
  readonly maxFailures: number
  /** The wait after the first failure, 0 … one day. */
  readonly firstMs: number
  /** Each wait is so many times the one before, 1 … 10. */
  readonly factor: number
  /** The longest wait, `firstMs` … one day. */
  readonly capMs: number
}

export const RETRY: RetryPolicy = { maxFailures: 5, firstMs: 1_000, factor: 4, capMs: 300_000 }

const DAY_MS = 86_400_000

/** The wait in whole milliseconds after the `failures`-th failure (1 for the first). */
export const backOff = (policy: RetryPolicy, failures: number): number =>
  Math.min(policy.capMs, Math.floor(policy.firstMs * policy.factor ** Math.max(0, failures - 1)))

/**
 * When a job with now `failures` failures may run again. An expired lease has already cost a wait as long as the lease,
 * so the first such failure waits no longer.
 */
export const retryAt = (policy: RetryPolicy, failures: number, expired: boolean, now: Millis): Millis =>
  expired && failures <= 1 ? now : now + backOff(policy, failures)

/** A sentence for everything in a policy that is out of range; empty for a sound one. */
export const retryFaults = ({ maxFailures, firstMs, factor, capMs }: RetryPolicy): ReadonlyArray<string> => [
  ...(wholeWithin(maxFailures, 1, 100)
    ? []
    : [`retry.maxFailures is a whole number from 1 to 100, not ${maxFailures}`]),
  ...(wholeWithin(firstMs, 0, DAY_MS) ? [] : [`retry.firstMs is a whole number from 0 to one day, not ${firstMs}`]),
  ...(factor >= 1 && factor <= 10 ? [] : [`retry.factor is from 1 to 10, not ${factor}`]),
  ...(wholeWithin(capMs, firstMs, DAY_MS)
    ? []
    : [`retry.capMs is a whole number from firstMs to one day, not ${capMs}`])
]

const wholeWithin = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most
