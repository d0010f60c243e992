export * from "./BudgetUnit.ts"
export * from "./Epsilon.ts"
export * from "./Question.ts"
export * from "./Spend.ts"
