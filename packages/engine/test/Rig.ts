/** Processes that share stores in memory and a clock that only the test moves. */
import { JobKind, type LeasePolicy, type Plain } from "@sotto/core/job"
import type { BlobStore } from "@sotto/core/ports/BlobStore"
import type { Entropy } from "@sotto/core/ports/Entropy"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { JobStore, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import type { Records } from "@sotto/core/ports/Records"
import {
  layerMemoryBlobStore,
  layerMemoryJobQueue,
  layerMemoryJobStore,
  layerMemoryRecords,
  layerSeededEntropy
} from "@sotto/memory"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { TestClock } from "effect/testing"
import type { AnyJobKind } from "../src/Journal.ts"
import { Engine, type KindHandler, layerEngine, layerSweeper, layerWorker, Worker } from "../src/index.ts"

export const TENANT = "acme"

/** Where every test starts: 2026. Zero is too special a time. */
const START = Date.UTC(2026, 0, 1)

export type Ports = JobStore | JobQueue | Records | Entropy | BlobStore

const memory = (): Layer.Layer<Ports> =>
  Layer.mergeAll(
    layerMemoryJobStore(),
    layerMemoryRecords(),
    layerMemoryJobQueue(),
    layerSeededEntropy(1),
    layerMemoryBlobStore({ buckets: ["data"] })
  )

/** What happens to a call of the store: `refuse` it before it is done, `lose` its answer, or never answer it. */
export type Fault = "refuse" | "lose" | "hang" | undefined

type Method = Exclude<keyof JobStore["Service"], "capabilities">

const unavailable = new JobStoreUnavailable({ because: "io", message: "The test took the store away." })

/** A store that does what `fault` says about the n-th call (from 1) of each method. */
const faulty = (store: JobStore["Service"], fault: (method: Method, nth: number) => Fault): JobStore["Service"] => {
  const calls = new Map<Method, number>()
  const wrap =
    (method: Method) =>
    (...args: ReadonlyArray<never>) =>
      Effect.suspend((): Effect.Effect<unknown, JobStoreUnavailable> => {
        const nth = (calls.get(method) ?? 0) + 1
        calls.set(method, nth)
        const call = (store[method] as (...args: ReadonlyArray<never>) => Effect.Effect<unknown, JobStoreUnavailable>)(
          ...args
        )
        switch (fault(method, nth)) {
          case "refuse":
            return Effect.fail(unavailable)
          case "lose":
            return Effect.andThen(call, Effect.fail(unavailable))
          case "hang":
            return Effect.never
          default:
            return call
        }
      })
  const methods = Object.keys(store).filter((key) => key !== "capabilities") as ReadonlyArray<Method>
  return {
    capabilities: store.capabilities,
    ...Object.fromEntries(methods.map((method) => [method, wrap(method)]))
  } as JobStore["Service"]
}

export interface ProcessOptions<S = never> {
  readonly handlers?: ReadonlyArray<KindHandler<S>>
  readonly kinds?: ReadonlyArray<AnyJobKind>
  readonly concurrency?: number
  readonly sweeps?: boolean
  readonly name?: string
  readonly lease?: Partial<LeasePolicy>
  readonly fault?: (method: Method, nth: number) => Fault
  readonly services?: Context.Context<S>
  /** Without a queue nobody is woken up. */
  readonly deaf?: boolean
}

/** One process: an engine, and a worker if it has handlers. `kill` is `kill -9`: from then on no call leaves it. */
export const start = Effect.fnUntraced(function* <S = never>(
  ports: Context.Context<Ports>,
  options: ProcessOptions<S>
) {
  const { handlers = [], kinds = [], fault = () => undefined } = options
  let killed = false
  const store = faulty(Context.get(ports, JobStore), (method, nth) => (killed ? "hang" : fault(method, nth)))
  const queue = options.deaf === true ? Context.get(yield* Layer.build(layerMemoryJobQueue()), JobQueue) : undefined
  const services = Context.merge(ports, (options.services ?? Context.empty()) as Context.Context<S>)
  const fenced = Context.add(services, JobStore, store)
  const mine = queue === undefined ? fenced : Context.add(fenced, JobQueue, queue)
  const all = new Map([...kinds, ...handlers.map(({ kind }) => kind)].map((kind) => [kind.name, kind]))
  const engine = layerEngine({ kinds: [...all.values()] })
  const worker = layerWorker({
    handlers,
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    ...(options.lease === undefined ? {} : { lease: options.lease }),
    ...(options.name === undefined ? {} : { name: options.name })
  })
  const parts = Layer.mergeAll(
    handlers.length === 0 ? Layer.mock(Worker)({ name: "none", stop: Effect.void }) : worker,
    options.sweeps === false ? Layer.empty : layerSweeper()
  ).pipe(Layer.provideMerge(engine), Layer.provide(Layer.succeedContext(mine)))
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer((exit) => (killed ? Effect.void : Scope.close(scope, exit)))
  const context = yield* Layer.buildWithScope(parts, scope)
  return {
    engine: Context.get(context, Engine),
    worker: Context.get(context, Worker),
    kill: Effect.sync(() => void (killed = true)),
    stop: Scope.close(scope, Exit.void)
  }
})

/** Runs a test on a clock of its own, which starts in 2026 and stands still unless `adjust` moves it. */
export const play = <A>(test: (ports: Context.Context<Ports>) => Effect.Effect<A, unknown, Scope.Scope>): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      yield* TestClock.setTime(START)
      return yield* test(yield* Layer.build(Layer.fresh(memory())))
    }).pipe(
      Effect.scoped,
      // Faults are part of the tests; what is logged about them is not read.
      Effect.provide(Layer.merge(TestClock.layer(), Logger.layer([])))
    ) as Effect.Effect<A>
  )

/** Moves the clock in steps, so that whatever waits for others in between gets its turn. */
export const pass = (seconds: number) =>
  Effect.forEach(Array.from({ length: Math.round(seconds * 4) }), () => TestClock.adjust("250 millis"), {
    discard: true
  })

export const Anything = Schema.Json as Schema.Codec<Plain, unknown>

/** A kind whose parameters, results and failures are anything. */
export const kindOf = (name: string, more: object = {}) =>
  JobKind.make({ name, relation: "leased", parameters: Anything, result: Anything, failure: Anything, ...more })
