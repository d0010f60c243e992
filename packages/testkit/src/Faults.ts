import { BlobStore, BlobUnavailable } from "@sotto/core/ports/BlobStore"
import { BudgetLedger, LedgerUnavailable } from "@sotto/core/ports/BudgetLedger"
import { JobStore, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { aroundMethods } from "@sotto/core/ports/Methods"
import { Records, RecordsUnavailable } from "@sotto/core/ports/Records"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** What went wrong with a call: `before` it was made, or `after` it was done, so that only the reply was lost. */
export interface Fault {
  readonly method: string
  readonly when: "before" | "after"
}

export interface FaultOptions {
  /** The same seed gives the same faults for the same calls in the same order. */
  readonly seed: number
  /** How likely a call fails before it is made, 0 … 1. */
  readonly before?: number
  /** How likely the reply of a call is lost, 0 … 1. */
  readonly after?: number
  /** A call lets others go first up to so many times. */
  readonly delay?: number
  /** Is told of every fault. */
  readonly onFault?: (fault: Fault) => void
}

type Decorator<Port> = <E, R>(layer: Layer.Layer<Port, E, R>) => Layer.Layer<Port, E, R>

/** Any port with faults; `unavailable` makes the error by which it says that it cannot answer. */
export const layerFaults =
  <Port, Service extends object>(
    port: Context.Service<Port, Service>,
    unavailable: (method: string) => unknown,
    { seed, before = 0, after = 0, delay = 0, onFault }: FaultOptions
  ): Decorator<Port> =>
  (layer) =>
    Layer.provide(
      Layer.effect(
        port,
        Effect.map(port, (service) => {
          const random = randomOf(seed)
          return aroundMethods(service, (method, call) =>
            Effect.gen(function* () {
              const waits = Math.floor(random() * (delay + 1))
              const [failsBefore, failsAfter] = [random() < before, random() < after]
              for (let i = 0; i < waits; i++) yield* Effect.yieldNow
              if (failsBefore) {
                onFault?.({ method, when: "before" })
                return yield* Effect.fail(unavailable(method))
              }
              const answer = yield* call
              if (!failsAfter) return answer
              onFault?.({ method, when: "after" })
              return yield* Effect.fail(unavailable(method))
            })
          )
        })
      ),
      layer
    )

const message = (method: string): string => `The reply of ${method} was lost, by a fault that was asked for. Try again.`

export const faultyJobStore = (options: FaultOptions): Decorator<JobStore> =>
  layerFaults(JobStore, (method) => new JobStoreUnavailable({ because: "io", message: message(method) }), options)

export const faultyBudgetLedger = (options: FaultOptions): Decorator<BudgetLedger> =>
  layerFaults(BudgetLedger, (method) => new LedgerUnavailable({ because: "io", message: message(method) }), options)

export const faultyRecords = (options: FaultOptions): Decorator<Records> =>
  layerFaults(Records, (method) => new RecordsUnavailable({ because: "io", message: message(method) }), options)

export const faultyBlobStore = (options: FaultOptions): Decorator<BlobStore> =>
  layerFaults(BlobStore, (method) => new BlobUnavailable({ bucket: "", key: "", message: message(method) }), options)

/** Numbers from 0 up to 1: a linear congruence modulo 2³² with a mixed output (mulberry32), enough to choose faults by. */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    const a = Math.imul(state ^ (state >>> 15), state | 1)
    const b = a ^ (a + Math.imul(a ^ (a >>> 7), a | 61))
    return ((b ^ (b >>> 14)) >>> 0) / 2 ** 32
  }
}
