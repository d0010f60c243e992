import { utf8 } from "@sotto/core/Bytes"
import { Records } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { createApiKey, findApiKey, hasApiKeys, listApiKeys, revokeApiKey } from "../../src/access/ApiKeys.ts"
import { play, START } from "./Rig.ts"

const PLACE = { collection: "api-keys", tenant: "server" }

const everything = Effect.flatMap(Records, (records) => records.scan({ ...PLACE, prefix: "" }, null, 1000))

describe("API keys of a store", () => {
  it("are kept without their secret, and what is kept says whose they are", () =>
    play(
      Effect.gen(function* () {
        const { key, text } = yield* createApiKey({ tenant: "acme", name: "ci", expires: START + 5 })
        const plain = Redacted.value(text)
        expect(key).toEqual({
          id: plain.slice(6, 22),
          tenant: "acme",
          name: "ci",
          hash: expect.stringMatching(/^[0-9a-f]{64}$/),
          last4: plain.slice(-4),
          created: START,
          expires: START + 5,
          revoked: null
        })
        const kept = (yield* everything).map(({ bytes }) => Buffer.from(bytes).toString()).join()
        expect(kept).toContain(key.hash)
        expect(kept).not.toContain(plain.slice(23, 60))
        expect(yield* findApiKey(key.id)).toEqual(key)
        expect(JSON.stringify({ key, text })).not.toContain(plain.slice(23, 60))
      })
    ))

  it("are never the same twice, and are called by their id if nobody names them", () =>
    play(
      Effect.gen(function* () {
        const made = yield* Effect.forEach(Array.from({ length: 50 }), () =>
          createApiKey({ tenant: "acme", expires: null })
        )
        expect(new Set(made.map(({ text }) => Redacted.value(text).slice(23))).size).toBe(50)
        for (const { key } of made) expect(key.name).toBe(key.id)
      })
    ))

  it("are not made of what no key can be", () =>
    play(
      Effect.gen(function* () {
        const wrong = [
          { tenant: "", expires: null },
          { tenant: "a\nb", expires: null },
          { tenant: "acme", name: "", expires: null },
          { tenant: "acme", model: "", expires: null },
          { tenant: "acme", expires: START },
          { tenant: "acme", expires: START - 1 },
          { tenant: "acme", expires: START + 0.5 },
          { tenant: "acme", expires: Number.NaN },
          { tenant: "acme", expires: Number.POSITIVE_INFINITY }
        ]
        for (const one of wrong) expect((yield* Effect.flip(createApiKey(one)))._tag).toBe("InvalidApiKey")
        expect(yield* hasApiKeys()).toBe(false)
      })
    ))

  it("are listed by tenant or all, also beyond one page of the store", () =>
    play(
      Effect.gen(function* () {
        for (let n = 0; n < 1003; n++) yield* createApiKey({ tenant: n % 3 === 0 ? "a" : "b", expires: null })
        expect(yield* listApiKeys("a")).toHaveLength(335)
        expect(yield* listApiKeys("b")).toHaveLength(668)
        expect(yield* listApiKeys("c")).toHaveLength(0)
        const ids = (yield* listApiKeys(null)).map(({ id }) => id)
        expect(new Set(ids).size).toBe(1003)
        expect(ids).toEqual(ids.toSorted())
      })
    ))

  it("are revoked for good, and stay listed", () =>
    play(
      Effect.gen(function* () {
        const { key } = yield* createApiKey({ tenant: "acme", expires: null })
        yield* TestClock.adjust("1 second")
        const first = yield* revokeApiKey(key.id)
        expect(first).toEqual({ ...key, revoked: yield* Clock.currentTimeMillis })
        yield* TestClock.adjust("1 second")
        expect(yield* revokeApiKey(key.id)).toEqual(first)
        expect(yield* listApiKeys("acme")).toEqual([first])
        expect(yield* hasApiKeys()).toBe(true)
      })
    ))

  it("cannot be revoked if there are none of that id", () =>
    play(
      Effect.gen(function* () {
        expect(yield* Effect.flip(revokeApiKey("0".repeat(16)))).toMatchObject({ _tag: "UnknownApiKey" })
        expect(yield* findApiKey("0".repeat(16))).toBeUndefined()
      })
    ))

  it("that were damaged are told by their id, without what was read", () =>
    play(
      Effect.gen(function* () {
        const records = yield* Records
        for (const text of ["{", "{}", '{"id":"zzz-secret"}', '"zzz-secret"']) {
          yield* records.put({ ...PLACE, key: "k1", bytes: utf8(text), expectVersion: "any", expiresAt: null })
          const error = yield* Effect.flip(findApiKey("k1"))
          expect(error).toMatchObject({ _tag: "ApiKeyDamaged", id: "k1" })
          expect(`${JSON.stringify(error)}${String(error)}`).not.toContain("zzz-secret")
        }
      })
    ))
})
