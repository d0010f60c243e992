/** Synthetic signals, and what the vendor's aggregation makes of them, computed without any SQL. */
import fc from "fast-check"

export interface Signal {
  readonly id: string
  readonly type: string
  readonly query: string
  readonly doc_id: string
  readonly filters_s: string | null
  readonly fusion_query_id: string
  readonly count_i: number | null
  readonly weight_d: number | null
  /** Milliseconds since 1970. */
  readonly timestamp_tdt: number
}

export interface Aggregate {
  readonly count: number
  readonly weight: number
}

const HALF_LIFE_MS = 30 * 86_400_000
const WEIGHTS: Readonly<Record<string, number>> = { click: 1, cart: 10, purchase: 25 }

const FILTERS = [null, "brand:a", "brand:a $ size:1", "size:1 $ colour:red"]

/** Signals up to `until`: each answer of a search, and clicks, carts and purchases that follow some of them. */
export const signals = (seed: number, size: number, until: number): ReadonlyArray<Signal> =>
  fc
    .sample(
      fc.record({
        type: fc.constantFrom("response", "response", "click", "click", "cart", "purchase", "login"),
        query: fc.constantFrom("shoe", "red shoe", "it's", "hat"),
        doc: fc.nat(12),
        filters: fc.constantFrom(...FILTERS),
        search: fc.nat(size),
        count: fc.option(fc.integer({ min: 1, max: 3 })),
        weight: fc.option(fc.double({ min: -0.2, max: 2, noNaN: true })),
        age: fc.integer({ min: 0, max: 90 * 86_400_000 })
      }),
      { seed, numRuns: size }
    )
    .map(({ type, query, doc, filters, search, count, weight, age }, i) => ({
      id: `s${i}`,
      type,
      query,
      doc_id: `d${doc}`,
      filters_s: type === "response" ? filters : null,
      fusion_query_id: `s${search}`,
      count_i: count,
      weight_d: weight,
      timestamp_tdt: until - age
    }))

/** By `query|doc|filters`, as the example's SQL groups them. */
export const aggregateOf = (
  all: ReadonlyArray<Signal>,
  { from, until }: { readonly from: number; readonly until: number }
): ReadonlyMap<string, Aggregate> => {
  const seen = all.filter(({ timestamp_tdt: at }) => at <= until)
  const filters = new Map(seen.flatMap(({ id, type, filters_s }) => (type === "response" ? [[id, filters_s]] : [])))
  const groups = new Map<string, Aggregate>()
  for (const { type, query, doc_id, fusion_query_id, count_i, weight_d, timestamp_tdt: at } of seen) {
    const factor = WEIGHTS[type]
    if (factor === undefined || at < from) continue
    const key = [query, doc_id, filters.get(fusion_query_id) ?? []].flat().join("|")
    const before = groups.get(key) ?? { count: 0, weight: 0 }
    const count = count_i ?? 1
    const decayed = count * Math.max(weight_d ?? 0.1, 0) * 2 ** (-(until - at) / HALF_LIFE_MS)
    groups.set(key, { count: before.count + count, weight: before.weight + factor * decayed })
  }
  return groups
}
