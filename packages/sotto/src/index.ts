export { aggregate, type AggregateOptions, type AggregateResult } from "./Aggregate.ts"
export { SottoError } from "./SottoError.ts"
