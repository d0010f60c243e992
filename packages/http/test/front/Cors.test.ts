import { describe, expect, it } from "vitest"
import { corsHeaders, preflightHeaders } from "../../src/front/Cors.ts"

const own = { origins: ["https://app.example.com"] }

describe("Cors", () => {
  it("says nothing unless it is configured", () =>
    expect(corsHeaders(undefined, { origin: "https://app.example.com" })).toEqual({}))

  it("allows a listed origin, by name, and keeps caches from mixing origins", () =>
    expect(corsHeaders(own, { origin: "https://app.example.com" })).toMatchObject({
      "access-control-allow-origin": "https://app.example.com",
      vary: "origin"
    }))

  it.each(["https://app.example.com.evil.test", "http://app.example.com", "null", undefined])(
    "does not allow the origin %s",
    (origin) => expect(corsHeaders(own, { origin })).toEqual({ vary: "origin" })
  )

  it("allows any origin where all are", () =>
    expect(corsHeaders({ origins: "*" }, {})).toMatchObject({ "access-control-allow-origin": "*" }))

  it("answers a preflight with what may be sent, and nobody else", () => {
    const asked = { origin: "https://app.example.com", "access-control-request-method": "POST" }
    expect(preflightHeaders(own, asked, ["GET", "POST"])).toMatchObject({
      "access-control-allow-methods": "GET, POST",
      "access-control-max-age": "600"
    })
    expect(preflightHeaders(own, { ...asked, origin: "https://evil.test" }, ["GET"])).toEqual({})
    expect(preflightHeaders(own, { origin: asked.origin }, ["GET"])).toEqual({})
  })
})
