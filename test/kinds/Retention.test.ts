/**
 * What is removed when its time is over, of each further kind: personal data, runs, jobs and their files.
 *
 * A server is stopped, the clock is moved, and a server over the same stores finds what is due.
 */
import { launcherKind, sqlRunKind } from "@sotto/core/launcher"
import { Aggregator } from "@sotto/core/ports/Aggregator"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import type { RecordFormat } from "@sotto/core/ports/RecordFormat"
import type { Records } from "@sotto/core/ports/Records"
import { isDataPartRejected, readDataPart } from "@sotto/core/tabular"
import {
  automationHandler,
  Automations,
  Engine,
  FileFetcher,
  layerAutomations,
  layerFilesRetention,
  layerJobs,
  layerLauncher,
  layerOnDemand,
  layerPersonalData,
  Launcher,
  OnDemand,
  onDemandHandler,
  type PersonalData
} from "@sotto/engine"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords,
  layerSeededEntropy
} from "@sotto/memory"
import { layerRecordFormat } from "@sotto/tabular"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { expect, it } from "vitest"
import { pythagoras } from "../../examples/pythagoras/model.ts"
import { schoolMenu } from "../../examples/school-menu/services.ts"

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const START = Date.UTC(2026, 0, 1)
const TENANT = "school"

const ports = Layer.mergeAll(
  layerMemoryJobStore(),
  layerMemoryRecords(),
  layerMemoryJobQueue(),
  layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
  layerMemoryBlobStore({ buckets: ["models"] }),
  layerRecordFormat(),
  Layer.mock(Aggregator)({}),
  Layer.mock(FileFetcher)({})
).pipe(Layer.provideMerge(layerSeededEntropy(1)), Layer.orDie)

const offer = { models: [pythagoras], place: { bucket: "models" } }
const automations = { services: [schoolMenu] }

/** What `sotto serve` puts together for these kinds. */
const server = Layer.mergeAll(
  layerLauncher(),
  layerOnDemand(offer),
  layerFilesRetention({ place: offer.place }),
  layerAutomations(automations)
).pipe(
  Layer.provideMerge(
    layerJobs<RecordFormat | PersonalData | Records>({
      handlers: [onDemandHandler(offer), automationHandler(automations)],
      kinds: [launcherKind, sqlRunKind]
    })
  ),
  Layer.provideMerge(layerPersonalData())
)

type Ports = Layer.Success<typeof ports>
type Served = Layer.Success<typeof server>

/** Does something with a server that is started for it and stopped. */
const during = <A, E>(house: Context.Context<Ports>, use: Effect.Effect<A, E, Served | Ports>) =>
  Effect.gen(function* () {
    const served = yield* Layer.build(Layer.fresh(server).pipe(Layer.provide(Layer.succeedContext(house))))
    return yield* Effect.provideContext(use, Context.merge(house, served))
  }).pipe(Effect.scoped)

const play = <A>(test: (house: Context.Context<Ports>) => Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* TestClock.setTime(START)
      return yield* test(yield* Layer.build(ports))
    }).pipe(Effect.scoped, Effect.provide(Layer.merge(TestClock.layer(), Logger.layer([])))) as Effect.Effect<A>
  )

const filesOf = Effect.gen(function* () {
  const blobs = yield* BlobStore
  return [...(yield* Stream.runCollect(blobs.list("models", "")))].map(({ key }) => key)
})

/** Purges and looks at files once more. */
const anHour = TestClock.adjust(HOUR_MS)

/** Submits a table. */
const sides = Effect.gen(function* () {
  const onDemand = yield* OnDemand
  const upload = yield* onDemand.upload(TENANT, Stream.succeed(new TextEncoder().encode("x,y\n3,4\n")))
  const data = readDataPart("{}")
  if (isDataPartRejected(data)) throw new Error(data.message)
  const request = { tenant: TENANT, model: "pythagoras", data, fileName: "sides.csv", partType: null }
  return (yield* onDemand.submit({ ...request, upload })).job.id
})

it("Runs of the launcher are purged when they have been over for 14 days", () =>
  play((house) =>
    Effect.gen(function* () {
      const id = yield* during(
        house,
        Launcher.use((launcher) =>
          Effect.gen(function* () {
            const { jobId } = yield* launcher.launch(TENANT, { type: "spark", id: "nightly" })
            const report = { state: "finished", fields: {}, failure: null } as const
            yield* launcher.report(TENANT, { jobId, report, jobConfig: undefined })
            return jobId
          })
        )
      )
      const look = during(
        house,
        Effect.andThen(
          TestClock.adjust(1_000),
          Launcher.use((launcher) => launcher.status(TENANT, id))
        )
      )
      yield* TestClock.setTime(START + 14 * DAY_MS - 60_000)
      expect(yield* look).toMatchObject({ state: "finished" })
      yield* TestClock.setTime(START + 14 * DAY_MS + 60_000)
      expect(yield* Effect.flip(look)).toMatchObject({ _tag: "UnknownJob" })
    })
  ))

it("Personal data of an automation goes after 30 days, its job says so, and goes after 90", () =>
  play((house) =>
    Effect.gen(function* () {
      const id = yield* during(
        house,
        Effect.gen(function* () {
          const service = yield* Automations
          const inputs = { ingredientToAvoid: "almond" }
          const { id } = yield* service.create({
            tenant: TENANT,
            serviceId: schoolMenu.id,
            category: "live",
            callbackUrl: null,
            inputs
          })
          yield* Engine.use((engine) => engine.wait(TENANT, id))
          return id
        })
      )
      const look = during(
        house,
        Effect.gen(function* () {
          const service = yield* Automations
          yield* TestClock.adjust(1_000)
          const { state, piiRemoved } = yield* service.get(TENANT, id)
          const [given] = yield* service.inputs(TENANT, id)
          const told = yield* service.outputs(TENANT, id)
          return { state, piiRemoved, input: given?.data, outputs: told.map(({ data }) => data === null) }
        })
      )
      const kept = { state: "success", piiRemoved: false, input: "almond", outputs: [false, false] }
      yield* TestClock.setTime(START + 30 * DAY_MS)
      expect(yield* look).toEqual(kept)
      yield* TestClock.setTime(START + 30 * DAY_MS + 2 * HOUR_MS)
      expect(yield* look).toEqual({ state: "success", piiRemoved: true, input: null, outputs: [true, true] })
      yield* TestClock.setTime(START + 91 * DAY_MS)
      expect(yield* Effect.flip(look)).toMatchObject({ _tag: "UnknownJob" })
    })
  ))

it("Files of an on-demand job go with it", () =>
  play((house) =>
    Effect.gen(function* () {
      const id = yield* during(
        house,
        Effect.tap(sides, (job) => Engine.use((engine) => engine.wait(TENANT, job)))
      )
      const look = during(house, Effect.andThen(anHour, Effect.provideContext(filesOf, house)))
      expect(yield* look).toHaveLength(2)
      yield* TestClock.setTime(START + 92 * DAY_MS)
      expect(yield* look).toEqual([])
      const gone = during(
        house,
        OnDemand.use((onDemand) => Effect.flip(onDemand.get({ tenant: TENANT, id })))
      )
      expect(yield* gone).toMatchObject({ _tag: "UnknownJob" })
    })
  ))
