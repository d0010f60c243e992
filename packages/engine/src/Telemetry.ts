/**
 * What the engine tells of itself through Effect's metrics; an exporter (OTLP, Prometheus) reads them from the registry.
 *
 * Names, units and attributes are an interface: they are listed in `METRICS`. No attribute carries a tenant, an id or a
 * text of a client.
 */
import type { Job, JobEvent, LostBecause } from "@sotto/core/job"
import type { JobTally } from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

const SECONDS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600]

const jobs = Metric.gauge("sotto_jobs", { description: "Jobs that are kept, by kind and state." })
const events = Metric.counter("sotto_job_events_total", {
  description: "Events that this process appended, by kind and event.",
  incremental: true
})
const epochs = Metric.counter("sotto_epochs_total", {
  description: "Jobs that workers of this process claimed, by kind.",
  incremental: true
})
const leaseLosses = Metric.counter("sotto_lease_losses_total", {
  description: "Leases that workers of this process lost, by kind and cause.",
  incremental: true
})
const queueWait = Metric.histogram("sotto_queue_wait_seconds", {
  description: "From the time a job could be claimed to its first claim, by kind.",
  boundaries: SECONDS
})
const stageTime = Metric.histogram("sotto_stage_seconds", {
  description: "How long the stages of a handler took, by kind and stage.",
  boundaries: SECONDS
})
const budgetRefusals = Metric.counter("sotto_budget_refusals_total", {
  description: "Questions that were not paid for, by reason.",
  incremental: true
})

/** Every metric of the engine. */
export const METRICS = { jobs, events, epochs, leaseLosses, queueWait, stageTime, budgetRefusals }

/** Events that were appended to one job. */
export const countEvents = (kind: string, appended: ReadonlyArray<Pick<JobEvent, "_tag">>) =>
  Effect.forEach(appended, ({ _tag }) => Metric.update(Metric.withAttributes(events, { kind, event: _tag }), 1), {
    discard: true
  })

/** A job that was just claimed. How long it waited is known of first claims only: retries and waits have times of their own. */
export const countClaim = ({ kind, epoch, createdAt, notBefore, updatedAt }: Job) => {
  const counted = Metric.update(Metric.withAttributes(epochs, { kind }), 1)
  const waited = (updatedAt - Math.max(createdAt, notBefore ?? createdAt)) / 1000
  return epoch === 1
    ? Effect.andThen(counted, Metric.update(Metric.withAttributes(queueWait, { kind }), waited))
    : counted
}

export const countLeaseLoss = (kind: string, because: LostBecause) =>
  Metric.update(Metric.withAttributes(leaseLosses, { kind, because }), 1)

export const recordStage = (kind: string, stage: string, millis: number) =>
  Metric.update(Metric.withAttributes(stageTime, { kind, stage }), millis / 1000)

export const countBudgetRefusal = (reason: string) =>
  Metric.update(Metric.withAttributes(budgetRefusals, { reason }), 1)

const cell = ({ kind, state }: { readonly kind: string; readonly state: string }): string => `${kind} ${state}`

/** Sets the gauge; what was counted `before` and is gone becomes 0. Answers what to pass the next time. */
export const recordTally = (tally: ReadonlyArray<JobTally>, before: ReadonlyArray<JobTally>) => {
  const present = new Set(tally.map(cell))
  const gone = before.filter((one) => !present.has(cell(one))).map((one) => ({ ...one, jobs: 0 }))
  return Effect.forEach(
    [...tally, ...gone],
    ({ kind, state, jobs: count }) => Metric.update(Metric.withAttributes(jobs, { kind, state }), count),
    { discard: true }
  ).pipe(Effect.as(tally))
}

/** The attributes of a span about a job. */
export const spanOf = ({ kind, id, epoch }: Pick<Job, "kind" | "id" | "epoch">) => ({
  attributes: { "sotto.kind": kind, "sotto.job": id, "sotto.epoch": epoch }
})
