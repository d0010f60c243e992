export { type DuckDbOptions, layerDuckDbSqlEngine } from "./SqlEngine.ts"
