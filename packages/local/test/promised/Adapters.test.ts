import type { Head, LedgerPolicy, SpendRequest } from "@sotto/core/budget"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { JobStore } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import {
  layerPromisedBlobStore,
  layerPromisedBudgetLedger,
  layerPromisedJobQueue,
  layerPromisedJobStore,
  layerPromisedKeyRing,
  layerPromisedLedgerKeys,
  layerPromisedRecords,
  type PromisedBlobStore,
  type PromisedBudgetLedger,
  type PromisedJobStore,
  type PromisedRecords
} from "@sotto/local"
import { layerMemoryLedgerKeys, layerMemoryRecords } from "@sotto/memory"
import {
  checkLaw,
  keyRingLaws,
  layerLawClock,
  LEDGER_TEST_KEYS,
  ledgerKeysLaws,
  LedgerLab,
  ledgerLaws,
  recordsLaws
} from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it, vi } from "vitest"
import { HostLedger } from "../support/HostLedger.ts"

const failure = (code: string): Error => Object.assign(new Error(`It is ${code}.`), { code })

describe("a host's ledger keys", () => {
  const make = () => {
    const { ledgerId, fingerprintKey, noiseKeys, activeNoiseKeyId } = LEDGER_TEST_KEYS
    const heads = new Map<string, Head>()
    const noiseKey = async (id: string) => {
      const key = noiseKeys.get(id)
      if (key === undefined) throw failure("Missing")
      return { id, key }
    }
    return layerPromisedLedgerKeys({
      capabilities: { head: true },
      ledgerId: async () => ledgerId.slice(),
      fingerprintKey: async () => fingerprintKey,
      activeNoiseKey: () => noiseKey(activeNoiseKeyId),
      noiseKey,
      head: async (scope) => heads.get(scope),
      raiseHead: async (scope, head) => {
        if ((heads.get(scope)?.sequence ?? -1) < head.sequence) heads.set(scope, head)
      },
      lowerHead: async (scope, lost, head) => {
        if (heads.get(scope)?.hash !== lost.hash) throw failure("Moved")
        heads.set(scope, head)
      }
    })
  }
  it.each(ledgerKeysLaws.map((law) => [law.id, law] as const))("keep the law %s", (_, law) =>
    checkLaw(law, Layer.suspend(make), { runs: 20 })
  )
})

describe("a host's key ring", () => {
  const pairs = ["a", "b"].map((id, i) => ({
    id,
    publicKey: new Uint8Array(32).fill(i + 1),
    privateKey: new Uint8Array(32).fill(i + 101)
  }))
  const held = pairs.map((pair) => ({ ...pair, privateKey: new SecretBytes(pair.privateKey) }))
  const make = () =>
    layerPromisedKeyRing({
      privateKey: async (id) => {
        const pair = pairs.find((one) => one.id === id)
        if (pair === undefined) throw failure("NotFound")
        return { publicKey: pair.publicKey.slice(), privateKey: pair.privateKey.slice() }
      }
    })
  it.each(keyRingLaws(held).map((law) => [law.id, law] as const))("keeps the law %s", (_, law) =>
    checkLaw(law, Layer.suspend(make), { runs: 20 })
  )
})

describe("a host's store of objects", () => {
  const chunk = Uint8Array.of(1)

  it.each<readonly [string, (source: AsyncIterable<Uint8Array>, read: () => void) => Promise<void>]>([
    [
      "waits for the next chunk",
      async (source, read) => {
        for await (const _ of source) read()
      }
    ],
    [
      "is busy with a chunk and does not heed its signal",
      async (source, read) => {
        for await (const _ of source) {
          read()
          await new Promise(() => {})
        }
      }
    ]
  ])("lets go of its source when a write is interrupted while it %s", async (_, upload) => {
    const { promise: read, resolve } = Promise.withResolvers<void>()
    const { promise: ended, resolve: end } = Promise.withResolvers<string>()
    const none = () => Promise.reject(new Error("There is nothing."))
    const store = {
      ...Object.fromEntries(["list", "stat", "read", "delete", "probe"].map((method) => [method, none])),
      write: (_: unknown, chunks: AsyncIterable<Uint8Array>) => upload(chunks, resolve)
    }
    const layer = layerPromisedBlobStore(store as unknown as PromisedBlobStore)
    const source = Stream.concat(Stream.succeed(chunk), Stream.never).pipe(
      Stream.ensuring(Effect.sync(() => end("ended")))
    )
    const outcome = await Effect.runPromise(
      Effect.gen(function* () {
        const blobs = yield* BlobStore
        const writer = yield* Effect.forkChild(blobs.write({ bucket: "b", key: "k" }, source, { mode: "create" }))
        yield* Effect.promise(() => read)
        yield* Fiber.interrupt(writer)
        return yield* Effect.promise(() => Promise.race([ended, new Promise((resume) => setTimeout(resume, 2_000))]))
      }).pipe(Effect.provide(layer))
    )
    expect(outcome).toBe("ended")
  })
})

describe("a host's budget ledger", () => {
  const keys = layerMemoryLedgerKeys(LEDGER_TEST_KEYS)
  const subject = Layer.unwrap(
    Effect.sync(() => {
      const kept = { ledger: undefined }
      const open = (policy: Partial<LedgerPolicy> = {}) =>
        layerPromisedBudgetLedger(new HostLedger(kept, policy)).pipe(Layer.provide(keys), Layer.orDie)
      const reopen: LedgerLab["Service"]["reopen"] = (policy) =>
        Effect.map(Layer.build(open(policy)), (context) => Context.get(context, BudgetLedger))
      return Layer.merge(open(), Layer.succeed(LedgerLab, LedgerLab.of({ reopen })))
    })
  )
  it.each(ledgerLaws.map((law) => [law.id, law] as const))("keeps the law %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 30, seed: 3 })
  })

  const request = {
    scope: "s",
    spender: "job",
    fingerprint: "ab".repeat(32),
    charge: "exclusive",
    epsilon: 1,
    reports: 1,
    units: [{ id: "cd".repeat(32), hour: 1, origin: "https://a.example" }],
    noiseKeyId: "noise-a",
    kcv: "ef".repeat(8),
    asOf: 1
  } as unknown as SpendRequest
  const receipt = {
    scope: "s",
    sequence: 1,
    fingerprint: request.fingerprint,
    noiseKeyId: "noise-a",
    kcv: request.kcv,
    chargedAt: 1
  }
  const answering = (change: Partial<Record<keyof PromisedBudgetLedger, () => Promise<unknown>>>) =>
    Object.assign(new HostLedger({ ledger: undefined }), change) as PromisedBudgetLedger
  const using = <A, E>(ledger: PromisedBudgetLedger, body: (port: BudgetLedger["Service"]) => Effect.Effect<A, E>) =>
    Effect.runPromise(
      Effect.result(Effect.provide(BudgetLedger.use(body), Layer.provide(layerPromisedBudgetLedger(ledger), keys)))
    )

  it.each([
    ["another question", { _tag: "Charged", receipt: { ...receipt, fingerprint: "00".repeat(32) } }],
    ["another scope", { _tag: "Replayed", receipt: { ...receipt, scope: "t" } }],
    ["nothing, though there are units", { _tag: "Nothing", receipt: { ...receipt, sequence: undefined } }],
    ["a charge without a place in the chain", { _tag: "Charged", receipt: { ...receipt, sequence: undefined } }],
    ["a key check that is none", { _tag: "Charged", receipt: { ...receipt, kcv: "?" } }],
    ["exhaustion of no unit", { _tag: "Exhausted", units: [] }],
    ["nonsense", { _tag: "Paid" }]
  ])("is not believed when it answers for %s", async (_, answer) => {
    const given = JSON.parse(JSON.stringify(answer))
    expect(await using(answering({ spend: async () => given }), (port) => port.spend(request))).toMatchObject({
      failure: { _tag: "LedgerUnavailable", because: "io", message: expect.stringContaining("correct the adapter") }
    })
  })

  it("is believed when it answers for the question that was asked", async () => {
    const answer = { _tag: "Charged", receipt }
    expect(await using(answering({ spend: async () => answer }), (port) => port.spend(request))).toMatchObject({
      success: answer
    })
  })

  it("is refused when it was stamped with other keys", async () => {
    const identity = async () => ({ ledgerId: "00".repeat(16), fingerprintKcv: "00".repeat(8) })
    expect(await using(answering({ identity }), (port) => port.scopes)).toMatchObject({
      failure: { _tag: "LedgerMismatch" }
    })
  })

  it("says by its code why it cannot answer", async () => {
    const busy = answering({ spend: () => Promise.reject(failure("busy")) })
    expect(await using(busy, (port) => port.spend(request))).toMatchObject({
      failure: { _tag: "LedgerUnavailable", because: "busy", message: "It is busy." }
    })
  })
})

describe("a host's records", () => {
  /** Records with Promises over those in memory, on the clock of the laws. */
  const subject = Layer.effect(
    Records,
    Effect.gen(function* () {
      const records = yield* Records
      const run = Effect.runPromiseWith(yield* Effect.context<never>())
      const host: PromisedRecords = {
        capabilities: records.capabilities,
        get: (id) => run(records.get(id)),
        put: (one) => run(records.put(one)),
        delete: (id, expectVersion) => run(records.delete(id, expectVersion)),
        scan: (place, after, limit) => run(records.scan(place, after, limit))
      }
      return Context.get(yield* Layer.build(layerPromisedRecords(host)), Records)
    })
  ).pipe(Layer.provide(Layer.suspend(() => layerMemoryRecords())), Layer.provideMerge(layerLawClock))
  it.each(recordsLaws.map((law) => [law.id, law] as const))("keep the law %s", async (_, law) => {
    await checkLaw(law, subject, { runs: 50, seed: 3 })
  })

  const id = { collection: "c", tenant: "t", key: "k" }
  const using = <A, E>(answer: () => Promise<unknown>, body: (port: Records["Service"]) => Effect.Effect<A, E>) => {
    const host = { capabilities: { durable: false }, get: answer, put: answer, delete: answer, scan: answer }
    return Effect.runPromise(
      Effect.result(Effect.provide(Records.use(body), layerPromisedRecords(host as unknown as PromisedRecords)))
    )
  }
  const record = { key: "other", version: 1, bytes: Uint8Array.of(1), expiresAt: null }
  const put = { ...id, bytes: new Uint8Array(65_537), expectVersion: null, expiresAt: null }

  it.each<readonly [string, unknown, (port: Records["Service"]) => Effect.Effect<unknown, unknown>, string]>([
    ["get with another record", record, (port) => port.get(id), "asked for"],
    ["get with text for bytes", { ...record, key: "k", bytes: "x" }, (port) => port.get(id), "correct the adapter"],
    ["put without a version", { _tag: "Put" }, (port) => port.put({ ...put, bytes: new Uint8Array() }), "put"],
    ["delete with nothing", undefined, (port) => port.delete(id, "any"), "delete"],
    ["scan with one record", record, (port) => port.scan({ ...id, prefix: "" }, null, 10), "list"]
  ])("are told when they answer %s", async (_, answer, body, said) => {
    expect(await using(async () => answer, body)).toMatchObject({
      failure: { _tag: "RecordsUnavailable", because: "io", message: expect.stringContaining(said) }
    })
  })

  it("are never given a record that is too large", async () => {
    const asked = vi.fn<() => Promise<unknown>>()
    expect(await using(asked, (port) => port.put(put))).toMatchObject({ failure: { _tag: "RecordTooLarge" } })
    expect(asked).not.toHaveBeenCalled()
  })

  it("say by their code why they cannot answer", async () => {
    const full = () => Promise.reject(failure("full"))
    expect(await using(full, (port) => port.get(id))).toMatchObject({ failure: { because: "full" } })
  })
})

describe("a host's store of jobs", () => {
  const store = (answer: () => Promise<unknown>) => {
    const methods = ["create", "read", "commit", "commitMany", "claim", "renew", "due", "events", "output", "list"]
    return layerPromisedJobStore({
      capabilities: { durable: false, shared: false },
      ...Object.fromEntries(
        [...methods, "tally", "unpublished", "published", "purge"].map((method) => [method, answer])
      )
    } as unknown as PromisedJobStore)
  }
  const asked = <A, E>(answer: () => Promise<unknown>, body: (port: JobStore["Service"]) => Effect.Effect<A, E>) =>
    Effect.runPromise(Effect.flip(Effect.flatMap(JobStore, body)).pipe(Effect.provide(store(answer))))

  const CALLS: ReadonlyArray<readonly [string, (port: JobStore["Service"]) => Effect.Effect<unknown, unknown>]> = [
    ["read", (port) => port.read("t", "a")],
    ["claim", (port) => port.claim({ kinds: [], worker: "w", token: "t".repeat(16), leaseMs: 1, limit: 1 })],
    ["renew", (port) => port.renew([], 1)],
    ["due", (port) => port.due([], 1)],
    ["events", (port) => port.events("t", "a", 0, 1)],
    ["output", (port) => port.output("t", "a", 1, "k")],
    ["list", (port) => port.list("t", {}, null, 1)],
    ["tally", (port) => port.tally(null)],
    ["unpublished", (port) => port.unpublished(["t"], 1)],
    ["purge", (port) => port.purge({}, 1)]
  ]
  it.each(CALLS)("is told when its answer to %s is none", async (_, body) => {
    const error = await asked(async () => ({ _tag: "Nonsense", row: { id: 7 } }), body)
    expect(error).toMatchObject({ _tag: "JobStoreUnavailable", because: "io" })
    expect((error as Error).message).toContain("correct the adapter")
  })

  it("answers as many renewals as were asked for", async () => {
    const lease = { tenant: "t", id: "a", epoch: 1, token: "t".repeat(16), deadline: 1 }
    const error = await asked(
      async () => [],
      (port) => port.renew([{ lease }], 1)
    )
    expect(error.message).toContain("list of 1 ×")
  })

  it("says by its code why it cannot answer", async () => {
    const busy = await asked(
      () => Promise.reject(failure("busy")),
      (port) => port.tally(null)
    )
    expect(busy).toMatchObject({ because: "busy", message: "It is busy." })
    const other = await asked(
      () => Promise.reject(failure("ECONNRESET")),
      (port) => port.tally(null)
    )
    expect(other).toMatchObject({ because: "io" })
  })
})

describe("a host's queue", () => {
  const wakeUp = { tenant: "t", id: "a", kind: "k" }
  const heard = (items: ReadonlyArray<unknown>) =>
    Effect.flatMap(JobQueue, (queue) => Stream.runCollect(queue.wakeUps(["k"]))).pipe(
      Effect.provide(
        layerPromisedJobQueue({
          announce: () => Promise.reject(new Error("It is away.")),
          async *wakeUps() {
            yield* items as ReadonlyArray<typeof wakeUp>
          }
        })
      )
    )
  it("gives on what it is told, and refuses what is no wake-up", async () => {
    expect(await Effect.runPromise(heard([wakeUp, wakeUp]))).toEqual([wakeUp, wakeUp])
    expect(await Effect.runPromise(Effect.flip(heard([{ tenant: 1 }])))).toMatchObject({ _tag: "JobQueueUnavailable" })
  })
})
