import { blobStoreLaws, checkLaw, LAW_BUCKETS } from "@sotto/testkit"
import { describe, it } from "vitest"
import { layerMemoryBlobStore } from "@sotto/memory"

describe("BlobStore in memory", () => {
  const subject = layerMemoryBlobStore({ buckets: LAW_BUCKETS })
  it.each(blobStoreLaws)("$id: $rule", (law) => checkLaw(law, subject, { runs: 100 }))
})
