import { BlobStore } from "@sotto/core/ports/BlobStore"
import { layerMemoryBlobStore } from "@sotto/memory"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { listObjects } from "../src/Objects.ts"

const keys = fc.uniqueArray(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }).filter((key) => key.isWellFormed()),
  { maxLength: 12 }
)

describe("listObjects", () => {
  it("lists what any prefix finds, once, by the bytes of the key", () =>
    fc.assert(
      fc.asyncProperty(
        keys,
        fc.array(fc.string({ unit: "grapheme", maxLength: 2 }), { minLength: 1, maxLength: 4 }),
        async (all, prefixes) => {
          const program = Effect.gen(function* () {
            const blobs = yield* BlobStore
            for (const key of all) yield* blobs.write({ bucket: "in", key }, new Uint8Array(1), { mode: "create" })
            return yield* listObjects("in", prefixes)
          })
          const found = await Effect.runPromise(program.pipe(Effect.provide(layerMemoryBlobStore({ buckets: ["in"] }))))
          const expected = all
            .filter((key) => prefixes.some((prefix) => key.startsWith(prefix)))
            .toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
          expect(found.map(({ key }) => key)).toEqual(expected)
        }
      )
    ))
})
