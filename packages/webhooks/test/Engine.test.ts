import { JobKind } from "@sotto/core/job"
import { Engine, handle, JobFailed, layerEngine, layerSweeper, layerWorker } from "@sotto/engine"
import { layerMemoryBlobStore, layerMemoryJobQueue, layerSeededEntropy } from "@sotto/memory"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { Webhooks } from "../src/index.ts"
import { clients, endpoint, memoryStores, pass, play, receiver, start, TENANT } from "./Rig.ts"

const kind = JobKind.make({
  name: "greeting",
  relation: "leased",
  parameters: Schema.Json,
  result: Schema.Json,
  failure: Schema.Json
})

const handler = handle(kind, (job) =>
  Effect.gen(function* () {
    yield* job.emit("draft", "hello")
    if (job.failures === 0) {
      const again = {
        code: "Tired",
        category: "server",
        message: "Once more.",
        details: null,
        retryable: true
      } as const
      return yield* new JobFailed(again)
    }
    return yield* job.input("name")
  })
)

describe("a job of the engine", () => {
  it("is told of from its submission to its end, in numbers without gaps", () =>
    play(
      Effect.gen(function* () {
        const stores = memoryStores()
        const context = yield* clients(stores)
        const hook = receiver()
        yield* start(stores, hook)
        yield* Webhooks.use((webhooks) => webhooks.create(TENANT, endpoint())).pipe(Effect.provide(context))
        const house = Layer.merge(layerWorker({ handlers: [handler] }), layerSweeper()).pipe(
          Layer.provideMerge(layerEngine({ kinds: [kind] })),
          Layer.provide(
            Layer.mergeAll(layerMemoryJobQueue(), layerSeededEntropy(2), layerMemoryBlobStore({ buckets: [] }))
          ),
          Layer.provide(Layer.succeedContext(context))
        )
        yield* Effect.gen(function* () {
          const engine = yield* Engine
          const { job } = yield* engine.submit({ kind: "greeting", tenant: TENANT, parameters: {} })
          yield* pass(20)
          yield* engine.giveInput(TENANT, job.id, "name", "Ada")
          yield* pass(20)
          const told = hook.got.map(({ body }) => (JSON.parse(body) as { data: Told }).data)
          expect(new Set(told.map((one) => one.job))).toEqual(new Set([job.id]))
          expect(
            told
              .toSorted((a, b) => a.number - b.number)
              .map(({ number, event, key }) => [number, event, ...(key === undefined ? [] : [key])])
          ).toEqual([
            [1, "submitted"],
            [2, "started"],
            [3, "output", "draft"],
            [4, "retrying"],
            [5, "started"],
            [6, "awaitingInput", "name"],
            [7, "input", "name"],
            [8, "started"],
            [9, "succeeded"]
          ])
        }).pipe(Effect.provide(house))
      })
    ))
})

interface Told {
  readonly job: string
  readonly number: number
  readonly event: string
  readonly key?: string
}
