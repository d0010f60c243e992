import * as Effect from "effect/Effect"

/** Goes on with `otherwise` when a step fails, and logs why: whatever it left undone is found again in the next round. */
export const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>, otherwise: A): Effect.Effect<A, never, R> =>
  Effect.catchCause(effect, (cause) =>
    Effect.as(Effect.logWarning("A step of the webhooks failed; it is tried again in a moment.", cause), otherwise)
  )
