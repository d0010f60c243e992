import { JobQueue, JobQueueUnavailable, type WakeUp } from "@sotto/core/ports/JobQueue"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { call, checker, demandAdapter, nothing, thrown } from "./Border.ts"

/** Wake-ups as a host carries them: best effort, nothing is lost with one. */
export interface PromisedJobQueue {
  announce(wakeUps: ReadonlyArray<WakeUp>): Promise<void>
  /** From now on; `return` is called when nobody listens any more. */
  wakeUps(kinds: ReadonlyArray<string>): AsyncIterable<WakeUp>
}

const isWakeUp = checker("wake-up", Schema.Struct({ tenant: Schema.String, id: Schema.String, kind: Schema.String }))

const refuse = (cause: unknown) => new JobQueueUnavailable({ message: thrown(cause).message })

export const layerPromisedJobQueue = (queue: PromisedJobQueue): Layer.Layer<JobQueue> => {
  demandAdapter("JobQueue", queue, ["announce", "wakeUps"])
  return Layer.succeed(JobQueue, {
    capabilities: { shared: true },
    announce: (wakeUps) => call(() => queue.announce(wakeUps), nothing, refuse),
    wakeUps: (kinds) =>
      Stream.suspend(() => Stream.fromAsyncIterable(queue.wakeUps(kinds), refuse)).pipe(
        Stream.mapEffect((wakeUp) => Effect.try({ try: () => isWakeUp(wakeUp), catch: refuse }))
      )
  })
}
