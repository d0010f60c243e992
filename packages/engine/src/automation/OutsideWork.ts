/**
 * Work on services whose scripts run outside: what a handler does inside, one call at a time and under a lease.
 *
 * A claim gives a lease as a text; every further call shows it. Between two calls at most the lease's time may pass.
 */
import { automationKind, outsideKind } from "@sotto/core/automation"
import { toHex } from "@sotto/core/Bytes"
import type { Command, Failure, Job, Plain, WorkerCommand } from "@sotto/core/job"
import { Entropy } from "@sotto/core/ports/Entropy"
import { JobStore, type JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { Records, type RecordsUnavailable } from "@sotto/core/ports/Records"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Journal, type Under } from "../Journal.ts"
import { type CommandRefused, type LeaseEnded, leaseEnded, type UnknownJob, type UnknownKind } from "../Refusals.ts"
import { challengeData, challengeId, inputPlace, noteChallenge, outputPlace } from "./AutomationHandler.ts"
import { type AutomationsOptions, parametersOf, UnknownService } from "./Automations.ts"
import { PersonalData } from "./PersonalData.ts"
import type { ScriptFailed } from "./Service.ts"
import { withTokens } from "./VaultTokens.ts"

/** A job that a worker outside was given. */
export interface OutsideJob {
  readonly id: string
  readonly category: "live" | "test"
  readonly session: number
  /** Shown with every further call; for nobody else's eyes. */
  readonly lease: string
  /** How long it lasts without a heartbeat. */
  readonly leaseMs: number
  /** What was given, tokens of the vault not yet replaced. */
  readonly inputs: Readonly<Record<string, Plain>>
  /** Keys of what was emitted in this session. */
  readonly outputs: ReadonlyArray<string>
}

/** `Parked`: the lease is over, the job is claimed again when the answer is there. */
export type Answered = { readonly _tag: "Parked" } | { readonly _tag: "Given"; readonly data: Plain }

type Trouble = LeaseEnded | CommandRefused | UnknownJob | UnknownKind | JobStoreUnavailable | RecordsUnavailable

export class OutsideWork extends Context.Service<
  OutsideWork,
  {
    /** A job of any tenant that waits for a worker of this service; `undefined`: none does. */
    claim(serviceId: string, worker: string): Effect.Effect<OutsideJob | undefined, UnknownService | Trouble>
    /** Lengthens the lease; steps done of all, if they are told. */
    heartbeat(
      id: string,
      lease: string,
      progress?: { readonly done: number; readonly total: number }
    ): Effect.Effect<void, Trouble>
    output(id: string, lease: string, key: string, data: Plain): Effect.Effect<void, Trouble>
    /** With `rejects` the input that is there is no good. */
    ask(
      id: string,
      lease: string,
      input: { readonly key: string; readonly stage: string; readonly rejects: boolean }
    ): Effect.Effect<Answered, ScriptFailed | Trouble>
    /** `nth` counts the challenges of a session from 1. */
    challenge(id: string, lease: string, nth: number, url: string): Effect.Effect<Answered, Trouble>
    succeed(id: string, lease: string, code: string | null): Effect.Effect<void, Trouble>
    fail(id: string, lease: string, failure: Omit<Failure, "retryable">): Effect.Effect<void, Trouble>
  }
>()("@sotto/engine/automation/OutsideWork") {}

/** Longer than a worker of our own has: between two calls lies a network. */
const LEASE_MS = 60_000

type Withheld<C> = C extends unknown ? Omit<C, "epoch"> : never

const make = Effect.fnUntraced(function* ({ services }: AutomationsOptions) {
  const journal = yield* Journal
  const store = yield* JobStore
  const records = yield* Records
  const entropy = yield* Entropy
  const personal = yield* PersonalData
  const outside = new Set(services.flatMap((service) => (service._tag === "Outside" ? [service.id] : [])))

  /** What the lease says, of this job only; a text that is no lease of it holds nothing. */
  const held = Effect.fnUntraced(function* (id: string, lease: string) {
    const under = readLease(lease)
    if (under === undefined || under.id !== id) return yield* leaseEnded("superseded")
    return under
  })

  const write = Effect.fnUntraced(function* (
    { tenant, id, epoch, token }: Held,
    command: Withheld<WorkerCommand>,
    more: Omit<Under, "lease"> = {}
  ) {
    return yield* journal.write(tenant, id, { ...command, epoch } as Command, { lease: { epoch, token }, ...more })
  })

  const sealOf = Effect.fnUntraced(function* ({ tenant, parameters }: Job) {
    const seal = yield* personal.sealOf(tenant, parametersOf(parameters).dataKey)
    return seal ?? (yield* leaseEnded("cancelled"))
  })

  const jobOf = ({ tenant, id }: Held) => Effect.map(journal.read(tenant, id), ({ row }) => row)

  return OutsideWork.of({
    claim: Effect.fn("OutsideWork.claim")(function* (serviceId, worker) {
      if (!outside.has(serviceId)) {
        return yield* new UnknownService({
          service: serviceId,
          message: `There is no service "${serviceId}" whose scripts run outside. Check the id.`
        })
      }
      const token = toHex(yield* entropy.bytes(16))
      const { claims } = outsideKind(serviceId)
      const [taken] = yield* store.claim({ kinds: [claims], worker, token, leaseMs: LEASE_MS, limit: 1 })
      if (taken === undefined) return undefined
      const { row } = taken
      yield* journal.tell(row, [{ _tag: "Claimed", at: row.updatedAt }])
      const under: Held = { tenant: row.tenant, id: row.id, epoch: row.epoch, token }
      const { job } = yield* write(under, { _tag: "Start" })
      const seal = yield* sealOf(job)
      const inputs = yield* Effect.forEach(job.inputs, ({ key, data }) =>
        Effect.map(seal.open(inputPlace(key), data), (one) => [key, one] as const)
      )
      return {
        id: job.id,
        category: parametersOf(job.parameters).category,
        session: job.session,
        lease: printLease(under),
        leaseMs: LEASE_MS,
        inputs: Object.fromEntries(inputs),
        outputs: job.outputs.map(({ key }) => key)
      }
    }),

    heartbeat: Effect.fn("OutsideWork.heartbeat")(function* (id, lease, progress) {
      const { tenant, epoch, token } = yield* held(id, lease)
      const told = progress === undefined ? {} : { progress: { ...progress, phase: null, details: null } }
      const [answer] = yield* store.renew([{ lease: { tenant, id, epoch, token, deadline: 0 }, ...told }], LEASE_MS)
      if (answer?._tag === "LeaseLost") return yield* leaseEnded(answer.because)
      if (answer?._tag !== "Renewed") return yield* leaseEnded("superseded")
    }),

    output: Effect.fn("OutsideWork.output")(function* (id, lease, key, data) {
      const under = yield* held(id, lease)
      const seal = yield* sealOf(yield* jobOf(under))
      yield* write(under, { _tag: "Emit", key }, { outputs: [{ key, data: yield* seal.seal(outputPlace(key), data) }] })
    }),

    ask: Effect.fn("OutsideWork.ask")(function* (id, lease, { key, stage, rejects }) {
      const under = yield* held(id, lease)
      const waitMs = automationKind.times.inputMs
      const { job, events } = yield* write(under, { _tag: "Ask", key, stage, waitMs, rejects })
      if (events.length > 0) return { _tag: "Parked" }
      const seal = yield* sealOf(job)
      const given = job.inputs.find((input) => input.key === key)
      const data = yield* seal.open(inputPlace(key), given?.data ?? null)
      return { _tag: "Given", data: yield* withTokens(data, (token) => personal.withdraw(under.tenant, token)) }
    }),

    challenge: Effect.fn("OutsideWork.challenge")(function* (id, lease, nth, url) {
      const under = yield* held(id, lease)
      const before = yield* jobOf(under)
      const challenge = challengeId(id, before.session, nth)
      const seal = yield* sealOf(before)
      const data = yield* seal.seal(challengeData(challenge), { url })
      yield* noteChallenge(records, under.tenant, challenge, id)
      const waitMs = automationKind.times.externalMs
      const { job, events } = yield* write(under, { _tag: "AskExternal", id: challenge, data, waitMs })
      if (events.length > 0) return { _tag: "Parked" }
      const told = job.externals.find((one) => one.id === challenge)
      return { _tag: "Given", data: yield* seal.open(challengeData(challenge), told?.data ?? null) }
    }),

    succeed: Effect.fn("OutsideWork.succeed")(function* (id, lease, code) {
      yield* write(yield* held(id, lease), { _tag: "Succeed", result: { code } })
    }),

    fail: Effect.fn("OutsideWork.fail")(function* (id, lease, failure) {
      yield* write(yield* held(id, lease), { _tag: "Fail", failure: { ...failure, retryable: false } })
    })
  })
})

interface Held {
  readonly tenant: string
  readonly id: string
  readonly epoch: number
  readonly token: string
}

const printLease = ({ tenant, id, epoch, token }: Held): string =>
  Base64Url.encode(JSON.stringify([tenant, id, epoch, token]))

const LeaseText = Schema.fromJsonString(Schema.Tuple([Schema.String, Schema.String, Schema.Int, Schema.String]))
const readLeaseText = Schema.decodeUnknownResult(LeaseText)

const readLease = (text: string): Held | undefined => {
  const read = Result.flatMap(Base64Url.decodeString(text), readLeaseText)
  if (Result.isFailure(read)) return undefined
  const [tenant, id, epoch, token] = read.success
  return { tenant, id, epoch, token }
}

export const layerOutsideWork = (
  options: AutomationsOptions
): Layer.Layer<OutsideWork, never, Journal | JobStore | Records | Entropy | PersonalData> =>
  Layer.effect(OutsideWork, make(options))
