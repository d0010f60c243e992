/** The border between commands (promises, exit codes) and programs of effect. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { CommandError, Interrupted, UsageError } from "./Failure.ts"

/**
 * Runs a program; Ctrl-C and SIGTERM interrupt it, and it may tidy up. A tagged error becomes a `CommandError` with its
 * message, an interruption an `Interrupted`, a defect stays what it is.
 */
export const run = async <A, E extends { readonly message: string }>(program: Effect.Effect<A, E>): Promise<A> => {
  const stop = new AbortController()
  let signal: NodeJS.Signals | undefined
  const interrupt = (by: NodeJS.Signals) => {
    signal = by
    stop.abort()
  }
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt)
  const exit = await Effect.runPromiseExit(program, { signal: stop.signal })
  process.off("SIGINT", interrupt).off("SIGTERM", interrupt)
  if (Exit.isSuccess(exit)) return exit.value
  if (signal !== undefined && Cause.hasInterrupts(exit.cause)) throw new Interrupted(signal)
  const error = Cause.squash(exit.cause)
  if (error instanceof CommandError || error instanceof UsageError) throw error
  throw Cause.hasFails(exit.cause) ? new CommandError((error as E).message) : error
}
