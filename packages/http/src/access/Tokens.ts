/**
 * Credentials that the server signs itself: tokens for a while, for one job, links to one object.
 */
import type { BlobRef } from "@sotto/core/ports/BlobStore"
import type { Entropy } from "@sotto/core/ports/Entropy"
import type { Records } from "@sotto/core/ports/Records"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type AccessUnavailable, orUnavailable } from "./Authentication.ts"
import type { Principal, Scope } from "./Principal.ts"
import { serverKeys, signingKey } from "./ServerKeys.ts"
import { type Claims, readToken, signToken, type TokenPurpose } from "./SignedToken.ts"

/** Texts of `A-Z a-z 0-9 - _`; times are whole milliseconds since 1970. */
export class Tokens extends Context.Service<
  Tokens,
  {
    /** A token that may do everything on one job before `until`: to be sent as bearer, or as the user of Basic. */
    jobToken(grant: {
      readonly tenant: string
      readonly id: string
      readonly until: number
    }): Effect.Effect<Redacted.Redacted, AccessUnavailable>

    /**
     * A token that may do what the API key it was got with may, before `until`, and is paid for by it: to be sent as bearer
     * (RFC 6749 §4.4).
     */
    accessToken(
      grant: Pick<Principal, "tenant" | "name" | "keyId" | "model"> & { readonly until: number }
    ): Effect.Effect<Redacted.Redacted, AccessUnavailable>

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

/** Signed with the newest key of the store, which is made when the first token is; read with every key that is there. */
export const layerTokens: Layer.Layer<Tokens, never, Records | Entropy> = Layer.effect(
  Tokens,
  Effect.gen(function* () {
    const context = yield* Effect.context<Records | Entropy>()
    const sign = (purpose: TokenPurpose, claims: Claims) =>
      signingKey().pipe(
        Effect.map((key) => Redacted.make(signToken(purpose, claims, key))),
        orUnavailable,
        Effect.provide(context)
      )
    return Tokens.of({
      jobToken: ({ tenant, id, until }) => sign("job", { about: [tenant, id], until }),
      accessToken: ({ tenant, name, keyId = "", model = "", until }) =>
        sign("access", { about: [tenant, name, keyId, model], until }),
      linkToken: ({ tenant, ref: { bucket, key }, until }) => sign("link", { about: [tenant, bucket, key], until }),
      read: (purpose, token, now) =>
        serverKeys().pipe(
          Effect.map((keys) => {
            const claims = readToken(purpose, Redacted.value(token), keys, now)
            return claims && principalOf(purpose, claims)
          }),
          orUnavailable,
          Effect.provide(context)
        )
    })
  })
)

const principalOf = (purpose: TokenPurpose, { about, until }: Claims): Principal => {
  const [tenant = "", first = "", second = "", third = ""] = about
  if (purpose === "access") {
    const payer = second === "" ? {} : { keyId: second }
    const model = third === "" ? {} : { model: third }
    return { tenant, name: first, ...payer, ...model, scope: { _tag: "All" } }
  }
  const scope: Scope =
    purpose === "job" ? { _tag: "Job", id: first, until } : { _tag: "Blob", ref: { bucket: first, key: second }, until }
  return { tenant, name: purpose === "job" ? `token of job ${first}` : `link to ${first}/${second}`, scope }
}
