import { layerMemoryBlobStore } from "@sotto/memory"
import { describe, expect, it } from "vitest"
import { blobStoreLaws, catches, LAW_BUCKETS } from "@sotto/testkit"

describe("the laws of BlobStore", () => {
  const subject = layerMemoryBlobStore({ buckets: LAW_BUCKETS })
  it.each(
    blobStoreLaws.flatMap((law) => law.mutants.map((mutant) => ({ id: law.id, name: mutant.name, law, mutant })))
  )("$id catches a store that $name", async ({ law, mutant }) => {
    expect(await catches(law, mutant, subject, { seed: 1 })).toBe(true)
  })
})
