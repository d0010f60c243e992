import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { siteOf } from "../src/SiteOf.ts"

describe("siteOf", () => {
  it.each([
    ["https://example.com", "https://example.com"],
    ["https://a.b.Example.COM:8443/path", "https://example.com"],
    ["http://example.com", "https://example.com"],
    ["https://shop.example.co.uk", "https://example.co.uk"],
    ["https://someone.github.io", "https://someone.github.io"]
  ])("knows the site of %s", (origin, site) => expect(siteOf(origin)).toBe(site))

  it.each([
    "",
    "example.com",
    "https://",
    "https://127.0.0.1",
    "https://[::1]",
    "https://localhost",
    "https://com",
    "https://github.io",
    "https://report.test",
    "https://exa mple.com"
  ])("knows none of %j", (origin) => expect(siteOf(origin)).toBeUndefined())

  it("is its own site, and throws for no text", () =>
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.string()), (text) => {
        const site = siteOf(text)
        if (site !== undefined) expect(siteOf(site)).toBe(site)
      })
    ))
})
