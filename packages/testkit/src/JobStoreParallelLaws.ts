/** What holds when workers and clients use a store of jobs at the same time, over connections of their own. */
import { type Commit, fold, samePlain } from "@sotto/core/job"
import { JobStore, type ClaimedJob } from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { commitOf, jobOf, observe, placeOf, type Store, TENANTS, tokenOf } from "./internal/JobHistory.ts"
import { jobStoreMutants } from "./internal/JobStoreMutants.ts"
import { demand, propertyOf } from "./internal/LawProperty.ts"
import { JobStoreLab } from "./JobStoreLab.ts"
import type { JobStoreLaw, JobStoreSubject } from "./JobStoreLaws.ts"
import { LawClock } from "./LawClock.ts"

/** What a worker does with a job that it claimed, and how often it lets others go first before each call. */
interface Turn {
  readonly end: "Succeed" | "Fail" | "Release"
  readonly pauses: number
}

const turns = fc.array(
  fc.record({ end: fc.constantFrom("Succeed" as const, "Fail" as const, "Release" as const), pauses: fc.nat(3) }),
  { minLength: 1, maxLength: 3 }
)

const failure = { code: "Broken", category: "server", message: "It broke.", details: null, retryable: true } as const

/** Everything that callers were answered. */
interface Answered {
  readonly claimed: Array<ClaimedJob>
  readonly committed: Array<Commit>
}

/** Reads, decides and commits once; whoever comes too late has nothing written. */
const act = Effect.fnUntraced(function* (
  store: Store,
  { tenant, id }: { readonly tenant: string; readonly id: string },
  commandOf: (epoch: number) => Parameters<typeof commitOf>[1],
  answered: Answered
) {
  const found = yield* store.read(tenant, id)
  if ("_tag" in found) return
  const commit = commitOf({ snapshot: found }, commandOf(found.row.epoch), found.now)
  if (commit === undefined) return
  yield* Effect.yieldNow
  const answer = yield* store.commit(commit)
  if (answer._tag === "Committed") answered.committed.push(commit)
})

const pause = (pauses: number) =>
  Effect.forEach(Array.from({ length: pauses }), () => Effect.yieldNow, { discard: true })

const work = Effect.fnUntraced(function* (store: Store, who: number, list: ReadonlyArray<Turn>, answered: Answered) {
  for (const [round, { end, pauses }] of list.entries()) {
    yield* pause(pauses)
    const claimed = yield* store.claim({
      kinds: [{ kind: "work" }],
      worker: `worker-${who}`,
      token: tokenOf(10 * who + round),
      leaseMs: 60_000,
      limit: 2
    })
    answered.claimed.push(...claimed)
    for (const { row } of claimed) {
      yield* pause(pauses)
      yield* act(store, row, (epoch) => ({ _tag: "Start", epoch }), answered)
      yield* act(
        store,
        row,
        (epoch) =>
          end === "Succeed"
            ? { _tag: "Succeed", epoch, result: who }
            : end === "Fail"
              ? { _tag: "Fail", epoch, failure }
              : { _tag: "Release", epoch },
        answered
      )
    }
  }
})

const rename = Effect.fnUntraced(function* (store: Store, names: number, answered: Answered) {
  for (let i = 0; i < names; i++) {
    for (const tenant of TENANTS)
      yield* act(store, { tenant, id: "a" }, () => ({ _tag: "Rename", name: `name-${i}` }), answered)
  }
})

const atOnce: JobStoreLaw = {
  id: "AT-ONCE",
  port: "JobStore",
  rule: "Workers and clients over several connections at once leave every job one history: what they were answered is in its log, once, and nothing else is.",
  causes: ["a read and a write that are not one transaction", "rows that a claim does not lock"],
  mutants: [jobStoreMutants.sharedClaim, jobStoreMutants.appendsAnywhere, jobStoreMutants.tornCommit],
  property: propertyOf<readonly [ReadonlyArray<ReadonlyArray<Turn>>, number], JobStoreSubject>(
    fc.tuple(fc.array(turns, { minLength: 2, maxLength: 4 }), fc.nat(3)),
    ([workers, names]) =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const lab = yield* JobStoreLab
        const now = yield* (yield* LawClock).now
        const connections = [store, store, yield* lab.reopen, yield* lab.reopen]
        for (const tenant of TENANTS) {
          for (const id of ["a", "b", "c"]) {
            const job = {
              do: "submit",
              tenant,
              id,
              kind: "work",
              key: null,
              parameters: 0,
              priority: 0,
              delayMs: 0
            } as const
            yield* store.create(jobOf({ ...job, concurrencyKey: null, deadlineMs: null, maxFailures: 3 }, now))
          }
        }
        const answered: Answered = { claimed: [], committed: [] }
        yield* Effect.all(
          [
            ...workers.map((list, who) => work(connections[who] as Store, who, list, answered)),
            rename(connections[3] as Store, names, answered)
          ],
          { concurrency: "unbounded", discard: true }
        )
        const tries = answered.claimed.map(({ row }) => `${placeOf(row)} epoch ${row.epoch}`)
        demand(new Set(tries).size === tries.length, () => `one try was given twice: ${tries.join(", ")}`)
        for (const [place, { events, snapshot }] of yield* observe(store)) {
          demand(samePlain(fold(events), snapshot.row), () => `the row of ${place} is not the fold of its log`)
          demand(
            events.every(({ seq }, i) => seq === i + 1),
            () => `the log of ${place} has the numbers ${events.map(({ seq }) => seq).join()}`
          )
          const told = [
            ...answered.claimed.filter(({ row }) => placeOf(row) === place).map(({ row }) => `${row.seq} Claimed`),
            ...answered.committed
              .filter((commit) => placeOf(commit) === place)
              .flatMap((commit) => commit.events.map(({ seq, _tag }) => `${seq} ${_tag}`))
          ].toSorted()
          const kept = events.filter(({ _tag }) => _tag !== "Submitted").map(({ seq, _tag }) => `${seq} ${_tag}`)
          demand(
            samePlain(kept.toSorted(), told),
            () => `callers of ${place} were told ${told.join(", ")}\nand its log has ${kept.join(", ")}`
          )
        }
      })
  )
}

/** Beside `jobStoreLaws`, for the same subjects; calls overlap where the adapter has a server or waits for something. */
export const jobStoreParallelLaws: ReadonlyArray<JobStoreLaw> = [atOnce]
