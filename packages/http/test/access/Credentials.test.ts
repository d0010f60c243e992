import { inspect } from "node:util"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { shownBy } from "../../src/access/Credentials.ts"
import { basic, sent } from "./Rig.ts"

const KEY = `sotto_${"1".repeat(16)}_${"2".repeat(64)}`
const OTHER = `sotto_${"1".repeat(16)}_${"3".repeat(64)}`

/** What is read, in plain sight. */
const shown = (headers: Parameters<typeof sent>[0]) => {
  const read = shownBy(sent(headers))
  return read._tag === "Secret"
    ? Redacted.value(read.secret)
    : read._tag === "Link"
      ? { link: Redacted.value(read.token) }
      : read._tag
}

describe("A request shows", () => {
  it("nothing without credentials", () => expect(shown({})).toBe("Nothing"))

  it.each([
    ["x-api-key", { apiKey: KEY }],
    ["bearer", { authorization: `Bearer ${KEY}` }],
    ["bearer in any case", { authorization: `bEARER   ${KEY}` }],
    ["Basic, the key as user", { authorization: basic(`${KEY}:`) }],
    ["Basic, the key as user and no password in a client's words", { authorization: basic(`${KEY}:undefined`) }],
    ["Basic, id and secret", { authorization: basic(`${KEY.slice(6, 22)}:${KEY.slice(23)}`) }],
    ["Basic in any case", { authorization: basic(`${KEY}:`, "bAsIc") }],
    ["Basic without padding", { authorization: basic(`${KEY}:`).replaceAll("=", "") }],
    ["both headers", { authorization: `Bearer ${KEY}`, apiKey: KEY }],
    ["both headers, by Basic", { authorization: basic(`${KEY}:`), apiKey: KEY }]
  ])("its key by %s", (_, headers) => expect(shown(headers)).toBe(KEY))

  it.each([
    ["an unknown scheme", { authorization: `Digest ${KEY}` }],
    ["a scheme alone", { authorization: "Bearer" }],
    ["a scheme and blanks", { authorization: "Bearer   " }],
    ["an empty header", { authorization: "" }],
    ["no scheme", { authorization: KEY }],
    ["two words", { authorization: `Bearer ${KEY} ${KEY}` }],
    ["two headers in one", { authorization: `Bearer ${KEY}, Bearer ${OTHER}` }],
    ["Basic that is no base64", { authorization: "Basic %%%%" }],
    ["Basic with spare bits", { authorization: "Basic OmE9B" }],
    ["Basic of nothing", { authorization: "Basic ====" }],
    ["Basic with too much padding", { authorization: `${basic(`${KEY}:`).replaceAll("=", "")}===` }],
    ["Basic without a colon", { authorization: basic(KEY) }],
    ["Basic in the alphabet of URLs", { authorization: "Basic Pz8_Og" }],
    ["two keys that differ", { authorization: `Bearer ${OTHER}`, apiKey: KEY }],
    ["a key beside an unknown scheme", { authorization: `Digest ${KEY}`, apiKey: KEY }],
    ["a key beside an empty header", { authorization: `Bearer ${KEY}`, apiKey: "" }]
  ])("nothing that counts by %s", (_, headers) => expect(shown(headers)).toBe("Unclear"))

  it("the link alone, whatever is sent along with it", () =>
    fc.assert(
      fc.property(
        fc.string(),
        fc.option(fc.string(), { nil: undefined }),
        fc.string(),
        (link, authorization, apiKey) => {
          expect(shown({ link, apiKey, ...(authorization === undefined ? {} : { authorization }) })).toEqual({ link })
        }
      )
    ))

  it("something definite, for every pair of headers", () =>
    fc.assert(
      fc.property(fc.string(), fc.string(), (authorization, apiKey) => {
        expect(typeof shown({ authorization, apiKey })).toBe("string")
        expect(typeof shown({ authorization: `Basic ${authorization}` })).toBe("string")
      })
    ))

  it("nothing of its secrets to whoever prints what was read", () => {
    for (const headers of [{ apiKey: KEY }, { authorization: basic(`${KEY}:`) }, { link: KEY }]) {
      const asked = sent(headers)
      const printed = [asked, shownBy(asked)].map((one) => `${JSON.stringify(one)}${inspect(one, { depth: 9 })}`).join()
      expect(printed).toContain("redacted")
      expect(printed).not.toContain("2222")
    }
  })
})
