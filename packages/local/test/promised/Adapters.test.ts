import type { Head } from "@sotto/core/budget"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { JobStore } from "@sotto/core/ports/JobStore"
import { SecretBytes } from "@sotto/core/ports/SecretBytes"
import {
  layerPromisedJobQueue,
  layerPromisedJobStore,
  layerPromisedKeyRing,
  layerPromisedLedgerKeys,
  type PromisedJobStore
} from "@sotto/local"
import { checkLaw, keyRingLaws, LEDGER_TEST_KEYS, ledgerKeysLaws } from "@sotto/testkit"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect, it } from "vitest"

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
