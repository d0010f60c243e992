/** Stores for one run: layers are new with every process, what they keep is not. */
import type { SimulatedStores } from "@sotto/testkit/simulation"
import { OUTPUT_BUCKET } from "@sotto/testkit/simulation"
import {
  emptyMemoryJobs,
  emptyMemoryRecords,
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords,
  type MemoryLedgerStore
} from "@sotto/memory"
import { layerSqliteBudgetLedger, layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Layer from "effect/Layer"

export interface MemoryStores extends Required<SimulatedStores> {
  readonly ledger: MemoryLedgerStore
}

export const memoryStores = (): MemoryStores => {
  const keys = layerMemoryLedgerKeys({ ...LEDGER_TEST_KEYS, heads: new Map() })
  const [jobs, records] = [emptyMemoryJobs(), emptyMemoryRecords()]
  const ledger: MemoryLedgerStore = { ledger: undefined }
  const opened = Layer.mergeAll(
    layerMemoryJobStore({ jobs }),
    layerMemoryRecords({ records }),
    layerMemoryBudgetLedger({ store: ledger }).pipe(Layer.provide(keys), Layer.orDie)
  )
  return {
    shared: Layer.mergeAll(opened, keys, layerMemoryJobQueue(), layerMemoryBlobStore({ buckets: [OUTPUT_BUCKET] })),
    opened,
    ledger
  }
}

/** The same with jobs, records and ledger in one SQLite file, which every process opens for itself. */
export const sqliteStores = (file: string): SimulatedStores => {
  const keys = layerMemoryLedgerKeys({ ...LEDGER_TEST_KEYS, heads: new Map() })
  const opened = Layer.mergeAll(
    layerSqliteJobStore({ file }),
    layerSqliteRecords({ file }),
    layerSqliteBudgetLedger({ file }).pipe(Layer.provide(keys))
  ).pipe(Layer.orDie)
  return {
    shared: Layer.mergeAll(opened, keys, layerMemoryJobQueue(), layerMemoryBlobStore({ buckets: [OUTPUT_BUCKET] })),
    opened
  }
}
