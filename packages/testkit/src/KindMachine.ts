import { decide, evolve, type Job, type JobEvent } from "@sotto/core/job"
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"
import type { AnyKind, Decide } from "./internal/JobLives.ts"

/** A kind and the two functions by which its jobs live. */
export class KindMachine extends Context.Service<
  KindMachine,
  {
    readonly kind: AnyKind
    readonly decide: Decide
    readonly evolve: (job: Job, event: JobEvent) => Job
  }
>()("@sotto/testkit/KindMachine") {}

/** A kind as core's own rules make it live. */
export const machineOf = (kind: AnyKind): KindMachine["Service"] => ({
  kind,
  decide: (job, command, now) => decide(kind, job, command, now),
  evolve
})

/** The kind with core's own rules. */
export const layerKindMachine = (kind: AnyKind): Layer.Layer<KindMachine> => Layer.succeed(KindMachine, machineOf(kind))
