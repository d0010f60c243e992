import { layerMemoryLedgerKeys } from "@sotto/memory"
import { catches, checkLaw, LEDGER_TEST_KEYS, ledgerKeysLaws } from "@sotto/testkit"
import * as Layer from "effect/Layer"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"

const subject = Layer.unwrap(Effect.sync(() => layerMemoryLedgerKeys(LEDGER_TEST_KEYS)))

describe("ledger keys in memory", () => {
  it.each(ledgerKeysLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 100, seed: 3 })
  })

  it.each(ledgerKeysLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
    "%s catches: %s",
    async (_, __, law, mutant) => {
      expect(await catches(law, mutant, subject, { runs: 200, seed: 3 })).toBe(true)
    }
  )
})
