/** Ports whose calls are steps: each waits until it is its turn, and is then carried out in one go or not at all. */
import { BlobStore, BlobUnavailable } from "@sotto/core/ports/BlobStore"
import { BudgetLedger, LedgerUnavailable } from "@sotto/core/ports/BudgetLedger"
import { JobQueue, JobQueueUnavailable } from "@sotto/core/ports/JobQueue"
import { JobStore, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { LedgerKeys, LedgerKeysUnavailable } from "@sotto/core/ports/LedgerKeys"
import { Records, RecordsUnavailable } from "@sotto/core/ports/Records"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** The ports that a simulated process uses; ids and tokens it draws from the seed. */
export type SimulatedPorts = JobStore | BudgetLedger | LedgerKeys | Records | JobQueue | BlobStore

export type PortName = "JobStore" | "BudgetLedger" | "LedgerKeys" | "Records" | "JobQueue" | "BlobStore"

/** One call of a port before it is carried out. */
export interface StepCall {
  readonly port: PortName
  readonly method: string
  readonly args: ReadonlyArray<unknown>
  /** The call itself; the adapter must answer without waiting. */
  readonly effect: Effect.Effect<unknown, unknown>
  /** How the port says that it cannot, or that the answer is unknown. */
  readonly unavailable: () => unknown
}

export type Stepper = (call: StepCall) => Effect.Effect<unknown, unknown>

const message = "The simulation took the port away."
const unavailable: Readonly<Record<PortName, () => unknown>> = {
  JobStore: () => new JobStoreUnavailable({ because: "io", message }),
  BudgetLedger: () => new LedgerUnavailable({ because: "io", message }),
  LedgerKeys: () => new LedgerKeysUnavailable({ message }),
  Records: () => new RecordsUnavailable({ because: "io", message }),
  JobQueue: () => new JobQueueUnavailable({ message }),
  BlobStore: () => new BlobUnavailable({ bucket: "", key: "", message })
}

/** Every method of `service` as a step; streams of a port go through as they are. */
const stepped = <S extends object>(port: PortName, service: S, step: Stepper): S => {
  const call = (method: string, args: ReadonlyArray<unknown>, effect: Effect.Effect<unknown, unknown>) =>
    step({ port, method, args, effect, unavailable: unavailable[port] })
  const entries = Object.entries(service).map(([method, member]: [string, unknown]) => {
    if (Effect.isEffect(member)) return [method, call(method, [], member as Effect.Effect<unknown, unknown>)]
    if (typeof member !== "function") return [method, member]
    return [
      method,
      (...args: ReadonlyArray<unknown>) => {
        const answer: unknown = member(...args)
        return Effect.isEffect(answer) ? call(method, args, answer as Effect.Effect<unknown, unknown>) : answer
      }
    ]
  })
  return Object.fromEntries(entries) as S
}

/** The ports of a process, with `step` in front of each call. A wake-up on its way is a step too: it may be lost. */
export const steppedPorts = (
  ports: Context.Context<SimulatedPorts>,
  step: Stepper
): Context.Context<SimulatedPorts> => {
  const queue = Context.get(ports, JobQueue)
  const hears = (wakeUp: unknown) =>
    step({
      port: "JobQueue",
      method: "hear",
      args: [wakeUp],
      effect: Effect.succeed(true),
      unavailable: unavailable.JobQueue
    }).pipe(Effect.orElseSucceed(() => false)) as Effect.Effect<boolean>
  return Context.make(JobStore, stepped("JobStore", Context.get(ports, JobStore), step)).pipe(
    Context.add(BudgetLedger, stepped("BudgetLedger", Context.get(ports, BudgetLedger), step)),
    Context.add(LedgerKeys, stepped("LedgerKeys", Context.get(ports, LedgerKeys), step)),
    Context.add(Records, stepped("Records", Context.get(ports, Records), step)),
    Context.add(BlobStore, stepped("BlobStore", Context.get(ports, BlobStore), step)),
    Context.add(JobQueue, {
      ...stepped("JobQueue", queue, step),
      wakeUps: (kinds) => Stream.filterEffect(queue.wakeUps(kinds), hears)
    })
  )
}
