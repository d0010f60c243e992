import { describe, expect, it } from "vitest"
import { ledgerMutants } from "../src/internal/LedgerMutants.ts"
import { layerModelLedger } from "../src/internal/ModelLedger.ts"
import { catches, checkLaw } from "../src/Law.ts"
import { ledgerLaws } from "../src/LedgerLaws.ts"

describe("the laws of a ledger", () => {
  it.each(ledgerLaws.map((law) => [law.id, law] as const))("%s holds for the pure ledger", async (_, law) => {
    await checkLaw(law, layerModelLedger(), { runs: 100, seed: 1 })
  })

  it.each(ledgerLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
    "%s catches: %s",
    async (_, __, law, mutant) => {
      expect(await catches(law, mutant, layerModelLedger(), { runs: 200, seed: 1 })).toBe(true)
    }
  )

  it("has a law for every mutant", () => {
    const caught = new Set(ledgerLaws.flatMap((law) => law.mutants.map(({ name }) => name)))
    expect(Object.values(ledgerMutants).filter(({ name }) => !caught.has(name))).toEqual([])
  })
})
