import * as fc from "fast-check"
import { Webhook } from "standardwebhooks"
import { describe, expect, it } from "vitest"
import { printSecret, sign, signedHeaders } from "../src/Signature.ts"

const keys = fc.uint8Array({ minLength: 24, maxLength: 64 })
const bodies = fc.string({ unit: "grapheme", maxLength: 200 }).map((text) => JSON.stringify({ text }))
const ids = fc.stringMatching(/^msg_[0-9a-z]{9}[0-9a-f]{32}$/)

describe("a signature", () => {
  it("is the one of the official library, for every key, id, time and body", () =>
    fc.assert(
      fc.property(keys, ids, fc.integer({ min: 0, max: 4_000_000_000 }), bodies, (key, id, seconds, body) => {
        const secret = printSecret(key)
        expect(sign(secret, id, seconds, body)).toBe(new Webhook(secret).sign(id, new Date(seconds * 1000), body))
      })
    ))

  it("is taken by the official library from a header with several, whichever secret it knows", () =>
    fc.assert(
      fc.property(keys, keys, ids, bodies, (one, other, id, body) => {
        const secrets = [printSecret(one), printSecret(other)]
        const headers = signedHeaders(secrets, id, Date.now(), body)
        for (const secret of secrets) expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
        const stranger = printSecret(new Uint8Array(32).fill(7))
        if (!secrets.includes(stranger))
          expect(() => new Webhook(stranger).verify(body, headers)).toThrow("No matching")
        expect(() => new Webhook(secrets[0] ?? "").verify(`${body} `, headers)).toThrow("No matching")
      }),
      { numRuns: 50 }
    ))

  it("of the example of the specification is what it says", () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    expect(sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')).toBe(
      "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )
  })
})
