export { AggregationRules } from "./AggregationRules.ts"
export { Api } from "./Api.ts"
export { holdsSecret } from "./access/Address.ts"
export { type ApiKey, apiKeyState, type KnownApiKey, knownApiKey } from "./access/ApiKey.ts"
export {
  ApiKeyDamaged,
  createApiKey,
  InvalidApiKey,
  listApiKeys,
  type NewApiKey,
  revokeApiKey,
  UnknownApiKey
} from "./access/ApiKeys.ts"
export { AccessUnavailable, Authentication, Forbidden, Unauthenticated } from "./access/Authentication.ts"
export { type Credentials } from "./access/Credentials.ts"
export {
  type ApiKeysOptions,
  layerAnonymous,
  layerApiKeys,
  layerHostAuthentication,
  layerKeysIfAny
} from "./access/OwnAuthentication.ts"
export { type Principal, type Scope } from "./access/Principal.ts"
export { rotateServerKey } from "./access/ServerKeys.ts"
export {
  DEFAULT_TENANT,
  layerTenants,
  type Tenant,
  tenantFaults,
  type TenantLimits,
  Tenants
} from "./access/Tenants.ts"
export { layerTokens, Tokens } from "./access/Tokens.ts"
export { automationInterface, type AutomationInterfaceOptions } from "./automation/AutomationInterface.ts"
export { HTTP_METRICS } from "./front/Telemetry.ts"
export {
  type Access,
  Http,
  type HttpOptions,
  type InterfaceOptions,
  layerHttp,
  layerOwnTraces,
  toWebHandler,
  type WebHandler
} from "./Http.ts"
export { httpInterface, type Interface } from "./Interface.ts"
export { mount, type MountOptions, type ShownCredentials } from "./Mount.ts"
export { type OnDemandHttpOptions, onDemandInterface } from "./ondemand/OnDemandInterface.ts"
export { launcherInterface } from "./launcher/LauncherInterface.ts"
export { type Problem, type ProblemCode, PROBLEMS } from "./Problem.ts"
export { JobSummary, JobView, summaryOf, viewOf } from "./v1/JobView.ts"
