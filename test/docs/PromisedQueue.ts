/** The adapter with Promises of docs/adapters.md: wake-ups over any broker that can publish and subscribe. */
import type { PromisedJobQueue } from "sotto"

export interface Broker {
  publish(topic: string, message: string): Promise<void>
  subscribe(topic: string): AsyncIterable<string>
}

export const brokerQueue = (broker: Broker): PromisedJobQueue => ({
  announce: async (wakeUps) => {
    await Promise.all(wakeUps.map((wakeUp) => broker.publish("sotto", JSON.stringify(wakeUp))))
  },
  async *wakeUps(kinds) {
    for await (const message of broker.subscribe("sotto")) {
      const wakeUp = JSON.parse(message)
      if (kinds.includes(wakeUp.kind)) yield wakeUp
    }
  }
})
