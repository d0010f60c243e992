/** A process that takes jobs and runs them until it is killed: at a point that it was told, or whenever it may be. */
import { createHash } from "node:crypto"
import { writeSync } from "node:fs"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { layerAggregator } from "@sotto/aggregator"
import { toHex } from "@sotto/core/Bytes"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobStore } from "@sotto/core/ports/JobStore"
import { KeyRing } from "@sotto/core/ports/KeyRing"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { aggregationHandler, handle, layerEngine, layerSweeper, layerWorker } from "@sotto/engine"
import { layerFileLedgerKeys, layerFsBlobStore, layerSystemEntropy } from "@sotto/fs"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteBudgetLedger, layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { KEYS, RULES } from "../../packages/aggregator/test/Harness.ts"
import { chainKind, KEYS_FILE, type Point, summaryKind, type Told, type WorkerArguments } from "./Kinds.ts"

const { name, home, shared, die } = JSON.parse(process.argv[2] ?? "") as WorkerArguments

// At once and whole, whatever happens to this process afterwards.
const tell = (told: Told): void => void writeSync(1, `${JSON.stringify(told)}\n`)

let left = die?.nth ?? 0

/** `kill -9` by its own hand, at exactly this point. */
const at = (point: Point): Effect.Effect<void> =>
  Effect.sync(() => {
    if (point !== die?.point || --left !== 0) return
    tell({ _tag: "Dying", point })
    process.kill(process.pid, "SIGKILL")
  })

const file = join(home, "store.db")

const jobs = Layer.effect(
  JobStore,
  JobStore.use((real) =>
    Effect.succeed({
      ...real,
      claim: (request) =>
        real.claim(request).pipe(
          Effect.tap((claimed) => {
            if (claimed.length === 0) return Effect.void
            const leases = claimed.map(({ lease: { tenant, id, epoch, token } }) => ({ tenant, id, epoch, token }))
            tell({ _tag: "Claimed", leases })
            return at("claimed")
          })
        ),
      commit: (commit) =>
        at("committing").pipe(
          Effect.andThen(real.commit(commit)),
          Effect.tap((answer) => {
            if (answer._tag === "LeaseLost") tell({ _tag: "Refused", what: "write" })
            return at("committed")
          })
        ),
      renew: (renewals, leaseMs) =>
        real.renew(renewals, leaseMs).pipe(
          Effect.tap((answers) => {
            for (const { _tag } of answers) if (_tag === "LeaseLost") tell({ _tag: "Refused", what: "renewal" })
            return at("renewed")
          })
        )
    } satisfies JobStore["Service"])
  )
).pipe(Layer.provide(layerSqliteJobStore({ file })))

const keyRing = Layer.effect(
  KeyRing,
  KeyRing.use((real) =>
    Effect.succeed({
      ...real,
      // Asked by the lanes in the middle of the pass over the reports.
      privateKey: (id) => Effect.andThen(at("opening"), real.privateKey(id))
    } satisfies KeyRing["Service"])
  )
).pipe(Layer.provide(KEYS))

const realLedgerKeys = layerFileLedgerKeys(join(home, KEYS_FILE))

const ledger = Layer.effect(
  BudgetLedger,
  BudgetLedger.use((real) =>
    Effect.succeed({
      ...real,
      spend: (request) =>
        at("paying").pipe(
          Effect.andThen(real.spend(request)),
          Effect.tap(() => at("charged"))
        )
    } satisfies BudgetLedger["Service"])
  )
).pipe(Layer.provide(layerSqliteBudgetLedger({ file })), Layer.provide(realLedgerKeys))

const ledgerKeys = Layer.effect(
  LedgerKeys,
  LedgerKeys.use((real) =>
    Effect.succeed({
      ...real,
      raiseHead: (scope, head) => Effect.tap(real.raiseHead(scope, head), () => at("headRaised"))
    } satisfies LedgerKeys["Service"])
  )
).pipe(Layer.provide(realLedgerKeys))

const blobs = Layer.effect(
  BlobStore,
  BlobStore.use((real) =>
    Effect.succeed({
      ...real,
      write: (ref, data, options) => {
        // All bytes are handed over and the file is not there yet: it appears when the stream has ended.
        const chunks = data instanceof Uint8Array ? Stream.succeed(data) : data
        const dying = Stream.concat(chunks, Stream.drain(Stream.fromEffect(at("writing"))))
        return Effect.tap(real.write(ref, dying, options), () => at("written"))
      }
    } satisfies BlobStore["Service"])
  )
).pipe(Layer.provide(layerFsBlobStore({ buckets: { in: join(shared, "in"), out: join(home, "out") } })))

const digest = (text: string, rounds: number): string => {
  let bytes = createHash("sha256").update(text).digest()
  for (let round = 1; round < rounds; round++) bytes = createHash("sha256").update(bytes).digest()
  return toHex(bytes)
}

const chain = handle(chainKind, (job) =>
  Effect.gen(function* () {
    const { name: link, steps, rounds } = job.parameters
    const by = { worker: name, epoch: job.epoch }
    let last = link
    for (let step = 0; step < steps; step++) {
      const done = yield* job.once(
        `step-${step}`,
        Effect.gen(function* () {
          const link = digest(last, rounds)
          // Renewals and the other jobs get their turn.
          yield* Effect.promise(() => setImmediate())
          yield* at("worked")
          return { link, by }
        })
      )
      last = (done as { readonly link: string }).link
    }
    const part = Buffer.from(last.repeat(500))
    yield* Effect.orDie(
      job.blobs.write({ bucket: "out", key: `chain/${link}.bin` }, Stream.make(part, part), { mode: "replace" })
    )
    return { link: last, by }
  })
)

const ports = Layer.mergeAll(
  jobs,
  layerSqliteRecords({ file }),
  layerMemoryJobQueue(),
  layerSystemEntropy,
  blobs,
  ledger,
  ledgerKeys,
  layerAggregator({ lanes: 1 }).pipe(Layer.provide(Layer.merge(blobs, keyRing)))
)

const summary = { ...aggregationHandler({ siteOf: RULES.siteOf }), kind: summaryKind }

const main = Effect.gen(function* () {
  tell({ _tag: "Ready" })
  return yield* Effect.never
}).pipe(
  Effect.provide(
    Layer.mergeAll(
      layerWorker({ handlers: [chain, summary], name, concurrency: 6, pollMs: 200 }),
      layerSweeper({ everyMs: 300 })
    ).pipe(Layer.provide(layerEngine({ kinds: [chainKind, summaryKind] })), Layer.provide(ports))
  )
)

const running = Effect.runFork(main)
process.once("SIGTERM", () => {
  void Effect.runPromise(Fiber.interrupt(running)).then(() => process.exit(0))
})
