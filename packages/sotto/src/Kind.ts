/** Kinds of jobs for hosts that write Promises. */
import {
  type FailureCategory,
  JobKind,
  KindRejected,
  type KindTimes,
  type LeasePolicy,
  type Plain,
  type RetryPolicy
} from "@sotto/core/job"
import type { BlobInfo, BlobRef, BlobStore, ReadOptions, WriteOptions } from "@sotto/core/ports/BlobStore"
import {
  type ExternalOptions,
  handle,
  type InputOptions,
  type JobContext,
  JobFailed,
  type KindHandler
} from "@sotto/engine"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { valueOf } from "./Border.ts"
import { SottoError } from "./SottoError.ts"

/** Reads a value or throws an error that says what is wrong with it, e.g. `schema.parse` of a library. */
export type Read<T> = (value: unknown) => T

/** The objects that the engine was given, for a handler. */
export interface Blobs {
  list(bucket: string, prefix?: string): AsyncIterable<BlobInfo>
  stat(ref: BlobRef): Promise<BlobInfo>
  /** The whole object, or a range of it. */
  read(ref: BlobRef, options?: ReadOptions): Promise<Uint8Array>
  /** All or nothing. `create` throws `BlobExists` if the object is there. */
  write(ref: BlobRef, bytes: Uint8Array | string, options: WriteOptions): Promise<BlobInfo>
  delete(ref: BlobRef): Promise<void>
}

/** What a handler has of its job. `ask`, `external` and `skip` may not return: then the job is parked or over. */
export interface HandledJob<P> {
  readonly tenant: string
  readonly id: string
  readonly epoch: number
  readonly session: number
  /** Failures of this session before this epoch. */
  readonly failures: number
  readonly createdAt: Date
  readonly parameters: P
  /**
   * Aborts when the handler is to stop, whatever the reason; from then on the methods of the job throw. During `close()` the
   * handler has 10 s to end: its result counts, and if it throws, the job is handed back without a failure.
   */
  readonly signal: AbortSignal
  readonly blobs: Blobs
  /** Keeps the last value, which is written now and then. Cheap: call it as often as you like. */
  progress(done: number, total?: number, phase?: string): void
  /** Adds an output to the job; with a key that was emitted in this session nothing happens. */
  output(key: string, data: Plain): Promise<void>
  /** Runs `work` and emits what it gives, unless that was done in this session: then gives what was emitted. */
  once<A extends Plain>(key: string, work: () => A | Promise<A>): Promise<A>
  /** Rejects the input that is there: the job asks again and is parked, and the handler starts anew with another. */
  ask(key: string, options: InputOptions & { readonly rejects: true }): Promise<never>
  /** The input with this key. If it is not there, the job asks for it and is parked; the handler starts anew with it. */
  ask(key: string, options?: InputOptions): Promise<Plain>
  /** What came of something outside (`finishExternal`). If it has not ended, the job is parked until it has. */
  external(id: string, options?: ExternalOptions): Promise<Plain>
  /** The final step begins: from here on the job's deadline cannot end it. */
  finishing(): Promise<void>
  /** Ends the job: there was nothing to do. */
  skip(reason: string): Promise<never>
}

/** How a handler fails as it foresaw; every other error is tried again as the kind says. */
export class JobError extends Error {
  override readonly name = "JobError"
  readonly code: string
  readonly category: FailureCategory
  readonly details: Plain
  readonly retryable: boolean

  constructor(
    code: string,
    message: string,
    options: ErrorOptions & {
      /** Whose fault it is; `server` unless told. */
      readonly category?: FailureCategory
      readonly details?: Plain
      /** Whether the same work may succeed at another time; only then is it tried again. */
      readonly retryable?: boolean
    } = {}
  ) {
    super(message, options)
    this.code = code
    this.category = options.category ?? "server"
    this.details = options.details ?? null
    this.retryable = options.retryable ?? false
  }
}

export interface KindDefinition<P, R extends Plain> extends Partial<Omit<KindTimes, "silenceMs">> {
  /** Lower-case letters, digits and `-`, at most 63, a letter first. */
  readonly name: string
  /** Reads the parameters, when they are submitted and in every epoch. */
  readonly parameters: Read<P>
  /**
   * Does the work. Starts from its beginning in every epoch: after a crash, a retry and every wait. What it emitted and was
   * answered is there again; everything else it does must bear repetition.
   */
  readonly run: (job: HandledJob<P>) => Promise<R> | R
  readonly lease?: Partial<LeasePolicy>
  readonly retry?: Partial<RetryPolicy>
  /** Jobs at a time for one tenant, and for one concurrency key of a tenant. */
  readonly perTenant?: number
  readonly perKey?: number
}

const HANDLER: unique symbol = Symbol("handler")

/** A kind that `createEngine` takes. */
export interface DefinedKind {
  readonly name: string
  /** For the engine only. */
  readonly [HANDLER]: unknown
}

export const isDefinedKind = (kind: unknown): kind is DefinedKind =>
  typeof kind === "object" && kind !== null && HANDLER in kind

export const handlerOf = (kind: DefinedKind): KindHandler => kind[HANDLER] as KindHandler

/** Defines a kind of job; throws `SottoError` with the code `KindRejected` for options that cannot be sound. */
export const defineKind = <P, R extends Plain>(definition: KindDefinition<P, R>): DefinedKind => {
  try {
    return define(definition)
  } catch (error) {
    throw error instanceof KindRejected ? new SottoError("KindRejected", error.message, { cause: error }) : error
  }
}

/** An answer that comes later would be no parameters, and what it throws would be nobody's. */
const atOnce =
  <P>(read: Read<P>): Read<P> =>
  (value) => {
    const answer = read(value)
    if (!(answer instanceof Promise)) return answer
    answer.catch(() => {})
    throw new Error("the kind reads its parameters with a Promise; read them at once, e.g. with parse")
  }

const define = <P, R extends Plain>(definition: KindDefinition<P, R>): DefinedKind => {
  const { run, parameters, name, ...options } = definition
  const faults = Object.entries({ run, parameters }).flatMap(([option, value]) =>
    typeof value === "function" ? [] : [{ option, hint: "a function" }]
  )
  if (faults.length > 0) throw new KindRejected(name, faults)
  const read = atOnce(parameters)
  const kind = JobKind.make({
    ...options,
    name,
    relation: "leased",
    parameters: Schema.Json.check(
      Schema.makeFilter((value) => {
        try {
          read(value)
          return undefined
        } catch (error) {
          return error instanceof Error ? error.message : String(error)
        }
      })
    ),
    result: Schema.Json,
    failure: Schema.Json
  })
  return {
    name,
    [HANDLER]: handle(
      kind,
      (job) =>
        Effect.contextWith((services) =>
          Effect.tryPromise({
            try: async () => ((await run(handled(job, read(job.parameters), services))) ?? null) as Schema.Json,
            catch: (error) => error
          })
        ).pipe(
          Effect.catch((error) =>
            error instanceof JobError
              ? Effect.fail(
                  new JobFailed<Schema.Json>({
                    code: error.code,
                    category: error.category,
                    message: error.message,
                    details: error.details as Schema.Json,
                    retryable: error.retryable
                  })
                )
              : Effect.die(error)
          )
        ),
      // A Promise cannot be interrupted: were its job handed back at once, it would go on beside its successor.
      { stopsBySignal: true }
    )
  }
}

const handled = <P>(job: JobContext<unknown>, parameters: P, services: Context.Context<never>): HandledJob<P> => {
  const run = Effect.runPromiseExitWith(services)
  const { tenant, id, epoch, session, failures, createdAt, signal } = job
  const promise = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
    valueOf(await run(effect, { signal }), signal)
  return {
    tenant,
    id,
    epoch,
    session,
    failures,
    createdAt: new Date(createdAt),
    parameters,
    signal,
    blobs: blobsOf(job.blobs, promise),
    progress: (done, total, phase) => {
      const numbers = [done, ...(total == null ? [] : [total])]
      if (!numbers.every((one) => Number.isFinite(one) && one >= 0) || (phase != null && typeof phase !== "string")) {
        throw new TypeError("progress(done, total?, phase?) takes numbers from 0, and the phase as a text.")
      }
      job.progress({ done, total: total ?? null, phase: phase ?? null })
    },
    output: (key, data) => promise(job.emit(key, data)),
    once: async <A extends Plain>(key: string, work: () => A | Promise<A>) => {
      const done = job.once(key, Effect.tryPromise({ try: async () => work(), catch: (error) => error }))
      const answer = await promise(Effect.result(done))
      // What `work` threw goes on as it was.
      if (Result.isFailure(answer)) throw answer.failure
      return answer.success as A
    },
    ask: ((key, options) => promise(job.input(key, options))) as HandledJob<P>["ask"],
    external: (outside, options) => promise(job.external(outside, options)),
    finishing: () => promise(job.finishing),
    skip: (reason) => promise(job.skip(reason))
  }
}

type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

const blobsOf = (store: BlobStore["Service"], promise: Run): Blobs => ({
  async *list(bucket, prefix = "") {
    yield* await promise(Stream.runCollect(store.list(bucket, prefix)))
  },
  stat: (ref) => promise(store.stat(ref)),
  read: async (ref, options) => Buffer.concat(await promise(Stream.runCollect(store.read(ref, options)))),
  write: (ref, bytes, options) =>
    promise(store.write(ref, typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes, options)),
  delete: (ref) => promise(store.delete(ref))
})
