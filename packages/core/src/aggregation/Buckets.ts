/**
 * Buckets are 128-bit integers, kept as four 32-bit words each, most significant first, one after another in a
 * `Uint32Array`: bucket `i` is `words[4i … 4i + 3]`. In files they are big-endian bytes without leading zeros, at most 16
 * (spec: aggregation §3.1).
 */
export type BucketWords = Uint32Array

/**
 * Writes the bucket of the big-endian bytes `bytes[start … end − 1]` as number `row` of `out`. False, and nothing
 * written, if there are more than 16.
 */
export const readBucket = (bytes: Uint8Array, start: number, end: number, out: BucketWords, row: number): boolean => {
  const length = end - start
  if (length > 16) return false
  const at = row * 4
  if (length === 16) {
    for (let i = 0; i < 4; i++) {
      const p = start + i * 4
      out[at + i] =
        ((bytes[p] as number) << 24) |
        ((bytes[p + 1] as number) << 16) |
        ((bytes[p + 2] as number) << 8) |
        (bytes[p + 3] as number)
    }
    return true
  }
  out.fill(0, at, at + 4)
  for (let i = 0; i < length; i++) {
    const shift = length - 1 - i
    const word = at + 3 - (shift >> 2)
    out[word] = (out[word] as number) | ((bytes[start + i] as number) << ((shift & 3) * 8))
  }
  return true
}

/** Writes the shortest big-endian bytes of bucket `row` to `out[at …]`, none for bucket 0, and returns their number. */
export const writeBucket = (words: BucketWords, row: number, out: Uint8Array, at: number): number => {
  let length = 0
  for (let i = 0; i < 16; i++) {
    const byte = ((words[row * 4 + (i >> 2)] as number) >>> ((3 - (i & 3)) * 8)) & 0xff
    if (length === 0 && byte === 0) continue
    out[at + length] = byte
    length++
  }
  return length
}

/** The shortest big-endian bytes of bucket `row`. */
export const bucketBytes = (words: BucketWords, row = 0): Uint8Array => {
  const out = new Uint8Array(16)
  return out.slice(0, writeBucket(words, row, out, 0))
}

export const bucketToBigInt = (words: BucketWords, row = 0): bigint => {
  let value = 0n
  for (let i = 0; i < 4; i++) value = (value << 32n) | BigInt(words[row * 4 + i] as number)
  return value
}

/** The words of these integers, each taken mod 2¹²⁸. */
export const bucketsOf = (values: ReadonlyArray<bigint>): BucketWords => {
  const words = new Uint32Array(values.length * 4)
  values.forEach((value, row) => {
    for (let i = 0; i < 4; i++) words[row * 4 + 3 - i] = Number((value >> BigInt(32 * i)) & 0xffff_ffffn)
  })
  return words
}

/** Negative, zero or positive, as bucket `i` of `a` is below, equal to or above bucket `j` of `b`. */
export const compareBuckets = (a: BucketWords, i: number, b: BucketWords, j: number): number => {
  for (let k = 0; k < 4; k++) {
    const x = a[i * 4 + k] as number
    const y = b[j * 4 + k] as number
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}

/**
 * The same buckets in ascending order, duplicates kept. A least-significant-byte radix sort that skips the bytes in which
 * all buckets agree: linear, and immune to chosen inputs. Uses `words` as working space and may return it; needs as much
 * memory again while it runs.
 */
export const sortBuckets = (words: BucketWords): BucketWords => {
  const rows = words.length >>> 2
  if (isSorted(words)) return words
  const counts = new Uint32Array(16 * 256)
  for (let at = 0; at < words.length; at += 4) {
    for (let k = 0; k < 4; k++) {
      const word = words[at + k] as number
      const table = k * 4 * 256
      ;(counts[table + (word >>> 24)] as number)++
      ;(counts[table + 256 + ((word >>> 16) & 255)] as number)++
      ;(counts[table + 512 + ((word >>> 8) & 255)] as number)++
      ;(counts[table + 768 + (word & 255)] as number)++
    }
  }
  let from = words
  let to: BucketWords = new Uint32Array(words.length)
  const next = new Uint32Array(256)
  for (let byte = 15; byte >= 0; byte--) {
    const shift = (3 - (byte & 3)) * 8
    const k = byte >> 2
    if (counts[byte * 256 + (((words[k] as number) >>> shift) & 255)] === rows) continue
    let sum = 0
    for (let value = 0; value < 256; value++) {
      next[value] = sum
      sum += counts[byte * 256 + value] as number
    }
    for (let at = 0; at < words.length; at += 4) {
      const value = ((from[at + k] as number) >>> shift) & 255
      const place = next[value] as number
      next[value] = place + 1
      const target = place * 4
      to[target] = from[at] as number
      to[target + 1] = from[at + 1] as number
      to[target + 2] = from[at + 2] as number
      to[target + 3] = from[at + 3] as number
    }
    const spare = from
    from = to
    to = spare
  }
  return from
}

/** Ascending buckets without duplicates: a view of `words`, which must be sorted and is overwritten. */
export const distinctBuckets = (words: BucketWords): BucketWords => {
  const rows = words.length >>> 2
  let kept = Math.min(rows, 1)
  for (let row = 1; row < rows; row++) {
    if (compareBuckets(words, row, words, kept - 1) === 0) continue
    if (row !== kept) words.copyWithin(kept * 4, row * 4, row * 4 + 4)
    kept++
  }
  return words.subarray(0, kept * 4)
}

const isSorted = (words: BucketWords): boolean => {
  for (let row = 1; row < words.length >>> 2; row++) if (compareBuckets(words, row - 1, words, row) > 0) return false
  return true
}
