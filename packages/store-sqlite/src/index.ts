export { layerSqliteBudgetLedger, layerSqliteBudgetLedgerReadOnly, type SqliteLedgerOptions } from "./BudgetLedger.ts"
export { layerSqliteJobStore, type SqliteJobStoreOptions } from "./JobStore.ts"
export { layerSqliteRecords, type SqliteRecordsOptions } from "./Records.ts"
