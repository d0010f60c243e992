export * from "./Machine.ts"
export * from "./Mermaid.ts"
