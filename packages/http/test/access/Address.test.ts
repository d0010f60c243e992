import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { apiKeyText } from "../../src/access/ApiKey.ts"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import * as Redacted from "effect/Redacted"
import { holdsSecret } from "../../src/access/Address.ts"
import { signToken, type TokenPurpose } from "../../src/access/SignedToken.ts"

const bytes = (count: number) => fc.uint8Array({ minLength: count, maxLength: count })

const key = fc.tuple(bytes(8), bytes(32)).map(([id, secret]) => Redacted.value(apiKeyText(id, secret)))

const token = fc
  .tuple(fc.constantFrom<TokenPurpose>("job", "link"), fc.string(), bytes(32))
  .map(([purpose, about, secret]) =>
    signToken(purpose, { about: [about], until: 1 }, { number: 1, secret: new SecretBytes(secret) })
  )

describe("An address", () => {
  it("holds a secret wherever a key or a token is, except in the parameter of links", () =>
    fc.assert(
      fc.property(fc.oneof(key, token), (secret) => {
        for (const address of [
          `/v1/jobs/${secret}`,
          `/${secret}/events`,
          `/v1/jobs?cursor=${secret}`,
          `/?a=1&b=${secret}`
        ]) {
          expect(holdsSecret(address)).toBe(true)
          expect(holdsSecret(`${address}${address.includes("?") ? "&" : "?"}token=${secret}`)).toBe(true)
        }
        expect(holdsSecret(`/v1/blobs/a.avro?token=${secret}`)).toBe(false)
        expect(holdsSecret(`/v1/blobs/a.avro?x=1&token=${secret}&y=2`)).toBe(false)
        expect(holdsSecret(`/v1/blobs/a.avro?mytoken=${secret}`)).toBe(true)
      })
    ))

  it.each([
    "/",
    "/v1/jobs/018f2b52-7e3a-4c1d-9f60-2f0a6d1e8c11",
    "/v1/jobs/sotto_job_1",
    "/v1/jobs/my_sotto_link_report"
  ])("holds none: %s", (address) => expect(holdsSecret(address)).toBe(false))
})
