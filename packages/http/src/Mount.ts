/**
 * The server over an engine that a host opened with Promises, as a function from requests to responses.
 */
import type { EngineServices, HasServices } from "@sotto/engine"
import { Automations, OnDemand, type OutsideWork, SERVICES } from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { AccessUnavailable, type Authentication, Unauthenticated } from "./access/Authentication.ts"
import { layerApiKeys, layerHostAuthentication } from "./access/OwnAuthentication.ts"
import type { Principal } from "./access/Principal.ts"
import { layerTenants, type Tenant } from "./access/Tenants.ts"
import { layerTokens } from "./access/Tokens.ts"
import { AggregationRules } from "./AggregationRules.ts"
import { type AutomationInterfaceOptions, automationInterface } from "./automation/AutomationInterface.ts"
import { type OnDemandHttpOptions, onDemandInterface } from "./ondemand/OnDemandInterface.ts"
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
  /** On-demand jobs, which are offered if the engine has models. */
  readonly models?: OnDemandHttpOptions
  /** Automations, which are offered if the engine has services. */
  readonly automations?: AutomationInterfaceOptions
}

/** An engine such as `createEngine` of `sotto` opens. */
interface Carrier {
  readonly [SERVICES]: unknown
}

/** Dispose of the handler before the engine is closed. */
export const mount = (engine: Carrier, options: MountOptions = {}): WebHandler => {
  const { authenticate, tenants, aggregations, models, automations, ...http } = options
  type Offered = OnDemand | Automations | OutsideWork
  const services = (engine as HasServices)[SERVICES] as Context.Context<EngineServices | Offered>
  const has = {
    models: Option.exists(Context.getOption(services, OnDemand), ({ models: some }) => some.length > 0),
    services: Option.exists(Context.getOption(services, Automations), ({ services: some }) => some.length > 0)
  }
  const interfaces = [
    ...(has.models ? [onDemandInterface(models)] : []),
    ...(has.services ? [automationInterface(automations)] : [])
  ]
  const authentication = authenticate === undefined ? layerApiKeys() : layerHostAuthentication(asked(authenticate))
  const access = authentication.pipe(Layer.provideMerge(Layer.merge(layerTenants(tenants), layerTokens)))
  const rules = Layer.effect(
    AggregationRules,
    Effect.map(AggregationRules, (defaults) => ({ ...defaults, ...aggregations }))
  )
  return toWebHandler(
    layerHttp<Offered | Authentication>({ ...http, interfaces }).pipe(
      Layer.provide(Layer.merge(access, rules)),
      Layer.provide(Layer.succeedContext(services))
    )
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
