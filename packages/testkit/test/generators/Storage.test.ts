import { isName } from "@sotto/core/job"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { MAX_RECORD_BYTES, Records } from "@sotto/core/ports/Records"
import { layerMemoryBlobStore, layerMemoryRecords } from "@sotto/memory"
import { LAW_BUCKETS } from "@sotto/testkit"
import { blobContents, blobKeys, blobRefs, putRequests, recordIds, times, wakeUps } from "@sotto/testkit/generators"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { everything } from "./support.ts"

const unless = (sound: boolean, fault: string): ReadonlyArray<string> => (sound ? [] : [fault])

describe("generated", () => {
  it("keys, records and wake-ups are in range", () => {
    everything(blobKeys, (key) => unless(key.length > 0, "no key"))
    everything(recordIds, ({ tenant, key }) => unless(isName(tenant) && isName(key), "no record"))
    everything(putRequests, ({ bytes }) => unless(bytes.length <= MAX_RECORD_BYTES, "too large"))
    everything(wakeUps, ({ tenant }) => unless(isName(tenant), "no tenant"))
    everything(times, (time) => unless(Number.isSafeInteger(time) && time >= 0, "no time"))
  })

  it("objects and records are taken by a store", async () => {
    await fc.assert(
      fc.asyncProperty(blobRefs, blobContents, putRequests, async (ref, content, put) => {
        const blobs = BlobStore.use((store) => store.write(ref, content, { mode: "create" }))
        const info = await Effect.runPromise(Effect.provide(blobs, layerMemoryBlobStore({ buckets: LAW_BUCKETS })))
        expect(info.size).toBe(content.length)
        const records = Records.use((store) => store.put({ ...put, expectVersion: null }))
        const answer = await Effect.runPromise(Effect.provide(records, layerMemoryRecords()))
        expect(answer._tag).toBe("Put")
      })
    )
  })
})
