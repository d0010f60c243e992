/**
 * The tenants of a server and what is theirs (spec: ledger §7).
 */
import type { Reporter } from "@sotto/core/aggregation"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AccessUnavailable } from "./Authentication.ts"

/** What one tenant may take of a server; `null`: as much as there is. */
export interface TenantLimits {
  readonly requestsPerMinute: number | null
  /** Jobs that are not over, of all kinds. */
  readonly jobs: number | null
  /** Streams of events that are open at once. */
  readonly streams: number | null
}

export interface Tenant {
  readonly name: string
  /** Sites such as `https://example.com`, or single origins, whose reports it may ask about. */
  readonly sites: ReadonlyArray<string> | "any"
  /** Names of the buckets that its jobs may read and write. */
  readonly buckets: ReadonlyArray<string> | "any"
  /** Which ledger scope its questions are charged in. Tenants that can see the same reports share one. */
  readonly ledgerScope: string
  /** May do what concerns the server as a whole: metrics of all tenants, redriving, accepting a rollback. */
  readonly operator: boolean
  readonly limits: TenantLimits
}

export class Tenants extends Context.Service<
  Tenants,
  {
    find(name: string): Effect.Effect<Tenant | undefined, AccessUnavailable>
  }
>()("@sotto/http/access/Tenants") {}

/**
 * Whether a job about this reporter is about a site of the tenant; one that is not is refused at creation.
 *
 * A listed site owns all its origins; a listed origin owns only itself. Spelled as reports are compared: byte for byte.
 */
export const ownsSite = (
  { sites }: Pick<Tenant, "sites">,
  reporter: Reporter,
  siteOf: (origin: string) => string | undefined
): boolean => {
  if (sites === "any") return true
  if (reporter._tag === "Site") return sites.includes(reporter.reportingSite)
  const site = siteOf(reporter.attributionReportTo)
  return sites.includes(reporter.attributionReportTo) || (site !== undefined && sites.includes(site))
}

/** Whether a job of the tenant may name this bucket, for reports, domain or output. */
export const ownsBucket = ({ buckets }: Pick<Tenant, "buckets">, bucket: string): boolean =>
  buckets === "any" || buckets.includes(bucket)
