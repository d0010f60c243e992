/**
 * Ports that tell what is asked of them: a span for every call, how many there were by outcome, and how long they took.
 *
 * No attribute carries what was asked: neither tenants nor ids nor texts of clients.
 */
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { JobStore } from "@sotto/core/ports/JobStore"
import { aroundMethods } from "@sotto/core/ports/Methods"
import { Records } from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"

export const PORT_METRICS = {
  calls: Metric.counter("sotto_port_calls_total", {
    description: "Calls of ports, by port, method and outcome (success or failure).",
    incremental: true
  }),
  seconds: Metric.histogram("sotto_port_seconds", {
    description: "How long calls of ports took, by port and method.",
    boundaries: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
  })
}

/** Any port with spans `<name>.<method>` and metrics. Of a stream the opening is measured. */
export const layerInstrumented =
  <Port, Service extends object>(port: Context.Service<Port, Service>, name: string) =>
  <E, R>(layer: Layer.Layer<Port, E, R>): Layer.Layer<Port, E, R> =>
    Layer.provide(
      Layer.effect(
        port,
        Effect.map(port, (service) =>
          aroundMethods(service, (method, call) => Effect.withSpan(measured(name, method, call), `${name}.${method}`))
        )
      ),
      layer
    )

const measured = <A, E, R>(port: string, method: string, call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const begun = yield* Clock.monotonicTimeNanos
    const exit = yield* Effect.exit(call)
    const seconds = Number((yield* Clock.monotonicTimeNanos) - begun) / 1e9
    const outcome = Exit.isSuccess(exit) ? "success" : "failure"
    yield* Metric.update(Metric.withAttributes(PORT_METRICS.calls, { port, method, outcome }), 1)
    yield* Metric.update(Metric.withAttributes(PORT_METRICS.seconds, { port, method }), seconds)
    return yield* exit
  })

export const instrumentedJobStore = layerInstrumented(JobStore, "JobStore")
export const instrumentedBudgetLedger = layerInstrumented(BudgetLedger, "BudgetLedger")
export const instrumentedRecords = layerInstrumented(Records, "Records")
export const instrumentedBlobStore = layerInstrumented(BlobStore, "BlobStore")
