/**
 * How jobs change, whoever asks: read, decide, commit, and again if somebody else was faster.
 *
 * A commit whose answer was lost is repeated as it is: the store recognises it (`isCommitted`), so nothing is guessed and
 * nothing happens twice. What was written is told to those who listen here and, if a job became ready, to the queue.
 */
import {
  checkLease,
  type Command,
  decide,
  type Job,
  type JobEvent,
  type JobKind,
  type Lease,
  type OutputData,
  type Progress
} from "@sotto/core/job"
import { JobQueue } from "@sotto/core/ports/JobQueue"
import { type JobSnapshot, JobStore, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { CommandRefused, LeaseEnded, UnknownJob, UnknownKind } from "./Refusals.ts"
import { demandSound, leaseEnded, refused, repeatedFaults, unknownJob, unknownKind } from "./Refusals.ts"
import { countEvents } from "./Telemetry.ts"

/** A kind whatever its types. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyJobKind = JobKind<string, any, any, any, string>

/** With what right a worker writes, and what goes into the same commit. */
export interface Under {
  readonly lease: Pick<Lease, "epoch" | "token">
  readonly outputs?: ReadonlyArray<OutputData>
  readonly progress?: Progress
}

/** `events` is empty if the command was accepted and changed nothing. */
export interface Changed {
  readonly job: Job
  readonly events: ReadonlyArray<JobEvent>
}

type ChangeError = UnknownJob | UnknownKind | CommandRefused | JobStoreUnavailable

/** Who counts on this process: whether it could take a job of a kind at once. */
export interface Slots {
  readonly kinds: ReadonlySet<string>
  readonly free: () => number
}

// A store that is busy or out of reach may be back in a moment; a full or damaged one needs somebody to look after it.
const mayPass = ({ because }: JobStoreUnavailable): boolean => because === "busy" || because === "io"

/** How soon a store that does not answer is asked again. */
export const pace = Schedule.min([Schedule.exponential("50 millis"), Schedule.spaced("2 seconds")])

/** Clients wait about five seconds for a store that does not answer. */
export const asClient = <A, E, R>(effect: Effect.Effect<A, E | JobStoreUnavailable, R>) =>
  Effect.retry(effect, {
    schedule: pace,
    times: 8,
    while: (error) => error instanceof JobStoreUnavailable && mayPass(error)
  })

/** Workers go on for as long as they have their lease: who runs this interrupts it when it is over. */
export const asWorker = <A, E, R>(effect: Effect.Effect<A, E | JobStoreUnavailable, R>) =>
  Effect.retry(effect, { schedule: pace, while: (error) => error instanceof JobStoreUnavailable }).pipe(
    Effect.catchIf(
      (error): error is Extract<E | JobStoreUnavailable, JobStoreUnavailable> => error instanceof JobStoreUnavailable,
      Effect.die
    )
  )

/** More conflicts in a row than this are not chance. */
const MAX_CONFLICTS = 100

export class Journal extends Context.Service<
  Journal,
  {
    readonly kinds: ReadonlyArray<AnyJobKind>

    kind(name: string): Effect.Effect<AnyJobKind, UnknownKind>

    read(tenant: string, id: string): Effect.Effect<JobSnapshot, UnknownJob | JobStoreUnavailable>

    /** `command` may depend on what is read, and be nothing. It may be asked several times. */
    change(
      tenant: string,
      id: string,
      command: Command | ((snapshot: JobSnapshot) => Command | undefined)
    ): Effect.Effect<Changed, ChangeError>

    /** The same for a worker. Waits for the store for as long as it takes. */
    write(
      tenant: string,
      id: string,
      command: Command,
      under: Under
    ): Effect.Effect<Changed, UnknownJob | UnknownKind | CommandRefused | LeaseEnded>

    /** Tells of events that were appended by other ways than `change`. */
    tell(job: Job, events: ReadonlyArray<Pick<JobEvent, "_tag" | "at">>): Effect.Effect<void>

    /** Opens whenever something is written to the job from this process. */
    listen(tenant: string, id: string): Effect.Effect<Latch.Latch, never, Scope.Scope>

    /** For as long as the scope is open, `slotFree` counts on these. */
    offer(slots: Slots): Effect.Effect<void, never, Scope.Scope>

    /** Whether a worker of this process has a slot for a job of this kind. */
    slotFree(kind: string): boolean
  }
>()("@sotto/engine/Journal") {}

const make = Effect.fn("Journal.make")(function* (kinds: ReadonlyArray<AnyJobKind>) {
  const store = yield* JobStore
  const queue = yield* JobQueue
  const byName = new Map(kinds.map((kind) => [kind.name, kind]))
  const listeners = new Map<string, Set<Latch.Latch>>()
  const offers = new Set<Slots>()
  const place = (tenant: string, id: string) => `${tenant}\n${id}`

  const kindOf = (name: string) => {
    const kind = byName.get(name)
    return kind === undefined ? Effect.fail(unknownKind(name, [...byName.keys()])) : Effect.succeed(kind)
  }

  const readOnce = Effect.fnUntraced(function* (tenant: string, id: string) {
    const answer = yield* store.read(tenant, id)
    return "_tag" in answer ? yield* unknownJob(id) : answer
  })

  const tell = Effect.fnUntraced(function* (job: Job, events: ReadonlyArray<Pick<JobEvent, "_tag" | "at">>) {
    const { tenant, id, kind, readyAt, state } = job
    const last = events.at(-1)
    if (last === undefined) return
    for (const latch of listeners.get(place(tenant, id)) ?? []) latch.openUnsafe()
    yield* countEvents(kind, events)
    if (state === "Queued" && readyAt !== null && readyAt <= last.at) {
      yield* Effect.ignore(queue.announce([{ tenant, id, kind }]))
    }
  })

  type Patience = <A, E>(effect: Effect.Effect<A, E | JobStoreUnavailable>) => Effect.Effect<A, E | JobStoreUnavailable>

  const changing = Effect.fnUntraced(function* (
    patience: Patience,
    tenant: string,
    id: string,
    ask: (snapshot: JobSnapshot) => Command | undefined,
    under: Under | undefined
  ) {
    for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
      const snapshot = yield* patience(readOnce(tenant, id))
      const { row, seq, now } = snapshot
      const kind = yield* kindOf(row.kind)
      const command = ask(snapshot)
      if (command === undefined) return { job: row, events: [] } satisfies Changed
      const decision = decide(kind, row, command, now)
      if (decision._tag === "Rejected") {
        const because = under === undefined ? "current" : checkLease(row, snapshot.lease, under.lease, now)
        return yield* because === "current" ? refused(id, decision) : leaseEnded(because)
      }
      const { events, job } = decision
      if (events.length === 0) return { job, events } satisfies Changed
      // From here on an answer may be lost; the repetition is the same to the letter.
      const answer = yield* patience(store.commit({ tenant, id, expectSeq: seq, events, row: job, ...under }))
      switch (answer._tag) {
        case "Committed":
          yield* tell(job, events)
          return { job, events } satisfies Changed
        case "LeaseLost":
          return yield* leaseEnded(answer.because)
        case "NotFound":
          return yield* unknownJob(id)
        case "SeqConflict":
      }
    }
    return yield* new JobStoreUnavailable({
      because: "busy",
      message: `The job "${id}" changed ${MAX_CONFLICTS} times while it was to be changed. Try again.`
    })
  })

  return Journal.of({
    kinds,
    kind: kindOf,
    read: (tenant, id) => asClient(readOnce(tenant, id)),
    change: (tenant, id, command) =>
      changing(asClient, tenant, id, typeof command === "function" ? command : () => command, undefined).pipe(
        // Without a lease none can be lost.
        Effect.catchTag("LeaseEnded", Effect.die)
      ),
    write: (tenant, id, command, under) =>
      asWorker(
        changing(
          (effect) => asWorker(effect),
          tenant,
          id,
          () => command,
          under
        )
      ),
    tell,
    listen: (tenant, id) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const latch = Latch.makeUnsafe(false)
          const here = listeners.get(place(tenant, id)) ?? new Set()
          listeners.set(place(tenant, id), here.add(latch))
          return latch
        }),
        (latch) =>
          Effect.sync(() => {
            const here = listeners.get(place(tenant, id))
            here?.delete(latch)
            if (here?.size === 0) listeners.delete(place(tenant, id))
          })
      ),
    offer: (slots) =>
      Effect.acquireRelease(
        Effect.sync(() => void offers.add(slots)),
        () => Effect.sync(() => void offers.delete(slots))
      ),
    slotFree: (kind) => [...offers].some((slots) => slots.kinds.has(kind) && slots.free() > 0)
  })
})

/**
 * `kinds` are all kinds whose jobs this process shows, changes or runs. Throws `OptionsRejected` if different ones share a
 * name.
 */
export const layerJournal = (kinds: ReadonlyArray<AnyJobKind>): Layer.Layer<Journal, never, JobStore | JobQueue> => {
  const different = [...new Set(kinds)].map(({ name }) => name)
  demandSound("engine", repeatedFaults("kinds", different))
  return Layer.effect(Journal, make(kinds))
}
