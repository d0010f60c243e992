/**
 * A bucket of tokens: it holds a minute's worth, fills steadily, and a request takes one.
 *
 * All in whole numbers: a token is 60 000 parts, and every millisecond gives as many parts as there are requests in a
 * minute, so nothing is lost to rounding however often it is asked.
 */
export interface TokenBucket {
  /** Parts in it, 0 … capacity. */
  readonly parts: number
  /** Milliseconds since 1970. */
  readonly at: number
}

const TOKEN = 60_000

export const fullBucket = (perMinute: number, now: number): TokenBucket => ({ parts: perMinute * TOKEN, at: now })

export type Taken =
  | { readonly _tag: "Taken"; readonly bucket: TokenBucket }
  /** `retryMs`: how long until there is a token again. */
  | { readonly _tag: "Empty"; readonly bucket: TokenBucket; readonly retryMs: number }

/** Takes a token at `now`. A clock that goes back gives nothing and takes nothing. */
export const takeToken = (bucket: TokenBucket, perMinute: number, now: number): Taken => {
  const elapsed = Math.max(0, now - bucket.at)
  const parts = Math.min(perMinute * TOKEN, bucket.parts + elapsed * perMinute)
  const filled: TokenBucket = { parts, at: Math.max(now, bucket.at) }
  return parts >= TOKEN
    ? { _tag: "Taken", bucket: { ...filled, parts: parts - TOKEN } }
    : { _tag: "Empty", bucket: filled, retryMs: Math.ceil((TOKEN - parts) / perMinute) }
}
