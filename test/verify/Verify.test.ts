import { fileURLToPath } from "node:url"
import {
  jobQueueLaws,
  jobStoreLaws,
  jobStoreParallelLaws,
  ledgerKeysLaws,
  ledgerLaws,
  recordsLaws
} from "@sotto/testkit"
import { describe, expect, it } from "vitest"
import { inside } from "../../packages/cli/test/support/Sotto.ts"

/** The modules beside this one, their ports and laws; more with Promises are tried in test/examples. */
const modules = [
  ["BudgetLedger", "BudgetLedger", ledgerLaws],
  ["JobQueue", "JobQueue", jobQueueLaws],
  ["JobStore", "JobStore", [...jobStoreLaws, ...jobStoreParallelLaws]],
  ["LedgerKeys", "LedgerKeys", ledgerKeysLaws],
  ["Records", "Records", recordsLaws],
  ["PromisedBudgetLedger", "BudgetLedger", ledgerLaws],
  ["PromisedRecords", "Records", recordsLaws]
] as const

describe("sotto verify", () => {
  it.each(modules)("tries %s against every law of its port", async (name, port, expected) => {
    const module = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
    const { code, stdout } = await inside("verify", module, "--runs", "5", "--json")
    const manifest = JSON.parse(stdout)
    expect(manifest.laws.filter(({ verdict }: { verdict: string }) => verdict !== "holds")).toEqual([])
    expect([code, manifest.port, manifest.laws.map(({ law }: { law: string }) => law)]).toEqual([
      0,
      port,
      expected.map(({ id }) => id)
    ])
  })
})
