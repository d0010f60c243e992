import { type BlobInfo, BlobStore, compareKeys } from "@sotto/core/ports/BlobStore"
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
  // One prefix is sorted by the port; the keys of several are put in its order.
  if (listings.length <= 1) return first
  const byKey = new Map(listings.flat().map((object) => [object.key, object]))
  return [...byKey.values()].toSorted((a, b) => compareKeys(a.key, b.key)) satisfies ReadonlyArray<BlobInfo>
})
