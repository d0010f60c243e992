export { adviseLocally, aggregateLocally, type LocalAggregation, type LocalLedger } from "./LocalAggregation.ts"
export type { Location } from "./Location.ts"
export { siteOf } from "./SiteOf.ts"
export { locate } from "./Locate.ts"
