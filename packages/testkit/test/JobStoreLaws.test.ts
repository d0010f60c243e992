import { emptyMemoryJobs, layerMemoryJobStore } from "@sotto/memory"
import { JobStore } from "@sotto/core/ports/JobStore"
import { catches, JobStoreLab, jobStoreLaws, type JobStoreSubject, layerLawClock } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { jobStoreMutants } from "../src/internal/JobStoreMutants.ts"

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

describe("the laws of a store of jobs", () => {
  it.each(jobStoreLaws.flatMap((law) => law.mutants.map((mutant) => [law.id, mutant.name, law, mutant] as const)))(
    "%s catches a store that %s",
    async (_, __, law, mutant) => {
      expect(await catches(law, mutant, subject, { runs: 200, seed: 1 })).toBe(true)
    }
  )

  it("has a mutant for every law and a law for every mutant", () => {
    const caught = new Set(jobStoreLaws.flatMap((law) => law.mutants.map(({ name }) => name)))
    expect(Object.values(jobStoreMutants).filter(({ name }) => !caught.has(name))).toEqual([])
    expect(jobStoreLaws.filter(({ mutants }) => mutants.length === 0)).toEqual([])
  })
})
