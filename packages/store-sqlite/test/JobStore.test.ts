import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { JobStore } from "@sotto/core/ports/JobStore"
import { layerSqliteJobStore } from "@sotto/store-sqlite"
import { checkLaw, JobStoreLab, jobStoreLaws, type JobStoreSubject, layerLawClock } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, describe, it } from "vitest"

// In memory where there is one: the laws wait for some thousand commits.
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "sotto-jobs-"))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
const fresh = () => join(folder, `jobs-${files++}.db`)
const open = (file: string) => Layer.orDie(layerSqliteJobStore({ file }))

const subject: Layer.Layer<JobStoreSubject> = Layer.unwrap(
  Effect.sync(() => {
    const file = fresh()
    const reopen = Effect.map(Layer.build(open(file)), (context) => Context.get(context, JobStore))
    return Layer.mergeAll(open(file), Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen })), layerLawClock)
  })
)

describe("jobs in SQLite", () => {
  it.each(jobStoreLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 25, seed: 5 })
  })
})
