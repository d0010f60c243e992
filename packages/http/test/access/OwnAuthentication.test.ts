import { inspect } from "node:util"
import { Records } from "@sotto/core/ports/Records"
import { layerSeededEntropy } from "@sotto/memory"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { knownApiKey } from "../../src/access/ApiKey.ts"
import { createApiKey, revokeApiKey } from "../../src/access/ApiKeys.ts"
import { Authentication, Forbidden, Unauthenticated } from "../../src/access/Authentication.ts"
import {
  layerAnonymous,
  layerApiKeys,
  layerHostAuthentication,
  layerKeysIfAny
} from "../../src/access/OwnAuthentication.ts"
import { DEFAULT_TENANT, layerTenants } from "../../src/access/Tenants.ts"
import { layerTokens, Tokens } from "../../src/access/Tokens.ts"
import { basic, layerBrokenRecords, play, sent, START } from "./Rig.ts"

const TENANTS = layerTenants([DEFAULT_TENANT, { ...DEFAULT_TENANT, name: "acme" }])

const SERVER = Layer.merge(TENANTS, layerTokens)

/** Who a request is of, by the clock of the test. */
const ask = (headers: Parameters<typeof sent>[0]) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => Authentication.use((one) => one.authenticate(sent(headers), now)))

const refusal = (headers: Parameters<typeof sent>[0]) => Effect.flip(ask(headers))

const open = (layer: ReturnType<typeof layerApiKeys> | ReturnType<typeof layerKeysIfAny>) =>
  Layer.provideMerge(layer, SERVER)

/** The same store, and what it was asked. */
const counting = (records: Records["Service"]) => {
  const asked: Array<string> = []
  const note = (what: string) => Effect.sync(() => void asked.push(what))
  const counted = Records.of({
    ...records,
    get: (id) => Effect.andThen(note(`get ${id.collection}`), records.get(id)),
    scan: (place, ...rest) => Effect.andThen(note(`scan ${place.collection}`), records.scan(place, ...rest))
  })
  return { records: counted, asked }
}

const ALL = { _tag: "All" }

describe("Authentication by API keys", () => {
  it("knows a key by every form of header", () =>
    play(
      Effect.gen(function* () {
        const { key, text } = yield* createApiKey({ tenant: "acme", name: "ci", expires: null })
        const plain = Redacted.value(text)
        const forms = [
          { apiKey: plain },
          { authorization: `Bearer ${plain}` },
          { authorization: `bearer  ${plain}` },
          { authorization: basic(`${plain}:`) },
          { authorization: basic(`${key.id}:${plain.slice(23)}`, "BASIC") },
          { apiKey: plain, authorization: basic(`${plain}:`) }
        ]
        const known = { tenant: "acme", name: "ci", keyId: key.id, scope: ALL }
        for (const form of forms) expect(yield* ask(form)).toEqual(known)
      }).pipe(Effect.provide(open(layerApiKeys())))
    ))

  it("tells which model a key is for", () =>
    play(
      Effect.gen(function* () {
        const { key, text } = yield* createApiKey({ tenant: "acme", model: "pythagoras", expires: null })
        expect(yield* ask({ apiKey: Redacted.value(text) })).toMatchObject({ keyId: key.id, model: "pythagoras" })
      }).pipe(Effect.provide(open(layerApiKeys())))
    ))

  it("refuses everything else alike", () =>
    play(
      Effect.gen(function* () {
        const { key, text } = yield* createApiKey({ tenant: "acme", name: "ci", expires: START + 1000 })
        const gone = yield* createApiKey({ tenant: "acme", expires: null })
        const foreign = yield* createApiKey({ tenant: "nobody knows", expires: null })
        yield* revokeApiKey(gone.key.id)
        const plain = Redacted.value(text)
        const wrong = `${plain.slice(0, -1)}${plain.endsWith("0") ? "1" : "0"}`
        const job = yield* Tokens.use((tokens) => tokens.jobToken({ tenant: "acme", id: "j1", until: START + 9 }))
        const lost = yield* Tokens.use((tokens) => tokens.jobToken({ tenant: "lost", id: "j1", until: START + 9 }))
        const link = yield* Tokens.use((tokens) =>
          tokens.linkToken({ tenant: "acme", ref: { bucket: "a", key: "b" }, until: START + 9 })
        )
        const requests = [
          {},
          { apiKey: "" },
          { apiKey: wrong },
          { apiKey: plain.slice(0, 22) },
          { apiKey: `sotto_${"0".repeat(16)}_${plain.slice(23)}` },
          { apiKey: key.hash },
          { apiKey: Redacted.value(gone.text) },
          { apiKey: Redacted.value(foreign.text) },
          { apiKey: Redacted.value(link) },
          { apiKey: Redacted.value(lost) },
          { apiKey: plain, authorization: `Bearer ${wrong}` },
          { apiKey: plain, link: Redacted.value(job) },
          { apiKey: plain, link: plain },
          { authorization: "Basic" },
          { authorization: basic(plain) },
          { authorization: basic(`${key.id}:wrong`) },
          { authorization: `Bearer ${Redacted.value(link)}` },
          { link: Redacted.value(job) }
        ]
        const refusals = yield* Effect.forEach(requests, refusal)
        expect(refusals).toHaveLength(18)
        expect(new Set(refusals.map((error) => `${error._tag} ${error.message}`)).size).toBe(1)
        expect(refusals[0]?._tag).toBe("Unauthenticated")
        yield* TestClock.adjust(1000)
        expect(yield* refusal({ apiKey: plain })).toEqual(refusals[0])
      }).pipe(Effect.provide(open(layerApiKeys())))
    ))

  it("refuses a key from the moment it expires, and one that is revoked from the next request on", () =>
    play(
      Effect.gen(function* () {
        const { key, text } = yield* createApiKey({ tenant: "acme", expires: START + 1000 })
        const request = { apiKey: Redacted.value(text) }
        yield* TestClock.adjust(999)
        yield* ask(request)
        yield* TestClock.adjust(1)
        yield* refusal(request)
        yield* TestClock.setTime(START)
        yield* ask(request)
        yield* revokeApiKey(key.id)
        yield* refusal(request)
      }).pipe(Effect.provide(open(layerApiKeys())))
    ))

  it("knows the keys of a configuration beside those of the store", () =>
    play(
      Effect.gen(function* () {
        const { text } = yield* createApiKey({ tenant: "acme", name: "stored", expires: null })
        const given = `sotto_${"ab".repeat(8)}_${"cd".repeat(32)}`
        const key = knownApiKey(Redacted.make(given), { tenant: "acme", name: "given", expires: START + 1 })
        const layer = open(layerApiKeys({ keys: [key!] }))
        const of = (apiKey: string) => Effect.result(Effect.provide(ask({ apiKey }), layer))
        expect(yield* of(given)).toMatchObject({ success: { name: "given" } })
        expect(yield* of(Redacted.value(text))).toMatchObject({ success: { name: "stored" } })
        yield* TestClock.adjust(1)
        expect(yield* of(given)).toMatchObject({ failure: { _tag: "Unauthenticated" } })
      })
    ))

  it("does not start with a key whose hash is none", async () => {
    const key = { id: "ab".repeat(8), tenant: "acme", name: "given", hash: "ab", expires: null, revoked: null }
    await expect(play(Effect.provide(ask({}), open(layerApiKeys({ keys: [key] }))))).rejects.toThrow(
      "The hash of API key abababababababab is no SHA-256 of 64 digits."
    )
  })

  it("looks up one key for every text, so that a stranger cannot tell what was right", () =>
    play(
      Effect.gen(function* () {
        const { text } = yield* createApiKey({ tenant: "acme", expires: null })
        const plain = Redacted.value(text)
        const { records, asked } = counting(yield* Records)
        const layer = Layer.provide(open(layerApiKeys()), Layer.succeed(Records, records))
        const texts = ["", "?", "sotto_", plain.slice(0, 40), `${plain.slice(0, 23)}${"0".repeat(64)}`, plain]
        for (const apiKey of texts) yield* Effect.provide(Effect.result(ask({ apiKey })), layer)
        yield* Effect.provide(Effect.result(ask({})), layer)
        yield* Effect.provide(Effect.result(ask({ authorization: "Basic" })), layer)
        expect(asked).toEqual(Array.from({ length: 8 }, () => "get api-keys"))
      })
    ))

  it("takes a job token wherever it takes a key, for that job only", () =>
    play(
      Effect.gen(function* () {
        const grant = { tenant: "acme", id: "j1", until: START + 1000 }
        const token = Redacted.value(yield* Tokens.use((tokens) => tokens.jobToken(grant)))
        const forms = [{ apiKey: token }, { authorization: `Bearer ${token}` }, { authorization: basic(`${token}:`) }]
        for (const form of forms) {
          expect(yield* ask(form)).toMatchObject({ tenant: "acme", scope: { _tag: "Job", id: "j1" } })
        }
        yield* TestClock.adjust(1000)
        for (const form of forms) yield* refusal(form)
      }).pipe(Effect.provide(open(layerApiKeys())))
    ))

  it("takes a link by its parameter, whatever key is sent along", () =>
    play(
      Effect.gen(function* () {
        const ref = { bucket: "out", key: "summary.avro" }
        const grant = { tenant: "acme", ref, until: START + 1000 }
        const link = Redacted.value(yield* Tokens.use((tokens) => tokens.linkToken(grant)))
        for (const more of [{}, { apiKey: "anything" }, { authorization: "Basic" }]) {
          expect(yield* ask({ link, ...more })).toMatchObject({ tenant: "acme", scope: { _tag: "Blob", ref } })
        }
        yield* TestClock.adjust(1000)
        yield* refusal({ link })
      }).pipe(Effect.provide(open(layerApiKeys())))
    ))

  it("is unavailable with its store, which is no refusal", async () => {
    const lines: Array<unknown> = []
    await play(
      Effect.gen(function* () {
        const error = yield* refusal({ apiKey: `sotto_${"1".repeat(16)}_${"2".repeat(64)}` })
        expect(error._tag).toBe("AccessUnavailable")
        expect(error.message).not.toContain("sotto.db")
      }).pipe(
        Effect.provide(open(layerApiKeys()).pipe(Layer.provide(Layer.merge(layerBrokenRecords, layerSeededEntropy(1)))))
      ),
      lines
    )
    expect(JSON.stringify(lines)).toContain("sotto.db")
    expect(JSON.stringify(lines)).not.toContain("2222")
  })

  it("never prints what was sent", async () => {
    const lines: Array<unknown> = []
    await play(
      Effect.gen(function* () {
        const secret = "5ec2e7".repeat(11).slice(0, 64)
        const apiKey = `sotto_${"1".repeat(16)}_${secret}`
        const requests = [
          { apiKey },
          { authorization: `Bearer ${apiKey}` },
          { authorization: basic(`${apiKey}:`) },
          { authorization: `Digest ${apiKey}` },
          { apiKey: `sotto_job_${secret}` },
          { link: secret },
          { link: `sotto_link_${secret}` }
        ]
        for (const request of requests) {
          const error = yield* refusal(request)
          const printed = `${JSON.stringify(error)}${String(error)}${inspect(error, { depth: 9 })}${error.stack}`
          expect(printed).not.toContain("5ec2e7")
          expect(printed).not.toContain(Buffer.from(apiKey).toString("base64").slice(0, 12))
        }
      }).pipe(Effect.provide(open(layerApiKeys()))),
      lines
    )
    expect(inspect(lines)).not.toContain("5ec2e7")
  })
})

describe("Authentication without keys", () => {
  const layer = Layer.provideMerge(layerAnonymous, SERVER)

  it("takes everybody for the tenant default, and says that it does", () =>
    play(
      Effect.gen(function* () {
        expect(yield* Authentication.use((one) => Effect.succeed(one.anonymous))).toBe(true)
        for (const request of [{}, { apiKey: "anything" }, { authorization: "Basic" }]) {
          expect(yield* ask(request)).toEqual({ tenant: "default", name: "anybody", scope: ALL })
        }
      }).pipe(Effect.provide(layer))
    ))

  it("still holds a job token to its job, and a link to its object and time", () =>
    play(
      Effect.gen(function* () {
        const until = START + 1000
        const tokens = yield* Tokens
        const job = Redacted.value(yield* tokens.jobToken({ tenant: "default", id: "j1", until }))
        const link = Redacted.value(
          yield* tokens.linkToken({ tenant: "default", ref: { bucket: "a", key: "b" }, until })
        )
        expect(yield* ask({ apiKey: job })).toMatchObject({ scope: { _tag: "Job" } })
        expect(yield* ask({ link })).toMatchObject({ scope: { _tag: "Blob" } })
        yield* refusal({ link: `${link}A` })
        yield* TestClock.adjust(1000)
        yield* refusal({ apiKey: job })
        yield* refusal({ link })
      }).pipe(Effect.provide(layer))
    ))

  it("lets nobody in where the tenants are others", () =>
    play(
      Effect.provide(
        refusal({}),
        layerAnonymous.pipe(
          Layer.provide(Layer.merge(layerTenants([{ ...DEFAULT_TENANT, name: "acme" }]), layerTokens))
        )
      )
    ))
})

describe("Authentication by keys if there are any", () => {
  it("lets everybody in until the first key is made, and nobody again when it is revoked", () =>
    play(
      Effect.gen(function* () {
        expect((yield* Authentication).anonymous).toBe(true)
        expect(yield* ask({})).toMatchObject({ tenant: "default" })
        const { key, text } = yield* createApiKey({ tenant: "acme", expires: null })
        yield* refusal({})
        expect(yield* ask({ apiKey: Redacted.value(text) })).toMatchObject({ tenant: "acme" })
        yield* revokeApiKey(key.id)
        yield* refusal({})
        yield* refusal({ apiKey: Redacted.value(text) })
        expect((yield* Effect.provide(Authentication, open(layerKeysIfAny()))).anonymous).toBe(false)
        yield* Effect.provide(refusal({}), open(layerKeysIfAny()))
      }).pipe(Effect.provide(open(layerKeysIfAny())))
    ))

  it("asks for one when the configuration has one", () => {
    const given = Redacted.make(`sotto_${"ab".repeat(8)}_${"cd".repeat(32)}`)
    const keys = [knownApiKey(given, { tenant: "acme", name: "given", expires: null })!]
    return play(
      Effect.gen(function* () {
        expect((yield* Authentication).anonymous).toBe(false)
        yield* refusal({})
        expect(yield* ask({ apiKey: Redacted.value(given) })).toMatchObject({ name: "given" })
      }).pipe(Effect.provide(open(layerKeysIfAny({ keys }))))
    )
  })
})

describe("Authentication by a host", () => {
  const host = layerHostAuthentication(({ apiKey }) => {
    const text = apiKey && Redacted.value(apiKey)
    if (text === undefined) return Effect.fail(new Unauthenticated({ message: "Log in first." }))
    if (text === "blocked") return Effect.fail(new Forbidden({ message: "This account is blocked." }))
    return Effect.succeed({ tenant: text, name: "host", scope: { _tag: "All" } } as const)
  })

  it("decides about everything but the server's own tokens, for tenants that are known", () =>
    play(
      Effect.gen(function* () {
        expect(yield* ask({ apiKey: "acme" })).toEqual({ tenant: "acme", name: "host", scope: ALL })
        expect(yield* refusal({ apiKey: "stranger" })).toMatchObject({ _tag: "Unauthenticated" })
        expect(yield* refusal({ apiKey: "blocked" })).toMatchObject({ _tag: "Forbidden" })
        expect(yield* refusal({})).toMatchObject({ message: "Log in first." })
        const grant = { tenant: "acme", id: "j1", until: START + 1000 }
        const token = Redacted.value(yield* Tokens.use((tokens) => tokens.jobToken(grant)))
        expect(yield* ask({ apiKey: token })).toMatchObject({ scope: { _tag: "Job" } })
        expect(yield* refusal({ apiKey: `${token}A` })).toMatchObject({ _tag: "Unauthenticated" })
      }).pipe(Effect.provide(Layer.provideMerge(host, SERVER)))
    ))
})
