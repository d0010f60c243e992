export { aggregate, type AggregateOptions, type AggregateResult } from "./Aggregate.ts"
export {
  type CallOptions,
  createEngine,
  type EngineOptions,
  type Question,
  type SottoEngine,
  type Submit
} from "./Engine.ts"
export {
  type Blobs,
  type DefinedKind,
  defineKind,
  type HandledJob,
  JobError,
  type KindDefinition,
  type Read
} from "./Kind.ts"
export type { Log, LogEntry } from "./Log.ts"
export {
  defineModel,
  type FailedRecord,
  failedRecord,
  type Field,
  type Fields,
  type FileDefinition,
  ModelError,
  type ModelFile,
  type ModelJobs,
  type ModelMapping,
  type ModelResult,
  type ModelSubmission,
  onFiles,
  onRecords,
  type RecordOf,
  type RecordsDefinition
} from "./Model.ts"
export { defineService, ScriptError, type ScriptedJob, type ServiceDefinition } from "./Service.ts"
export { SottoError } from "./SottoError.ts"
export type {
  PromisedBlobStore,
  PromisedBudgetLedger,
  PromisedJobQueue,
  PromisedJobStore,
  PromisedKeyRing,
  PromisedLedgerKeys,
  PromisedNoiseKey,
  PromisedRecords
} from "@sotto/local"
