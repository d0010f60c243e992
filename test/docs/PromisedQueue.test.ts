/** The queue of docs/adapters.md over a broker in memory. */
import { layerPromisedJobQueue } from "@sotto/local"
import { checkLaw, jobQueueLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, it } from "vitest"
import { type Broker, brokerQueue } from "./PromisedQueue.ts"

/** A listener that takes nothing is never waited for. */
const memoryBroker = (): Broker => {
  const listeners = new Set<(message: string) => void>()
  return {
    publish: async (_, message) => {
      for (const tell of listeners) tell(message)
    },
    subscribe: () => ({
      [Symbol.asyncIterator]: () => {
        const waiting: Array<string> = []
        let wake = () => {}
        const tell = (message: string) => {
          waiting.push(message)
          wake()
        }
        listeners.add(tell)
        return {
          next: async () => {
            while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve))
            return { done: false, value: waiting.shift() ?? "" }
          },
          return: async () => {
            listeners.delete(tell)
            return { done: true, value: undefined }
          }
        }
      }
    })
  }
}

describe("a queue over a broker", () => {
  it.each(jobQueueLaws.map((law) => [law.id, law] as const))("keeps %s", async (_, law) => {
    const subject = Layer.unwrap(Effect.sync(() => layerPromisedJobQueue(brokerQueue(memoryBroker()))))
    await checkLaw(law, subject, { runs: 25 })
  })
})
