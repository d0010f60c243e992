import { createHash } from "node:crypto"
import * as Redacted from "effect/Redacted"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { apiKeyId, apiKeyState, apiKeyText, knownApiKey } from "../../src/access/ApiKey.ts"

const bytes = (count: number) => fc.uint8Array({ minLength: count, maxLength: count })
const key = fc.tuple(bytes(8), bytes(32)).map(([id, secret]) => Redacted.value(apiKeyText(id, secret)))

describe("An API key", () => {
  it("is sotto_, an id of 64 bits and a secret of 256 bits", () =>
    fc.assert(fc.property(key, (text) => /^sotto_[0-9a-f]{16}_[0-9a-f]{64}$/.test(text))))

  it("has an id that can be read off it", () =>
    fc.assert(
      fc.property(bytes(8), bytes(32), (id, secret) => {
        expect(apiKeyId(Redacted.value(apiKeyText(id, secret)))).toBe(Buffer.from(id).toString("hex"))
      })
    ))

  it.each([
    "",
    "sotto_",
    "sotto__",
    `sotto_${"a".repeat(16)}_${"b".repeat(63)}`,
    `sotto_${"a".repeat(16)}_${"b".repeat(64)}\n`,
    ` sotto_${"a".repeat(16)}_${"b".repeat(64)}`,
    `sotto_${"A".repeat(16)}_${"b".repeat(64)}`,
    `sotto_${"a".repeat(16)}${"b".repeat(65)}`,
    `SOTTO_${"a".repeat(16)}_${"b".repeat(64)}`
  ])("is not %j", (text) => expect(apiKeyId(text)).toBeUndefined())

  it("of a configuration is known by what sha256sum prints of it", () =>
    fc.assert(
      fc.property(key, (text) => {
        const facts = { tenant: "acme", name: "ci", expires: null }
        expect(knownApiKey(Redacted.make(text), facts)).toEqual({
          ...facts,
          id: text.slice(6, 22),
          hash: createHash("sha256").update(text).digest("hex"),
          revoked: null
        })
        expect(knownApiKey(Redacted.make(text.slice(1)), facts)).toBeUndefined()
      })
    ))

  it("is active before it expires, expired from then on, and revoked for good", () => {
    const at = 1000
    expect(apiKeyState({ expires: null, revoked: null }, at)).toBe("active")
    expect(apiKeyState({ expires: at + 1, revoked: null }, at)).toBe("active")
    expect(apiKeyState({ expires: at, revoked: null }, at)).toBe("expired")
    expect(apiKeyState({ expires: null, revoked: at + 5 }, at)).toBe("revoked")
    expect(apiKeyState({ expires: 0, revoked: 0 }, at)).toBe("revoked")
  })
})
