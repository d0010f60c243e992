import { describe, expect, it } from "vitest"
import { catches, checkLaw } from "../src/Law.ts"
import { layerQuestionScheme, questionLaws } from "../src/QuestionLaws.ts"

describe("the laws of questions", () => {
  it.each(questionLaws.map((law) => [law.id, law] as const))("%s holds", async (id, law) => {
    await checkLaw(law, layerQuestionScheme, { runs: id === "NO-SWAP" ? 3 : 300, seed: 1 })
  })

  it.each(questionLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
    "%s catches: %s",
    async (_, __, law, mutant) => {
      expect(await catches(law, mutant, layerQuestionScheme, { runs: 200, seed: 1 })).toBe(true)
    }
  )
})
