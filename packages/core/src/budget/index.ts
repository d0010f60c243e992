export * from "./Epsilon.ts"
export * from "./Spend.ts"
