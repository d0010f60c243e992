/**
 * A model for on-demand jobs: records with `x` and `y` in, records with `z`, the hypotenuse, out.
 *
 * It costs 20 units ($0.02) for five records or a part of five.
 */
import { defineModel, RecordFailed, recordsVersion } from "../../src/index.ts"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const pythagoras = defineModel({
  name: "pythagoras",
  versions: [
    recordsVersion({
      version: "0.0.1",
      groupSize: 5,
      groupPrice: 20,
      input: Schema.Struct({ x: Schema.Finite, y: Schema.Finite }),
      output: Schema.Struct({ z: Schema.Finite }),
      run: (records) =>
        Effect.succeed(
          records.map(({ x, y }) => {
            const z = Math.hypot(x, y)
            return Number.isFinite(z) ? { z } : new RecordFailed("z is too large for a number")
          })
        )
    })
  ]
})
