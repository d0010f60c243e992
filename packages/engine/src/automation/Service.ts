/**
 * An automation as a host registers it: what it is called, what it takes, and the script that does it.
 *
 * A script starts from its beginning in every epoch: after a crash, a retry and every wait. What it emitted and was
 * answered is there again, so it comes quickly to where it was; everything else it does must bear repetition.
 */
import type { Plain } from "@sotto/core/job"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Signal } from "../Handler.ts"

/** What one input has to be. */
export interface InputRule {
  /** JSON Schema (draft 2020-12), for those who ask what the service takes. */
  readonly jsonSchema: Plain
  /** A sentence for everything that is wrong; empty for sound data. Says nothing of the data itself. */
  check(data: Plain): ReadonlyArray<string>
}

/** The rule of a schema. */
export const inputRule = (schema: Schema.Codec<unknown, unknown>): InputRule => {
  const codec = Schema.toCodecJson(schema)
  const read = Schema.decodeUnknownResult(codec, { errors: "all" })
  const { schema: own, definitions } = Schema.toJsonSchemaDocument(codec)
  return {
    jsonSchema: JSON.parse(
      JSON.stringify({ ...own, ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }) })
    ) as Plain,
    check: (data) => (Result.isFailure(read(data)) ? ["It is not what the service takes: see its schema."] : [])
  }
}

/** How a script fails; the codes of the interface are kept where one fits. No personal data belongs in it. */
export class ScriptFailed extends Data.TaggedError("ScriptFailed")<{
  readonly code: string
  readonly category: "client" | "server" | "website"
  readonly message: string
  readonly details?: Plain
}> {}

export interface AskOptions {
  /** Where the script is, for the client. */
  readonly stage?: string
  /** 15 minutes unless told. */
  readonly waitMs?: number
}

/** What a script has of its job. `input`, `reject` and `challenge` may not return: then the job is parked. */
export interface ScriptJob {
  readonly tenant: string
  readonly id: string
  readonly category: "live" | "test"
  /** 1 for the first; a reset starts the next. */
  readonly session: number
  readonly createdAt: number
  readonly signal: Signal
  /** Adds an output; with a key that was emitted in this session nothing happens. */
  output(key: string, data: Plain): Effect.Effect<void>
  /** The input with this key, tokens of the vault in it replaced by what they stand for; asked for if it is not there. */
  input(key: string, options?: AskOptions): Effect.Effect<Plain, ScriptFailed>
  /** The input is there and no good: asks for another. */
  reject(key: string, options?: AskOptions): Effect.Effect<never, ScriptFailed>
  /** Sends the client to `url` for 3-D Secure; answers what was told when it was over. */
  challenge(url: string, options?: Pick<AskOptions, "waitMs">): Effect.Effect<Plain, ScriptFailed>
  /** Steps done of all (≥ 0). */
  progress(done: number, total: number): void
  /** What an input that is a `File` names, at most `maxBytes` of it (10 MiB unless told). */
  fetchFile(input: Plain, options?: { readonly maxBytes?: number }): Effect.Effect<FetchedFile, ScriptFailed>
  /** The final step begins: from here on the limit of the whole job cannot end it. */
  readonly finishing: Effect.Effect<void>
}

export interface FetchedFile {
  readonly filename: string
  /** As the server called it; `application/octet-stream` if it did not. */
  readonly mime: string
  readonly bytes: Uint8Array
}

/** Does the work and answers its success code, or `null` for none. */
export type Script<S = never> = (job: ScriptJob) => Effect.Effect<string | null, ScriptFailed, S>

interface ServiceFacts {
  /** A UUID, for ever the same. */
  readonly id: string
  readonly name: string
  /** Which family of inputs and outputs it belongs to; `Generic` if to none. */
  readonly domainId: string
  readonly tags: ReadonlyArray<string>
  readonly version: string
  /** Inputs that are checked, by key. Others are taken as they are. */
  readonly inputs: Readonly<Record<string, InputRule>>
  /** For how long personal data is kept after a session may have ended; 30 days unless told. */
  readonly dataMs?: number
}

export interface InsideService<S = never> extends ServiceFacts {
  readonly _tag: "Inside"
  readonly script: Script<S>
  /** Whether the script ends by `signal` and cannot be interrupted, as Promises. */
  readonly stopsBySignal?: boolean
}

/** Its scripts run elsewhere and speak to the worker routes. */
export interface OutsideService extends ServiceFacts {
  readonly _tag: "Outside"
}

export type AutomationService<S = never> = InsideService<S> | OutsideService

const DAY_MS = 86_400_000

export const dataMsOf = ({ dataMs = 30 * DAY_MS }: ServiceFacts): number => dataMs

/** A sentence for everything that is unsound in a set of services. */
export const serviceFaults = (services: ReadonlyArray<AutomationService<never>>): ReadonlyArray<string> =>
  services.flatMap((service, i) => [
    ...(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(service.id)
      ? []
      : [`the id of the service "${service.name}" is a UUID in small letters, not "${service.id}"`]),
    ...(services.findIndex(({ id }) => id === service.id) < i ? [`two services have the id ${service.id}`] : []),
    ...(dataMsOf(service) >= 1 && dataMsOf(service) <= 80 * DAY_MS
      ? []
      : [`dataMs of the service "${service.name}" is a number of milliseconds up to 80 days`])
  ])
