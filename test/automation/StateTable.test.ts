/**
 * The state table of the interface (other systems A3), cell by cell over its routes, with a clock that only the test moves.
 *
 * A script reads what it is to do from an input, so every row is a list of moves; nothing in it depends on chance.
 */
import { Aggregator, AggregatorCrashed } from "@sotto/core/ports/Aggregator"
import {
  automationHandler,
  type AutomationService,
  kindsOfServices,
  layerAutomations,
  layerJobs,
  layerOutsideWork,
  layerEngine,
  layerPersonalDataOver,
  ScriptFailed
} from "@sotto/engine"
import {
  automationInterface,
  Http,
  layerAnonymous,
  layerHttp,
  layerOwnTraces,
  layerTenants,
  layerTokens
} from "@sotto/http"
import {
  layerMemoryBlobStore,
  layerMemoryBudgetLedger,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryLedgerKeys,
  layerMemoryRecords,
  layerSeededEntropy
} from "@sotto/memory"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import { createCipheriv, createDecipheriv } from "node:crypto"
import * as Context from "effect/Context"
import * as Aead from "effect/crypto/Aead"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"

const ID = "11111111-2222-4333-8444-555555555555"

/** Does what the input `plan` says: `output:<key>`, `ask:<key>`, `reject:<key>`, `challenge`, `fail`, `hang`, `<code>`. */
const puppet: AutomationService = {
  _tag: "Inside",
  id: ID,
  name: "Puppet",
  domainId: "Generic",
  tags: [],
  version: "1",
  inputs: {},
  script: Effect.fnUntraced(function* (job) {
    const plan = (yield* job.input("plan")) as ReadonlyArray<string>
    for (const move of plan) {
      const [what = "", key = ""] = move.split(":")
      if (what === "output") yield* job.output(key, "data")
      else if (what === "ask") yield* job.input(key)
      // The first answer is no good, the second is.
      else if (what === "reject") {
        if ((yield* job.input(key)) === "bad") yield* job.reject(key)
      } else if (what === "challenge") yield* job.challenge("https://bank.example")
      else if (what === "hang") yield* Effect.never
      else if (what === "throw") yield* Effect.die(new TypeError("a secret"))
      else if (what === "fail") {
        yield* new ScriptFailed({ code: "SystemUnavailable", category: "website", message: "It is closed." })
      } else return what
    }
    return null
  })
}

const ports = Layer.mergeAll(
  layerMemoryJobStore(),
  layerMemoryRecords(),
  layerMemoryJobQueue(),
  layerMemoryBlobStore({ buckets: ["data"] }),
  layerMemoryBudgetLedger().pipe(Layer.provideMerge(layerMemoryLedgerKeys(LEDGER_TEST_KEYS))),
  Layer.mock(Aggregator)({ sum: () => Effect.fail(new AggregatorCrashed({ message: "There are none." })) })
).pipe(Layer.provideMerge(layerSeededEntropy(1)))

const TAG_BYTES = 16

/** At once, so that a step of the clock takes a step of the work with it. */
const layerSyncAead = Aead.layerWebCryptoWith({
  implementations: {
    aes256Gcm: {
      encrypt: (key, nonce, plaintext, aad) => {
        const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(aad)
        return Uint8Array.from(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]))
      },
      decrypt: (key, nonce, sealed, aad) => {
        const cipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(aad)
        cipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES))
        return Uint8Array.from(Buffer.concat([cipher.update(sealed.subarray(0, -TAG_BYTES)), cipher.final()]))
      }
    }
  }
}).pipe(Layer.provide(SecureRandom.layerWebCrypto))

// oxlint-disable-next-line typescript/no-explicit-any
type Any = any
type Ask = (line: string, body?: object) => Effect.Effect<{ readonly status: number; readonly body: Any }>

/** A server whose scripts run if there is a place for them; `still`: nothing happens in it by itself. */
const serve = Effect.fnUntraced(function* (how: "works" | "waits" | "still") {
  const services = [puppet]
  const handler = automationHandler({ services })
  const kinds = [handler.kind, ...kindsOfServices(services)]
  const works = how === "works"
  const jobs =
    how === "still"
      ? layerEngine({ kinds })
      : layerJobs({ handlers: works ? [handler] : [], kinds: works ? [] : kinds })
  const engine = Layer.merge(layerAutomations({ services }), layerOutsideWork({ services })).pipe(
    Layer.provideMerge(jobs),
    Layer.provideMerge(layerPersonalDataOver().pipe(Layer.provide(layerSyncAead))),
    Layer.provideMerge(Layer.fresh(ports))
  )
  const context = yield* Layer.build(
    layerHttp({ interfaces: [automationInterface({ prefix: "" })] }).pipe(
      Layer.provide(layerAnonymous.pipe(Layer.provideMerge(Layer.merge(layerTenants(), layerTokens)))),
      Layer.provideMerge(engine),
      Layer.merge(layerOwnTraces)
    ) as Layer.Layer<Http>
  )
  const handle = HttpEffect.toWebHandlerWith<never, HttpServerRequest | Scope.Scope>(
    Context.merge(yield* Effect.context<never>(), context) as Context.Context<never>
  )(Context.get(context, Http).answer)
  const ask: Ask = (line, body) =>
    Effect.promise(async () => {
      const [method = "", path = ""] = line.split(" ")
      const answer = await handle(
        new Request(`http://sotto.test${path}`, {
          method,
          headers: { "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) })
        })
      )
      return { status: answer.status, body: await answer.json() }
    })
  return ask
})

const play = <A>(test: Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.andThen(TestClock.setTime(Date.UTC(2026, 0, 1)), test).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(TestClock.layer(), Logger.layer([])))
    ) as Effect.Effect<A>
  )

/** Time passes in steps, so that whatever waits for others in between gets its turn. */
const pass = (seconds: number) =>
  Effect.forEach(
    Array.from({ length: Math.max(12, Math.ceil(seconds / 5)) }),
    (_, __) => TestClock.adjust(`${(seconds * 1_000) / Math.max(12, Math.ceil(seconds / 5))} millis`),
    { discard: true }
  )

const MINUTE = 60

/** What a client does to the job, or how long it waits. */
type Move = string | number

const act = Effect.fnUntraced(function* (ask: Ask, id: string, move: Move) {
  if (typeof move === "number") {
    yield* pass(move)
    return 200
  }
  const [what = "", key = "", data = "data"] = move.split(":")
  const line =
    what === "give"
      ? (["inputs", { key, data }] as const)
      : what === "cancel"
        ? (["cancel", undefined] as const)
        : (["reset", key === "" ? {} : { fromInputKey: key }] as const)
  const path =
    what === "finish"
      ? `/3d-secure/${(yield* ask(`GET /jobs/${id}`)).body.activeTdsId}/finish`
      : `/jobs/${id}/${line[0]}`
  const { status } = yield* ask(`POST ${path}`, what === "finish" ? { data: "ok" } : line[1])
  yield* pass(3)
  return status
})

interface Row {
  readonly name: string
  /** Without one the job has no place to run in. */
  readonly plan: ReadonlyArray<string>
  readonly works?: false
  readonly moves: ReadonlyArray<Move>
  /** Of the last move. */
  readonly status?: number
  readonly state: string
  readonly events: ReadonlyArray<string>
  readonly more?: object
}

const cancelled = { error: { object: "job-error", code: "JobCancelled", category: "client", message: "" } }
const failedWith = (code: string) => ({ error: expect.objectContaining({ code }) })

const ROWS: ReadonlyArray<Row> = [
  // pending: accepted, and nothing runs it
  { name: "pending waits", works: false, plan: ["hang"], moves: [1], state: "pending", events: [] },
  { name: "pending, input: stored", works: false, plan: ["hang"], moves: ["give:k"], state: "pending", events: [] },
  {
    name: "pending, cancel",
    works: false,
    plan: ["hang"],
    moves: ["cancel"],
    state: "fail",
    events: ["fail"],
    more: cancelled
  },
  {
    name: "pending, reset",
    works: false,
    plan: ["hang"],
    moves: ["reset"],
    state: "processing",
    events: ["restart", "processing"]
  },
  {
    name: "pending, an hour",
    works: false,
    plan: ["hang"],
    moves: [61 * MINUTE],
    state: "fail",
    events: ["fail"],
    more: failedWith("JobTimeout")
  },
  // processing
  { name: "runner starts", plan: ["hang"], moves: [1], state: "processing", events: [], more: { sessionCount: 1 } },
  {
    name: "processing, output",
    plan: ["output:a", "hang"],
    moves: [1],
    state: "processing",
    events: ["createOutput:a"]
  },
  {
    name: "processing, asks what is absent",
    plan: ["ask:k"],
    moves: [1],
    state: "awaitingInput",
    events: ["awaitingInput:k"]
  },
  { name: "processing, asks what is there", plan: ["ask:plan", "hang"], moves: [1], state: "processing", events: [] },
  { name: "processing, input: stored", plan: ["hang"], moves: ["give:k"], state: "processing", events: [] },
  { name: "processing, challenge", plan: ["challenge"], moves: [1], state: "awaitingTds", events: ["tdsStart"] },
  {
    name: "processing, success",
    plan: ["Booked"],
    moves: [1],
    state: "success",
    events: ["success"],
    more: { successCode: "Booked" }
  },
  {
    name: "processing, fail",
    plan: ["fail"],
    moves: [1],
    state: "fail",
    events: ["fail"],
    more: { error: { object: "job-error", code: "SystemUnavailable", category: "website", message: "It is closed." } }
  },
  { name: "processing, cancel", plan: ["hang"], moves: ["cancel"], state: "fail", events: ["fail"], more: cancelled },
  {
    name: "processing, reset",
    plan: ["output:a", "hang"],
    moves: [1, "reset"],
    state: "processing",
    events: ["createOutput:a", "restart", "createOutput:a"]
  },
  {
    name: "processing, an hour",
    plan: ["hang"],
    moves: [61 * MINUTE],
    state: "fail",
    events: ["fail"],
    more: failedWith("JobTimeout")
  },
  {
    name: "processing, throws every time",
    plan: ["throw"],
    moves: [10 * MINUTE],
    state: "fail",
    events: ["fail"],
    more: {
      error: {
        object: "job-error",
        code: "ServerError",
        category: "server",
        message: "The script ended in an unforeseen way (TypeError)."
      }
    }
  },
  // awaitingInput
  {
    name: "awaitingInput, its input",
    plan: ["ask:k", "hang"],
    moves: [1, "give:k"],
    state: "processing",
    events: ["awaitingInput:k", "processing"]
  },
  {
    name: "awaitingInput, then output",
    plan: ["ask:k", "output:a", "hang"],
    moves: [1, "give:k"],
    state: "processing",
    events: ["awaitingInput:k", "processing", "createOutput:a"]
  },
  {
    name: "awaitingInput, then another",
    plan: ["ask:k", "ask:l"],
    moves: [1, "give:k"],
    state: "awaitingInput",
    events: ["awaitingInput:k", "processing", "awaitingInput:l"],
    more: { awaitingInputKey: "l" }
  },
  {
    name: "awaitingInput, then success",
    plan: ["ask:k"],
    moves: [1, "give:k"],
    state: "success",
    events: ["awaitingInput:k", "processing", "success"]
  },
  {
    name: "awaitingInput, then fail",
    plan: ["ask:k", "fail"],
    moves: [1, "give:k"],
    state: "fail",
    events: ["awaitingInput:k", "processing", "fail"]
  },
  {
    name: "awaitingInput, another input: stored",
    plan: ["ask:k"],
    moves: [1, "give:other"],
    state: "awaitingInput",
    events: ["awaitingInput:k"]
  },
  {
    name: "awaitingInput, cancel",
    plan: ["ask:k"],
    moves: [1, "cancel"],
    state: "fail",
    events: ["awaitingInput:k", "fail"],
    more: cancelled
  },
  {
    name: "awaitingInput, reset",
    plan: ["ask:k"],
    moves: [1, "reset"],
    state: "awaitingInput",
    events: ["awaitingInput:k", "restart", "processing", "awaitingInput:k"]
  },
  {
    name: "awaitingInput, reset to an input that was given",
    plan: ["ask:k", "ask:l"],
    moves: [1, "give:k", "reset:k"],
    state: "awaitingInput",
    events: ["awaitingInput:k", "processing", "awaitingInput:l", "restart", "processing", "awaitingInput:k"]
  },
  {
    name: "awaitingInput, 15 minutes",
    plan: ["ask:k"],
    moves: [1, 15 * MINUTE + 5],
    state: "fail",
    events: ["awaitingInput:k", "fail"],
    more: failedWith("InputTimeout")
  },
  {
    name: "awaitingInput, rejected",
    plan: ["reject:k"],
    moves: [1, "give:k:bad"],
    state: "awaitingInput",
    events: ["awaitingInput:k", "processing", "awaitingInput:k"],
    more: { rejectedInput: { key: "k", data: "bad" } }
  },
  {
    name: "awaitingInput, rejected and replaced",
    plan: ["reject:k"],
    moves: [1, "give:k:bad", "give:k:good"],
    state: "success",
    events: ["awaitingInput:k", "processing", "awaitingInput:k", "processing", "success"]
  },
  {
    name: "awaitingInput, rejected, 15 minutes",
    plan: ["reject:k"],
    moves: [1, "give:k:bad", 15 * MINUTE + 5],
    state: "fail",
    events: ["awaitingInput:k", "processing", "awaitingInput:k", "fail"],
    more: failedWith("InputRejected")
  },
  // awaitingTds
  {
    name: "awaitingTds, input: stored",
    plan: ["challenge"],
    moves: [1, "give:k"],
    state: "awaitingTds",
    events: ["tdsStart"]
  },
  {
    name: "awaitingTds, end",
    plan: ["challenge", "hang"],
    moves: [1, "finish"],
    state: "processing",
    events: ["tdsStart", "tdsFinish"]
  },
  {
    name: "awaitingTds, end, success",
    plan: ["challenge"],
    moves: [1, "finish"],
    state: "success",
    events: ["tdsStart", "tdsFinish", "success"]
  },
  {
    name: "awaitingTds, end, fail",
    plan: ["challenge", "fail"],
    moves: [1, "finish"],
    state: "fail",
    events: ["tdsStart", "tdsFinish", "fail"]
  },
  {
    name: "awaitingTds, cancel",
    plan: ["challenge"],
    moves: [1, "cancel"],
    state: "fail",
    events: ["tdsStart", "fail"],
    more: cancelled
  },
  {
    name: "awaitingTds, reset: refused",
    plan: ["challenge"],
    moves: [1, "reset"],
    status: 409,
    state: "awaitingTds",
    events: ["tdsStart"]
  },
  {
    name: "awaitingTds, 15 minutes",
    plan: ["challenge"],
    moves: [1, 15 * MINUTE + 5],
    state: "fail",
    events: ["tdsStart", "fail"],
    more: failedWith("TdsTimeout")
  },
  // success
  {
    name: "success, input: refused",
    plan: [],
    moves: [1, "give:k"],
    status: 409,
    state: "success",
    events: ["success"]
  },
  {
    name: "success, cancel: refused",
    plan: [],
    moves: [1, "cancel"],
    status: 409,
    state: "success",
    events: ["success"]
  },
  {
    name: "success, reset: refused",
    plan: [],
    moves: [1, "reset"],
    status: 409,
    state: "success",
    events: ["success"]
  },
  // fail
  { name: "fail, input: refused", plan: ["fail"], moves: [1, "give:k"], status: 409, state: "fail", events: ["fail"] },
  { name: "fail, cancel: refused", plan: ["fail"], moves: [1, "cancel"], status: 409, state: "fail", events: ["fail"] },
  {
    name: "cancelled, cancel: no change",
    plan: ["hang"],
    moves: [1, "cancel", "cancel"],
    state: "fail",
    events: ["fail"],
    more: cancelled
  },
  {
    name: "fail, reset in time",
    plan: ["fail"],
    moves: [1, 14 * MINUTE, "reset"],
    state: "fail",
    events: ["fail", "restart", "processing", "fail"]
  },
  {
    name: "cancelled, reset in time",
    plan: ["hang"],
    moves: ["cancel", "reset"],
    state: "processing",
    events: ["fail", "restart", "processing"]
  },
  {
    name: "fail, reset too late: refused",
    plan: ["fail"],
    moves: [1, 16 * MINUTE, "reset"],
    status: 409,
    state: "fail",
    events: ["fail"]
  }
]

describe("The state table", () => {
  it.each(ROWS)("$name", ({ plan, works = true, moves, status = 200, state, events, more = {} }) =>
    play(
      Effect.gen(function* () {
        const ask = yield* serve(works ? "works" : "waits")
        const { body } = yield* ask("POST /jobs", { serviceId: ID, input: { plan } })
        let last = 200
        for (const move of moves) last = yield* act(ask, body.id, move)
        expect(last).toBe(status)
        const job = (yield* ask(`GET /jobs/${body.id}`)).body
        const log = (yield* ask(`GET /jobs/${body.id}/events`)).body.data
        expect(log.map(({ name, key }: Any) => (key === undefined ? name : `${name}:${key}`))).toEqual(events)
        expect(job).toMatchObject({ state, category: "live", ...more })
        expect(job.finishedAt === null).toBe(state !== "success" && state !== "fail")
      })
    )
  )

  it("forgets personal data 30 days after a session must have ended, and keeps the log", () =>
    play(
      Effect.gen(function* () {
        const ask = yield* serve("still")
        const { id } = (yield* ask("POST /jobs", { serviceId: ID, input: { plan: ["hang"] } })).body
        yield* ask(`POST /jobs/${id}/cancel`)
        yield* TestClock.adjust("30 days")
        expect((yield* ask(`GET /jobs/${id}/inputs`)).body.data[0].data).toEqual(["hang"])
        expect((yield* ask(`GET /jobs/${id}`)).body).toMatchObject({ piiRemoved: false })
        yield* TestClock.adjust("61 minutes")
        expect((yield* ask(`GET /jobs/${id}/inputs`)).body.data[0].data).toBeNull()
        expect((yield* ask(`GET /jobs/${id}`)).body).toMatchObject({ piiRemoved: true, state: "fail" })
        expect((yield* ask(`GET /jobs/${id}/events`)).body.data).toHaveLength(1)
      })
    ))

  it("keeps the data of a job that is reset for another 30 days", () =>
    play(
      Effect.gen(function* () {
        const ask = yield* serve("still")
        const { id } = (yield* ask("POST /jobs", { serviceId: ID, input: { plan: ["hang"] } })).body
        yield* TestClock.adjust("29 days")
        yield* ask(`POST /jobs/${id}/reset`)
        yield* TestClock.adjust("29 days")
        expect((yield* ask(`GET /jobs/${id}`)).body).toMatchObject({ piiRemoved: false })
      })
    ))

  it("lets a one-time password of the vault be used once, and for 15 minutes", () =>
    play(
      Effect.gen(function* () {
        const ask = yield* serve("still")
        const store = (otp: string) => ask("POST /vault/data", { otp, data: "hush" })
        const first = (yield* ask("POST /vault/otp")).body.id
        expect((yield* store(first)).status).toBe(200)
        expect((yield* store(first)).status).toBe(403)
        const second = (yield* ask("POST /vault/otp")).body.id
        yield* TestClock.adjust("15 minutes")
        expect((yield* store(second)).body.name).toBe("AccessForbidden")
        expect((yield* store("made up")).status).toBe(403)
      })
    ))
})
