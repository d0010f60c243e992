import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Claims, readToken, type ServerKey, signToken, type TokenPurpose } from "../../src/access/SignedToken.ts"

const key: fc.Arbitrary<ServerKey> = fc.record({
  number: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  secret: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new SecretBytes(bytes))
})

const purpose = fc.constantFrom<TokenPurpose>("job", "link")

const claims: fc.Arbitrary<Claims> = fc.record({
  about: fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 3 }),
  until: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
})

const other = (of: TokenPurpose): TokenPurpose => (of === "job" ? "link" : "job")

const prefix = (of: TokenPurpose) => `sotto_${of}_`

describe("A signed token", () => {
  it("says what was signed, before its time is over and not a millisecond longer", () =>
    fc.assert(
      fc.property(purpose, claims, key, (of, said, by) => {
        const token = signToken(of, said, by)
        expect(readToken(of, token, [by], said.until - 1)).toEqual(said)
        expect(readToken(of, token, [by], said.until)).toBeUndefined()
      })
    ))

  it("is refused after any change of one bit", () =>
    fc.assert(
      fc.property(purpose, claims, key, fc.nat(), (of, said, by, at) => {
        const token = signToken(of, said, by)
        const bytes = Buffer.from(token.slice(prefix(of).length), "base64url")
        const bit = at % (bytes.length * 8)
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(readToken(of, prefix(of) + bytes.toString("base64url"), [by], 0)).toBeUndefined()
      })
    ))

  it("is refused after any change of one character, so it has one spelling only", () =>
    fc.assert(
      fc.property(
        purpose,
        claims,
        key,
        fc.nat(),
        fc.string({ minLength: 1, maxLength: 1 }),
        (of, said, by, n, char) => {
          const token = signToken(of, said, by)
          const at = n % token.length
          fc.pre(token[at] !== char)
          expect(readToken(of, token.slice(0, at) + char + token.slice(at + 1), [by], 0)).toBeUndefined()
        }
      )
    ))

  it("is refused with the spare bits of its last character set", () => {
    const by: ServerKey = { number: 1, secret: new SecretBytes(new Uint8Array(32)) }
    const token = ["a", "ab", "abc"]
      .map((text) => signToken("job", { about: [text], until: 9 }, by))
      .find((one) => one.slice(10).length % 4 === 2) as string
    const last = String.fromCharCode(token.charCodeAt(token.length - 1) + 1)
    expect(Buffer.from(token.slice(10, -1) + last, "base64url")).toEqual(Buffer.from(token.slice(10), "base64url"))
    expect(readToken("job", token.slice(0, -1) + last, [by], 0)).toBeUndefined()
  })

  it("is refused when anything is cut off or added", () =>
    fc.assert(
      fc.property(purpose, claims, key, fc.nat(), fc.base64String({ minLength: 1 }), (of, said, by, n, more) => {
        const token = signToken(of, said, by)
        expect(readToken(of, token.slice(0, n % token.length), [by], 0)).toBeUndefined()
        expect(readToken(of, token + more, [by], 0)).toBeUndefined()
      })
    ))

  it("is worth nothing for another purpose, also under that purpose's name", () =>
    fc.assert(
      fc.property(purpose, claims, key, (of, said, by) => {
        const token = signToken(of, said, by)
        expect(readToken(other(of), token, [by], 0)).toBeUndefined()
        const renamed = prefix(other(of)) + token.slice(prefix(of).length)
        expect(readToken(other(of), renamed, [by], 0)).toBeUndefined()
      })
    ))

  it("is refused when its key is not among the keys, or another one has its number", () =>
    fc.assert(
      fc.property(claims, key, key, (said, by, stranger) => {
        fc.pre(!Buffer.from(by.secret.reveal()).equals(stranger.secret.reveal()))
        const token = signToken("job", said, by)
        expect(readToken("job", token, [], 0)).toBeUndefined()
        expect(readToken("job", token, [stranger], 0)).toBeUndefined()
        expect(readToken("job", token, [{ ...stranger, number: by.number }], 0)).toBeUndefined()
        if (stranger.number !== by.number) expect(readToken("job", token, [stranger, by], 0)).toEqual(said)
      })
    ))

  it("is not made by signing with zeros under a number that nobody has", () => {
    const zeros: ServerKey = { number: 7, secret: new SecretBytes(new Uint8Array(32)) }
    const by: ServerKey = { number: 1, secret: new SecretBytes(Uint8Array.of(...new Uint8Array(31), 1)) }
    expect(readToken("job", signToken("job", { about: ["a"], until: 9 }, zeros), [by], 0)).toBeUndefined()
  })

  it("is no text at random", () =>
    fc.assert(
      fc.property(purpose, fc.string(), fc.base64String(), key, (of, text, base64, by) => {
        expect(readToken(of, text, [by], 0)).toBeUndefined()
        expect(readToken(of, prefix(of) + text, [by], 0)).toBeUndefined()
        expect(readToken(of, prefix(of) + base64, [by], 0)).toBeUndefined()
      })
    ))

  it("needs no escape in a URL or a header, and is compact", () => {
    const by: ServerKey = { number: 1, secret: new SecretBytes(new Uint8Array(32)) }
    const token = signToken(
      "link",
      { about: ["acme", "out", "summary/part-1-of-3.avro"], until: Date.UTC(2030, 0) },
      by
    )
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
    expect(token.length).toBeLessThan(130)
  })
})
