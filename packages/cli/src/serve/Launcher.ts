/** The launcher of a server: runs of SQL over the collections of a bucket, if its settings ask for them. */
import { hostname } from "node:os"
import { launcherKind } from "@sotto/core/launcher"
import type { BlobStore } from "@sotto/core/ports/BlobStore"
import type { Entropy } from "@sotto/core/ports/Entropy"
import type { Records } from "@sotto/core/ports/Records"
import type { SqlEngine } from "@sotto/core/ports/SqlEngine"
import { type Engine, type Launcher, layerLauncher, sqlRunHandler } from "@sotto/engine"
import * as Layer from "effect/Layer"
import { CommandError } from "../Failure.ts"
import type { ServerConfig, Settings } from "./ServerConfig.ts"

export type SqlEngineLayer = Layer.Layer<SqlEngine, never, BlobStore>

/** The engine for SQL, which is installed apart; `undefined` without a launcher. */
export const loadSqlEngine = async ({ config }: Settings): Promise<SqlEngineLayer | undefined> => {
  if (config.launcher === undefined) return undefined
  const { memoryMiB, spillMiB, outputMiB, threads } = config.launcher
  try {
    const { layerDuckDbSqlEngine } = await import("@sotto/sql-duckdb")
    return layerDuckDbSqlEngine({
      memoryBytes: memoryMiB * 1_048_576,
      outputBytes: outputMiB * 1_048_576,
      ...(spillMiB === undefined ? {} : { spillBytes: spillMiB * 1_048_576 }),
      ...(threads === undefined ? {} : { threads })
    })
  } catch (error) {
    throw new CommandError(
      `launcher: the engine for SQL cannot be loaded (${(error as Error).message}). Install @sotto/sql-duckdb.`
    )
  }
}

/** Runs are reported: no worker takes them. */
export const launcherKinds = ({ launcher }: ServerConfig) => (launcher === undefined ? [] : [launcherKind])

/** Collections of a tenant lie in a folder of its name. */
export const launcherHandler = ({ bucket }: NonNullable<ServerConfig["launcher"]>) =>
  sqlRunHandler({ placeOf: (tenant) => ({ bucket, prefix: `${tenant}/` }), hostname: hostname() })

/** What launches, by request and by triggers; without a launcher there is nobody to ask it. */
export const layerLauncherOf = ({ config }: Settings): Layer.Layer<Launcher, never, Engine | Entropy | Records> =>
  config.launcher === undefined ? (Layer.empty as unknown as ReturnType<typeof layerLauncher>) : layerLauncher()
