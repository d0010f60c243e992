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

/** The ports whose adapters may be layers; those that are Promises are tried in test/examples. */
const laws = {
  BudgetLedger: ledgerLaws,
  JobQueue: jobQueueLaws,
  JobStore: [...jobStoreLaws, ...jobStoreParallelLaws],
  LedgerKeys: ledgerKeysLaws,
  Records: recordsLaws
} as const

describe("sotto verify", () => {
  it.each(Object.entries(laws))("tries a layer of %s against every law of its port", async (port, expected) => {
    const module = fileURLToPath(new URL(`${port}.ts`, import.meta.url))
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
