/**
 * The server over an engine that a host opened with Promises, as a function from requests to responses.
 */
import type { EngineServices, HasServices } from "@sotto/engine"
import { SERVICES } from "@sotto/engine"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { AccessUnavailable, Unauthenticated } from "./access/Authentication.ts"
import { layerApiKeys, layerHostAuthentication } from "./access/OwnAuthentication.ts"
import type { Principal } from "./access/Principal.ts"
import { layerTenants, type Tenant } from "./access/Tenants.ts"
import { layerTokens } from "./access/Tokens.ts"
import { AggregationRules } from "./AggregationRules.ts"
import { type HttpOptions, layerHttp, toWebHandler, type WebHandler } from "./Http.ts"

/** What a request shows of its sender. */
export interface ShownCredentials {
  /** The header `authorization`. */
  readonly authorization: string | undefined
  /** The header `x-api-key`. */
  readonly apiKey: string | undefined
}

export interface MountOptions extends HttpOptions {
  /**
   * Who asks; `undefined` for a stranger. Tokens and links that the server signed are read before. Absent: API keys that
   * are kept beside the jobs (`sotto apikeys create`), and nobody else.
   */
  readonly authenticate?: (shown: ShownCredentials) => Promise<Principal | undefined>
  /** Default: one, called `default`, which may do everything. */
  readonly tenants?: ReadonlyArray<Tenant>
  readonly aggregations?: Partial<AggregationRules>
}

/** An engine such as `createEngine` of `sotto` opens. */
interface Carrier {
  readonly [SERVICES]: unknown
}

/** Dispose of the handler before the engine is closed. */
export const mount = (engine: Carrier, options: MountOptions = {}): WebHandler => {
  const { authenticate, tenants, aggregations, ...http } = options
  const services: Context.Context<EngineServices> = (engine as HasServices)[SERVICES]
  const authentication = authenticate === undefined ? layerApiKeys() : layerHostAuthentication(asked(authenticate))
  const access = authentication.pipe(Layer.provideMerge(Layer.merge(layerTenants(tenants), layerTokens)))
  const rules = Layer.effect(
    AggregationRules,
    Effect.map(AggregationRules, (defaults) => ({ ...defaults, ...aggregations }))
  )
  return toWebHandler(
    layerHttp(http).pipe(Layer.provide(Layer.merge(access, rules)), Layer.provide(Layer.succeedContext(services)))
  )
}

const asked =
  (authenticate: NonNullable<MountOptions["authenticate"]>): Parameters<typeof layerHostAuthentication>[0] =>
  ({ authorization, apiKey }) =>
    Effect.tryPromise({
      try: () =>
        authenticate({
          authorization: authorization && Redacted.value(authorization),
          apiKey: apiKey && Redacted.value(apiKey)
        }),
      catch: () => new AccessUnavailable({ message: "Who asks could not be found out. Try again in a moment." })
    }).pipe(
      Effect.flatMap((principal) =>
        principal === undefined
          ? Effect.fail(new Unauthenticated({ message: "The request shows nothing that is known here." }))
          : Effect.succeed(principal)
      )
    )
