/** A service that takes its time between two outputs, for a server that is killed meanwhile. */
import { defineService } from "sotto"
import { setTimeout } from "node:timers/promises"

export const slow = defineService({
  id: "aaaaaaaa-2222-4333-8444-555555555555",
  name: "Slow",
  script: async (job) => {
    await job.output("first", "one")
    await job.input("go")
    await setTimeout(1_500)
    await job.output("second", "two")
    return "Done"
  }
})
