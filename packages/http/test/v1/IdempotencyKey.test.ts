import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { fingerprintOf, parseIdempotencyKey } from "../../src/v1/IdempotencyKey.ts"

/** RFC 9651 §4.1.6. */
const print = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

describe("IdempotencyKey", () => {
  it("reads every text that can be written as a string", () =>
    fc.assert(fc.property(fc.stringMatching(/^[ -~]{1,200}$/), (text) => parseIdempotencyKey(print(text)) === text)))

  it.each(["", "a", '"', '""', '"a', 'a"', '"a"b', '"a";x=1', '"\\a"', '"é"', '"a\tb"', `"${"x".repeat(201)}"`])(
    "refuses %s",
    (header) => expect(parseIdempotencyKey(header)).toBeUndefined()
  )

  it("has one fingerprint for what says the same, and another for what does not", () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (payload, name) => {
        const reversed = Object.fromEntries(Object.entries(payload).toReversed())
        const copy = JSON.parse(JSON.stringify({ nested: payload }))
        expect(fingerprintOf({ nested: reversed })).toBe(fingerprintOf(copy))
        expect(fingerprintOf({ nested: { ...copy.nested, [`${name}.`]: "new" } })).not.toBe(fingerprintOf(copy))
      })
    ))
})
