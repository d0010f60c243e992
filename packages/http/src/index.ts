export { AggregationRules } from "./AggregationRules.ts"
export { Api } from "./Api.ts"
export { Authentication, type Credentials } from "./access/Authentication.ts"
export { type Principal, type Scope } from "./access/Principal.ts"
export { type Tenant, type TenantLimits, Tenants } from "./access/Tenants.ts"
export { Tokens } from "./access/Tokens.ts"
export {
  type Access,
  Http,
  type HttpOptions,
  layerHttp,
  layerOwnTraces,
  toWebHandler,
  type WebHandler
} from "./Http.ts"
export { type Problem, type ProblemCode, PROBLEMS } from "./Problem.ts"
