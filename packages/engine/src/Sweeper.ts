/**
 * Looks for what nobody was told of: leases that are over, timers, jobs that became ready and were not announced.
 *
 * Any number may sweep at once; the store decides what happened, once.
 */
import { type Command, SWEEP_MS } from "@sotto/core/job"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { type DueJob, type JobSnapshot, JobStore, type JobTally } from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Journal } from "./Journal.ts"
import { demandSound, wholeFaults } from "./Refusals.ts"
import { inRounds } from "./Rounds.ts"
import { recordTally } from "./Telemetry.ts"

const PER_SWEEP = 1_000

/** Counting every job is dearer than a sweep, and nobody looks so often. */
const SWEEPS_PER_TALLY = 5

/** What the clock asks of a job, if it still does. */
const commandOf =
  (because: DueJob["because"]) =>
  ({ row, lease }: JobSnapshot): Command | undefined =>
    because === "lease"
      ? lease === null
        ? undefined
        : { _tag: "ExpireLease", deadline: lease.deadline }
      : row.timer === null
        ? undefined
        : { _tag: "Ring", timer: row.timer.name }

/** One sweep; answers how many jobs it was told to look at. */
export const sweep = Effect.fn("sweep")(function* () {
  const journal = yield* Journal
  const store = yield* JobStore
  const queue = yield* JobQueue
  const due = yield* store.due(
    journal.kinds.map(({ name }) => name),
    PER_SWEEP
  )
  const ready = due.filter(({ because }) => because === "ready")
  yield* Effect.forEach(
    due.filter(({ because }) => because !== "ready"),
    ({ tenant, id, because }) =>
      journal.change(tenant, id, commandOf(because)).pipe(
        // Another one was here first: the lease was renewed, the timer rang, the job is gone.
        Effect.catchTag(["CommandRefused", "UnknownJob"], () => Effect.void),
        Effect.catch((error) => Effect.logWarning(`The sweeper could not see to the job ${id}: ${error.message}`))
      ),
    { concurrency: 8, discard: true }
  )
  if (ready.length > 0) yield* Effect.ignore(queue.announce(ready))
  return due.length
})

/**
 * Sweeps for as long as the layer lives. One in each process that works is right.
 *
 * `everyMs`: 50 … 60 000, 2 s unless told; what a sweep finds waits for it so long. Throws `OptionsRejected`.
 */
export const layerSweeper = (
  options: { readonly everyMs?: number } = {}
): Layer.Layer<never, never, Journal | JobStore | JobQueue> => {
  const { everyMs = SWEEP_MS } = options
  demandSound("sweeper", wholeFaults("everyMs", everyMs, 50, 60_000))
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const store = yield* JobStore
      let sweeps = 0
      let tally: ReadonlyArray<JobTally> = []
      const once = Effect.gen(function* () {
        yield* sweep()
        if (sweeps++ % SWEEPS_PER_TALLY === 0) tally = yield* recordTally(yield* store.tally(null), tally)
      })
      yield* inRounds(once, { everyMs, failed: "A sweep failed; the next one follows." })
    })
  )
}
