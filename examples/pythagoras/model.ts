/**
 * A model for on-demand jobs: records with `x` and `y` in, records with `z`, the hypotenuse, out.
 *
 * It costs 20 units ($0.02) for five records or a part of five. `createEngine({ models: [pythagoras] })` offers it within a
 * program, and `{"models": {"module": "model.ts"}}` in `sotto.json` by `sotto serve`.
 */
import { defineModel, failedRecord, onRecords } from "sotto"

export const pythagoras = defineModel({
  name: "pythagoras",
  versions: [
    onRecords({
      version: "0.0.1",
      groupSize: 5,
      groupPrice: 20,
      input: { x: "number", y: "number" },
      output: { z: "number" },
      run: async (records) =>
        records.map(({ x, y }) => {
          const z = Math.hypot(x, y)
          return Number.isFinite(z) ? { z } : failedRecord("z is too large for a number")
        })
    })
  ]
})
