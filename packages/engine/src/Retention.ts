/** Removes jobs that ended and were kept for as long as their kind says. */
import { JobStore, type PurgePolicy } from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inRounds } from "./Rounds.ts"

/** So many at once, so that others get a word in. */
const PER_PURGE = 500

/** Removes all that may go; answers how many went. */
export const purge = Effect.fn("purge")(function* (policy: PurgePolicy = {}) {
  const store = yield* JobStore
  let gone = 0
  for (;;) {
    const some = yield* store.purge(policy, PER_PURGE)
    gone += some
    if (some < PER_PURGE) return gone
  }
})

/** Purges once an hour for as long as the layer lives. */
export const layerRetention = (
  options: { readonly everyMs?: number; readonly policy?: PurgePolicy } = {}
): Layer.Layer<never, never, JobStore> =>
  Layer.effectDiscard(
    inRounds(purge(options.policy), {
      everyMs: options.everyMs ?? 3_600_000,
      failed: "Old jobs could not be removed; the next try follows."
    })
  )
