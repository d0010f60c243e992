import { layerMemoryBudgetLedger, layerMemoryLedgerKeys, type MemoryLedgerStore } from "@sotto/memory"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { checkLaw, LEDGER_TEST_KEYS, LedgerLab, ledgerLaws } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"

const keys = layerMemoryLedgerKeys(LEDGER_TEST_KEYS)

/** A new store with a ledger on it, and the means to open it once more. */
const subject: Layer.Layer<BudgetLedger | LedgerLab> = Layer.unwrap(
  Effect.sync(() => {
    const store: MemoryLedgerStore = { ledger: undefined }
    const open = (policy = {}) => layerMemoryBudgetLedger({ store, policy }).pipe(Layer.provide(keys), Layer.orDie)
    const reopen: LedgerLab["Service"]["reopen"] = (policy) =>
      Effect.map(Layer.build(open(policy)), (context) => Context.get(context, BudgetLedger))
    return Layer.merge(open(), Layer.succeed(LedgerLab, LedgerLab.of({ reopen })))
  })
)

describe("the ledger in memory", () => {
  it.each(ledgerLaws.map((law) => [law.id, law] as const))("keeps %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 60, seed: 2 })
  })

  it("refuses a store that was made with other keys", async () => {
    const store: MemoryLedgerStore = { ledger: undefined }
    const openWith = (more: Partial<typeof LEDGER_TEST_KEYS>) =>
      Effect.gen(function* () {
        yield* (yield* BudgetLedger).purge("default", 5)
      }).pipe(
        Effect.provide(
          layerMemoryBudgetLedger({ store }).pipe(
            Layer.provide(layerMemoryLedgerKeys({ ...LEDGER_TEST_KEYS, ...more }))
          )
        ),
        Effect.flip,
        Effect.runPromise
      )
    await Effect.runPromise(
      BudgetLedger.use((ledger) => ledger.purge("default", 5)).pipe(
        Effect.provide(layerMemoryBudgetLedger({ store }).pipe(Layer.provide(keys)))
      )
    )
    expect(await openWith({ ledgerId: new Uint8Array(16) })).toMatchObject({
      _tag: "LedgerMismatch",
      message: expect.stringContaining("Use the keys that were made for this ledger")
    })
    expect(await openWith({ fingerprintKey: new Uint8Array(32) })).toMatchObject({
      _tag: "LedgerMismatch",
      message: expect.stringContaining("another fingerprint key")
    })
  })
})
