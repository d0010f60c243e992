import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { JobStore } from "@sotto/core/ports/JobStore"
import { emptyMemoryJobs, layerMemoryJobStore } from "@sotto/memory"
import { layerSqliteJobStore } from "@sotto/store-sqlite"
import { JobStoreLab, jobStoreParallelLaws, type JobStoreSubject, layerLawClock, registerLaws } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, it } from "vitest"

const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sotto-parallel-"))
afterAll(() => rmSync(folder, { recursive: true }))

/** A store that `open` opens as often as it is asked to. */
const subject = (open: () => Layer.Layer<JobStore, unknown>): Layer.Layer<JobStoreSubject> => {
  const reopen = Effect.map(Layer.build(Layer.fresh(Layer.orDie(open()))), (context) => Context.get(context, JobStore))
  return Layer.mergeAll(Layer.orDie(open()), Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen })), layerLawClock)
}

const memory = Layer.unwrap(
  Effect.sync(() => {
    const jobs = emptyMemoryJobs()
    return subject(() => layerMemoryJobStore({ jobs }))
  })
)

let files = 0
const sqlite = Layer.unwrap(
  Effect.sync(() => {
    const file = join(folder, `jobs-${files++}.db`)
    return subject(() => layerSqliteJobStore({ file }))
  })
)

await registerLaws({ describe, it }, jobStoreParallelLaws, memory, { runs: 60, mutants: true, seed: 1 })
await registerLaws({ describe, it }, jobStoreParallelLaws, sqlite, { runs: 10 })
