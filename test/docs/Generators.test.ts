/** The generators of docs/adapters.md, over the kind of docs/kinds.md. */
import { isTerminal, type Job } from "@sotto/core/job"
import { kindLaws, layerKindMachine, registerLaws } from "@sotto/testkit"
import { jobs, names } from "@sotto/testkit/generators"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { translationKind } from "./Translation.ts"

/** What a page of a service might say. */
const describeJob = (job: Job, reader: string): string => {
  const word = translationKind.outward.word(job, { slotFree: false })
  const since = isTerminal(job.state) ? job.finishedAt : (job.startedAt ?? job.createdAt)
  return `Dear ${reader}, your translation is ${word} since ${since}.`
}

it("has a sentence for every job", () =>
  fc.assert(
    fc.property(jobs(translationKind), names, (job, reader) => {
      const sentence = describeJob(job, reader)
      expect(sentence).toContain(reader)
      expect(sentence).not.toMatch(/undefined|null|NaN/)
    })
  ))

await registerLaws({ describe, it }, kindLaws(translationKind), layerKindMachine(translationKind))
