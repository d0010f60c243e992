/** A model that takes its time over each of many small batches, so that it can be killed in the middle. */
import { setTimeout as pause } from "node:timers/promises"
import { defineModel, onRecords } from "sotto"

export const slow = defineModel({
  name: "slow",
  versions: [
    onRecords({
      version: "1",
      groupSize: 10,
      groupPrice: 3,
      batchSize: 10,
      input: { n: "integer" },
      output: { square: "integer" },
      run: async (records) => {
        await pause(25)
        return records.map(({ n }) => ({ square: n * n }))
      }
    })
  ]
})
