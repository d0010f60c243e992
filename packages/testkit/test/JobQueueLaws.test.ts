import { layerMemoryJobQueue } from "@sotto/memory"
import { catches, jobQueueLaws } from "@sotto/testkit"
import { describe, expect, it } from "vitest"

describe("the laws of a queue of wake-ups", () => {
  it.each(jobQueueLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
    "%s catches a queue that %s",
    async (_, __, law, mutant) => {
      expect(await catches(law, mutant, layerMemoryJobQueue(), { runs: 200, seed: 1 })).toBe(true)
    }
  )
})
