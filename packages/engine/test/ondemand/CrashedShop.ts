/** A shop over SQLite and files, for processes that die. */
import { onDemandKind } from "@sotto/core/tabular"
import { layerFsBlobStore, layerSystemEntropy } from "@sotto/fs"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import { layerRecordFormat } from "@sotto/tabular"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { join } from "node:path"
import { defineModel, RecordFailed, recordsVersion } from "../../src/index.ts"

/** Where a worker kills itself: in its n-th batch. */
export interface CrashArguments {
  readonly home: string
  readonly dieInBatch: number | null
}

export const PLACE = { bucket: "data" }

export const ROWS = 400
export const BATCH = 10

/** The kind with leases that run out soon. */
export const hastyKind = { ...onDemandKind, lease: { leaseMs: 1_000, renewMs: 300 } }

/** Slow, so that there is a middle to be killed in. */
export const slowModel = (inBatch: (n: number) => void) => {
  let n = 0
  return defineModel({
    name: "slow",
    versions: [
      recordsVersion({
        version: "1",
        groupSize: 7,
        groupPrice: 3,
        batchSize: BATCH,
        input: Schema.Struct({ x: Schema.Int }),
        output: Schema.Struct({ y: Schema.Int }),
        run: (records) =>
          Effect.gen(function* () {
            inBatch(++n)
            yield* Effect.sleep(10)
            return records.map(({ x }) => (x % 3 === 0 ? new RecordFailed("divisible by three") : { y: x * x }))
          })
      })
    ]
  })
}

export const layerHome = (home: string) =>
  Layer.mergeAll(
    layerSqliteJobStore({ file: join(home, "store.db") }),
    layerSqliteRecords({ file: join(home, "store.db") }),
    layerMemoryJobQueue(),
    layerSystemEntropy,
    layerRecordFormat(),
    layerFsBlobStore({ buckets: { data: join(home, "data") } })
  )
