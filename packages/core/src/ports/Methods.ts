import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/**
 * A service of any port with something around each of its calls: what decorators are made of.
 *
 * `around` gets the name of the method and its call, and must fail only in ways that the port knows. Of a stream it gets the
 * opening. What is neither effect nor stream, such as capabilities, stays as it is.
 */
export const aroundMethods = <S extends object>(
  service: S,
  around: (method: string, call: Effect.Effect<unknown, unknown, unknown>) => Effect.Effect<unknown, unknown, unknown>
): S => {
  const wrapped = (method: string, value: unknown): unknown => {
    if (Stream.isStream(value)) {
      return Stream.unwrap(around(method, Effect.succeed(value)) as Effect.Effect<typeof value>)
    }
    return Effect.isEffect(value) ? around(method, value as Effect.Effect<unknown>) : value
  }
  const decorated = Object.entries(service).map(([method, value]: [string, unknown]) => [
    method,
    typeof value === "function"
      ? (...args: ReadonlyArray<unknown>) =>
          wrapped(method, (value as (...args: ReadonlyArray<unknown>) => unknown)(...args))
      : wrapped(method, value)
  ])
  return Object.fromEntries(decorated) as S
}
