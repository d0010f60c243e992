import { layerMemoryRecords } from "@sotto/memory"
import { catches, layerLawClock, recordsLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"

const subject = Layer.unwrap(Effect.sync(() => Layer.merge(layerMemoryRecords(), layerLawClock)))

describe("the laws of records", () => {
  it.each(recordsLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
    "%s catches a store that %s",
    async (_, __, law, mutant) => {
      expect(await catches(law, mutant, subject, { runs: 200, seed: 1 })).toBe(true)
    }
  )
})
