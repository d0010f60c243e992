/** What the laws of all ports are written with. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as fc from "fast-check"

/** Ends a run with this sentence unless `holds`. */
export const demand = (holds: boolean, otherwise: () => string): void => {
  if (!holds) throw new Error(otherwise())
}

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

/** Runs `body` on every input over a subject that is built anew; a failure or a defect breaks the law, `false` too. */
export const propertyOf =
  <A, Port>(input: fc.Arbitrary<A>, body: (input: A) => Effect.Effect<void | boolean, unknown, Port | Scope.Scope>) =>
  (subject: Layer.Layer<Port>): fc.IAsyncProperty<unknown> =>
    fc.asyncProperty(input, (value) => {
      const whole = Effect.scoped(Effect.provide(body(value), Layer.fresh(subject)))
      // The compiler cannot subtract a type that it does not know.
      return Effect.runPromise(whole as Effect.Effect<void | boolean, unknown>)
    }) as fc.IAsyncProperty<unknown>
