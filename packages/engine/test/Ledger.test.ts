import { keyCheck, type Epsilon, type Fingerprint, type Head, seedOf, type UnitId } from "@sotto/core/budget"
import { BudgetLedger, LedgerUnavailable } from "@sotto/core/ports/BudgetLedger"
import type { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { layerMemoryBudgetLedger, layerMemoryLedgerKeys, type MemoryLedgerStore } from "@sotto/memory"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { acceptRollback, type Bill, pay } from "../src/Ledger.ts"

const bill = (n: number, more: Partial<Bill> = {}): Bill => ({
  scope: "default",
  spender: `job-${n}`,
  fingerprint: String(n).repeat(64) as Fingerprint,
  charge: "exclusive",
  epsilon: 10_000_000 as Epsilon,
  reports: 1,
  units: [{ id: String(n).repeat(64) as UnitId, hour: 1, origin: "https://shop.example" }],
  asOf: 0,
  ...more
})

const house = () => {
  const store: MemoryLedgerStore = { ledger: undefined }
  const heads = new Map<string, Head>()
  const layer = (more: Partial<typeof LEDGER_TEST_KEYS> = {}) =>
    layerMemoryBudgetLedger({ store }).pipe(
      Layer.provideMerge(layerMemoryLedgerKeys({ ...LEDGER_TEST_KEYS, ...more, heads }))
    )
  const run = <A, E>(effect: Effect.Effect<A, E, BudgetLedger | LedgerKeys>, more = {}) =>
    Effect.runPromise(Effect.provide(effect, layer(more)))
  return { store, heads, layer, run }
}

const [keyA, keyB] = [...LEDGER_TEST_KEYS.noiseKeys.values()] as [Uint8Array, Uint8Array]

describe("paying for a question", () => {
  it("gives the seed once paid, raises the head, and repeats for free", async () => {
    const { heads, run } = house()
    const paid = await run(pay(bill(1)))
    expect(paid).toMatchObject({ _tag: "Paid", charged: true, seed: seedOf(keyA, bill(1).fingerprint) })
    expect(heads.get("default")?.sequence).toBe(1)
    const again = await run(pay(bill(1, { spender: "job-2" })))
    expect(again).toEqual({ ...paid, charged: false })
  })

  it("noises a repeat with the key of the first answer, after another became active", async () => {
    const { run } = house()
    await run(pay(bill(1)))
    const rotated = { activeNoiseKeyId: "noise-b" }
    expect(await run(pay(bill(1)), rotated)).toMatchObject({ seed: seedOf(keyA, bill(1).fingerprint) })
    expect(await run(pay(bill(2)), rotated)).toMatchObject({ seed: seedOf(keyB, bill(2).fingerprint) })
  })

  it("never noises again when the key is gone or another one bears its name", async () => {
    const { run } = house()
    await run(pay(bill(1)))
    const gone = { noiseKeys: new Map([["noise-b", keyB]]), activeNoiseKeyId: "noise-b" }
    expect(await run(Effect.flip(pay(bill(1))), gone)).toMatchObject({ _tag: "NoiseKeyMissing", noiseKeyId: "noise-a" })
    const renamed = {
      noiseKeys: new Map([
        ["noise-a", keyB],
        ["noise-b", keyB]
      ]),
      activeNoiseKeyId: "noise-b"
    }
    expect(await run(pay(bill(1)), renamed)).toEqual({ _tag: "NoiseKeyMismatch", noiseKeyId: "noise-a" })
  })

  it("hands on a refusal without a seed", async () => {
    const { heads, run } = house()
    await run(pay(bill(1)))
    const head = heads.get("default")
    expect(await run(pay(bill(2, { units: bill(1).units })))).toEqual({
      _tag: "Exhausted",
      units: [{ id: bill(1).units[0]?.id, remaining: 0 }]
    })
    expect(await run(pay(bill(2, { spender: "job-1" })))).toMatchObject({ _tag: "SpenderConflict" })
    expect(heads.get("default")).toBe(head)
  })

  it("has a seed for a question without units, and no charge", async () => {
    const { heads, run } = house()
    expect(await run(pay(bill(1, { units: [] })))).toMatchObject({
      charged: false,
      seed: seedOf(keyA, bill(1).fingerprint),
      receipt: { kcv: keyCheck(keyA) }
    })
    expect(heads.size).toBe(0)
  })

  it("raises the head on the repeat when the first attempt died after the charge", async () => {
    const { heads, layer, run } = house()
    const dying = Layer.effect(
      BudgetLedger,
      Effect.map(BudgetLedger, (ledger) =>
        BudgetLedger.of({
          ...ledger,
          head: () => Effect.fail(new LedgerUnavailable({ because: "io", message: "killed after the charge" }))
        })
      )
    ).pipe(Layer.provideMerge(layer()))
    const error = await Effect.runPromise(Effect.flip(Effect.provide(pay(bill(1)), dying)))
    expect(error._tag).toBe("LedgerUnavailable")
    expect(heads.size).toBe(0)
    expect(await run(pay(bill(1)))).toMatchObject({ _tag: "Paid", charged: false })
    expect(heads.get("default")?.sequence).toBe(1)
  })

  it("stops at a ledger that was rolled back, until that is accepted", async () => {
    const { store, heads, run } = house()
    await run(pay(bill(1)))
    const backup = store.ledger
    await run(pay(bill(2)))
    const lost = heads.get("default")
    store.ledger = backup
    expect(await run(Effect.flip(pay(bill(1))))).toMatchObject({
      _tag: "LedgerRolledBack",
      message: expect.stringContaining("restore the newest copy of the ledger, or accept the rollback")
    })
    expect(await run(acceptRollback("default", "disk lost"))).toMatchObject({ _tag: "RollbackAccepted", lost })
    expect(heads.get("default")?.sequence).toBe(1)
    expect(await run(pay(bill(1)))).toMatchObject({ charged: false })
    expect(await run(pay(bill(3)))).toMatchObject({ charged: true })
    expect(await run(acceptRollback("default", "twice"))).toMatchObject({ _tag: "NotRolledBack" })
    expect(await run(acceptRollback("other", "never asked"))).toBeUndefined()
  })
})
