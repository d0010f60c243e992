import type { Stage } from "@sotto/engine"
import * as Effect from "effect/Effect"
import { note } from "./Terminal.ts"

/** For tests and drills: `SOTTO_PAUSE_AT=paid` stops a run at that border, so that somebody can end the process there. */
export const pauseAt = (stage: Stage): Effect.Effect<void> =>
  process.env["SOTTO_PAUSE_AT"] === stage
    ? Effect.andThen(
        Effect.sync(() => note(`paused at ${stage}`)),
        Effect.callback<void>(() => {
          const alive = setInterval(() => {}, 60_000)
          return Effect.sync(() => clearInterval(alive))
        })
      )
    : Effect.void
