import { JobQueue, type WakeUp } from "@sotto/core/ports/JobQueue"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

/** Wake-ups within one process, to every listener; a listener that is more than `capacity` behind loses the oldest. */
export const layerMemoryJobQueue = (options: { readonly capacity?: number } = {}): Layer.Layer<JobQueue> =>
  Layer.effect(
    JobQueue,
    Effect.gen(function* () {
      const told = yield* Effect.acquireRelease(PubSub.sliding<WakeUp>(options.capacity ?? 1_024), PubSub.shutdown)
      return JobQueue.of({
        capabilities: { shared: false },
        announce: (wakeUps) => Effect.asVoid(PubSub.publishAll(told, wakeUps)),
        wakeUps: (kinds) => Stream.filter(Stream.fromPubSub(told), ({ kind }) => kinds.includes(kind))
      })
    })
  )
