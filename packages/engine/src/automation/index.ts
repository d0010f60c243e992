export { automationHandler, type AutomationHandlerOptions } from "./AutomationHandler.ts"
export * from "./Automations.ts"
export * from "./FileFetcher.ts"
export { type Answered, layerOutsideWork, type OutsideJob, OutsideWork } from "./OutsideWork.ts"
export * from "./PersonalData.ts"
export {
  type AskOptions,
  type AutomationService,
  type FetchedFile,
  type InputRule,
  inputRule,
  type InsideService,
  type OutsideService,
  serviceFaults,
  type Script,
  ScriptFailed,
  type ScriptJob
} from "./Service.ts"
