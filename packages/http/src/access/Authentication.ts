/**
 * Who asks: the port between a request and its principal. A host with its own authentication gives its own layer.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Credentials } from "./Credentials.ts"
import type { Principal } from "./Principal.ts"

/** HTTP 401. The same for every cause, so that nobody learns which part of a credential was right. */
export class Unauthenticated extends Schema.TaggedError<Unauthenticated>()("Unauthenticated", {
  message: Schema.String
}) {}

/** HTTP 403: we know who asks, and that is not enough. */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", { message: Schema.String }) {}

/** HTTP 503: who asks could not be found out, because keys or tenants cannot be read now. */
export class AccessUnavailable extends Schema.TaggedError<AccessUnavailable>()("AccessUnavailable", {
  message: Schema.String
}) {}

export class Authentication extends Context.Service<
  Authentication,
  {
    /**
     * Whether strangers are let in: nothing is asked of a request, so the server must listen on loopback only.
     */
    readonly anonymous: boolean

    /** The principal of a request that came at `now` (milliseconds since 1970). */
    authenticate(
      credentials: Credentials,
      now: number
    ): Effect.Effect<Principal, Unauthenticated | Forbidden | AccessUnavailable>
  }
>()("@sotto/http/access/Authentication") {}

/** What is wrong with the store is told to the log, not to a stranger. */
export const orUnavailable = <A, E extends { readonly message: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, AccessUnavailable, R> =>
  effect.pipe(
    Effect.tapError(({ message }) => Effect.logError("Who asks cannot be found out.", message)),
    Effect.mapError(
      () =>
        new AccessUnavailable({ message: "Who asks cannot be found out at the moment. Send the request again later." })
    )
  )
