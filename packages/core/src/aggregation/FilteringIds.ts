/**
 * The filtering ids that a question asks for: a set of unsigned 64-bit integers (spec: aggregation §5).
 *
 * A contribution takes part iff its id is in the set; one without an id has id 0. The words are kept beside the integers
 * because the hot path compares 32-bit words and never makes a `bigint`.
 */
export interface FilteringIds {
  /** Ascending and distinct, at least one. */
  readonly ids: ReadonlyArray<bigint>
  readonly hi: Uint32Array
  readonly lo: Uint32Array
}

export interface FilteringIdsRejected {
  readonly _tag: "FilteringIdsRejected"
  readonly piece: string
}

const MAX_ID = 0xffff_ffff_ffff_ffffn

/** The set of these ids, each 0 … 2⁶⁴−1; of none at all, {0}. */
export const filteringIds = (ids: Iterable<bigint>): FilteringIds => {
  const distinct = [...new Set(ids)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  if (distinct.length === 0) distinct.push(0n)
  return {
    ids: distinct,
    hi: Uint32Array.from(distinct, (id) => Number(id >> 32n)),
    lo: Uint32Array.from(distinct, (id) => Number(id & 0xffff_ffffn))
  }
}

/**
 * Reads a comma list of decimals such as `0,5, 18446744073709551615`.
 *
 * Blank pieces are skipped, leading zeros are read, signs are refused; nothing or only blanks mean {0}.
 */
export const parseFilteringIds = (text: string | undefined): FilteringIds | FilteringIdsRejected => {
  const ids: Array<bigint> = []
  for (const part of (text ?? "").split(",")) {
    const piece = part.trim()
    if (piece === "") continue
    // Zeros are dropped before the length is looked at, so that no text can ask for arithmetic on a huge integer.
    const digits = /^\d+$/.test(piece) ? piece.replace(/^0+(?=\d)/, "") : ""
    const id = digits.length >= 1 && digits.length <= 20 ? BigInt(digits) : MAX_ID + 1n
    if (id > MAX_ID) return { _tag: "FilteringIdsRejected", piece }
    ids.push(id)
  }
  return filteringIds(ids)
}

export const printFilteringIds = (set: FilteringIds): string => set.ids.join(",")

/** Is the id `hi · 2³² + lo` in the set? Logarithmic in the size of the set. */
export const selectsId = (set: FilteringIds, hi: number, lo: number): boolean => {
  let from = 0
  let to = set.lo.length
  while (from < to) {
    const middle = (from + to) >>> 1
    const h = set.hi[middle] as number
    const l = set.lo[middle] as number
    if (h === hi && l === lo) return true
    if (h < hi || (h === hi && l < lo)) from = middle + 1
    else to = middle
  }
  return false
}
