export { blobStoreLaws, LAW_BUCKETS } from "./BlobStoreLaws.ts"
export type { AnyKind, KindSamples } from "./internal/JobLives.ts"
export { kindLaws } from "./KindLaws.ts"
export { KindMachine, layerKindMachine } from "./KindMachine.ts"
export { keyRingLaws } from "./KeyRingLaws.ts"
export { catches, checkLaw, type Law, type LawOptions, type Mutant } from "./Law.ts"
export { ledgerKeysLaws } from "./LedgerKeysLaws.ts"
export {
  explainHistory,
  type Explanation,
  type LedgerCall,
  type RecordedCall,
  recordingLedger
} from "./LedgerHistory.ts"
export { LEDGER_TEST_KEYS, LedgerLab } from "./LedgerLab.ts"
export { ledgerLaws } from "./LedgerLaws.ts"
export { layerQuestionScheme, questionLaws, QuestionScheme } from "./QuestionLaws.ts"
export { JobStoreLab } from "./JobStoreLab.ts"
export { type JobStoreLaw, jobStoreLaws, type JobStoreSubject } from "./JobStoreLaws.ts"
export { jobStoreParallelLaws } from "./JobStoreParallelLaws.ts"
export { LawClock, layerLawClock } from "./LawClock.ts"
export { jobQueueLaws } from "./JobQueueLaws.ts"
export { type Registered, registerLaws, type LawRunner, type RegisterOptions } from "./Register.ts"
export { type Capabilities, capabilitiesOf, type Verdict, verdictOn, type VerdictOptions } from "./Verdict.ts"
export { recordsLaws, type RecordsSubject } from "./RecordsLaws.ts"
export {
  type Fault,
  type FaultOptions,
  faultyBlobStore,
  faultyBudgetLedger,
  faultyJobStore,
  faultyRecords,
  layerFaults
} from "./Faults.ts"
