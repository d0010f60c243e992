/**
 * A process that can be killed: it has a scheduler and a clock of its own, and when it is dead neither does anything any
 * more. No finalizer runs, no call leaves it: what `kill -9` leaves behind.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Scheduler } from "effect/Scheduler"

export interface Timer {
  readonly at: number
  readonly fire: () => void
}

export interface Process {
  readonly name: string
  alive: boolean
  /** Nothing happens in it before this time, as when a machine stalls. */
  frozenUntil: number
  readonly tasks: Array<() => void>
  readonly timers: Set<Timer>
  readonly scheduler: Scheduler
  readonly clock: Clock.Clock
}

/** `now` is the time of the simulation; the clock of the process is `skewMs` ahead of it. */
export const makeProcess = (name: string, now: () => number, skewMs: number): Process => {
  const tasks: Array<() => void> = []
  const timers = new Set<Timer>()
  const process: Process = {
    name,
    alive: true,
    frozenUntil: 0,
    tasks,
    timers,
    scheduler: {
      executionMode: "async",
      // A step is a call of a port: in between a process runs as far as it can.
      shouldYield: () => false,
      makeDispatcher: () => ({ scheduleTask: (task) => void (process.alive && tasks.push(task)), flush: () => {} })
    },
    clock: clockAt(
      () => now() + skewMs,
      (ms) =>
        Effect.callback<void>((resume) => {
          const timer: Timer = { at: now() + ms, fire: () => resume(Effect.void) }
          timers.add(timer)
          return Effect.sync(() => void timers.delete(timer))
        })
    )
  }
  return process
}

export const kill = (process: Process): void => {
  process.alive = false
  process.tasks.length = 0
  process.timers.clear()
}

export const clockAt = (now: () => number, sleep: (ms: number) => Effect.Effect<void>): Clock.Clock => {
  const nanos = () => BigInt(now()) * 1_000_000n
  return {
    currentTimeMillisUnsafe: now,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => sleep(Duration.toMillis(duration))
  }
}
