export {
  defineModel,
  fileVersion,
  type FileVersion,
  type InputFile,
  type Model,
  ModelFailed,
  type ModelJob,
  type ModelVersion,
  type OutputFile,
  RecordFailed,
  recordsVersion,
  type RecordsVersion,
  type RunFile,
  type RunRecords
} from "./Model.ts"
export { layerFilesRetention } from "./FilesRetention.ts"
export { onDemandHandler, type OnDemandHandlerOptions } from "./OnDemandHandler.ts"
export * from "./OnDemand.ts"
export type { FilesPlace } from "./Place.ts"
