import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"

/** The queue cannot be reached. Nothing is lost: a sweeper finds in the store what was not announced. */
export class JobQueueUnavailable extends Schema.TaggedError<JobQueueUnavailable>()("JobQueueUnavailable", {
  message: Schema.String
}) {}

/** That there may be something to claim. */
export interface WakeUp {
  readonly tenant: string
  readonly id: string
  readonly kind: string
}

export interface JobQueueCapabilities {
  /** Wake-ups reach other processes. */
  readonly shared: boolean
}

/**
 * Wakes workers up, and no more: the store is the truth.
 *
 * Best effort: a wake-up may be lost, repeated, late or out of order, and go to one listener or to all. Whoever is woken
 * claims from the store and may find nothing.
 */
export class JobQueue extends Context.Service<
  JobQueue,
  {
    readonly capabilities: JobQueueCapabilities

    /** Returns without waiting for anybody to listen. */
    announce(wakeUps: ReadonlyArray<WakeUp>): Effect.Effect<void, JobQueueUnavailable>

    /** The wake-ups of these kinds from now on; never ends by itself. Slow listeners lose some rather than hold others up. */
    wakeUps(kinds: ReadonlyArray<string>): Stream.Stream<WakeUp, JobQueueUnavailable>
  }
>()("@sotto/core/ports/JobQueue") {}
