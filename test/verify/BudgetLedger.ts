import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import {
  layerMemoryBudgetLedger,
  layerMemoryLedgerKeys,
  type MemoryLedgerKeys,
  type MemoryLedgerStore
} from "@sotto/memory"
import { LedgerLab } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const port = "BudgetLedger"
export const make = ({ keys }: { readonly keys: MemoryLedgerKeys }) => {
  const store: MemoryLedgerStore = { ledger: undefined }
  const open = (policy = {}) =>
    layerMemoryBudgetLedger({ store, policy }).pipe(Layer.provide(layerMemoryLedgerKeys(keys)), Layer.orDie)
  const reopen: LedgerLab["Service"]["reopen"] = (policy) =>
    Effect.map(Layer.build(open(policy)), (context) => Context.get(context, BudgetLedger))
  return Layer.merge(open(), Layer.succeed(LedgerLab, LedgerLab.of({ reopen })))
}
