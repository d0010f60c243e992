import { COUNTERS, explain, plans, simulate, simulatePlan, type SimulationResult } from "@sotto/testkit/simulation"
import { describe, expect, it } from "vitest"
import { mutants } from "./Mutants.ts"
import { memoryStores } from "./Stores.ts"

const options = { stores: memoryStores }

const held = (seed: number, result: SimulationResult) => expect(result.violation, explain(seed, result)).toBeUndefined()

describe("Simulation", () => {
  it("keeps every invariant and meets everything that it is there for", () => {
    const counts = new Map<string, number>()
    for (let seed = 0; seed < 60; seed++) {
      const result = simulate(seed, options)
      held(seed, result)
      for (const counter of COUNTERS) counts.set(counter, (counts.get(counter) ?? 0) + result.counts[counter])
    }
    expect(COUNTERS.filter((counter) => counts.get(counter) === 0)).toEqual([])
  })

  it("is the same to the letter for the same seed", () => {
    const hashes = Array.from({ length: 20 }, (_, seed) => simulate(seed, options).hash)
    expect(Array.from({ length: 20 }, (_, seed) => simulate(seed, options).hash)).toEqual(hashes)
    expect(new Set(hashes).size).toBe(20)
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
    const found = Array.from({ length: 40 }).findIndex((_, seed) => simulate(seed, options).violation !== undefined)
    expect(found).toBeGreaterThanOrEqual(0)
    const result = simulate(found, options)
    expect(invariants).toContain(result.violation?.invariant)
    expect(simulate(found, options)).toEqual(result)
    expect(explain(found, result)).toContain(`SOTTO_SEED=${found} npm run soak`)
  })
})
