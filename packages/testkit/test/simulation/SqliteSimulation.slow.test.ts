import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { explain, simulateAsync } from "@sotto/testkit/simulation"
import { afterAll, describe, expect, it } from "vitest"
import { sqliteStores } from "./Stores.ts"

const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sotto-simulation-"))
afterAll(() => rmSync(folder, { recursive: true }))

describe("Simulation over SQLite", () => {
  it("keeps every invariant, and does the same in another file", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const result = await simulateAsync(seed, { stores: () => sqliteStores(join(folder, `${seed}.db`)) })
      expect(result.violation, explain(seed, result)).toBeUndefined()
      if (seed >= 3) continue
      const again = await simulateAsync(seed, { stores: () => sqliteStores(join(folder, `${seed}-again.db`)) })
      expect(again).toEqual(result)
    }
  })
})
