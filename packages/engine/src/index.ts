export * from "./Aggregation.ts"
export {
  type AggregationFacts,
  aggregationHandler,
  aggregationKind,
  type AggregationParameters,
  type AggregationSettings,
  type JobResultInfo,
  resultInfoOf
} from "./AggregationKind.ts"
export { acceptRollback, pay, type Bill, type Paid, type Refused } from "./Ledger.ts"
export { listObjects } from "./Objects.ts"
export { adviseBudget, type BudgetAdvice } from "./BudgetAdvice.ts"
export {
  Engine,
  type JobView,
  layerEngine,
  type ReportRequest,
  type ResetOptions,
  type Submitted,
  type SubmitRequest
} from "./Engine.ts"
export {
  type ExternalOptions,
  handle,
  type HandlerOptions,
  type InputOptions,
  type JobContext,
  JobFailed,
  type KindHandler,
  type Signal
} from "./Handler.ts"
export { type JobsOptions, layerJobs } from "./Jobs.ts"
export { type AnyJobKind, Journal } from "./Journal.ts"
export * from "./automation/index.ts"
export * from "./ondemand/index.ts"
export * from "./Refusals.ts"
export { layerRetention, purge } from "./Retention.ts"
export { type EngineServices, type HasServices, SERVICES } from "./Services.ts"
export { layerSweeper, sweep } from "./Sweeper.ts"
export { METRICS } from "./Telemetry.ts"
export { layerWorker, type RunningJob, Worker, type WorkerOptions } from "./Worker.ts"
export * from "./decorators/Instrumented.ts"
export * from "./decorators/Namespaced.ts"
export * from "./launcher/Launcher.ts"
export * from "./launcher/SqlAggregation.ts"
export * from "./launcher/SqlRunHandler.ts"
