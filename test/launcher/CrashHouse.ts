/** A launcher over SQLite and files, for processes that die. */
import { join } from "node:path"
import { sqlRunKind } from "@sotto/core/launcher"
import { layerFsBlobStore, layerSystemEntropy } from "@sotto/fs"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerDuckDbSqlEngine } from "@sotto/sql-duckdb"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import * as Layer from "effect/Layer"

/** Where a worker kills itself: while it computes, before its result is written, or once it is and nobody knows. */
export const DEATHS = ["computing", "writing", "written"] as const
export type Death = (typeof DEATHS)[number]

export interface CrashArguments {
  readonly home: string
  readonly death: Death | null
}

/** The kind with leases that run out soon. */
export const hastyKind = { ...sqlRunKind, lease: { leaseMs: 1_500, renewMs: 400 } }

export const layerHome = (home: string) =>
  Layer.mergeAll(
    layerSqliteJobStore({ file: join(home, "store.db") }),
    layerSqliteRecords({ file: join(home, "store.db") }),
    layerMemoryJobQueue(),
    layerSystemEntropy,
    layerDuckDbSqlEngine({ threads: 1, folder: join(home, "sessions") }).pipe(
      Layer.provideMerge(layerFsBlobStore({ buckets: { collections: join(home, "collections") } }))
    )
  )
