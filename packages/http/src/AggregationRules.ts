import * as Context from "effect/Context"

/** What a server needs to know of its aggregations to check them when they are submitted. */
export interface AggregationRules {
  /** The site of an origin by the public suffix list; `undefined` when it has none. */
  readonly siteOf: (origin: string) => string | undefined
  /** The workers publish every key of a job that names no output domain, so none is asked for. */
  readonly domainOptional: boolean
}

/** Unless it is told sites, a server knows a tenant's origins by their names only; a domain is asked for. */
export const AggregationRules = Context.Reference<AggregationRules>("@sotto/http/AggregationRules", {
  defaultValue: () => ({ siteOf: () => undefined, domainOptional: false })
})
