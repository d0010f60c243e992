/**
 * Claims jobs and runs their handlers, each in a fiber of its own and under its lease.
 *
 * Leases are renewed together. Who loses one is interrupted and has `TIDY_MS` to tidy up; nothing that it writes is taken
 * any more. A graceful stop interrupts too, and hands the jobs back without a failure. Wake-ups are a hint: a worker that
 * hears none looks every `pollMs`.
 */
import { toHex } from "@sotto/core/Bytes"
import {
  type Command,
  type Failure,
  type Job,
  type Lease,
  leaseFaults,
  type LeasePolicy,
  type LostBecause,
  type Plain,
  type Progress,
  TIDY_MS
} from "@sotto/core/job"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { Entropy } from "@sotto/core/ports/Entropy"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { type ClaimedJob, JobStore } from "@sotto/core/ports/JobStore"
import { Records } from "@sotto/core/ports/Records"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { defectFailure, type JobContext, type KindHandler } from "./Handler.ts"
import { type AnyJobKind, asWorker, Journal, type Under } from "./Journal.ts"
import { pausedKinds } from "./Pause.ts"
import { demandSound, repeatedFaults, wholeFaults } from "./Refusals.ts"
import { countClaim, countLeaseLoss, spanOf } from "./Telemetry.ts"

export interface WorkerOptions<S = never> {
  readonly handlers: ReadonlyArray<KindHandler<S>>
  /** Jobs at a time; 4 unless told. */
  readonly concurrency?: number
  /** Names the worker in the log; made up if absent. */
  readonly name?: string
  /** How often to look for jobs without being woken; 1 s unless told. */
  readonly pollMs?: number
  /** How long this worker leases jobs and how often it renews, in place of what their kinds say. */
  readonly lease?: Partial<LeasePolicy>
}

/** A job that is being worked on. */
export interface RunningJob {
  readonly tenant: string
  readonly id: string
  readonly kind: string
  readonly epoch: number
}

export class Worker extends Context.Service<
  Worker,
  {
    readonly name: string
    readonly running: Effect.Effect<ReadonlyArray<RunningJob>>
    /** Claims nothing more, interrupts what runs, hands it back, and returns when all is handed back. */
    readonly stop: Effect.Effect<void>
  }
>()("@sotto/engine/Worker") {}

/** A place in which a job is run. */
interface Slot<S> {
  readonly handler: KindHandler<S>
  readonly policy: LeasePolicy
  readonly job: Job
  lease: Lease
  /** By the clock of this process, from before the question was sent: no later than the store's. */
  localDeadline: number
  /** Told by the handler and not yet written. */
  progress: Progress | undefined
  readonly lost: Deferred.Deferred<LostBecause>
  /** It parked or skipped: the lease was given up by a commit. */
  readonly left: Deferred.Deferred<void>
}

type Ending = { readonly _tag: "Lost"; readonly because: LostBecause } | { readonly _tag: "Left" | "Stopped" | "Done" }

const make = Effect.fn("Worker.make")(function* <S>(options: WorkerOptions<S>) {
  const { handlers, concurrency = 4, pollMs = 1_000, lease } = options
  const store = yield* JobStore
  const queue = yield* JobQueue
  const records = yield* Records
  const entropy = yield* Entropy
  const blobs = yield* BlobStore
  const journal = yield* Journal
  const services = yield* Effect.context<S>()
  const token = Effect.map(entropy.bytes(16), toHex)
  const name = options.name ?? `worker-${(yield* token).slice(0, 12)}`

  const byKind = new Map(handlers.map((handler) => [handler.kind.name, handler]))
  const groups = groupsOf(
    handlers.map(({ kind }) => kind),
    lease
  )
  const slots = new Map<Slot<S>, Fiber.Fiber<void>>()
  const wake = Latch.makeUnsafe(false)
  const stopping = Deferred.makeUnsafe<void>()
  const free = () => concurrency - slots.size

  /** A write of a slot's handler. Whoever may not write any more does not come back from here. */
  const write = (slot: Slot<S>, command: Command, more: Omit<Under, "lease"> = {}) => {
    const { progress } = slot
    return journal
      .write(slot.job.tenant, slot.job.id, command, {
        lease: slot.lease,
        ...(progress === undefined ? {} : { progress }),
        ...more
      })
      .pipe(
        Effect.tap(({ events }) =>
          Effect.sync(() => {
            // What changed nothing was not written, and the progress with it.
            if (events.length > 0 && slot.progress === progress) slot.progress = undefined
          })
        ),
        Effect.catchTag("LeaseEnded", ({ because }) =>
          Effect.andThen(Deferred.succeed(slot.lost, because), Effect.never)
        ),
        Effect.catchTag("UnknownJob", () => Effect.andThen(Deferred.succeed(slot.lost, "superseded"), Effect.never)),
        Effect.orDie
      )
  }

  const leave = (slot: Slot<S>) => Effect.andThen(Deferred.succeed(slot.left, undefined), Effect.never)

  const contextOf = (slot: Slot<S>, signal: JobContext["signal"]): JobContext => {
    const { job, handler } = slot
    const { tenant, id, kind, epoch, session, failures, createdAt, parameters } = job
    const { inputMs, externalMs } = handler.kind.times
    const reread = Effect.orDie(asWorker(journal.read(tenant, id)))
    const emitted = (key: string) => Effect.map(asWorker(store.output(tenant, id, session, key)), (one) => one?.data)
    const emit: JobContext["emit"] = (key, data) =>
      Effect.asVoid(write(slot, { _tag: "Emit", epoch, key }, { outputs: [{ key, data }] }))
    return {
      tenant,
      id,
      kind,
      epoch,
      session,
      failures,
      createdAt,
      parameters,
      blobs,
      signal,
      lease: () => slot.lease,
      progress: ({ done, total = null, phase = null, details = null }) => {
        slot.progress = { done, total, phase, details }
      },
      emit,
      emitted,
      once: (key, effect) =>
        Effect.gen(function* () {
          const known = yield* emitted(key)
          if (known !== undefined) return known
          const data = yield* effect
          yield* emit(key, data)
          return data
        }),
      input: Effect.fnUntraced(function* (key, { stage = key, waitMs = inputMs, rejects = false } = {}) {
        const changed = yield* write(slot, { _tag: "Ask", epoch, key, stage, waitMs, rejects })
        if (changed.events.length > 0) return yield* leave(slot)
        return changed.job.inputs.find((input) => input.key === key)?.data ?? null
      }) as JobContext["input"],
      external: Effect.fnUntraced(function* (external, { data = null, waitMs = externalMs } = {}) {
        const changed = yield* write(slot, { _tag: "AskExternal", epoch, id: external, data, waitMs })
        if (changed.events.length > 0) return yield* leave(slot)
        return changed.job.externals.find((one) => one.id === external)?.data ?? null
      }),
      finishing: Effect.gen(function* () {
        const { row } = yield* reread
        if (row.state !== "Finishing") yield* write(slot, { _tag: "BeginFinish", epoch })
      }),
      skip: (reason) => Effect.andThen(write(slot, { _tag: "Skip", epoch, reason }), leave(slot))
    }
  }

  const runSlot = Effect.fnUntraced(function* (slot: Slot<S>) {
    const { epoch } = slot.job
    const signals = yield* Scope.make()
    const signal = yield* Scope.provide(Effect.abortSignal, signals)
    let begun = false
    const run = Effect.suspend(() => {
      begun = true
      return slot.handler.run(contextOf(slot, signal))
    })
    const body = Effect.andThen(write(slot, { _tag: "Start", epoch }), run).pipe(
      Effect.provideContext(services),
      Effect.withSpan("job", spanOf(slot.job))
    )
    // Detached, so that a handler that does not let itself be interrupted holds up nobody else.
    const fiber = yield* Effect.forkDetach(body, { startImmediately: true })

    const lost = Effect.map(Deferred.await(slot.lost), (because): Ending => ({ _tag: "Lost", because }))
    const ending = yield* Effect.raceAllFirst([
      Effect.as(Fiber.await(fiber), { _tag: "Done" } as Ending),
      lost,
      Effect.as(Deferred.await(slot.left), { _tag: "Left" } as Ending),
      Effect.as(Deferred.await(stopping), { _tag: "Stopped" } as Ending)
    ])
    yield* Scope.close(signals, Exit.void)
    if (ending._tag === "Stopped" && begun && slot.handler.stopsBySignal === true) {
      // Over too when it parks or learns that it may not write: then it does not come back.
      const over = Effect.raceAllFirst([Fiber.await(fiber), Deferred.await(slot.left), Deferred.await(slot.lost)])
      yield* Effect.timeoutOption(over, TIDY_MS)
    }
    const interrupted = yield* Effect.timeoutOption(Fiber.interrupt(fiber), TIDY_MS)
    if (Option.isNone(interrupted)) {
      yield* Effect.logWarning(`The handler of ${slot.job.id} does not stop; what it still does is not taken.`)
    }
    if (ending._tag === "Lost") return yield* countLeaseLoss(slot.job.kind, ending.because)
    if (Deferred.isDoneUnsafe(slot.left)) return
    const exit = Option.isSome(interrupted) ? yield* Fiber.await(fiber) : undefined
    const last = lastCommand(epoch, exit, ending._tag === "Stopped")
    const end = yield* Effect.raceFirst(Effect.as(write(slot, last), { _tag: "Done" } as Ending), lost)
    if (end._tag === "Lost") yield* countLeaseLoss(slot.job.kind, end.because)
  })

  const start = Effect.fnUntraced(function* ({ row, lease }: ClaimedJob, policy: LeasePolicy, sentAt: number) {
    const handler = byKind.get(row.kind)
    if (handler === undefined) return
    const slot: Slot<S> = {
      handler,
      policy,
      job: row,
      lease,
      localDeadline: sentAt + policy.leaseMs,
      progress: undefined,
      lost: Deferred.makeUnsafe(),
      left: Deferred.makeUnsafe()
    }
    yield* countClaim(row)
    yield* journal.tell(row, [{ _tag: "Claimed", at: row.updatedAt }])
    const fiber = yield* Effect.forkDetach(
      runSlot(slot).pipe(
        Effect.catchCause((cause) => Effect.logError(`The worker failed at the job ${row.id}.`, cause)),
        Effect.ensuring(
          Effect.sync(() => {
            slots.delete(slot)
            wake.openUnsafe()
          })
        )
      )
    )
    slots.set(slot, fiber)
  })

  /** Claims for one group of kinds; answers whether there may be more. */
  const claim = Effect.fnUntraced(function* (group: LeaseGroup, paused: ReadonlySet<string>) {
    const kinds = group.kinds.filter((kind) => !paused.has(kind.name)).map((kind) => kind.claims)
    const limit = Math.min(free(), MAX_CLAIM)
    if (limit <= 0 || kinds.length === 0) return false
    const sentAt = yield* Clock.currentTimeMillis
    // One token for all repetitions of this claim: what it took is found again if the answer was lost.
    const request = { kinds, worker: name, token: yield* token, leaseMs: group.policy.leaseMs, limit }
    const taken = yield* Effect.raceFirst(
      asWorker(store.claim(request)),
      Deferred.await(stopping).pipe(Effect.andThen(Effect.sleep(LAST_CLAIM_MS)), Effect.as([]))
    )
    yield* Effect.forEach(taken, (job) => start(job, group.policy, sentAt), { discard: true })
    return taken.length === limit
  })

  let paused: ReadonlySet<string> = new Set()
  const round = Effect.gen(function* () {
    wake.closeUnsafe()
    // What cannot be read has not changed, as far as we know.
    paused = yield* Effect.orElseSucceed(Effect.provideService(pausedKinds(), Records, records), () => paused)
    let more = false
    for (const group of groups) more = (yield* claim(group, paused)) || more
    // The next round begins with another group, so that none is served last for ever.
    groups.push(...groups.splice(0, 1))
    if (more && free() > 0) return
    yield* Effect.raceAllFirst([wake.await, Deferred.await(stopping), Effect.sleep(pollMs)])
  }).pipe(
    Effect.catchCause((cause) =>
      Effect.logError("A claim failed.", cause).pipe(
        Effect.andThen(Effect.raceFirst(Deferred.await(stopping), Effect.sleep(pollMs)))
      )
    )
  )

  const renew = Effect.fnUntraced(function* ({ policy }: LeaseGroup) {
    const { leaseMs, renewMs } = policy
    const mine = [...slots.keys()].filter((slot) => slot.policy === policy && !Deferred.isDoneUnsafe(slot.left))
    if (mine.length === 0) return renewMs
    const sentAt = yield* Clock.currentTimeMillis
    const asked = mine.map((slot) => ({ slot, progress: slot.progress }))
    const answers = yield* store
      .renew(
        asked.map(({ slot, progress }) => ({ lease: slot.lease, ...(progress === undefined ? {} : { progress }) })),
        leaseMs
      )
      .pipe(
        Effect.timeoutOption(renewMs),
        Effect.catchTag("JobStoreUnavailable", () => Effect.succeedNone)
      )
    for (const [i, answer] of Option.getOrElse(answers, () => []).entries()) {
      const { slot, progress } = asked[i] as (typeof asked)[number]
      if (answer._tag === "Renewed") {
        slot.lease = answer.lease
        slot.localDeadline = sentAt + leaseMs
        if (slot.progress === progress) slot.progress = undefined
      } else {
        yield* Deferred.succeed(slot.lost, answer._tag === "LeaseLost" ? answer.because : "superseded")
      }
    }
    // A worker that hears nothing from the store counts for itself.
    const now = yield* Clock.currentTimeMillis
    for (const slot of mine) if (slot.localDeadline <= now) yield* Deferred.succeed(slot.lost, "expired")
    return Option.isSome(answers) ? renewMs : Math.min(renewMs, RENEW_AGAIN_MS)
  })

  const renewing = (group: LeaseGroup) =>
    Effect.forever(
      renew(group).pipe(
        Effect.catchCause((cause) => Effect.as(Effect.logError("A renewal failed.", cause), RENEW_AGAIN_MS)),
        Effect.flatMap(Effect.sleep)
      )
    )

  const kindNames = [...byKind.keys()]
  yield* Effect.forEach(groups, (group) => Effect.forkScoped(renewing(group)), { discard: true })
  // A stream that ended is listened to again like one that failed: a connection was closed.
  yield* Stream.runForEach(queue.wakeUps(kindNames), () => wake.open).pipe(
    Effect.ignore,
    Effect.repeat(Schedule.spaced(WAKE_AGAIN_MS)),
    Effect.forkScoped
  )
  const claiming = yield* Effect.forkScoped(
    Effect.whileLoop({ while: () => !Deferred.isDoneUnsafe(stopping), body: () => round, step: () => {} })
  )
  yield* journal.offer({ kinds: new Set(kindNames), free: () => (Deferred.isDoneUnsafe(stopping) ? 0 : free()) })

  const stop = Effect.gen(function* () {
    yield* Deferred.succeed(stopping, undefined)
    yield* wake.open
    yield* Fiber.await(claiming)
    yield* Fiber.awaitAll([...slots.values()])
  })
  // Runs before the fibers above are interrupted: leases are renewed until the last job is handed back.
  yield* Effect.addFinalizer(() => stop)
  return Worker.of({
    name,
    running: Effect.sync(() =>
      [...slots.keys()].map(({ job: { tenant, id, kind, epoch } }) => ({ tenant, id, kind, epoch }))
    ),
    stop
  })
})

/** How the epoch ends after its handler did; `exit` is absent if it did not. */
const lastCommand = (epoch: number, exit: Exit.Exit<Plain, Failure> | undefined, stopped: boolean): Command => {
  if (exit !== undefined && Exit.isSuccess(exit)) return { _tag: "Succeed", epoch, result: exit.value }
  if (exit === undefined || stopped) return { _tag: "Release", epoch }
  const failure = Option.getOrElse(Cause.findErrorOption(exit.cause), () => defectFailure(exit.cause))
  return { _tag: "Fail", epoch, failure }
}

/** Kinds that are leased for as long as each other are claimed and renewed together. */
interface LeaseGroup {
  readonly policy: LeasePolicy
  readonly kinds: Array<AnyJobKind>
}

const groupsOf = (kinds: ReadonlyArray<AnyJobKind>, lease: Partial<LeasePolicy> = {}): Array<LeaseGroup> => {
  const groups = new Map<string, LeaseGroup>()
  for (const kind of kinds) {
    const policy = { ...kind.lease, ...lease }
    const place = `${policy.leaseMs} ${policy.renewMs}`
    const group = groups.get(place)
    if (group === undefined) groups.set(place, { policy, kinds: [kind] })
    else group.kinds.push(kind)
  }
  return [...groups.values()]
}

const MAX_CLAIM = 1_000
const LAST_CLAIM_MS = 2_000
const RENEW_AGAIN_MS = 500
const WAKE_AGAIN_MS = 5_000

/** A sentence for every option that is unsound. */
const faultsOf = ({ handlers, concurrency = 1, pollMs = 10, lease }: WorkerOptions<never>): ReadonlyArray<string> => [
  ...wholeFaults("concurrency", concurrency, 1, 10_000),
  ...wholeFaults("pollMs", pollMs, 10, 60_000),
  ...repeatedFaults(
    "handlers",
    handlers.map(({ kind }) => kind.name)
  ),
  ...(lease === undefined ? [] : new Set(handlers.flatMap(({ kind }) => leaseFaults({ ...kind.lease, ...lease }))))
]

/**
 * A worker over the ports, the journal and what its handlers need. Its end is a graceful stop.
 *
 * Throws `OptionsRejected` for options that cannot be sound.
 */
export const layerWorker = <S = never>(
  options: WorkerOptions<S>
): Layer.Layer<Worker, never, S | Journal | JobStore | JobQueue | Records | Entropy | BlobStore> => {
  demandSound("worker", faultsOf(options as WorkerOptions<never>))
  return Layer.effect(Worker, make(options))
}
