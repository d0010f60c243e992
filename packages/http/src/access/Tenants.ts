/**
 * The tenants of a server and what is theirs (spec: ledger §7).
 */
import type { Reporter } from "@sotto/core/aggregation"
import { isName, MAX_NAME } from "@sotto/core/job"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
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
  /** May do what concerns the server as a whole: read its metrics, pause kinds, do work of all tenants outside of it. */
  readonly operator: boolean
  readonly limits: TenantLimits
}

export class Tenants extends Context.Service<
  Tenants,
  {
    find(name: string): Effect.Effect<Tenant | undefined, AccessUnavailable>
  }
>()("@sotto/http/access/Tenants") {}

/** The one tenant of a server that has none configured: any site, any bucket, scope `default`. */
export const DEFAULT_TENANT: Tenant = {
  name: "default",
  sites: "any",
  buckets: "any",
  ledgerScope: "default",
  operator: true,
  limits: { requestsPerMinute: null, jobs: null, streams: null }
}

/** The tenants of a configuration; check them with `tenantFaults` first. */
export const layerTenants = (tenants: ReadonlyArray<Tenant> = [DEFAULT_TENANT]): Layer.Layer<Tenants> =>
  Layer.sync(Tenants, () => {
    const named = new Map(tenants.map((tenant) => [tenant.name, tenant]))
    return Tenants.of({ find: (name) => Effect.sync(() => named.get(name)) })
  })

/** The site of an origin by the public suffix list; `undefined` when it has none. */
type SiteOf = (origin: string) => string | undefined

/**
 * A sentence for everything that is wrong with a set of tenants; empty for a sound one.
 *
 * A scope of the ledger is a set of sites: two tenants that may ask about the same reports and were charged in two scopes
 * would have the budget twice.
 */
export const tenantFaults = (tenants: ReadonlyArray<Tenant>, siteOf: SiteOf): ReadonlyArray<string> =>
  tenants.flatMap((tenant, at) => [
    ...(isName(tenant.name) ? [] : [`The name of tenant ${at + 1} ${NAMED}`]),
    ...(isName(tenant.ledgerScope) ? [] : [`The ledger scope of tenant ${at + 1} ${NAMED}`]),
    ...listed(tenant)
      .filter((site) => !isSpelled(site, siteOf))
      .map((site) => `"${site}" of tenant "${tenant.name}" is no site. Write one as https://example.com.`),
    ...tenants
      .slice(0, at)
      .flatMap((other) => [
        ...(other.name === tenant.name ? [`Two tenants are called "${tenant.name}".`] : []),
        ...(other.ledgerScope !== tenant.ledgerScope && shareSite(other, tenant, siteOf)
          ? [
              `Tenants "${other.name}" and "${tenant.name}" may ask about the same site. Give them one ledger scope, or each its own sites.`
            ]
          : [])
      ])
  ])

const NAMED = `is a text of 1 to ${MAX_NAME} characters without control characters.`

const listed = ({ sites }: Tenant): ReadonlyArray<string> => (sites === "any" ? [] : sites)

/** A site or an origin in the one spelling that jobs are compared with. */
const isSpelled = (text: string, siteOf: SiteOf): boolean => {
  const site = siteOf(text)
  return site !== undefined && (site === text || (URL.canParse(text) && new URL(text).origin === text))
}

const shareSite = (a: Tenant, b: Tenant, siteOf: SiteOf): boolean => {
  const none = ({ sites }: Tenant) => sites !== "any" && sites.length === 0
  if (none(a) || none(b)) return false
  if (a.sites === "any" || b.sites === "any") return true
  const owned = new Set(b.sites)
  return (
    a.sites.some((site) => owned.has(site) || owned.has(siteOf(site) ?? "")) ||
    b.sites.some((site) => a.sites.includes(siteOf(site) ?? ""))
  )
}

/**
 * Whether a job about this reporter is about a site of the tenant; one that is not is refused at creation.
 *
 * A listed site owns all its origins; a listed origin owns only itself. Spelled as reports are compared: byte for byte.
 */
export const ownsSite = ({ sites }: Pick<Tenant, "sites">, reporter: Reporter, siteOf: SiteOf): boolean => {
  if (sites === "any") return true
  if (reporter._tag === "Site") return sites.includes(reporter.reportingSite)
  const site = siteOf(reporter.attributionReportTo)
  return sites.includes(reporter.attributionReportTo) || (site !== undefined && sites.includes(site))
}

/** Whether a job of the tenant may name this bucket, for reports, domain or output. */
export const ownsBucket = ({ buckets }: Pick<Tenant, "buckets">, bucket: string): boolean =>
  buckets === "any" || buckets.includes(bucket)
