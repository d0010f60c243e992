/** The layers of `Authentication`: API keys, nobody asked, and a host's own; each of them reads the server's tokens too. */
import { Records } from "@sotto/core/ports/Records"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { apiKeyId, apiKeyState, type KnownApiKey } from "./ApiKey.ts"
import { findApiKey, hasApiKeys } from "./ApiKeys.ts"
import {
  type AccessUnavailable,
  Authentication,
  type Forbidden,
  orUnavailable,
  Unauthenticated
} from "./Authentication.ts"
import { type Credentials, type Shown, shownBy } from "./Credentials.ts"
import { digestFromHex, isDigestText, sameDigest, sha256 } from "./Digest.ts"
import type { Principal } from "./Principal.ts"
import { isTokenText } from "./SignedToken.ts"
import { DEFAULT_TENANT, Tenants } from "./Tenants.ts"
import { Tokens } from "./Tokens.ts"

type Reader = (
  shown: Shown,
  now: number,
  credentials: Credentials
) => Effect.Effect<Principal | undefined, Unauthenticated | Forbidden | AccessUnavailable>

/** Reads tokens, leaves the rest to `others`, and knows principals of known tenants only. */
const layerOf = <E, R>(made: Effect.Effect<{ readonly anonymous: boolean; readonly others: Reader }, E, R>) =>
  Layer.effect(
    Authentication,
    Effect.gen(function* () {
      const { anonymous, others } = yield* made
      const tokens = yield* Tokens
      const tenants = yield* Tenants
      const read: Reader = (shown, now, credentials) => {
        if (shown._tag === "Link") return tokens.read("link", shown.token, now)
        const text = shown._tag === "Secret" ? Redacted.value(shown.secret) : ""
        const purpose = (["job", "access"] as const).find((one) => isTokenText(one, text))
        return purpose === undefined ? others(shown, now, credentials) : tokens.read(purpose, Redacted.make(text), now)
      }
      return Authentication.of({
        anonymous,
        authenticate: Effect.fnUntraced(function* (credentials, now) {
          const principal = yield* read(shownBy(credentials), now, credentials)
          const tenant = principal && (yield* tenants.find(principal.tenant))
          if (principal === undefined || tenant === undefined) {
            return yield* new Unauthenticated({ message: UNAUTHENTICATED })
          }
          return principal
        })
      })
    })
  )

const UNAUTHENTICATED =
  "The request shows no valid credential. Send an API key as header x-api-key, as bearer token, or as user of HTTP Basic."

const ANYBODY: Principal = { tenant: DEFAULT_TENANT.name, name: "anybody", scope: { _tag: "All" } }

/** Stands for every key that is not there: it is over, and no text has this hash. */
const NOBODY: KnownApiKey = {
  id: "0".repeat(16),
  tenant: DEFAULT_TENANT.name,
  name: "nobody",
  hash: "0".repeat(64),
  expires: 0,
  revoked: 0
}

/** Every text takes the same way: an id is looked up, a hash compared, the state judged. */
const keyReader = Effect.fnUntraced(function* ({ keys = [] }: ApiKeysOptions) {
  const records = yield* Records
  const wrong = keys.find(({ hash }) => !isDigestText(hash))
  if (wrong !== undefined)
    return yield* Effect.die(new Error(`The hash of API key ${wrong.id} is no SHA-256 of 64 digits.`))
  const given = new Map(keys.map((key) => [key.id, key]))
  return Effect.fnUntraced(function* (shown: Shown, now: number) {
    const text = shown._tag === "Secret" ? Redacted.value(shown.secret) : ""
    const id = apiKeyId(text) ?? NOBODY.id
    const found = given.get(id) ?? (yield* orUnavailable(Effect.provideService(findApiKey(id), Records, records)))
    const key = found ?? NOBODY
    const same = sameDigest(sha256(text), digestFromHex(key.hash))
    const active = apiKeyState(key, now) === "active"
    if (!same || !active) return undefined
    const model = key.model === undefined ? {} : { model: key.model }
    return { tenant: key.tenant, name: key.name, keyId: key.id, ...model, scope: { _tag: "All" } } as const
  })
})

export interface ApiKeysOptions {
  /** Keys of the configuration, beside those of the store. */
  readonly keys?: ReadonlyArray<KnownApiKey>
}

/**
 * A principal for everybody who shows an API key of the store or of `keys`: as `x-api-key`, as bearer, or by Basic as
 * user without a password or as id and secret. A key that is revoked or over is refused from the next request on.
 */
export const layerApiKeys = (options: ApiKeysOptions = {}) =>
  layerOf(Effect.map(keyReader(options), (read) => ({ anonymous: false, others: read })))

/** Everybody is the tenant `default`. For a server on loopback only. */
export const layerAnonymous = layerOf(Effect.succeed({ anonymous: true, others: () => Effect.succeed(ANYBODY) }))

/**
 * `layerApiKeys` if there are keys, `layerAnonymous` as long as none was ever made. The first key that is made in the
 * store while strangers are let in ends that at once.
 */
export const layerKeysIfAny = (options: ApiKeysOptions = {}) =>
  layerOf(
    Effect.gen(function* () {
      const records = yield* Records
      const read = yield* keyReader(options)
      const closed = Effect.provideService(hasApiKeys(), Records, records)
      const anonymous = (options.keys ?? []).length === 0 && !(yield* closed)
      return {
        anonymous,
        others: anonymous
          ? (shown: Shown, now: number) =>
              Effect.flatMap(orUnavailable(closed), (keyed) => (keyed ? read(shown, now) : Effect.succeed(ANYBODY)))
          : read
      }
    })
  )

/** A host's own authentication of everything that is not a token of ours. */
export const layerHostAuthentication = (
  authenticate: (
    credentials: Credentials,
    now: number
  ) => Effect.Effect<Principal, Unauthenticated | Forbidden | AccessUnavailable>
) =>
  layerOf(
    Effect.succeed({
      anonymous: false,
      others: (_: Shown, now: number, credentials: Credentials) => authenticate(credentials, now)
    })
  )
