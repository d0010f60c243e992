import { onDemandKind } from "@sotto/core/tabular"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { pythagoras } from "./Pythagoras.ts"
import { Engine, layerFilesRetention, purge } from "../../src/index.ts"
import { pass, start } from "../Rig.ts"
import { keys, open, PLACE, playShop, send, utf8 } from "./Shop.ts"

const EVERY_MS = 3_600_000

/** Files of somebody else, one of which looks like ours. */
const OTHERS = ["on-demand/%FF/input/00000000000000000000000000000000", "on-demand/readme"]

/** Two jobs of tenants with troublesome names, an upload without a job and files of somebody else. */
const filled = <A>(
  test: (look: Effect.Effect<ReadonlyArray<string>>, house: Parameters<typeof keys>[0]) => Effect.Effect<A, unknown>
) =>
  playShop((house) =>
    Effect.gen(function* () {
      const { shop, stop } = yield* open(house, [pythagoras])
      for (const tenant of ["a/b", "ü %"]) yield* send(shop, "x,y\n3,4\nno,1\n", { tenant })
      yield* shop.upload("late", Stream.succeed(utf8("x,y\n1,2\n")))
      for (const key of OTHERS) {
        yield* Context.get(house, BlobStore).write({ bucket: "data", key }, utf8("mine"), { mode: "create" })
      }
      yield* pass(2)
      // A worker would look for jobs in every second of a quarter.
      yield* stop
      const { engine } = yield* start(house, { kinds: [onDemandKind], sweeps: false })
      yield* Layer.build(
        layerFilesRetention({ place: PLACE, everyMs: EVERY_MS }).pipe(
          Layer.provide(Layer.succeedContext(Context.add(house, Engine, engine)))
        )
      )
      // Everything that follows from one look happens before the next.
      const look = Effect.andThen(TestClock.adjust(EVERY_MS), Effect.andThen(pass(1), Effect.orDie(keys(house))))
      yield* pass(1)
      return yield* test(look, house)
    })
  )

describe("files", () => {
  it("stay as long as their jobs, and uploads until they have waited for a whole round", async () => {
    const [first, second] = await filled((look, house) => Effect.all([Effect.map(keys(house), (all) => all), look]))
    // An input, a result and errors for each job, the upload, and what is not ours.
    expect(first).toHaveLength(9)
    expect(second).toHaveLength(8)
    expect(second.filter((key) => key.includes("/late/"))).toEqual([])
  })

  it("go after their jobs, and what nobody of us wrote stays", async () => {
    const [once, twice] = await filled((look, house) =>
      Effect.gen(function* () {
        yield* TestClock.adjust(onDemandKind.times.retentionMs)
        yield* Effect.provide(purge(), house)
        yield* look
        const once = yield* look
        return [once, yield* look] as const
      })
    )
    expect([once, twice]).toEqual([OTHERS, OTHERS])
  })
})
