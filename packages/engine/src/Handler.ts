/**
 * What runs a job: a function from a context to a result.
 *
 * A handler starts from its beginning in every epoch: after a crash, a retry and every wait. What it emitted and was
 * answered is there again, so it comes quickly to where it was; everything else it does must bear repetition.
 * `input`, `external` and `skip` may not return: the job is parked or over then, and the handler is interrupted.
 */
import type { Failure, FailureCategory, JobKind, Lease, Plain, Progress } from "@sotto/core/job"
import type { BlobStore } from "@sotto/core/ports/BlobStore"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { AnyJobKind } from "./Journal.ts"

export interface InputOptions {
  /** What the job waits for, in the words of the kind; the key if absent. */
  readonly stage?: string
  /** How long to wait; the kind's `inputMs` if absent. */
  readonly waitMs?: number
  /** The input that is there is wrong: wait for another. */
  readonly rejects?: boolean
}

export interface ExternalOptions {
  /** What a client needs to know to make it happen. */
  readonly data?: Plain
  /** The kind's `externalMs` if absent. */
  readonly waitMs?: number
}

/** An `AbortSignal`, where there are types for it. */
export type Signal = Effect.Success<typeof Effect.abortSignal>

/** What a handler has of its job. */
export interface JobContext<P = Plain> {
  readonly tenant: string
  readonly id: string
  readonly kind: string
  readonly epoch: number
  readonly session: number
  /** Failures of this session before this epoch. */
  readonly failures: number
  /** Milliseconds since 1970, by the store. */
  readonly createdAt: number
  readonly parameters: P
  readonly blobs: BlobStore["Service"]
  /** The lease as it was last renewed. */
  readonly lease: () => Lease
  /** Aborts when the handler is to stop, whatever the reason, and when it has ended. */
  readonly signal: Signal
  /** Keeps the last value, which is written with the next renewal or commit. Cheap: call it as often as you like. */
  readonly progress: (now: { readonly done: number } & Partial<Progress>) => void
  /** Adds an output to the job; with a key that was emitted in this session nothing happens. */
  emit(key: string, data: Plain): Effect.Effect<void>
  /** The data of an output of this session, of this epoch or an earlier one. */
  emitted(key: string): Effect.Effect<Plain | undefined>
  /** Runs `effect` and emits what it gives, unless that was done in this session: then gives what was emitted. */
  once<E, R>(key: string, effect: Effect.Effect<Plain, E, R>): Effect.Effect<Plain, E, R>
  /** Rejects the input that is there: the job asks again and is parked, and the handler starts anew with another. */
  input(key: string, options: InputOptions & { readonly rejects: true }): Effect.Effect<never>
  /** The input with this key. If it is not there, the job asks for it and is parked. */
  input(key: string, options?: InputOptions): Effect.Effect<Plain>
  /** What came of something that happens outside. If it has not ended, the job is parked until it has. */
  external(id: string, options?: ExternalOptions): Effect.Effect<Plain>
  /** The final step begins: from here on the job's deadline cannot end it. */
  readonly finishing: Effect.Effect<void>
  /** Ends the job: there was nothing to do. */
  skip(reason: string): Effect.Effect<never>
}

/** How a handler fails; `details` are by the failure schema of the kind. */
export class JobFailed<F> extends Data.TaggedError("JobFailed")<{
  readonly code: string
  readonly category: FailureCategory
  readonly message: string
  readonly details: F
  /** Whether the same work may succeed at another time; only then is it tried again. */
  readonly retryable: boolean
}> {}

export interface HandlerOptions {
  /**
   * At a graceful stop it is told by `signal`, ends by itself, and what it ends with counts; it is interrupted only if it has
   * not ended `TIDY_MS` later. An interruption throws away the value of a region that cannot be interrupted.
   */
  readonly stopsBySignal?: boolean
}

/** A kind with what runs it, its types hidden: parameters are read, results and failures written by the kind's schemas. */
export interface KindHandler<S = never> extends HandlerOptions {
  readonly kind: AnyJobKind
  run(context: JobContext): Effect.Effect<Plain, Failure, S>
}

/** Binds a handler to its kind. `S` are the services it needs; the layer of the worker asks for them. */
export const handle = <Name extends string, P, R, F, Word extends string, S = never>(
  kind: JobKind<Name, P, R, F, Word>,
  handler: (job: JobContext<P>) => Effect.Effect<R, JobFailed<F>, S>,
  options: HandlerOptions = {}
): KindHandler<Exclude<S, Scope.Scope>> => ({
  ...options,
  kind,
  run: Effect.fnUntraced(function* (context) {
    const parameters = kind.parameters.decode(context.parameters)
    if (parameters._tag === "NotCoded") {
      return yield* Effect.fail(
        ours("InvalidParameters", `The stored parameters are not what "${kind.name}" takes: ${parameters.message}`)
      )
    }
    const exit = yield* Effect.exit(Effect.scoped(handler({ ...context, parameters: parameters.value })))
    if (Exit.isSuccess(exit)) {
      const result = kind.result.encode(exit.value)
      return result._tag === "Coded"
        ? result.value
        : yield* Effect.fail(ours("InvalidResult", `The handler's result is not what it declares: ${result.message}`))
    }
    return yield* Effect.fail(failureOf(kind, exit.cause))
  }) as (context: JobContext) => Effect.Effect<Plain, Failure, Exclude<S, Scope.Scope>>
})

const failureOf = <F>(
  kind: Pick<JobKind<string, never, never, F>, "failure">,
  cause: Cause.Cause<JobFailed<F>>
): Failure => {
  const [failed] = cause.reasons.filter(Cause.isFailReason)
  if (failed === undefined) return defectFailure(cause)
  const { code, category, message, details, retryable } = failed.error
  const written = kind.failure.encode(details)
  return written._tag === "Coded"
    ? { code, category, message, details: written.value, retryable }
    : ours("InvalidFailure", `${message} (The handler's details are not what it declares: ${written.message})`)
}

/** An unforeseen end; it may be a passing one, so it is tried again. */
export const defectFailure = (cause: Cause.Cause<unknown>): Failure => {
  const [died] = Cause.prettyErrors(cause)
  return {
    ...ours("HandlerDefect", `The handler ended in an unforeseen way: ${died?.message ?? "it was interrupted"}`),
    retryable: true
  }
}

const ours = (code: string, message: string): Failure => ({
  code,
  category: "server",
  message,
  details: null,
  retryable: false
})
