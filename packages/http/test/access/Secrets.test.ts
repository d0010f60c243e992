import { KeyRing } from "@sotto/core/ports/KeyRing"
import { Records } from "@sotto/core/ports/Records"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import { KEYS } from "../../../aggregator/test/Harness.ts"
import { serverKeys } from "../../src/access/ServerKeys.ts"
import { Tokens } from "../../src/access/Tokens.ts"
import { AS_OF, type House, printSpans, read, type Things, visit } from "./House.ts"
import { nameOf, type Operation, operationsOf, requestOf } from "./Operations.ts"
import { basic } from "./Rig.ts"

/** How bytes could be written somewhere: as hexadecimal, Base64 of both alphabets, or numbers of either base. */
const spellingsOf = (bytes: Uint8Array): ReadonlyArray<string> => {
  const buffer = Buffer.from(bytes)
  const numbers = [...bytes.subarray(0, 12)]
  return [
    buffer.toString("hex"),
    buffer.toString("hex").toUpperCase(),
    // The last characters depend on what follows.
    buffer.toString("base64").slice(0, 40),
    buffer.toString("base64url").slice(0, 40),
    numbers.join(", "),
    numbers.join(","),
    // As Node prints a buffer.
    numbers.map((one) => one.toString(16).padStart(2, "0")).join(" ")
  ]
}

/** A text as it is, and within the Base64 of Basic, whose end depends on what follows. */
const spellingsOfText = (text: string): ReadonlyArray<string> => [text, basic(text).slice("Basic ".length, -6)]

const secretsOf = Effect.fnUntraced(function* (house: House, things: Things) {
  const { context, keys, told } = house
  const tokens = yield* Effect.provideContext(Effect.service(Tokens), context)
  const until = AS_OF + 1_000_000
  const job = Redacted.value(yield* tokens.jobToken({ tenant: "acme", id: things.jobs.waiting, until }))
  const ref = { bucket: "data", key: "out/acme-summary-1-of-1.avro" }
  const link = Redacted.value(yield* tokens.linkToken({ tenant: "acme", ref, until }))
  const signing = yield* Effect.provideContext(serverKeys(), context)
  const privateKey = yield* Effect.provide(
    KeyRing.use((ring) => ring.privateKey("key-1")),
    KEYS
  )
  const wrapping = yield* Effect.provideContext(
    Records.use((records) => records.get({ collection: "automation-server-key", tenant: "server", key: "1" })),
    context
  )
  const bytes: ReadonlyArray<readonly [string, Uint8Array]> = [
    ...signing.map(({ secret }) => ["key that signs", secret.reveal()] as const),
    ["fingerprint key", LEDGER_TEST_KEYS.fingerprintKey],
    ...[...LEDGER_TEST_KEYS.noiseKeys.values()].map((key) => ["noise key", key] as const),
    ...told.seeds.map((seed) => ["noise seed", Buffer.from(seed, "hex")] as const),
    ["secret of a webhook", Buffer.from(things.webhookSecret.slice("whsec_".length), "base64")],
    ["key of reports", privateKey.privateKey.reveal()],
    ["key of personal data", wrapping?.bytes ?? new Uint8Array()]
  ]
  const { acme } = keys
  const [id, secret] = [acme.slice(6, 22), acme.slice(23)]
  const spelled = new Map<string, ReadonlyArray<string>>([
    ["API key", [secret, ...spellingsOfText(`${acme}:`), ...spellingsOfText(`${id}:${secret}`)]],
    ["job token", [job.slice(10), ...spellingsOfText(`${job}:`)]],
    ["link", [link.slice(11)]]
  ])
  for (const [name, one] of bytes) spelled.set(name, [...(spelled.get(name) ?? []), ...spellingsOf(one)])
  return { spelled, acme, job, link }
})

/** Every way in which a secret may be sent: right ones, wrong ones, and right ones in the wrong place. */
const waysOf = ({ acme, job, link }: { readonly acme: string; readonly job: string; readonly link: string }) => {
  const header = (headers: Readonly<Record<string, string>>) => ({ headers, query: "" })
  return [
    header({ "x-api-key": acme }),
    header({ authorization: `Bearer ${acme}` }),
    header({ authorization: basic(`${acme}:`) }),
    header({ authorization: basic(`${acme.slice(6, 22)}:${acme.slice(23)}`) }),
    header({ authorization: `Digest ${acme}` }),
    header({ authorization: basic(acme) }),
    header({ authorization: `Bearer ${acme}x` }),
    header({ "x-api-key": `${acme}0`, authorization: `Bearer ${acme}` }),
    header({ "x-api-key": job }),
    header({ authorization: basic(`${job}:`) }),
    header({ authorization: `Bearer ${job}A` }),
    { headers: {}, query: `token=${link}` },
    { headers: {}, query: `token=${link}A` },
    { headers: { "x-api-key": acme }, query: `token=${acme}` }
  ]
}

describe("Keys, seeds and tokens", () => {
  it("never reach a log, a span, an answer or an event", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const { ask, context, engine, told } = house
        const secrets = yield* secretsOf(house, things)
        const operations = operationsOf(read(yield* ask("GET /openapi.json")))
        const ways = waysOf(secrets)
        const statuses = new Set<number>()
        const answers: Array<string> = []

        const { endpoint, delivery, challenge, configuration, jobs } = things
        const named = { endpoint, delivery, challenge, configuration, resource: `spark:${configuration}` }
        const jobAt = ({ method, path }: Operation) =>
          path.startsWith("/automation/")
            ? jobs.automation
            : path.startsWith("/job-launcher/")
              ? jobs.launched
              : path.startsWith("/api/v1/")
                ? jobs.onDemand
                : method === "GET"
                  ? jobs.aggregation
                  : jobs.waiting

        const runAll = Effect.fnUntraced(function* (chosen: typeof ways) {
          for (const operation of operations) {
            for (const { headers, query } of chosen) {
              const job = jobAt(operation)
              const values = { job, file: things.file, job_request_id: "acme-request", output: "offer", ...named }
              const { line, asked } = requestOf(operation, values)
              const [path = "", given = ""] = line.split("?")
              const all = [given.replace(/token=[^&]*/, ""), query].filter((one) => one !== "").join("&")
              const answer = yield* ask(all === "" ? path : `${path}?${all}`, {
                ...asked,
                headers: { ...asked.headers, ...headers }
              })
              statuses.add(answer.status)
              // Where a link is asked for, it is told.
              const { location: _, ...rest } = answer.headers
              answers.push(`${nameOf(operation)} ${JSON.stringify(rest)} ${answer.body}`)
            }
          }
        })

        yield* runAll(ways)
        for (const text of [secrets.acme, secrets.job, secrets.link]) {
          for (const path of [`/v1/jobs/${text}`, `/v1alpha/getJob?job_request_id=${text}`, `/${text}`]) {
            const { status, body } = yield* ask(`GET ${path}`, { key: secrets.acme })
            expect([status, read({ body }).detail ?? read({ body }).message]).toEqual([
              400,
              "The address holds a key or a token. Send it as a header, and replace it: addresses are kept on the way."
            ])
            answers.push(body)
          }
        }
        told.broken = true
        yield* runAll(ways.slice(0, 12))
        told.broken = false
        yield* Effect.logTrace("the last line of the log")

        // Answers of every kind were given, and whoever listens heard them.
        expect([...statuses]).toEqual(expect.arrayContaining([200, 202, 303, 401, 403, 409, 503]))
        const events = yield* Effect.provideContext(
          Effect.forEach(Object.values(things.jobs), (id) => engine.events("acme", id, 0, 1000)),
          context
        )
        const rows = yield* Effect.forEach(Object.values(things.jobs), (id) => engine.get("acme", id))
        const places = {
          log: told.logs.join("\n"),
          span: printSpans(told.spans),
          answer: answers.join("\n"),
          event: JSON.stringify([events, rows]),
          message: JSON.stringify(told.sent)
        }
        expect(places.log).toContain("the last line of the log")
        expect(places.log).toContain("The test took the records away.")
        expect(places.span).toContain("http.route")
        expect(places.event).toContain("Succeeded")
        expect(told.sent.length).toBeGreaterThan(3)
        // New ones are told to who makes them, and only then.
        for (const place of [places.log, places.span, places.event, places.message])
          expect(place).not.toContain("whsec_")
        // What an automation was given is for who may see its inputs.
        expect(places.answer).toContain(things.personal)
        for (const place of [places.log, places.span, places.event, places.message])
          expect(place).not.toContain(things.personal)
        expect([...secrets.spelled.keys()]).toHaveLength(10)
        for (const [name, spellings] of secrets.spelled) {
          for (const spelling of spellings) {
            expect(spelling.length, name).toBeGreaterThan(15)
            for (const [place, text] of Object.entries(places)) {
              expect(text.includes(spelling), `${name} in ${place}: ${spelling.slice(0, 6)}…`).toBe(false)
            }
          }
        }
      })
    ))

  it("would be found if they were there", () =>
    visit((house, things) =>
      Effect.gen(function* () {
        const { spelled, acme, job, link } = yield* secretsOf(house, things)
        const finds = (name: string, text: string) => (spelled.get(name) ?? []).some((one) => text.includes(one))
        for (const way of waysOf({ acme, job, link })) {
          const text = JSON.stringify(way)
          expect(["API key", "job token", "link"].some((name) => finds(name, text))).toBe(true)
        }
        yield* Effect.logWarning({ seed: Buffer.from(house.told.seeds[0] ?? "", "hex") })
        expect(finds("noise seed", house.told.logs.join())).toBe(true)
      })
    ))
})
