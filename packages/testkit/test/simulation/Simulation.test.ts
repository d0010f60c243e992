import { COUNTERS, explain, plans, simulate, simulatePlan, type SimulationResult } from "@sotto/testkit/simulation"
import { beforeAll, describe, expect, it } from "vitest"
import { mutants } from "./Mutants.ts"
import { memoryStores } from "./Stores.ts"

const options = { stores: memoryStores }

const SEEDS = 40

describe("Simulation", () => {
  let runs: ReadonlyArray<SimulationResult> = []
  beforeAll(() => {
    runs = Array.from({ length: SEEDS }, (_, seed) => simulate(seed, options))
  })

  it("keeps every invariant", () => {
    for (const [seed, run] of runs.entries()) expect(run.violation, explain(seed, run)).toBeUndefined()
  })

  it("meets everything that it is there for", () => {
    expect(COUNTERS.filter((counter) => runs.every(({ counts }) => counts[counter] === 0))).toEqual([])
  })

  it("is the same to the letter for the same seed", () => {
    for (let seed = 0; seed < 20; seed++) expect(simulate(seed, options)).toEqual(runs[seed])
    expect(new Set(runs.map(({ hash }) => hash)).size).toBe(SEEDS)
  })

  it("survives each fault at each of the first 12 steps", () => {
    for (const plan of plans(12, 1)) {
      const result = simulatePlan(plan, options)
      expect(result.violation, `${JSON.stringify([...plan])}\n${explain(0, result)}`).toBeUndefined()
      expect(result.workerSteps).toBeGreaterThan(12)
    }
  })

  it("names one plan for each choice of faults", () => {
    expect(plans(12, 0)).toEqual([new Map()])
    expect(plans(12, 1)).toHaveLength(1 + 12 * 5)
    expect(plans(12, 2)).toHaveLength(1 + 12 * 5 + (12 * 11 * 25) / 2)
  })

  it.each(mutants)("finds what $name, and again with the same seed", ({ options, invariants }) => {
    const found = Array.from({ length: SEEDS }).findIndex((_, seed) => simulate(seed, options).violation !== undefined)
    expect(found).toBeGreaterThanOrEqual(0)
    const result = simulate(found, options)
    expect(invariants).toContain(result.violation?.invariant)
    expect(simulate(found, options)).toEqual(result)
    expect(explain(found, result)).toContain(`SOTTO_SEED=${found} npm run soak`)
  })
})
