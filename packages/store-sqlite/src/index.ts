export { layerSqliteBudgetLedger, layerSqliteBudgetLedgerReadOnly, type SqliteLedgerOptions } from "./BudgetLedger.ts"
