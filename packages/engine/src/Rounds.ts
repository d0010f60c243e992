/** Work that a process does again and again beside its jobs: what fails now is done in the next round. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

/** Begins at once, ends with the scope. `failed` is logged with the cause of a round that failed. */
export const inRounds = <E, R>(
  round: Effect.Effect<unknown, E, R>,
  { everyMs, failed }: { readonly everyMs: number; readonly failed: string }
): Effect.Effect<unknown, never, R | Scope.Scope> =>
  round.pipe(
    Effect.catchCause((cause) => Effect.logWarning(failed, cause)),
    Effect.repeat(Schedule.spaced(everyMs)),
    Effect.forkScoped
  )
