/** From programs of effect to Promises: a failure becomes a `SottoError`. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { SottoError } from "./SottoError.ts"

/** The value of an exit, or the `SottoError` of its failure; `Aborted` if `signal` stopped it. */
export const valueOf = <A, E>(exit: Exit.Exit<A, E>, signal?: AbortSignal): A => {
  if (Exit.isSuccess(exit)) return exit.value
  if (signal?.aborted === true && Cause.hasInterrupts(exit.cause)) throw aborted(signal)
  throw problemOf(Cause.squash(exit.cause))
}

export const aborted = (signal: AbortSignal): SottoError =>
  new SottoError("Aborted", "The call was aborted.", { cause: signal.reason })

export const problemOf = (error: unknown): SottoError => {
  if (error instanceof SottoError) return error
  const { _tag, message } = (error ?? {}) as { readonly _tag?: string; readonly message?: string }
  return new SottoError(_tag ?? "Defect", message ?? String(error), { cause: error })
}
