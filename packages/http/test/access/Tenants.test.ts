import { siteOf } from "@sotto/local"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  DEFAULT_TENANT,
  layerTenants,
  ownsBucket,
  ownsSite,
  type Tenant,
  tenantFaults,
  Tenants
} from "../../src/access/Tenants.ts"

const tenant = (more: Partial<Tenant>): Tenant => ({ ...DEFAULT_TENANT, name: "acme", ...more })

const site = (reportingSite: string) => ({ _tag: "Site", reportingSite }) as const
const origin = (attributionReportTo: string) => ({ _tag: "Origin", attributionReportTo }) as const

describe("A tenant owns", () => {
  const acme = tenant({ sites: ["https://example.com", "https://a.example.org"] })

  it.each([
    [site("https://example.com"), true],
    [origin("https://example.com"), true],
    [origin("https://deep.a.example.com:8443"), true],
    [origin("https://a.example.org"), true],
    [site("https://example.org"), false],
    [origin("https://b.example.org"), false],
    [origin("https://x.a.example.org"), false],
    [site("https://other.com"), false],
    [site("https://Example.com"), false],
    [site("https://example.com/"), false],
    [origin("https://example.com.evil.org"), false],
    [origin("https://evilexample.com"), false],
    [origin("example.com"), false],
    [origin("https://192.0.2.1"), false],
    [site(""), false]
  ])("%j: %j", (reporter, owned) => expect(ownsSite(acme, reporter, siteOf)).toBe(owned))

  it("any site if it may, also one that is none", () => {
    expect(ownsSite(tenant({ sites: "any" }), origin("https://192.0.2.1"), siteOf)).toBe(true)
  })

  it("no site if it lists none", () => {
    expect(ownsSite(tenant({ sites: [] }), site("https://example.com"), siteOf)).toBe(false)
    expect(ownsSite(tenant({ sites: [""] }), origin("nothing"), siteOf)).toBe(false)
  })

  it("the buckets that it lists, by their whole name", () => {
    const owner = tenant({ buckets: ["reports"] })
    expect(["reports", "report", "reports/a", "Reports", ""].map((one) => ownsBucket(owner, one))).toEqual([
      true,
      false,
      false,
      false,
      false
    ])
    expect(ownsBucket(tenant({ buckets: "any" }), "whatever")).toBe(true)
  })
})

describe("Tenants of a configuration", () => {
  const find = (name: string, tenants?: ReadonlyArray<Tenant>) =>
    Effect.runSync(
      Effect.provide(
        Tenants.use((all) => all.find(name)),
        layerTenants(tenants)
      )
    )

  it("are found by their name, and others are not", () => {
    const acme = tenant({})
    expect(find("acme", [acme])).toBe(acme)
    expect(find("default", [acme])).toBeUndefined()
    expect(find("__proto__", [acme])).toBeUndefined()
  })

  it("are one tenant with any site and the scope default if none is given", () => {
    expect(find("default")).toMatchObject({ sites: "any", ledgerScope: "default" })
  })

  it("are sound if each has its own sites", () => {
    const tenants = [
      tenant({ name: "a", sites: ["https://example.com"], ledgerScope: "a" }),
      tenant({ name: "b", sites: ["https://a.example.org", "http://localhost.example.org:8080"], ledgerScope: "b" }),
      tenant({ name: "c", sites: ["https://b.example.org"], ledgerScope: "c" }),
      tenant({ name: "d", sites: [], ledgerScope: "d" })
    ]
    expect(tenantFaults(tenants, siteOf)).toEqual([])
    expect(tenantFaults([DEFAULT_TENANT], siteOf)).toEqual([])
  })

  it.each(["example.com", "https://example.com/", "https://Example.com", "https://com", "https://192.0.2.1", "*", ""])(
    "list no %j as a site",
    (text) => {
      expect(tenantFaults([tenant({ sites: [text] })], siteOf)).toEqual([
        `"${text}" of tenant "acme" is no site. Write one as https://example.com.`
      ])
    }
  )

  it("have names, and each its own", () => {
    const faults = tenantFaults(
      [tenant({ name: "" }), tenant({ name: "a\n" }), tenant({ name: "b" }), tenant({ name: "b", ledgerScope: "" })],
      siteOf
    )
    expect(faults).toHaveLength(7)
    expect(faults).toContain('Two tenants are called "b".')
    expect(faults.filter((fault) => fault.startsWith("The name of tenant"))).toHaveLength(2)
  })

  const sites = fc.oneof(
    fc.constant("any" as const),
    fc.subarray([
      "https://example.com",
      "https://a.example.com",
      "https://b.example.com",
      "https://example.org",
      "https://a.example.org"
    ])
  )

  /** Every reporter that a job could name here. */
  const reporters = ["example.com", "example.org", "example.net"].flatMap((domain) => [
    site(`https://${domain}`),
    ...["", "a.", "b.", "c."].map((host) => origin(`https://${host}${domain}`))
  ])

  it("share a scope exactly if they can ask about the same reports", () =>
    fc.assert(
      fc.property(sites, sites, (first, second) => {
        const a = tenant({ name: "a", sites: first, ledgerScope: "one" })
        const b = tenant({ name: "b", sites: second, ledgerScope: "two" })
        // A job for a site counts the reports of all its origins.
        const origins = (of: Tenant) =>
          new Set(
            reporters
              .filter((reporter) => ownsSite(of, reporter, siteOf))
              .flatMap((reporter) =>
                reporter._tag === "Origin"
                  ? [reporter.attributionReportTo]
                  : reporters
                      .filter((one) => one._tag === "Origin")
                      .map((one) => one.attributionReportTo)
                      .filter((one) => siteOf(one) === reporter.reportingSite)
              )
          )
        const both = [...origins(a)].some((one) => origins(b).has(one))
        expect(tenantFaults([a, b], siteOf)).toHaveLength(both ? 1 : 0)
        expect(tenantFaults([a, { ...b, ledgerScope: "one" }], siteOf)).toEqual([])
      })
    ))
})
