import { klBernoulli } from "./BlackBox.ts"

/**
 * How many 64-bit pairs (word 2i, word 2i + 1) and (word 2i + 1, word 2i + 2) occur again somewhere. Among the 3.2 million
 * pairs of 10^5 buckets a uniform source repeats one with probability 2.8·10^-7.
 */
export const repeatedPairs = (words: Uint32Array): number => {
  const pairs = new BigUint64Array(words.length - 1)
  const halves = new Uint32Array(pairs.buffer)
  for (let i = 0; i < pairs.length; i++) {
    halves[2 * i] = words[i] as number
    halves[2 * i + 1] = words[i + 1] as number
  }
  pairs.sort()
  let repeats = 0
  for (let i = 1; i < pairs.length; i++) if (pairs[i] === pairs[i - 1]) repeats++
  return repeats
}

export interface Lag {
  readonly digit: number
  readonly lag: number
  readonly buckets: number
}

const ALPHA = 1e-6
const [LAGS, BUCKETS] = [8, 4]

/**
 * Where digit j of bucket b + k agrees with digit j + s of bucket b more or less often than p_j·p_{j+s} +
 * (1 − p_j)(1 − p_{j+s}), for all j, |s| ≤ 8 and k ≤ 4. Digit j of a bucket is word j < limits[j].
 *
 * Comparisons are split so that no digit occurs in two of one group; each group is then exactly binomial, and a sound
 * source is accused with probability at most 10^-6 (Chernoff and the union bound).
 */
export const digitLags = (words: Uint32Array, width: number, limits: ReadonlyArray<number>): Array<Lag> => {
  const n = words.length / width
  const m = limits.length
  const digits = limits.map((limit, j) =>
    Uint8Array.from({ length: n }, (_, b) => +((words[b * width + j] as number) < limit))
  )
  const p = limits.map((limit) => limit / 2 ** 32)
  const found: Array<Lag> = []
  const threshold = Math.log((2 * 2 * m * (2 * LAGS + 1) * (BUCKETS + 1)) / ALPHA)
  for (let digit = 0; digit < m; digit++)
    for (let lag = -LAGS; lag <= LAGS; lag++)
      for (let buckets = 0; buckets <= BUCKETS; buckets++) {
        const partner = digit + lag
        if (partner < 0 || partner >= m || (lag === 0 && buckets === 0)) continue
        const [here, there] = [digits[digit] as Uint8Array, digits[partner] as Uint8Array]
        const [pj, ps] = [p[digit] as number, p[partner] as number]
        const expected = pj * ps + (1 - pj) * (1 - ps)
        const groups =
          lag === 0 ? [everyOther(n, buckets, 0), everyOther(n, buckets, 1)] : [[[0, n - buckets] as const]]
        const evidence = groups.map((ranges) => {
          let [agree, total] = [0, 0]
          for (const [from, to] of ranges) {
            for (let b = from; b < to; b++) agree += 1 ^ (here[b + buckets] as number) ^ (there[b] as number)
            total += to - from
          }
          return total * klBernoulli(agree / total, expected)
        })
        if (evidence.some((nats) => nats > threshold)) found.push({ digit, lag, buckets })
      }
  return found
}

/** One digit against itself: b with b + k and b + k with b + 2k share one, so they belong to different groups. */
const everyOther = (n: number, k: number, group: number): Array<readonly [from: number, to: number]> => {
  const ranges: Array<readonly [number, number]> = []
  for (let from = group * k; from < n - k; from += 2 * k) ranges.push([from, Math.min(from + k, n - k)])
  return ranges
}
