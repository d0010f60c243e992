import { emptyMemoryJobs, layerMemoryJobStore } from "@sotto/memory"
import { JobStore } from "@sotto/core/ports/JobStore"
import { checkLaw, JobStoreLab, jobStoreLaws, type JobStoreSubject, layerLawClock } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, it } from "vitest"

/** A new store, and the means to open it once more. */
const subject: Layer.Layer<JobStoreSubject> = Layer.unwrap(
  Effect.sync(() => {
    const jobs = emptyMemoryJobs()
    const reopen = Effect.map(Layer.build(layerMemoryJobStore({ jobs })), (context) => Context.get(context, JobStore))
    return Layer.mergeAll(
      layerMemoryJobStore({ jobs }),
      Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen })),
      layerLawClock
    )
  })
)

describe("jobs in memory", () => {
  it.each(jobStoreLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 60, seed: 2 })
  })
})
