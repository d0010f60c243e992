import { layerMemoryJobQueue } from "@sotto/memory"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { checkLaw, jobQueueLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"

describe("wake-ups in memory", () => {
  it.each(jobQueueLaws.map((law) => [law.id, law] as const))("keep %s", async (_, law) => {
    await checkLaw(law, layerMemoryJobQueue(), { runs: 50, seed: 2 })
  })

  it("reach every listener of their kind", async () => {
    const wakeUps = ["work", "play", "work"].map((kind, i) => ({ tenant: "north", id: `${i}`, kind }))
    const heard = await Effect.runPromise(
      Effect.gen(function* () {
        const queue = yield* JobQueue
        const listen = Effect.forkChild(Stream.runCollect(Stream.take(queue.wakeUps(["work"]), 2)))
        const [one, other] = [yield* listen, yield* listen]
        yield* Effect.yieldNow
        yield* queue.announce(wakeUps)
        return [yield* Fiber.join(one), yield* Fiber.join(other)]
      }).pipe(Effect.provide(layerMemoryJobQueue()))
    )
    expect(heard.map((list) => list.map(({ id }) => id))).toEqual([
      ["0", "2"],
      ["0", "2"]
    ])
  })
})
