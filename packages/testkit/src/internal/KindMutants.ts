/** What the mutants of a kind are made of: a right machine with one thing made wrong. */
import {
  type Accepted,
  type Command,
  fold,
  type Job,
  type JobEvent,
  type LifecycleRow,
  type Rejected
} from "@sotto/core/job"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { KindMachine, machineOf } from "../KindMachine.ts"
import type { Mutant } from "../Law.ts"
import type { AnyKind } from "./JobLives.ts"

type Machine = KindMachine["Service"]

export const changed = (
  subject: Layer.Layer<KindMachine>,
  change: (machine: Machine) => Machine
): Layer.Layer<KindMachine> =>
  Layer.provide(
    Layer.effect(
      KindMachine,
      Effect.map(KindMachine, (machine) => KindMachine.of(change(machine)))
    ),
    subject
  )

/** Another answer. */
export const deciding = (
  name: string,
  change: (answer: Accepted | Rejected, now: number, job: Job | undefined, command: Command) => Accepted | Rejected
): Mutant<KindMachine> => ({
  name,
  apply: (subject) =>
    changed(subject, (machine) => ({
      ...machine,
      decide: (job, command, now) => change(machine.decide(job, command, now), now, job, command)
    }))
})

/** A machine whose events are rewritten before anything is made of them. */
export const rewriting = (
  machine: Machine,
  rewrite: (event: JobEvent, before: Job | undefined) => JobEvent
): Machine => ({
  ...machine,
  decide: (job, command, now) => {
    const answer = machine.decide(job, command, now)
    if (answer._tag === "Rejected" || answer.events.length === 0) return answer
    const events = answer.events.map((event) => rewrite(event, job))
    const after = job === undefined ? fold(events) : events.reduce(machine.evolve, job)
    return { ...answer, events, job: after ?? answer.job }
  }
})

export const stamping = (
  name: string,
  rewrite: (event: JobEvent, before: Job | undefined) => JobEvent
): Mutant<KindMachine> => ({
  name,
  apply: (subject) => changed(subject, (machine) => rewriting(machine, rewrite))
})

export const old = <E extends JobEvent>(event: E, before: Job | undefined): E => ({
  ...event,
  epoch: before?.epoch ?? 0
})

/** Another job after an event; with `log` only for who folds the log, not for who decides. */
export const evolving = (
  name: string,
  change: (before: Job, after: Job, event: JobEvent) => Job,
  seenBy: "log" | "all" = "all"
): Mutant<KindMachine> => ({
  name,
  apply: (subject) =>
    changed(subject, (machine) => {
      const wrong: Machine = {
        ...machine,
        evolve: (job, event) => change(job, machine.evolve(job, event), event)
      }
      return seenBy === "log" ? wrong : rewriting(wrong, (event) => event)
    })
})

/** Other rows that are shown than those that are decided by. */
export const lifecycle = (
  name: string,
  change: (rows: ReadonlyArray<LifecycleRow>) => ReadonlyArray<LifecycleRow>
): Mutant<KindMachine> => ({
  name,
  apply: (subject) =>
    changed(subject, (machine) => ({ ...machine, kind: withRows(machine.kind, change(machine.kind.lifecycle.rows)) }))
})

/** Rows before all others that are decided by and not shown. */
export const steppingBy = (name: string, more: ReadonlyArray<LifecycleRow>): Mutant<KindMachine> => ({
  name,
  apply: (subject) =>
    changed(subject, (machine) => ({
      ...machine,
      decide: machineOf(withRows(machine.kind, [...more, ...machine.kind.lifecycle.rows])).decide
    }))
})

const withRows = (kind: AnyKind, rows: ReadonlyArray<LifecycleRow>): AnyKind => ({
  ...kind,
  lifecycle: { ...kind.lifecycle, rows }
})

export const speaking = (
  name: string,
  change: (outward: AnyKind["outward"]) => AnyKind["outward"]
): Mutant<KindMachine> => ({
  name,
  apply: (subject) =>
    changed(subject, (machine) => machineOf({ ...machine.kind, outward: change(machine.kind.outward) }))
})
