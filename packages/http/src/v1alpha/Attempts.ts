import { type Failure, type Job, type JobEvent, type Millis, workerLost } from "@sotto/core/job"
import { Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"

/** What the log says about the attempts at a job, up to the row's last event. */
export interface Attempts {
  /** When it was last given to a worker. */
  readonly pickedUpAt: Millis | undefined
  /** The failures that are counted, oldest first. */
  readonly failed: ReadonlyArray<{ readonly at: Millis; readonly message: string }>
}

const EVENTS_PER_PAGE = 100

/** Reads the log from its end until it has found the last attempt and every failure that counts. */
export const attemptsAt = Effect.fnUntraced(function* ({ tenant, id, seq, epoch, failures }: Job) {
  const engine = yield* Engine
  let pickedUpAt: Millis | undefined
  const failed: Array<Attempts["failed"][number]> = []
  // A job that no worker was ever given has no epoch.
  for (let end = epoch === 0 ? 0 : seq; end > 0; end -= EVENTS_PER_PAGE) {
    if (pickedUpAt !== undefined && failed.length === failures) break
    const start = Math.max(0, end - EVENTS_PER_PAGE)
    const page = yield* engine.events(tenant, id, start, end - start)
    for (const event of page.toReversed()) {
      if (event._tag === "Claimed") pickedUpAt ??= event.at
      const failure = failureIn(event)
      if (failure !== undefined && failed.length < failures) failed.push({ at: event.at, message: failure.message })
    }
  }
  return { pickedUpAt, failed: failed.toReversed() } satisfies Attempts
})

const failureIn = (event: JobEvent): Failure | undefined =>
  event._tag === "Faltered" ? event.failure : event._tag === "LeaseExpired" ? workerLost : undefined
