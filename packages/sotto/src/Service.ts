/** Automations for hosts that write Promises. */
import type { Plain } from "@sotto/core/job"
import {
  type AskOptions,
  type AutomationService,
  type FetchedFile,
  type InputRule,
  ScriptFailed,
  type ScriptJob
} from "@sotto/engine"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { SottoError } from "./SottoError.ts"
import { aborted, valueOf } from "./Border.ts"

/** What a script has of its job. `input`, `reject` and `challenge` may not return: then the job is parked. */
export interface ScriptedJob extends Pick<ScriptJob, "tenant" | "id" | "category" | "session" | "progress"> {
  readonly createdAt: Date
  /** Aborts when the script is to stop; from then on the methods of the job throw. */
  readonly signal: AbortSignal
  /** Adds an output; with a key that was emitted in this session nothing happens. */
  output(key: string, data: Plain): Promise<void>
  /** The input with this key; asked for if it is not there. */
  input(key: string, options?: AskOptions): Promise<Plain>
  /** The input is there and no good: asks for another. */
  reject(key: string, options?: AskOptions): Promise<never>
  /** Sends the client to `url` for 3-D Secure; answers what was told when it was over. */
  challenge(url: string, options?: Pick<AskOptions, "waitMs">): Promise<Plain>
  /** What an input that is a `File` names. */
  fetchFile(input: Plain, options?: { readonly maxBytes?: number }): Promise<FetchedFile>
  /** The final step begins: from here on the limit of the whole job cannot end it. */
  finishing(): Promise<void>
}

/** How a script fails as it foresaw; whatever else it throws is tried again. No personal data belongs in it. */
export class ScriptError extends Error {
  override readonly name = "ScriptError"
  readonly code: string
  readonly category: "client" | "server" | "website"
  readonly details: Plain

  constructor(
    code: string,
    message: string,
    options: ErrorOptions & { readonly category?: "client" | "server" | "website"; readonly details?: Plain } = {}
  ) {
    super(message, options)
    this.code = code
    this.category = options.category ?? "server"
    this.details = options.details ?? null
  }
}

export interface ServiceDefinition {
  /** A UUID, for ever the same. */
  readonly id: string
  readonly name: string
  /** `Generic` unless told. */
  readonly domainId?: string
  readonly tags?: ReadonlyArray<string>
  /** `1.0.0` unless told. */
  readonly version?: string
  /** Inputs that are checked, by key. */
  readonly inputs?: Readonly<Record<string, InputRule>>
  /** For how long personal data is kept; 30 days unless told. */
  readonly dataMs?: number
  /**
   * Does the work and may answer a success code. Starts from its beginning after every wait, crash and retry: what it emitted
   * and was answered is there again; everything else it does must bear repetition. `outside`: workers elsewhere do it.
   */
  readonly script: "outside" | ((job: ScriptedJob) => Promise<string | void>)
}

/** A service for `automationHandler` and `layerAutomations` of `@sotto/engine`. */
export const defineService = (definition: ServiceDefinition): AutomationService => {
  const { id, name, domainId = "Generic", tags = [], version = "1.0.0", inputs = {}, dataMs, script } = definition
  const facts = { id, name, domainId, tags, version, inputs, ...(dataMs === undefined ? {} : { dataMs }) }
  if (script === "outside") return { _tag: "Outside", ...facts }
  return {
    _tag: "Inside",
    ...facts,
    script: (job) =>
      Effect.tryPromise({
        try: async () => (await script(scripted(job))) ?? null,
        catch: (error) => error
      }).pipe(Effect.catch((error) => refusalOf(error) ?? Effect.die(error))),
    // A Promise cannot be interrupted.
    stopsBySignal: true
  }
}

const refusalOf = (error: unknown): Effect.Effect<never, ScriptFailed> | undefined => {
  if (error instanceof ScriptError) {
    const { code, category, message, details } = error
    return Effect.fail(new ScriptFailed({ code, category, message, details }))
  }
  return error instanceof SottoError && error.cause instanceof ScriptFailed ? Effect.fail(error.cause) : undefined
}

const scripted = (job: ScriptJob): ScriptedJob => {
  const { tenant, id, category, session, progress } = job
  const signal = job.signal as AbortSignal
  const promise = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    const exit: Exit.Exit<A, E> = await Effect.runPromiseExit(effect, { signal })
    if (signal.aborted) throw aborted(signal)
    return valueOf(exit, signal)
  }
  return {
    tenant,
    id,
    category,
    session,
    progress,
    createdAt: new Date(job.createdAt),
    signal,
    output: (key, data) => promise(job.output(key, data)),
    input: (key, options) => promise(job.input(key, options)),
    reject: (key, options) => promise(job.reject(key, options)),
    challenge: (url, options) => promise(job.challenge(url, options)),
    fetchFile: (input, options) => promise(job.fetchFile(input, options)),
    finishing: () => promise(job.finishing)
  }
}
