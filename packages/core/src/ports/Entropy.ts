import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/**
 * Uniform random bytes: for ids, lease tokens and the seeds of runs that have no ledger.
 *
 * The noise of a paid release never comes from here; its seed is derived (spec: ledger §4).
 */
export class Entropy extends Context.Service<
  Entropy,
  {
    /** `count` fresh bytes (0 … 65 536). A source that cannot give them is a defect: there is nothing to fall back to. */
    bytes(count: number): Effect.Effect<Uint8Array>
  }
>()("@sotto/core/ports/Entropy") {}
