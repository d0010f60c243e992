/** What stores of objects, records and wake-ups are given. */
import type { BlobRef } from "@sotto/core/ports/BlobStore"
import type { WakeUp } from "@sotto/core/ports/JobQueue"
import { MAX_RECORD_BYTES, type PutRequest, type RecordId } from "@sotto/core/ports/Records"
import * as fc from "fast-check"
import { LAW_BUCKETS } from "../BlobStoreLaws.ts"
import { jobIds, names, times } from "./Jobs.ts"

/** Keys of objects that stores mix up: near each other, in each other's folders, beyond ASCII. */
export const blobKeys: fc.Arbitrary<string> = fc
  .array(fc.constantFrom("a", "b", "A", "0", "-", ".", "/", "%2F", "é", "\u{1f600}", " "), {
    minLength: 1,
    maxLength: 8
  })
  .map((parts) => `k${parts.join("")}`)

/** In the buckets that the laws use. */
export const blobRefs: fc.Arbitrary<BlobRef> = fc.record({ bucket: fc.constantFrom(...LAW_BUCKETS), key: blobKeys })

/** Contents of objects: none, a few bytes, some more than a chunk. */
export const blobContents: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 9, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 65_535, max: 200_000 }).map((size) => Uint8Array.from({ length: size }, (_, i) => i))
  }
)

export const recordIds: fc.Arbitrary<RecordId> = fc.record({
  collection: fc.constantFrom("webhooks", "api-keys"),
  tenant: names,
  key: names
})

/** Writes of records, some as large as a record may be. */
export const putRequests: fc.Arbitrary<PutRequest> = fc
  .tuple(
    recordIds,
    fc.oneof(
      { weight: 9, arbitrary: fc.uint8Array({ maxLength: 50 }) },
      { weight: 1, arbitrary: fc.constant(new Uint8Array(MAX_RECORD_BYTES)) }
    ),
    fc.oneof(fc.constantFrom(null, "any" as const), fc.integer({ min: 1, max: 5 })),
    fc.option(times)
  )
  .map(([id, bytes, expectVersion, expiresAt]) => ({ ...id, bytes, expectVersion, expiresAt }))

export const wakeUps: fc.Arbitrary<WakeUp> = fc.record({
  tenant: names,
  id: jobIds,
  kind: fc.constantFrom("work", "play")
})
