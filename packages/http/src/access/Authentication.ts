/**
 * Who asks: the port between a request and its principal. A host with its own authentication gives its own layer.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
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

/** What a request shows of its sender, unread; `undefined`: not sent. */
export interface Credentials {
  /** The header `authorization`: Basic or Bearer. */
  readonly authorization: Redacted.Redacted | undefined
  /** The header `x-api-key`. */
  readonly apiKey: Redacted.Redacted | undefined
  /** The query parameter `token`, which only signed links have. */
  readonly link: Redacted.Redacted | undefined
}

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
