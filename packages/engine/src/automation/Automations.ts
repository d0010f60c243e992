/**
 * Automations as their clients see them: services, jobs, inputs, outputs, challenges and the vault (other systems A3).
 *
 * A job of another kind, of another tenant and one that never was are the same here: unknown.
 */
import {
  type AutomationEvent,
  automationEvents,
  type AutomationInput,
  automationInput,
  automationJob,
  type AutomationJob,
  automationKind,
  automationOutput,
  type AutomationOutput,
  type AutomationParameters,
  type ListQuery,
  namedUuid,
  outsideKind,
  parsePan,
  sessionCountOf,
  statesOfWords
} from "@sotto/core/automation"
import { toUuid } from "@sotto/core/Bytes"
import { type Job, type JobEvent, type Plain, samePlain } from "@sotto/core/job"
import { Entropy } from "@sotto/core/ports/Entropy"
import type { JobCursor, JobFilter, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { Records, type RecordsUnavailable } from "@sotto/core/ports/Records"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Engine } from "../Engine.ts"
import { type AnyJobKind, Journal } from "../Journal.ts"
import {
  CommandRefused,
  demandSound,
  type InvalidSubmission,
  type KeyTaken,
  type UnknownJob,
  unknownJob,
  type UnknownKind
} from "../Refusals.ts"
import { challengeData, challengePlace, inputPlace, outputPlace } from "./AutomationHandler.ts"
import { type DataTooLarge, type OtpRefused, PersonalData, type Seal } from "./PersonalData.ts"
import { type AutomationService, dataMsOf, serviceFaults } from "./Service.ts"
import { holdsToken } from "./VaultTokens.ts"

/** No service of this id is offered here. */
export class UnknownService extends Schema.TaggedError<UnknownService>()("UnknownService", {
  service: Schema.String,
  message: Schema.String
}) {}

/** The request cannot be carried out as it is; `messages` says why, without the data. */
export class InputRefused extends Schema.TaggedError<InputRefused>()("InputRefused", {
  messages: Schema.Array(Schema.String),
  message: Schema.String
}) {}

/** There is no such challenge, or it is over. */
export class UnknownChallenge extends Schema.TaggedError<UnknownChallenge>()("UnknownChallenge", {
  id: Schema.String,
  message: Schema.String
}) {}

export interface NewAutomation {
  readonly tenant: string
  readonly serviceId: string
  readonly category: AutomationParameters["category"]
  readonly inputs: Readonly<Record<string, Plain>>
  readonly callbackUrl: string | null
}

export interface AutomationList {
  /** One page. */
  readonly jobs: ReadonlyArray<AutomationJob>
  /** Of all pages. */
  readonly totalCount: number
  /** Sessions that were started, of all pages. */
  readonly totalSessionCount: number
}

/** A service as it is shown; the schemas of its inputs are JSON Schema. */
export interface ServiceView {
  readonly object: "service"
  readonly id: string
  readonly name: string
  readonly domainId: string
  readonly tags: ReadonlyArray<string>
  readonly version: string
  readonly inputs: Readonly<Record<string, Plain>>
}

export interface Challenge {
  readonly object: "3d-secure"
  readonly id: string
  readonly url: string
}

export interface PreviousOutput extends Omit<AutomationOutput, "object"> {
  readonly object: "previous-job-output"
  readonly id: string
  /** How far outputs of one key differ between jobs; not measured, so always 0. */
  readonly variability: number
}

type Trouble = JobStoreUnavailable | RecordsUnavailable
type ReadTrouble = UnknownJob | UnknownKind | Trouble
type ChangeTrouble = CommandRefused | ReadTrouble

export class Automations extends Context.Service<
  Automations,
  {
    readonly services: ReadonlyArray<ServiceView>
    create(
      request: NewAutomation
    ): Effect.Effect<AutomationJob, UnknownService | InputRefused | InvalidSubmission | KeyTaken | ReadTrouble>
    get(tenant: string, id: string): Effect.Effect<AutomationJob, ReadTrouble>
    list(tenant: string, query: ListQuery): Effect.Effect<AutomationList, UnknownJob | UnknownKind | Trouble>
    /** All behind the first `offset`. */
    events(tenant: string, id: string, offset: number): Effect.Effect<ReadonlyArray<AutomationEvent>, ReadTrouble>
    inputs(tenant: string, id: string): Effect.Effect<ReadonlyArray<AutomationInput>, ReadTrouble>
    /** Refused (`not inputKnown`) if the input is there. */
    giveInput(
      tenant: string,
      id: string,
      input: { readonly key: string; readonly data: Plain; readonly stage?: string | undefined }
    ): Effect.Effect<AutomationInput, InputRefused | ChangeTrouble>
    outputs(tenant: string, id: string): Effect.Effect<ReadonlyArray<AutomationOutput>, ReadTrouble>
    output(tenant: string, id: string, key: string): Effect.Effect<AutomationOutput | undefined, ReadTrouble>
    cancel(tenant: string, id: string, by: string): Effect.Effect<AutomationJob, ChangeTrouble>
    reset(
      tenant: string,
      id: string,
      how: { readonly by: string; readonly fromInputKey: string | null; readonly preserveInputs: ReadonlyArray<string> }
    ): Effect.Effect<AutomationJob, ChangeTrouble>
    /** Takes the personal data of a job that has ended away before its time. */
    removeData(tenant: string, id: string): Effect.Effect<AutomationJob, InputRefused | ReadTrouble>
    /** The job of a challenge, for who may see only one. */
    challengeJob(tenant: string, challenge: string): Effect.Effect<string, UnknownChallenge | Trouble>
    challenge(tenant: string, challenge: string): Effect.Effect<Challenge, UnknownChallenge | Trouble>
    /** The client came back from where the challenge had sent it. */
    finishChallenge(
      tenant: string,
      challenge: string,
      data: Plain
    ): Effect.Effect<AutomationJob, UnknownChallenge | ChangeTrouble>
    /**
     * Outputs of the newest jobs of a service that succeeded, one for each key (or the one that is asked for): of jobs that had
     * these inputs. At most the newest `PREVIOUS_JOBS` are looked at.
     */
    previousOutputs(
      tenant: string,
      serviceId: string,
      key: string | undefined,
      inputs: ReadonlyArray<{ readonly key: string; readonly data: Plain }>
    ): Effect.Effect<ReadonlyArray<PreviousOutput>, UnknownService | Trouble>

    createOtp(tenant: string): Effect.Effect<string, RecordsUnavailable>
    /** Keeps a card number; `key` names what is kept. */
    storePan(
      otp: string,
      pan: string
    ): Effect.Effect<
      { readonly panToken: string; readonly key: string },
      InputRefused | OtpRefused | DataTooLarge | RecordsUnavailable
    >
    storeData(otp: string, data: Plain): Effect.Effect<string, OtpRefused | DataTooLarge | RecordsUnavailable>
  }
>()("@sotto/engine/automation/Automations") {}

export interface AutomationsOptions {
  readonly services: ReadonlyArray<AutomationService<never>>
}

/** All kinds that services need beside `automationKind`, which a worker's handler brings: for `layerJobs`. */
export const kindsOfServices = (services: ReadonlyArray<AutomationService<never>>): ReadonlyArray<AnyJobKind> =>
  services.flatMap((service) => (service._tag === "Outside" ? [outsideKind(service.id)] : []))

/** As many jobs of a service are looked at for previous outputs. */
export const PREVIOUS_JOBS = 200

/** The store's page, and the longest list of jobs that are looked through. */
const PAGE = 1_000

const make = Effect.fnUntraced(function* ({ services }: AutomationsOptions) {
  const engine = yield* Engine
  const journal = yield* Journal
  const records = yield* Records
  const entropy = yield* Entropy
  const personal = yield* PersonalData
  const byId = new Map(services.map((service) => [service.id, service]))
  const kinds = [automationKind.name, ...kindsOfServices(services).map(({ name }) => name)]
  const isOurs = ({ kind }: Pick<Job, "kind">) => kinds.includes(kind)

  const serviceOf = Effect.fnUntraced(function* (id: string) {
    const service = byId.get(id)
    if (service !== undefined) return service
    return yield* new UnknownService({ service: id, message: `There is no service "${id}". Check the id.` })
  })

  /** Data is kept for the time of the service after the longest that a session can take. */
  const keepMs = (serviceId: string): number => {
    const service = byId.get(serviceId)
    return (automationKind.times.deadlineMs ?? 0) + (service === undefined ? 0 : dataMsOf(service))
  }

  const read = Effect.fnUntraced(function* (tenant: string, id: string) {
    const snapshot = yield* journal.read(tenant, id)
    return isOurs(snapshot.row) ? snapshot : yield* unknownJob(id)
  })

  const sealOf = ({ tenant, parameters }: Job) => personal.sealOf(tenant, parametersOf(parameters).dataKey)

  const shown = Effect.fnUntraced(function* (tenant: string, id: string) {
    const { row, progress, now } = yield* read(tenant, id)
    const kind = yield* journal.kind(row.kind)
    const seal = yield* sealOf(row)
    const word = kind.outward.word(row, { slotFree: journal.slotFree(row.kind) }) as AutomationJob["state"]
    const view = automationJob(
      { job: row, word, progress, piiRemoved: seal === undefined, now },
      parametersOf(row.parameters)
    )
    const { rejectedInput } = view
    if (rejectedInput === null || seal === undefined) return view
    const data = yield* seal.open(inputPlace(rejectedInput.key), rejectedInput.data)
    return { ...view, rejectedInput: { ...rejectedInput, data } }
  })

  const checked = Effect.fnUntraced(function* (serviceId: string, inputs: Readonly<Record<string, Plain>>) {
    const rules = byId.get(serviceId)?.inputs ?? {}
    const messages = Object.entries(inputs).flatMap(([key, data]) =>
      holdsToken(data) ? [] : (rules[key]?.check(data) ?? []).map((message) => `${key}: ${message}`)
    )
    if (messages.length > 0) return yield* inputRefused(messages)
  })

  const outputOf = Effect.fnUntraced(function* (job: Job, seal: Seal | undefined, key: string) {
    const mark = job.outputs.find((one) => one.key === key)
    const found = mark && (yield* engine.output(job.tenant, job.id, key, job.session))
    if (mark === undefined || found === undefined) return undefined
    const data = seal === undefined ? null : yield* seal.open(outputPlace(key), found.data)
    return automationOutput(job.id, { key, data }, mark.at)
  })

  const outputsOf = Effect.fnUntraced(function* (job: Job) {
    const seal = yield* sealOf(job)
    const all = yield* Effect.forEach(job.outputs, ({ key }) => outputOf(job, seal, key))
    return all.filter((one) => one !== undefined)
  })

  /** All jobs of the filter, whatever the store's pages. */
  const allJobs = Effect.fnUntraced(function* (tenant: string, filter: JobFilter) {
    const jobs: Array<Job> = []
    let after: JobCursor | null = null
    do {
      const { rows, next }: { readonly rows: ReadonlyArray<Job>; readonly next: JobCursor | null } = yield* engine.list(
        tenant,
        filter,
        after,
        PAGE
      )
      jobs.push(...rows)
      after = next
    } while (after !== null)
    return jobs
  })

  const challenged = Effect.fnUntraced(function* (tenant: string, id: string) {
    const unknown = new UnknownChallenge({ id, message: `There is no challenge "${id}". It may be over.` })
    if (!/^[0-9a-f-]{36}$/.test(id)) return yield* unknown
    const found = yield* records.get(challengePlace(tenant, id))
    if (found === undefined) return yield* unknown
    const job = Result.getOrThrow(Base64Url.decodeString(Base64Url.encode(found.bytes)))
    const { row } = yield* Effect.catchTag(journal.read(tenant, job), "UnknownJob", () => Effect.fail(unknown))
    const { awaiting } = row
    return awaiting?._tag === "External" && awaiting.id === id ? { row, awaiting } : yield* unknown
  })

  return Automations.of({
    services: services.map((service): ServiceView => {
      const { id, name, domainId, tags, version, inputs } = service
      const schemas = Object.fromEntries(Object.entries(inputs).map(([key, rule]) => [key, rule.jsonSchema]))
      return { object: "service", id, name, domainId, tags, version, inputs: schemas }
    }),

    create: Effect.fn("Automations.create")(function* ({ tenant, serviceId, category, inputs, callbackUrl }) {
      const service = yield* serviceOf(serviceId)
      yield* checked(serviceId, inputs)
      const dataKey = yield* personal.createKey(tenant, keepMs(serviceId))
      const seal = yield* personal.sealOf(tenant, dataKey)
      const sealed = yield* Effect.forEach(Object.entries(inputs), ([key, data]) =>
        Effect.map(seal?.seal(inputPlace(key), data) ?? Effect.die("The key is gone."), (one) => ({ key, data: one }))
      )
      const parameters: AutomationParameters = {
        serviceId,
        serviceName: service.name,
        domainId: service.domainId,
        category,
        callbackUrl,
        dataKey
      }
      const kind = service._tag === "Inside" ? automationKind.name : outsideKind(serviceId).name
      const { job } = yield* engine.submit({ tenant, kind, parameters, inputs: sealed })
      return yield* shown(tenant, job.id)
    }),

    get: Effect.fn("Automations.get")(shown),

    list: Effect.fn("Automations.list")(function* (tenant, query) {
      const { serviceId, category, words, sort, since, until, limit, offset } = query
      const states = statesOfWords(words)
      const jobs = yield* allJobs(tenant, {
        kinds,
        ...(states === undefined ? {} : { states }),
        ...(since === undefined ? {} : { createdFrom: since }),
        ...(until === undefined ? {} : { createdTo: until }),
        order: sort === "createdAt" ? "oldest" : "newest"
      })
      const matching: Array<Job> = []
      for (const job of jobs) {
        const parameters = parametersOf(job.parameters)
        if (serviceId !== undefined && parameters.serviceId !== serviceId) continue
        if (category !== undefined && parameters.category !== category) continue
        const kind = yield* journal.kind(job.kind)
        const word = kind.outward.word(job, { slotFree: journal.slotFree(job.kind) }) as AutomationJob["state"]
        if (words.length === 0 || words.includes(word)) matching.push(job)
      }
      return {
        jobs: yield* Effect.forEach(matching.slice(offset, offset + limit), ({ id }) => shown(tenant, id)),
        totalCount: matching.length,
        totalSessionCount: matching.reduce((sum, job) => sum + sessionCountOf(job), 0)
      }
    }),

    events: Effect.fn("Automations.events")(function* (tenant, id, offset) {
      yield* read(tenant, id)
      const log: Array<JobEvent> = []
      for (;;) {
        const page = yield* engine.events(tenant, id, log.length, PAGE)
        log.push(...page)
        if (page.length < PAGE) return automationEvents(id, log).slice(offset)
      }
    }),

    inputs: Effect.fn("Automations.inputs")(function* (tenant, id) {
      const { row } = yield* read(tenant, id)
      const seal = yield* sealOf(row)
      return yield* Effect.forEach(row.inputs, ({ key, data }) =>
        Effect.map(seal?.open(inputPlace(key), data) ?? Effect.succeed(null), (one) =>
          automationInput(id, key, "", one)
        )
      )
    }),

    giveInput: Effect.fn("Automations.giveInput")(function* (tenant, id, { key, data, stage }) {
      const { row } = yield* read(tenant, id)
      yield* checked(parametersOf(row.parameters).serviceId, { [key]: data })
      const seal = yield* sealOf(row)
      if (seal === undefined) return yield* inputRefused(["The data of the job was removed."])
      yield* engine.giveInput(tenant, id, key, yield* seal.seal(inputPlace(key), data)).pipe(
        // The same key twice is refused as that wherever the job is, also at its end (other systems A3).
        Effect.catchTag("CommandRefused", (refused) =>
          Effect.fail(
            row.inputs.some((one) => one.key === key)
              ? new CommandRefused({ ...refused, message: refused.message, reason: "not inputKnown" })
              : refused
          )
        )
      )
      const asked = row.awaiting?._tag === "Input" && row.awaiting.key === key ? row.awaiting.stage : ""
      return automationInput(id, key, stage ?? asked, data)
    }),

    outputs: Effect.fn("Automations.outputs")(function* (tenant, id) {
      return yield* outputsOf((yield* read(tenant, id)).row)
    }),

    output: Effect.fn("Automations.output")(function* (tenant, id, key) {
      const { row } = yield* read(tenant, id)
      return yield* outputOf(row, yield* sealOf(row), key)
    }),

    cancel: Effect.fn("Automations.cancel")(function* (tenant, id, by) {
      yield* read(tenant, id)
      yield* engine.cancel(tenant, id, by)
      return yield* shown(tenant, id)
    }),

    reset: Effect.fn("Automations.reset")(function* (tenant, id, { by, fromInputKey, preserveInputs }) {
      const { row } = yield* read(tenant, id)
      yield* engine.reset(tenant, id, {
        by,
        preserve: preserveInputs,
        ...(fromInputKey === null ? {} : { fromInput: fromInputKey })
      })
      const { serviceId, dataKey } = parametersOf(row.parameters)
      yield* personal.keepKey(tenant, dataKey, keepMs(serviceId))
      return yield* shown(tenant, id)
    }),

    removeData: Effect.fn("Automations.removeData")(function* (tenant, id) {
      const { row } = yield* read(tenant, id)
      if (row.finishedAt === null) return yield* inputRefused(["The job still needs its data. Cancel it first."])
      yield* personal.removeKey(tenant, parametersOf(row.parameters).dataKey)
      return yield* shown(tenant, id)
    }),

    challengeJob: (tenant, id) => Effect.map(challenged(tenant, id), ({ row }) => row.id),

    challenge: Effect.fn("Automations.challenge")(function* (tenant, id) {
      const { row, awaiting } = yield* challenged(tenant, id)
      const seal = yield* sealOf(row)
      const data = seal === undefined ? null : yield* seal.open(challengeData(id), awaiting.data)
      const { url } = (data ?? {}) as { readonly url?: string }
      return { object: "3d-secure", id, url: url ?? "" } satisfies Challenge
    }),

    finishChallenge: Effect.fn("Automations.finishChallenge")(function* (tenant, id, data) {
      const { row } = yield* challenged(tenant, id)
      const seal = yield* sealOf(row)
      const sealed = seal === undefined ? null : yield* seal.seal(challengeData(id), data)
      yield* engine.finishExternal(tenant, row.id, id, sealed)
      return yield* shown(tenant, row.id)
    }),

    previousOutputs: Effect.fn("Automations.previousOutputs")(function* (tenant, serviceId, key, inputs) {
      const service = yield* serviceOf(serviceId)
      const kind = service._tag === "Inside" ? automationKind.name : outsideKind(serviceId).name
      const { rows } = yield* engine.list(tenant, { kinds: [kind], states: ["Succeeded"] }, null, PAGE)
      const mine = rows.filter(({ parameters }) => parametersOf(parameters).serviceId === serviceId)
      const found = new Map<string, PreviousOutput>()
      for (const job of mine.slice(0, PREVIOUS_JOBS)) {
        const seal = yield* sealOf(job)
        if (seal === undefined || !(yield* hasInputs(job, seal, inputs))) continue
        for (const output of job.outputs) {
          if (found.has(output.key) || (key !== undefined && output.key !== key)) continue
          const one = yield* Effect.catchTag(outputOf(job, seal, output.key), "UnknownJob", () => Effect.undefined)
          if (one === undefined) continue
          const id = namedUuid(`output/${job.id}/${job.session}/${output.key}`)
          found.set(output.key, { ...one, object: "previous-job-output", id, variability: 0 })
        }
      }
      return [...found.values()]
    }),

    createOtp: personal.createOtp,

    storePan: Effect.fnUntraced(function* (otp, pan) {
      const digits = parsePan(pan)
      if (digits === undefined) return yield* inputRefused(["pan: write the 12 to 19 digits of a card number"])
      return { panToken: yield* personal.deposit(otp, digits), key: toUuid(yield* entropy.bytes(16), 4) }
    }),

    storeData: personal.deposit
  })
})

const hasInputs = Effect.fnUntraced(function* (
  job: Job,
  seal: Seal,
  inputs: ReadonlyArray<{ readonly key: string; readonly data: Plain }>
) {
  for (const { key, data } of inputs) {
    const given = job.inputs.find((one) => one.key === key)
    if (given === undefined || !samePlain(yield* seal.open(inputPlace(key), given.data), data)) return false
  }
  return true
})

const inputRefused = (messages: ReadonlyArray<string>) =>
  new InputRefused({ messages, message: `Correct what was sent: ${messages.join("; ")}` })

/** Kinds check parameters before they are stored, so they are what they were. */
export const parametersOf = (parameters: Plain): AutomationParameters => parameters as unknown as AutomationParameters

/** Throws `OptionsRejected` for services that cannot be sound. */
export const layerAutomations = (
  options: AutomationsOptions
): Layer.Layer<Automations, never, Engine | Journal | Records | Entropy | PersonalData> => {
  demandSound("automations", serviceFaults(options.services))
  return Layer.effect(Automations, make(options))
}
