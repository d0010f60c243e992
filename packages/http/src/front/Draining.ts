import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"

/** Whether the server is about to stop. Whoever waits or streams for long ends then; clients come back to another. */
export class Draining extends Context.Service<
  Draining,
  {
    readonly begin: Effect.Effect<void>
    /** Waits until it begins. */
    readonly begun: Effect.Effect<void>
    readonly isDraining: Effect.Effect<boolean>
  }
>()("@sotto/http/front/Draining") {}

export const layerDraining: Layer.Layer<Draining> = Layer.sync(Draining, () => {
  const latch = Latch.makeUnsafe(false)
  let draining = false
  return {
    begin: Effect.suspend(() => {
      draining = true
      return Effect.asVoid(latch.open)
    }),
    begun: latch.await,
    isDraining: Effect.sync(() => draining)
  }
})
