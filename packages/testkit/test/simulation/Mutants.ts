/** Stores and a handler that are wrong in one way each, and what the simulation must say about them. */
import type { UnitId, UnitState } from "@sotto/core/budget"
import type { JobEvent } from "@sotto/core/job"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { type ClaimedJob, JobStore } from "@sotto/core/ports/JobStore"
import { handle, type JobContext } from "@sotto/engine"
import {
  formHandler,
  type Invariant,
  paidKind,
  payFor,
  publish,
  type SimulationOptions
} from "@sotto/testkit/simulation"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type MemoryStores, memoryStores } from "./Stores.ts"

export interface Mutant {
  readonly name: string
  readonly invariants: ReadonlyArray<Invariant>
  readonly options: SimulationOptions
}

type Store = JobStore["Service"]
type Ledger = BudgetLedger["Service"]

/** Every process opens the store with `change` in front; what judges does not. */
const wrongStore = (
  name: string,
  invariants: ReadonlyArray<Invariant>,
  change: (store: Store) => Partial<Store>
): Mutant => ({
  name,
  invariants,
  options: {
    stores: () => {
      const stores = memoryStores()
      const wrong = Layer.effect(
        JobStore,
        Effect.map(JobStore, (store) => ({ ...store, ...change(store) }))
      ).pipe(Layer.provide(stores.opened))
      return { ...stores, opened: Layer.merge(stores.opened, wrong) }
    }
  }
})

const wrongLedger = (
  name: string,
  invariants: ReadonlyArray<Invariant>,
  spend: (ledger: Ledger, store: MemoryStores["ledger"]) => Ledger["spend"]
): Mutant => ({
  name,
  invariants,
  options: {
    stores: () => {
      const stores = memoryStores()
      const wrong = Layer.effect(
        BudgetLedger,
        Effect.map(BudgetLedger, (ledger) => ({ ...ledger, spend: spend(ledger, stores.ledger) }))
      ).pipe(Layer.provide(stores.opened))
      return { ...stores, opened: Layer.merge(stores.opened, wrong) }
    }
  }
})

const wrongHandler = (
  name: string,
  invariants: ReadonlyArray<Invariant>,
  order: (
    job: JobContext<{ readonly question: number }>
  ) => Effect.Effect<
    { readonly fingerprint: string; readonly noise: string },
    Effect.Error<ReturnType<typeof payFor>>,
    Effect.Services<ReturnType<typeof payFor>>
  >
): Mutant => ({
  name,
  invariants,
  options: { stores: memoryStores, handlers: [formHandler, handle(paidKind, order)] }
})

const later = (event: JobEvent): JobEvent => ({ ...event, seq: event.seq + 1 })

export const mutants: ReadonlyArray<Mutant> = [
  wrongStore("takes writes whatever the lease", ["STALE-WRITE"], (store) => ({
    commit: ({ lease: _, ...commit }) => store.commit(commit)
  })),
  wrongStore("renews leases that are lost", ["STALE-WRITE"], (store) => ({
    renew: (renewals, leaseMs) =>
      Effect.map(store.renew(renewals, leaseMs), (answers) =>
        answers.map((answer, i) => {
          const lease = renewals[i]?.lease
          return answer._tag === "LeaseLost" && lease !== undefined ? { _tag: "Renewed", lease } : answer
        })
      )
  })),
  wrongStore("gives a job out twice", ["ONE-HOLDER"], (store) => {
    let last: ReadonlyArray<ClaimedJob> = []
    return {
      claim: (request) =>
        Effect.map(store.claim(request), (jobs) => {
          if (jobs.length === 0) return last.map((job) => ({ ...job, lease: { ...job.lease, token: request.token } }))
          last = jobs
          return jobs
        })
    }
  }),
  wrongStore("answers before it has written", ["NOTHING-LOST"], (store) => ({
    commit: (commit) =>
      commit.events.some(({ _tag }) => _tag === "Succeeded")
        ? Effect.succeed({ _tag: "Committed", seq: commit.expectSeq + commit.events.length })
        : store.commit(commit)
  })),
  wrongStore("does not notice leases that are over", ["COMES-TO-AN-END"], (store) => ({
    due: (kinds, limit) =>
      Effect.map(store.due(kinds, limit), (due) => due.filter(({ because }) => because !== "lease"))
  })),
  wrongStore("purges jobs before their time", ["NOTHING-LOST"], (store) => ({
    purge: (policy, limit) =>
      Effect.flatMap(Clock.Clock, (clock) =>
        Effect.provideService(store.purge(policy, limit), Clock.Clock, {
          ...clock,
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + 10_000,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + 10_000)
        })
      )
  })),
  wrongStore("leaves out a number", ["GAPLESS"], (store) => ({
    commit: (commit) =>
      store.commit({
        ...commit,
        events: commit.events.map((event) => (event._tag === "Succeeded" ? later(event) : event))
      })
  })),
  wrongStore("keeps a row that is not the fold", ["FOLD"], (store) => ({
    commit: (commit) => store.commit({ ...commit, row: { ...commit.row, failures: 0 } })
  })),
  wrongStore("makes a second job for a key", ["RELEASED-ONCE"], (store) => ({
    create: (job) => store.create({ ...job, submission: { ...job.submission, key: null } })
  })),
  wrongLedger(
    "forgets what it charged",
    ["SPENT"],
    (ledger, store) => (request) =>
      Effect.suspend(() => {
        const before = store.ledger
        return Effect.tap(ledger.spend(request), () => Effect.sync(() => void (store.ledger = before)))
      })
  ),
  wrongLedger(
    "charges a repetition",
    ["SPENT"],
    (ledger, store) => (request) =>
      Effect.tap(ledger.spend(request), (answer) =>
        Effect.sync(() => {
          if (answer._tag !== "Replayed") return
          const units = store.ledger?.scopes.get(request.scope)?.units as Map<UnitId, UnitState>
          for (const [id, unit] of units) units.set(id, { ...unit, spent: unit.spent + request.epsilon })
        })
      )
  ),
  wrongHandler("publishes before it pays", ["PAID-FIRST"], (job) =>
    Effect.gen(function* () {
      yield* publish(job, new Uint8Array(32))
      const { receipt } = yield* payFor(job)
      return { fingerprint: receipt.fingerprint, noise: "" }
    })
  ),
  wrongHandler("noises every attempt anew", ["RELEASED-ONCE"], (job) =>
    Effect.gen(function* () {
      const { receipt } = yield* payFor(job)
      yield* publish(job, new Uint8Array(32).fill(job.epoch))
      return { fingerprint: receipt.fingerprint, noise: "" }
    })
  )
]
