export * from "./Aggregation.ts"
export { acceptRollback, pay, type Bill, type Paid, type Refused } from "./Ledger.ts"
export { listObjects } from "./Objects.ts"
export { adviseBudget, type BudgetAdvice } from "./BudgetAdvice.ts"
