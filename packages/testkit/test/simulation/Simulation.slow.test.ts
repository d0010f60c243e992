import { COUNTERS, explain, plans, simulate, simulatePlan } from "@sotto/testkit/simulation"
import { describe, expect, it } from "vitest"
import { memoryStores } from "./Stores.ts"

const options = { stores: memoryStores }

describe("Simulation", () => {
  it("keeps every invariant over 1 000 seeds", () => {
    const counts = new Map<string, number>()
    for (let seed = 0; seed < 1_000; seed++) {
      const result = simulate(seed, options)
      expect(result.violation, explain(seed, result)).toBeUndefined()
      for (const counter of COUNTERS) counts.set(counter, (counts.get(counter) ?? 0) + result.counts[counter])
    }
    expect(COUNTERS.filter((counter) => counts.get(counter) === 0)).toEqual([])
  })

  it("survives every two faults within the first 12 steps", () => {
    for (const plan of plans(12, 2)) {
      const result = simulatePlan(plan, options)
      expect(result.violation, `${JSON.stringify([...plan])}\n${explain(0, result)}`).toBeUndefined()
    }
  })
})
