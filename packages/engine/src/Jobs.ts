import type { BlobStore } from "@sotto/core/ports/BlobStore"
import type { Entropy } from "@sotto/core/ports/Entropy"
import type { JobQueue } from "@sotto/core/ports/JobQueue"
import type { JobStore } from "@sotto/core/ports/JobStore"
import type { Records } from "@sotto/core/ports/Records"
import * as Layer from "effect/Layer"
import { type Engine, layerEngine } from "./Engine.ts"
import type { AnyJobKind, Journal } from "./Journal.ts"
import { layerRetention } from "./Retention.ts"
import { layerSweeper } from "./Sweeper.ts"
import { layerWorker, type Worker, type WorkerOptions } from "./Worker.ts"

export interface JobsOptions<S = never> extends WorkerOptions<S> {
  /** Kinds beside those of the handlers: run by other processes, or by outside drivers. */
  readonly kinds?: ReadonlyArray<AnyJobKind>
  /** How often to look for leases that are over, timers and jobs that nobody was told of; 2 s unless told. */
  readonly sweepMs?: number
}

const sweeping = ({ sweepMs }: { readonly sweepMs?: number }) => (sweepMs === undefined ? {} : { everyMs: sweepMs })

/**
 * All that a process needs that takes jobs and runs them: engine, worker, sweeper and retention over the ports. Handlers
 * may need the engine itself.
 *
 * A killed worker's job runs again after a lease and a sweep: 15 s unless told otherwise. Throws `OptionsRejected` for
 * options that cannot be sound.
 */
export const layerJobs = <S = never>(
  options: JobsOptions<S>
): Layer.Layer<
  Engine | Worker | Journal,
  never,
  Exclude<S, Engine | Journal> | JobStore | JobQueue | Records | Entropy | BlobStore
> =>
  Layer.mergeAll(layerWorker(options), layerSweeper(sweeping(options)), layerRetention()).pipe(
    Layer.provideMerge(layerEngine({ kinds: [...options.handlers.map(({ kind }) => kind), ...(options.kinds ?? [])] }))
  )
