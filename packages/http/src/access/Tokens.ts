/**
 * Credentials that the server signs itself: tokens for one job, links to one object.
 */
import type { BlobRef } from "@sotto/core/ports/BlobStore"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type { AccessUnavailable } from "./Authentication.ts"
import type { Principal } from "./Principal.ts"

/** What a token is good for. One made for the one purpose is worth nothing for the other. */
export type TokenPurpose = "job" | "link"

/** Texts of `A-Z a-z 0-9 - _ .`; times are milliseconds since 1970. */
export class Tokens extends Context.Service<
  Tokens,
  {
    /** A token that may do everything on one job before `until`: to be sent as bearer, or as the user of Basic. */
    jobToken(grant: {
      readonly tenant: string
      readonly id: string
      readonly until: number
    }): Effect.Effect<Redacted.Redacted, AccessUnavailable>

    /** A token that reads one object before `until`: to be sent as the query parameter `token`. */
    linkToken(grant: {
      readonly tenant: string
      readonly ref: BlobRef
      readonly until: number
    }): Effect.Effect<Redacted.Redacted, AccessUnavailable>

    /** Whom a token stands for; `undefined` for one that is forged, damaged, over, or for another purpose. */
    read(
      purpose: TokenPurpose,
      token: Redacted.Redacted,
      now: number
    ): Effect.Effect<Principal | undefined, AccessUnavailable>
  }
>()("@sotto/http/access/Tokens") {}
