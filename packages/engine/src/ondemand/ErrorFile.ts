import type { Plain } from "@sotto/core/job"
import type { BlobInfo } from "@sotto/core/ports/BlobStore"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

/** Rows that wait to be written, at most: who makes them waits for who writes them. */
const WAITING = 1_024

/** A file that comes into being with its first row, and is written while its rows are made. Lives in a scope. */
export const lateFile = <E, R>(write: (rows: Stream.Stream<Plain>) => Effect.Effect<BlobInfo, E, R>) =>
  Effect.gen(function* () {
    const rows = yield* Queue.bounded<Plain, Cause.Done>(WAITING)
    const scope = yield* Effect.scope
    let writing: Fiber.Fiber<BlobInfo, E> | undefined
    return {
      add: (some: ReadonlyArray<Plain>) =>
        Effect.gen(function* () {
          if (some.length === 0) return
          writing ??= yield* Effect.forkIn(write(Stream.fromQueue(rows)), scope)
          // A writer that failed takes no more rows: then its failure ends the wait.
          yield* Effect.raceFirst(Queue.offerAll(rows, some), Fiber.join(writing))
        }),
      /** The finished file; `undefined` if there was no row. */
      close: Effect.gen(function* () {
        if (writing === undefined) return undefined
        yield* Queue.end(rows)
        return yield* Fiber.join(writing)
      })
    }
  })
