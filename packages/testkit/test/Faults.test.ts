import { emptyMemoryJobs, layerMemoryJobStore, layerMemoryRecords } from "@sotto/memory"
import { JobStore, type JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { aroundMethods } from "@sotto/core/ports/Methods"
import { Records } from "@sotto/core/ports/Records"
import {
  checkLaw,
  type Fault,
  type FaultOptions,
  faultyJobStore,
  faultyRecords,
  JobStoreLab,
  jobStoreLaws,
  type JobStoreSubject,
  layerLawClock,
  recordsLaws
} from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"

/** Asks again until there is an answer, as the engine does. */
const layerPatient = <Port, S extends object>(port: Context.Service<Port, S>) =>
  Layer.effect(
    port,
    Effect.map(port, (service) =>
      aroundMethods(service, (_, call) =>
        Effect.retry(call, {
          while: (error) => (error as { _tag?: string })._tag?.endsWith("Unavailable") === true,
          times: 1_000
        })
      )
    )
  )

const faults: Array<Fault> = []

const subject = (options: Omit<FaultOptions, "seed">): Layer.Layer<JobStoreSubject> =>
  Layer.unwrap(
    Effect.sync(() => {
      const jobs = emptyMemoryJobs()
      const store = layerMemoryJobStore({ jobs })
      const reopen = Effect.map(Layer.build(store), (context) => Context.get(context, JobStore))
      const onFault = (fault: Fault) => {
        faults.push(fault)
      }
      return Layer.mergeAll(
        Layer.provide(layerPatient(JobStore), faultyJobStore({ seed: 3, onFault, ...options })(store)),
        Layer.succeed(JobStoreLab, JobStoreLab.of({ reopen })),
        layerLawClock
      )
    })
  )

describe("a faulty store that is asked again", () => {
  it.each(jobStoreLaws.map((law) => [law.id, law] as const))("keeps %s when calls fail or wait", async (_, law) => {
    await checkLaw(law, subject({ before: 0.1, delay: 3 }), { runs: 15, seed: 7 })
  })

  // Here the repeated answer says that it is one: `Exists`, nothing left to purge, given out a moment ago.
  const telling = ["IDEMPOTENT-CREATE", "DUE", "PURGE"]
  it.each(jobStoreLaws.filter(({ id }) => !telling.includes(id)).map((law) => [law.id, law] as const))(
    "keeps %s when replies are lost",
    async (_, law) => {
      faults.length = 0
      await checkLaw(law, subject({ after: 0.15 }), { runs: 15, seed: 7 })
      expect(faults.filter(({ when }) => when === "after").length).toBeGreaterThan(0)
    }
  )

  it.each(recordsLaws.map((law) => [law.id, law] as const))("keeps %s of records when calls fail", async (_, law) => {
    const records = Layer.unwrap(Effect.sync(() => faultyRecords({ seed: 3, before: 0.1 })(layerMemoryRecords())))
    await checkLaw(law, Layer.merge(Layer.provide(layerPatient(Records), records), layerLawClock), {
      runs: 30,
      seed: 7
    })
  })
})

describe("faults", () => {
  const ask = (seed: number, more: Partial<FaultOptions>) => {
    const seen: Array<string> = []
    const onFault = ({ method, when }: Fault) => {
      seen.push(`${when} ${method}`)
    }
    const asked = Effect.gen(function* () {
      const store = yield* JobStore
      const answers: Array<string> = []
      for (let i = 0; i < 40; i++) {
        const exit = yield* Effect.exit(store.tally(null))
        answers.push(exit._tag)
      }
      return answers
    })
    const layer = faultyJobStore({ seed, before: 0.3, after: 0.3, onFault, ...more })(layerMemoryJobStore())
    const answers = Effect.runSync(Effect.provide(asked, layer))
    return { answers, seen }
  }

  it("are the same for the same seed, and others for another", () => {
    expect(ask(1, {})).toEqual(ask(1, {}))
    expect(ask(1, {}).answers).not.toEqual(ask(2, {}).answers)
  })

  it("are told, come at both times, and never without being asked for", () => {
    const { answers, seen } = ask(1, {})
    expect(answers.filter((tag) => tag === "Failure").length).toBe(seen.length)
    expect(new Set(seen)).toEqual(new Set(["before tally", "after tally"]))
    expect(ask(1, { before: 0, after: 0 }).seen).toEqual([])
    expect(new Set(ask(1, { before: 1 }).seen)).toEqual(new Set(["before tally"]))
  })

  it("fail as the port says that it cannot answer", () => {
    const layer = faultyJobStore({ seed: 1, before: 1 })(layerMemoryJobStore())
    const error: JobStoreUnavailable = Effect.runSync(
      Effect.flip(
        Effect.provide(
          JobStore.use((store) => store.tally(null)),
          layer
        )
      )
    )
    expect(error).toMatchObject({
      _tag: "JobStoreUnavailable",
      because: "io",
      message: expect.stringContaining("tally")
    })
  })
})
