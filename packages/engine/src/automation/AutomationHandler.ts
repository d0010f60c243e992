/** Runs the scripts of services as jobs of `automationKind`. */
import { automationKind, type AutomationParameters, namedUuid } from "@sotto/core/automation"
import { utf8 } from "@sotto/core/Bytes"
import type { Plain } from "@sotto/core/job"
import { Records } from "@sotto/core/ports/Records"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { handle, type JobContext, JobFailed, type KindHandler } from "../Handler.ts"
import { FileFetcher, FileRefused } from "./FileFetcher.ts"
import { PersonalData, type Seal } from "./PersonalData.ts"
import { type AutomationService, type InsideService, ScriptFailed, type ScriptJob } from "./Service.ts"
import { withTokens } from "./VaultTokens.ts"

export interface AutomationHandlerOptions<S> {
  /** Those of `layerAutomations`; of the ones outside nothing is run here. */
  readonly services: ReadonlyArray<AutomationService<S>>
}

type Job = JobContext<AutomationParameters>
type Failed = JobFailed<Schema.Json>

/** The handler of `automationKind`. Files are fetched by the `FileFetcher` that is there, if one is. */
export const automationHandler = <S = never>({
  services
}: AutomationHandlerOptions<S>): KindHandler<S | PersonalData | Records> => {
  const inside = services.filter((service) => service._tag === "Inside")
  return handle(automationKind, (job) => run(inside, job), {
    stopsBySignal: inside.some(({ stopsBySignal }) => stopsBySignal === true)
  }) as KindHandler<S | PersonalData | Records>
}

const run = Effect.fnUntraced(function* <S>(services: ReadonlyArray<InsideService<S>>, job: Job) {
  const { serviceId, dataKey } = job.parameters
  const service = services.find(({ id }) => id === serviceId)
  if (service === undefined) {
    // Another worker may have it, or this one after its next deployment.
    return yield* failure("ServerError", "server", `No worker here runs the service ${serviceId}.`, null, true)
  }
  const personal = yield* PersonalData
  const seal = yield* Effect.mapError(personal.sealOf(job.tenant, dataKey), unavailable)
  if (seal === undefined) return yield* failure("ServerError", "server", "The data of the job was removed.")
  const script = service.script(yield* scriptJobOf(service, job, seal))
  const code = yield* script.pipe(
    Effect.mapError(({ code, category, message, details = null }) =>
      failure(code, category === "website" ? "external" : category, message, details)
    ),
    // What a script throws may hold what it was given; only the name of it is kept.
    Effect.catchDefect((defect) =>
      Effect.fail(
        failure(
          "ServerError",
          "server",
          `The script ended in an unforeseen way (${defect instanceof Error ? defect.name : typeof defect}).`,
          null,
          true
        )
      )
    )
  )
  return { code }
})

/** Where a 3-D Secure challenge is looked up by its id. */
export const challengePlace = (tenant: string, id: string) => ({ collection: "automation-challenges", tenant, key: id })

/** Longer than any wait. */
const CHALLENGE_MS = 24 * 60 * 60_000

const scriptJobOf = Effect.fnUntraced(function* <S>(service: InsideService<S>, job: Job, seal: Seal) {
  const personal = yield* PersonalData
  const records = yield* Records
  const files = yield* Effect.serviceOption(FileFetcher)
  let challenges = 0

  const input: ScriptJob["input"] = Effect.fnUntraced(function* (key, { stage = "", waitMs } = {}) {
    const given = yield* job.input(key, { stage, ...(waitMs === undefined ? {} : { waitMs }) })
    const data = yield* seal.open(inputPlace(key), given)
    const known = yield* withTokens(data, (token) => Effect.orDie(personal.withdraw(job.tenant, token)))
    const faults = service.inputs[key]?.check(known) ?? []
    if (faults.length === 0) return known
    return yield* new ScriptFailed({
      code: "InputInvalid",
      category: "client",
      message: `The input "${key}" is not what the service takes.`
    })
  })

  return {
    tenant: job.tenant,
    id: job.id,
    category: job.parameters.category,
    session: job.session,
    createdAt: job.createdAt,
    signal: job.signal,
    output: (key, data) => Effect.flatMap(seal.seal(outputPlace(key), data), (sealed) => job.emit(key, sealed)),
    input,
    reject: (key, { stage = "", waitMs } = {}) =>
      job.input(key, { stage, rejects: true, ...(waitMs === undefined ? {} : { waitMs }) }),
    challenge: Effect.fnUntraced(function* (url, { waitMs } = {}) {
      const id = challengeId(job.id, job.session, ++challenges)
      yield* noteChallenge(records, job.tenant, id, job.id)
      const data = yield* seal.seal(challengeData(id), { url })
      const told = yield* job.external(id, { data, ...(waitMs === undefined ? {} : { waitMs }) })
      return yield* seal.open(challengeData(id), told)
    }),
    progress: (done, total) => job.progress({ done, total }),
    fetchFile: Effect.fnUntraced(function* (file, { maxBytes = MAX_FILE_BYTES } = {}) {
      const asked = fileOf(file)
      const fetched =
        asked === undefined
          ? new FileRefused({ message: "The input is no File." })
          : Option.isNone(files)
            ? new FileRefused({ message: "This server fetches no files." })
            : files.value.fetch({ url: asked.url, headers: asked.headers, maxBytes })
      const { mime, bytes } = yield* Effect.mapError(
        fetched,
        ({ message }) => new ScriptFailed({ code: "UrlInvalid", category: "client", message })
      )
      return { filename: asked?.filename ?? "file", mime: mime ?? "application/octet-stream", bytes }
    }),
    finishing: job.finishing
  } satisfies ScriptJob
})

/** The same for the same challenge of a session, however often its script is replayed. */
export const challengeId = (job: string, session: number, nth: number): string =>
  namedUuid(`challenge/${job}/${session}/${nth}`)

/** Known before the job waits: a client may ask at once. */
export const noteChallenge = Effect.fnUntraced(function* (
  records: Records["Service"],
  tenant: string,
  id: string,
  job: string
) {
  const expiresAt = (yield* Effect.clockWith((clock) => clock.currentTimeMillis)) + CHALLENGE_MS
  yield* records.put({ ...challengePlace(tenant, id), bytes: utf8(job), expectVersion: "any", expiresAt })
}, Effect.orDie)

export const inputPlace = (key: string): string => `input/${key}`
export const outputPlace = (key: string): string => `output/${key}`
export const challengeData = (id: string): string => `challenge/${id}`

const MAX_FILE_BYTES = 10 * 1024 * 1024

/** Headers come as a list of objects, as the interface writes them, or as one object. */
const fileOf = (data: Plain) => {
  if (typeof data !== "object" || data === null || Array.isArray(data)) return undefined
  const { type, url, filename, headers = [] } = data as Readonly<Record<string, Plain>>
  if (type !== "File" || typeof url !== "string") return undefined
  const entries = (Array.isArray(headers) ? headers : [headers]).flatMap((one) =>
    typeof one === "object" && one !== null ? Object.entries(one as Readonly<Record<string, Plain>>) : []
  )
  return {
    url,
    filename: typeof filename === "string" ? filename : undefined,
    headers: Object.fromEntries(entries.flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])))
  }
}

const unavailable = ({ message }: { readonly message: string }) => failure("ServerError", "server", message, null, true)

const failure = (
  code: string,
  category: Failed["category"],
  message: string,
  details: Plain = null,
  retryable = false
): Failed => new JobFailed({ code, category, message, details: details as Schema.Json, retryable })
