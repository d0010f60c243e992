import {
  commandFaults,
  decide,
  fold,
  isName,
  JobKind,
  JOB_STATES,
  leaseFaults,
  type Job,
  type KindOptions,
  retryFaults,
  samePlain,
  submissionFaults
} from "@sotto/core/job"
import { statesOf } from "@sotto/core/machine"
import { checkLaw, kindLaws, layerKindMachine } from "@sotto/testkit"
import {
  type AnyKind,
  commands,
  failures,
  jobHistories,
  jobIds,
  jobKinds,
  jobs,
  leasePolicies,
  leases,
  names,
  plains,
  progresses,
  retryPolicies,
  submissions
} from "@sotto/testkit/generators"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { automation, launcher } from "../../../core/test/job/support.ts"
import { everything } from "./support.ts"

const unless = (sound: boolean, fault: string): ReadonlyArray<string> => (sound ? [] : [fault])
const kinds: ReadonlyArray<AnyKind> = [automation, launcher]

describe("generated", () => {
  it("names and ids are those of submissions", () => {
    everything(names, (name) => unless(isName(name), "no name"))
    everything(jobIds, (id) => unless(/^[!-~]{1,200}$/.test(id), "no id"))
  })

  it("plain data and failures are what JSON gives back", () => {
    everything(plains, (value) => unless(samePlain(JSON.parse(JSON.stringify(value)), value), "not plain"))
    everything(failures, (value) => unless(samePlain(JSON.parse(JSON.stringify(value)), value), "not plain"))
  })

  it("policies of retries and leases are sound", () => {
    everything(retryPolicies, retryFaults)
    everything(leasePolicies, leaseFaults)
  })

  it("leases and progress are in range", () => {
    everything(leases, ({ tenant, epoch, token }) =>
      unless(isName(tenant) && epoch >= 1 && token.length <= 64, "range")
    )
    everything(progresses, ({ done, total }) => unless(done >= 0 && (total === null || total >= done), "range"))
  })

  it.each(kinds.map((kind) => [kind.name, kind] as const))("submissions of the kind %s are taken", (_, kind) => {
    everything(submissions(kind), (submission) => submissionFaults(kind, submission))
  })

  it("kinds are made by the constructor, and what it accepts keeps the laws", async () => {
    everything(jobKinds, (kind) =>
      unless(
        JobKind.check({
          ...kind,
          ...kind.times,
          parameters: kind.parameters.schema,
          result: kind.result.schema,
          failure: kind.failure.schema,
          outward: undefined
        } as unknown as KindOptions<string, unknown, unknown, unknown, string>).length === 0,
        "refused"
      )
    )
    for (const kind of fc.sample(jobKinds, { numRuns: 10, seed: 3 })) {
      for (const law of kindLaws(kind)) {
        await checkLaw(law, layerKindMachine(kind), { runs: law.id === "REACHABLE" ? 1 : 8, seed: 1 })
      }
    }
  })

  it.each(kinds.map((kind) => [kind.name, kind] as const))("histories of the kind %s fold to their jobs", (_, kind) => {
    everything(jobHistories(kind), ({ job, log }) => unless(samePlain(fold(log), job), "another job"))
  })

  it.each(kinds.map((kind) => [kind.name, kind] as const))("jobs of the kind %s are in every state", (_, kind) => {
    const met = new Set(fc.sample(jobs(kind), { numRuns: 1_500, seed: 1 }).map(({ state }) => state))
    expect(JOB_STATES.filter((state) => statesOf(kind.lifecycle).includes(state) && !met.has(state))).toEqual([])
  })

  it("commands are in range, and some are taken", () => {
    const some = jobs(automation).chain((job) => fc.tuple(fc.constant<Job>(job), commands(automation, job)))
    everything(some, ([, command]) => commandFaults(command))
    const taken = fc
      .sample(some, { numRuns: 300, seed: 1 })
      .map(([job, command]) => decide(automation, job, command, job.updatedAt))
      .filter(({ _tag }) => _tag === "Accepted")
    expect(taken.length).toBeGreaterThan(20)
  })
})
