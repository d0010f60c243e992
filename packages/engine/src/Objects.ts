import { type BlobInfo, BlobStore } from "@sotto/core/ports/BlobStore"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/**
 * The objects of a bucket under any of the prefixes: each once, sorted by the bytes of the key, which is the order in
 * which reports are counted (spec: aggregation §17-21; ledger §7).
 */
export const listObjects = Effect.fn("listObjects")(function* (bucket: string, prefixes: ReadonlyArray<string>) {
  const blobs = yield* BlobStore
  const listings = yield* Effect.forEach(prefixes, (prefix) => Stream.runCollect(blobs.list(bucket, prefix)))
  const [first = []] = listings
  // One prefix is sorted by the port; keys of several are merged by code points, which order as UTF-8 bytes do.
  if (listings.length <= 1) return first
  const byKey = new Map(listings.flat().map((object) => [object.key, object]))
  return [...byKey.values()].toSorted((a, b) => compareCodePoints(a.key, b.key)) satisfies ReadonlyArray<BlobInfo>
})

const compareCodePoints = (a: string, b: string): number => {
  const [x, y] = [[...a], [...b]]
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = (x[i]?.codePointAt(0) ?? 0) - (y[i]?.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return x.length - y.length
}
