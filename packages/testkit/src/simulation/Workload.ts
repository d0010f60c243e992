/** What is simulated: a kind that emits, asks and falters, a kind that pays and publishes, and clients that use them. */
import { toHex } from "@sotto/core/Bytes"
import type { Epsilon, Fingerprint, LedgerUnit, UnitId } from "@sotto/core/budget"
import { isTerminal, JobKind } from "@sotto/core/job"
import { blockKey } from "@sotto/core/noise"
import { type Bill, Engine, handle, type JobContext, JobFailed, pay } from "@sotto/engine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { numbers } from "./Choices.ts"

export const SCOPE = "default"
export const OUTPUT_BUCKET = "out"

const Nothing = Schema.Null

/** So short that jobs are purged while others run, and clients find theirs gone. */
const KEPT = { retentionMs: 15_000, idempotencyMs: 15_000 }

const formKind = JobKind.make({
  name: "form",
  relation: "leased",
  parameters: Schema.Struct({ falters: Schema.Int, external: Schema.Boolean }),
  result: Schema.Struct({ first: Schema.Json, name: Schema.Json }),
  failure: Nothing,
  retry: { maxFailures: 20, firstMs: 500, factor: 2, capMs: 8_000 },
  ...KEPT
})

export const paidKind = JobKind.make({
  name: "paid",
  relation: "leased",
  parameters: Schema.Struct({ question: Schema.Int }),
  result: Schema.Struct({ fingerprint: Schema.String, noise: Schema.String }),
  failure: Nothing,
  retry: { maxFailures: 20, firstMs: 500, factor: 2, capMs: 8_000 },
  ...KEPT
})

const falter = (code: string, retryable: boolean) =>
  new JobFailed({ code, category: "server", message: "It did not work.", details: null, retryable })

export const formHandler = handle(formKind, (job) =>
  Effect.gen(function* () {
    const first = yield* job.once("first", Effect.succeed({ epoch: job.epoch }))
    job.progress({ done: 1, total: 3 })
    if (job.failures < job.parameters.falters) return yield* falter("NotYet", true)
    const name = yield* job.input("name")
    yield* job.emit("second", name)
    if (job.parameters.external) yield* job.external("approval")
    yield* job.finishing
    return { first, name }
  })
)

type PaidJob = JobContext<{ readonly question: number }>

/** A publication: the question in front, so that everyone sees which charge it needs. */
const outputKey = (fingerprint: string, id: string): string => `${fingerprint}/${id}`

/** What the question of a job costs, and whom. */
const billOf = (job: PaidJob): Bill => {
  const { fingerprint, units, epsilon } = questionOf(job.parameters.question)
  return {
    scope: SCOPE,
    spender: job.id,
    fingerprint,
    charge: "shared",
    epsilon,
    reports: units.length,
    units,
    asOf: job.createdAt
  }
}

/** Pays for the job's question; fails unless it is paid for. */
export const payFor = Effect.fnUntraced(function* (job: PaidJob) {
  const answer = yield* pay(billOf(job)).pipe(Effect.mapError(({ _tag }) => falter(_tag, true)))
  return answer._tag === "Paid" ? answer : yield* falter(answer._tag, false)
})

export const publish = (job: PaidJob, noise: Uint8Array) =>
  job.blobs
    .write({ bucket: OUTPUT_BUCKET, key: outputKey(billOf(job).fingerprint, job.id) }, noise, { mode: "replace" })
    .pipe(Effect.mapError(({ _tag }) => falter(_tag, true)))

const paidHandler = handle(paidKind, (job) =>
  Effect.gen(function* () {
    const { seed, receipt } = yield* payFor(job)
    yield* job.finishing
    const noise = blockKey(seed, 0, 0)
    yield* publish(job, noise)
    return { fingerprint: receipt.fingerprint, noise: toHex(noise) }
  })
)

export const handlers = [formHandler, paidHandler] as const
export const kinds = [formKind, paidKind] as const

/** Question `n` (0 … 250) contains units `n mod 3` and `n mod 3 + 1`; two of them fit into a unit, a third does not. */
const questionOf = (n: number): { fingerprint: Fingerprint; units: ReadonlyArray<LedgerUnit>; epsilon: Epsilon } => ({
  fingerprint: name(1 + n) as Fingerprint,
  units: [n % 3, (n % 3) + 1].map((unit) => ({
    id: name(0x80 + unit) as UnitId,
    hour: 480_000,
    origin: "https://shop.example"
  })),
  epsilon: 30_000_000 as Epsilon
})

const name = (n: number): string => toHex(new Uint8Array(32).fill(n))

/** What one client does with one job. */
export interface Errand {
  readonly tenant: string
  readonly kind: "form" | "paid"
  readonly parameters: unknown
  readonly key: string
  readonly startMs: number
  /** Submits once more, as after a lost reply. */
  readonly twice: boolean
  readonly cancelMs: number | undefined
  readonly resetMs: number | undefined
  /** Keeps the kind from being claimed for a while, beginning with so long after the submission. */
  readonly pauseMs: number | undefined
  /** One failure makes the job dead; it is redriven once. */
  readonly impatient: boolean
}

/** Two to five jobs of two tenants within ten seconds. */
export const errandsOf = (seed: number): ReadonlyArray<Errand> => {
  const below = numbers(seed ^ 0x5eed)
  const sometimes = (chance: number, ms: number) => (below(chance) === 0 ? below(ms) : undefined)
  return Array.from({ length: 2 + below(4) }, (_, i): Errand => {
    const kind = below(2) === 0 ? "form" : "paid"
    return {
      tenant: below(3) === 0 ? "other" : "acme",
      kind,
      parameters:
        kind === "form" ? { falters: below(3) === 0 ? 1 : 0, external: below(3) === 0 } : { question: below(5) },
      key: `errand-${i}`,
      startMs: below(10_000),
      twice: below(3) === 0,
      cancelMs: sometimes(6, 30_000),
      resetMs: sometimes(4, 30_000),
      pauseMs: sometimes(4, 5_000),
      impatient: below(4) === 0
    }
  })
}

const LOOK_MS = 2_500
const PAUSE_MS = 6_000

/** Runs an errand to its end; answers the ids that its submissions were told. */
export const runErrand = Effect.fnUntraced(function* (errand: Errand) {
  const engine = yield* Engine
  const { tenant, kind, parameters, key } = errand
  const submit = engine
    .submit({ tenant, kind, parameters, key, ...(errand.impatient ? { retry: { maxFailures: 1 } } : {}) })
    .pipe(Effect.retry({ schedule: Schedule.spaced(1_000), while: ({ _tag }) => _tag === "JobStoreUnavailable" }))
  yield* Effect.sleep(errand.startMs)
  const { job } = yield* submit
  const ids = [job.id]
  if (errand.twice) ids.push((yield* submit).job.id)
  const startedAt = yield* Clock.currentTimeMillis
  const open = new Map<"cancel" | "reset", number>()
  if (errand.cancelMs !== undefined) open.set("cancel", startedAt + errand.cancelMs)
  if (errand.resetMs !== undefined) open.set("reset", startedAt + errand.resetMs)
  let pauseAt = errand.pauseMs === undefined ? undefined : startedAt + errand.pauseMs
  let resumeAt: number | undefined
  let redriven = false
  for (;;) {
    const time = yield* Clock.currentTimeMillis
    if (pauseAt !== undefined && pauseAt <= time) {
      yield* engine.pause(kind, "client")
      pauseAt = undefined
      resumeAt = time + PAUSE_MS
    } else if (resumeAt !== undefined && resumeAt <= time) {
      yield* engine.resume(kind)
      resumeAt = undefined
    }
    // What is refused is refused: somebody or something else was faster.
    yield* Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      for (const [what, at] of open) {
        if (now < at) continue
        yield* what === "cancel"
          ? engine.cancel(tenant, job.id, "client")
          : engine.reset(tenant, job.id, { by: "client" })
        open.delete(what)
      }
      const { awaiting } = (yield* engine.get(tenant, job.id)).job
      if (awaiting?._tag === "Input") yield* engine.giveInput(tenant, job.id, awaiting.key, { given: awaiting.key })
      if (awaiting?._tag === "External") yield* engine.finishExternal(tenant, job.id, awaiting.id, { done: true })
    }).pipe(
      Effect.catchTag(["CommandRefused", "UnknownJob"], () => Effect.sync(() => open.clear())),
      Effect.ignore
    )
    const seen = yield* engine.get(tenant, job.id).pipe(
      Effect.map(({ job: { dead, state } }) => ({ dead, ended: isTerminal(state) })),
      // It ended and was kept for as long as it was to be.
      Effect.catchTag("UnknownJob", () => Effect.succeed({ dead: false, ended: true })),
      Effect.orElseSucceed(() => ({ dead: false, ended: false }))
    )
    const paused = pauseAt !== undefined || resumeAt !== undefined
    if (seen.dead && !redriven) {
      redriven = true
      yield* Effect.ignore(engine.redrive(tenant, job.id, "client"))
    } else if (seen.ended && open.size === 0 && !paused) return ids
    yield* Effect.sleep(LOOK_MS)
  }
})
