/**
 * The laws of a store of jobs.
 *
 * A subject provides `JobStore`, empty for each run, its `LawClock` and a `JobStoreLab`.
 */
import {
  birth,
  checkLease,
  fold,
  isClaimable,
  isCommitted,
  isPurgeable,
  isTerminal,
  type Job,
  type JobEvent,
  JOB_STATES,
  type Millis,
  pick,
  samePlain,
  sameSubmission
} from "@sotto/core/job"
import {
  type ClaimedJob,
  type CommitAnswer,
  DUE_AGAIN_MS,
  type DueJob,
  type JobCursor,
  type JobFilter,
  JobStore
} from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as fc from "fast-check"
import {
  commitOf,
  type Did,
  type Driver,
  driverOf,
  histories,
  jobOf,
  KINDS,
  observe,
  placeOf,
  rowsOf,
  runHistory,
  type Seen,
  type Step,
  TENANTS,
  tokenOf,
  type World
} from "./internal/JobHistory.ts"
import { jobStoreMutants as mutants } from "./internal/JobStoreMutants.ts"
import { JobStoreLab } from "./JobStoreLab.ts"
import type { Law } from "./Law.ts"
import { LawClock } from "./LawClock.ts"

export type JobStoreSubject = JobStore | LawClock | JobStoreLab
export type JobStoreLaw = Law<JobStoreSubject>

const demand = (holds: boolean, what: () => string): void => {
  if (!holds) throw new Error(what())
}

const demandSame = (found: unknown, expected: unknown, what: string): void =>
  demand(
    samePlain(found, expected),
    () => `${what}\n  expected ${JSON.stringify(expected)}\n  found    ${JSON.stringify(found)}`
  )

const property =
  <A>(input: fc.Arbitrary<A>, body: (input: A) => Effect.Effect<void, unknown, JobStoreSubject | Scope.Scope>) =>
  (subject: Layer.Layer<JobStoreSubject>): fc.IAsyncProperty<unknown> =>
    fc.asyncProperty(input, (value) =>
      Effect.runPromise(Effect.scoped(Effect.provide(body(value), Layer.fresh(subject))))
    ) as fc.IAsyncProperty<unknown>

const law = (
  id: string,
  rule: string,
  caught: ReadonlyArray<JobStoreLaw["mutants"][number]>,
  check: JobStoreLaw["property"]
): JobStoreLaw => ({ id, port: "JobStore", rule, mutants: caught, property: check })

/** A history, then `body`. */
const after = <A>(
  length: number,
  input: fc.Arbitrary<A>,
  body: (driver: Driver, world: World, input: A) => Effect.Effect<void, unknown, JobStoreSubject | Scope.Scope>
) =>
  property(fc.tuple(histories(length), input), ([ops, value]) =>
    Effect.gen(function* () {
      const driver = driverOf(yield* JobStore, yield* LawClock)
      const world = yield* runHistory(driver, ops)
      yield* body(driver, world, value)
    })
  )

/** A history of which every step is checked; `earlier` are those before it. */
const always = (check: (step: Step, earlier: ReadonlyArray<Step>) => void, length = 25) =>
  after(length, fc.constant(null), ({ steps }) =>
    Effect.sync(() => {
      for (const [i, step] of steps.entries()) check(step, steps.slice(0, i))
    })
  )

const plain = (world: World) =>
  Object.fromEntries([...world].map(([place, seen]) => [place, { ...seen, outputs: Object.fromEntries(seen.outputs) }]))

const demandUnchanged = ({ before, after }: Pick<Step, "before" | "after">, what: string): void =>
  demandSame(plain(after), plain(before), what)

const unchangedBut = ({ before, after }: Step, places: ReadonlyArray<string>, what: string): void => {
  const rest = (world: World) => plain(new Map([...world].filter(([place]) => !places.includes(place))))
  demandSame(rest(after), rest(before), what)
}

const foldLaw = law(
  "FOLD",
  "The row of a job is the fold of its log, and its seq the number of its events.",
  [mutants.touchesRow, mutants.wrongSeq],
  always(({ after }) => {
    for (const [place, { snapshot, events }] of after) {
      demandSame(snapshot.row, fold(events), `the row of ${place}`)
      demandSame(snapshot.seq, events.length, `the seq of ${place}`)
      demandSame(snapshot.lease === null, snapshot.row.holder === null, `${place}: a lease goes with a holder`)
    }
  })
)

const gapless = law(
  "GAPLESS",
  "A log is numbered from 1 without gaps, inward and outward, and never changes but at its end; pages start behind their cursor.",
  [mutants.pagesFromCursor, mutants.newestEventsFirst, mutants.allEvents],
  after(25, fc.tuple(fc.nat(8), fc.nat(3)), ({ store, steps }, world, [from, limit]) =>
    Effect.gen(function* () {
      for (const { before, after } of steps) {
        for (const [place, { events }] of after) {
          demandSame(
            events.map(({ seq }) => seq),
            events.map((_, i) => i + 1),
            `the numbers of ${place}`
          )
          const outward = events.flatMap((event) => event.outward.map(({ number }) => number))
          demandSame(
            outward,
            outward.map((_, i) => i + 1),
            `the outward numbers of ${place}`
          )
          const old = before.get(place)?.events ?? []
          if (sameBirth(old, events)) demandSame(events.slice(0, old.length), old, `the log of ${place} so far`)
        }
      }
      for (const { snapshot, events } of world.values()) {
        const { tenant, id } = snapshot.row
        const page = yield* store.events(tenant, id, from, limit)
        demandSame(page, events.slice(from, from + limit), `${limit} events of ${id} behind ${from}`)
      }
    })
  )
)

/** A purged id may be used again. */
const sameBirth = (a: ReadonlyArray<JobEvent>, b: ReadonlyArray<JobEvent>): boolean => samePlain(a[0], b[0])

const commitStep = (check: (commit: Extract<Did, { _tag: "Commit" }>, step: Step, old: Seen | undefined) => void) =>
  always((step) => {
    const { did, before } = step
    if (did._tag === "Commit") check(did, step, before.get(placeOf(did.commit)))
  })

const fence = law(
  "FENCE",
  "A write under a lease is taken only while the lease is current by the store's clock; otherwise it is lost and changes nothing.",
  [mutants.noFence, mutants.epochOnly, mutants.ignoresDeadline],
  commitStep(({ commit, answer }, step, old) => {
    if (commit.lease === undefined || old === undefined) return
    const { row, lease } = old.snapshot
    const current = checkLease(row, lease, commit.lease, step.now)
    demandSame(
      answer,
      current === "current"
        ? { _tag: "Committed", seq: row.seq + commit.events.length }
        : { _tag: "LeaseLost", because: current },
      `a write under ${JSON.stringify(commit.lease)}, held ${JSON.stringify(lease)}, at ${step.now}`
    )
    if (current !== "current") demandUnchanged(step, "after a refused write")
  })
)

const commitLaw = law(
  "COMMIT",
  "A commit writes exactly its events, row, outputs and progress, all of them, to its job and to no other.",
  [mutants.losesOutputs, mutants.losesProgress, mutants.losesEvents],
  commitStep(({ commit, answer }, step, old) => {
    if (answer._tag !== "Committed" || old === undefined) return
    const now = step.after.get(placeOf(commit))
    const outputs = Object.fromEntries(
      (commit.outputs ?? []).map((output) => [`${commit.row.session}/${output.key}`, output])
    )
    demandSame(
      now && { ...plain(new Map([["", now]]))[""], snapshot: { ...now.snapshot, lease: null } },
      {
        snapshot: {
          row: commit.row,
          seq: commit.row.seq,
          lease: null,
          progress: commit.progress ?? old.snapshot.progress
        },
        events: [...old.events, ...commit.events],
        outputs: { ...Object.fromEntries(old.outputs), ...outputs }
      },
      "the job after a commit"
    )
    const kept = commit.row.holder !== null && old.snapshot.lease?.epoch === commit.row.epoch
    demandSame(now?.snapshot.lease, kept ? old.snapshot.lease : null, "the lease after a commit")
    unchangedBut(step, [placeOf(commit)], "the other jobs after a commit")
  })
)

const visibleTogether = law(
  "VISIBLE-TOGETHER",
  "An output can be read exactly when the log says that it was emitted, under its session.",
  [mutants.losesOutputs, mutants.outputsOfRefused, mutants.outputsOfFirstSession],
  always(({ after }) => {
    for (const [place, { events, outputs }] of after) {
      const said = events.flatMap((event) =>
        event._tag === "OutputEmitted"
          ? [[`${event.session}/${event.key}`, { key: event.key, data: { seq: event.seq } }]]
          : []
      )
      demandSame(Object.fromEntries(outputs), Object.fromEntries(said), `the outputs of ${place}`)
    }
  }, 50)
)

const oneHolder = law(
  "ONE-HOLDER",
  "A claim gives a job to one worker: one that waited, had no lease and now has the next epoch, by the token of the claim until its deadline.",
  [mutants.givesAgain, mutants.ownToken, mutants.shortLease],
  always((step) => {
    const { did, before, after, now } = step
    if (did._tag !== "Claim" || did.again) return
    const { request, answer } = did
    demandSame(new Set(answer.map(({ row }) => placeOf(row))).size, answer.length, "the jobs of a claim, each once")
    for (const { row, lease, progress } of answer) {
      const [old, young] = [before.get(placeOf(row)), after.get(placeOf(row))]
      demand(
        old !== undefined && old.snapshot.lease === null && isClaimable(old.snapshot.row, now),
        () => `${placeOf(row)} did not wait: ${JSON.stringify(old?.snapshot)}`
      )
      const { tenant, id } = row
      const epoch = (old?.snapshot.row.epoch ?? 0) + 1
      const { token, worker, leaseMs } = request
      demandSame(lease, { tenant, id, epoch, token, deadline: now + leaseMs }, "the lease that was given")
      demandSame(young?.snapshot.lease, { epoch, token, worker, deadline: now + leaseMs }, "the lease that is kept")
      demandSame({ row, progress }, { row: young?.snapshot.row, progress: old?.snapshot.progress }, "what was given")
      demandSame(young?.events.at(-1)?._tag, "Claimed", "the last event")
      demandSame(row.holder, worker, "the holder")
    }
    unchangedBut(
      step,
      answer.map(({ row }) => placeOf(row)),
      "the jobs that were not claimed"
    )
  })
)

const claimAtOnce = law(
  "CLAIM-AT-ONCE",
  "Claims at the same time never get the same job.",
  [mutants.sharedClaim],
  after(10, fc.integer({ min: 2, max: 4 }), ({ store }, _, workers) =>
    Effect.gen(function* () {
      const claims = yield* Effect.all(
        Array.from({ length: workers }, (_, i) =>
          store.claim({
            kinds: KINDS.map((kind) => ({ kind })),
            worker: `worker-${i}`,
            token: tokenOf(900 + i),
            leaseMs: 12_000,
            limit: 2
          })
        ),
        { concurrency: "unbounded" }
      )
      const places = claims.flat().map(({ row }) => placeOf(row))
      demandSame(new Set(places).size, places.length, "jobs that were given at once, each to one")
      const world = yield* observe(store)
      for (const { row, lease } of claims.flat())
        demandSame(world.get(placeOf(row))?.snapshot.lease?.token, lease.token, "the lease of its worker")
    })
  )
)

const leaseLaw = law(
  "LEASE",
  "A renewal sets the deadline of a current lease to now + leaseMs; a lost one stays lost, for a reason. Nothing else moves a deadline.",
  [mutants.renewsEverything, mutants.renewsNothing, mutants.addsTime, mutants.vagueReason],
  always((step) => {
    const { did, before, after, now } = step
    if (did._tag === "Renew") {
      const renewed = new Set<string>()
      did.renewals.forEach(({ lease }, i) => {
        const old = before.get(placeOf(lease))?.snapshot
        const current =
          old &&
          checkLease(
            old.row,
            renewed.has(placeOf(lease)) ? (after.get(placeOf(lease))?.snapshot.lease ?? null) : old.lease,
            lease,
            now
          )
        const deadline = now + did.leaseMs
        demandSame(
          did.answer[i],
          current === undefined
            ? { _tag: "NotFound" }
            : current === "current"
              ? { _tag: "Renewed", lease: { ...lease, deadline } }
              : { _tag: "LeaseLost", because: current },
          `the renewal of ${JSON.stringify(lease)} at ${now}`
        )
        if (current !== "current") return
        renewed.add(placeOf(lease))
        demandSame(after.get(placeOf(lease))?.snapshot.lease?.deadline, deadline, "the deadline after a renewal")
      })
      unchangedBut(step, [...renewed], "jobs whose lease was not renewed")
      return
    }
    for (const [place, { snapshot }] of after) {
      const old = before.get(place)?.snapshot
      if (snapshot.lease !== null && old?.lease?.epoch === snapshot.lease.epoch)
        demandSame(snapshot.lease, old.lease, `the lease of ${place} after ${did._tag}`)
    }
  })
)

const progressLaw = law(
  "PROGRESS",
  "The last progress that came under a current lease or with a commit is kept, beside the log.",
  [mutants.losesProgress, mutants.forgetsRenewedProgress, mutants.progressOfLost],
  always(({ did, before, after }) => {
    const said = new Map<string, unknown>()
    if (did._tag === "Commit" && did.answer._tag === "Committed" && did.commit.progress !== undefined)
      said.set(placeOf(did.commit), did.commit.progress)
    if (did._tag === "Renew") {
      did.renewals.forEach(({ lease, progress }, i) => {
        if (did.answer[i]?._tag === "Renewed" && progress !== undefined) said.set(placeOf(lease), progress)
      })
    }
    for (const [place, { snapshot }] of after) {
      const old = before.get(place)?.snapshot.progress ?? null
      demandSame(snapshot.progress, said.get(place) ?? old, `the progress of ${place} after ${did._tag}`)
    }
  })
)

const keyLaw = law(
  "IDEMPOTENT-CREATE",
  "One job for each key of a tenant and kind: the same parameters find it, others conflict. Ids are unique within a tenant.",
  [mutants.forgetsKeys, mutants.sharesKeys, mutants.sameKeySameJob, mutants.staleBirth],
  always((step) => {
    const { did, before, after, now } = step
    if (did._tag !== "Create") return
    const { submission } = did.job
    const { tenant, id, kind, key } = submission
    const ours = rowsOf(before).filter((row) => row.tenant === tenant)
    const byKey = key === null ? undefined : ours.find((row) => row.kind === kind && row.key === key)
    const known = byKey ?? ours.find((row) => row.id === id)
    if (known === undefined) {
      const { events, job } = birth(did.job, now)
      demandSame(did.answer, { _tag: "Created", row: job, seq: 1, now, lease: null, progress: null }, "a new job")
      demandSame(after.get(placeOf(job))?.events, events, "the log of a new job")
      unchangedBut(step, [placeOf(job)], "the other jobs after a new one")
      return
    }
    const same =
      (byKey !== undefined || (known.key === key && known.kind === kind)) && sameSubmission(known, submission)
    demandSame(
      did.answer,
      same ? { _tag: "Exists", ...before.get(placeOf(known))?.snapshot, now } : { _tag: "KeyConflict", id: known.id },
      "a known key or id"
    )
    demandUnchanged(step, "after a known key or id")
  })
)

const repeat = law(
  "IDEMPOTENT-COMMIT",
  "Whoever lost a reply asks again: a commit that was taken answers Committed whatever happened since, and changes nothing.",
  [mutants.forgetsCommits, mutants.leaseFirst],
  after(25, fc.constant(null), ({ store, steps }, world) =>
    Effect.gen(function* () {
      for (const { did } of steps) {
        if (did._tag !== "Commit" || did.answer._tag !== "Committed") continue
        const log = world.get(placeOf(did.commit))?.events ?? []
        if (!isCommitted(did.commit, log.slice(did.commit.expectSeq))) continue
        demandSame(yield* store.commit(did.commit), did.answer, "a commit that was taken, once more")
      }
      demandUnchanged({ before: world, after: yield* observe(store) }, "after repeated commits")
    })
  )
)

const repeatClaim = law(
  "IDEMPOTENT-CLAIM",
  "A claim that is repeated answers what it took and its token still holds, and takes nothing.",
  [mutants.claimsAgain, mutants.forgetsClaims],
  always((step) => {
    const { did, before, now } = step
    if (did._tag !== "Claim" || !did.again) return
    const held = [...before.values()].flatMap(({ snapshot: { row, lease, progress } }): ReadonlyArray<ClaimedJob> =>
      lease?.token === did.request.token && now < lease.deadline
        ? [
            {
              row,
              lease: {
                tenant: row.tenant,
                id: row.id,
                epoch: lease.epoch,
                token: lease.token,
                deadline: lease.deadline
              },
              progress
            }
          ]
        : []
    )
    const sorted = (jobs: ReadonlyArray<ClaimedJob>) =>
      jobs.toSorted((a, b) => (placeOf(a.row) < placeOf(b.row) ? -1 : 1))
    demandSame(sorted(did.answer), sorted(held), "a repeated claim")
    demandUnchanged(step, "after a repeated claim")
  })
)

const rename = (seen: Pick<Seen, "snapshot">, name: string, now: number) =>
  commitOf(seen, { _tag: "Rename", name }, now)

const oneWriter = law(
  "ONE-WRITER",
  "Of commits that were decided about the same seq one is taken, also if they come at once; the others learn where the job is and change nothing.",
  [mutants.appendsAnywhere, mutants.tornCommit],
  after(12, fc.integer({ min: 2, max: 4 }), ({ store, clock }, world, writers) =>
    Effect.gen(function* () {
      const now = yield* clock.now
      for (const seen of world.values()) {
        const commits = Array.from({ length: writers }, (_, i) => rename(seen, `writer-${i}`, now)).flatMap((commit) =>
          commit === undefined ? [] : [commit]
        )
        const answers = yield* Effect.all(
          commits.map((commit) => store.commit(commit)),
          { concurrency: "unbounded" }
        )
        const { seq } = seen.snapshot
        demandSame(
          answers.toSorted((a, b) => (a._tag < b._tag ? -1 : 1)),
          commits.map((_, i): CommitAnswer => ({ _tag: i === 0 ? "Committed" : "SeqConflict", seq: seq + 1 })),
          "the answers of commits at once"
        )
        const log = yield* store.events(seen.snapshot.row.tenant, seen.snapshot.row.id, seq, 100)
        const taken = commits.filter((_, i) => answers[i]?._tag === "Committed")
        demandSame(log, taken[0]?.events ?? [], "what was written at once")
      }
    })
  )
)

const batch = law(
  "BATCH",
  "Commits in one call are taken or refused each by itself, in order, as they would be one after another.",
  [mutants.allOrNothing, mutants.reversedVerdicts],
  after(12, fc.infiniteStream(fc.nat(3)), ({ store, clock }, world, kinds) =>
    Effect.gen(function* () {
      const now = yield* clock.now
      const expected: Array<CommitAnswer> = []
      const commits = [...world.values()].flatMap((seen) => {
        const commit = rename(seen, "batch", now)
        if (commit === undefined) return []
        const { seq, lease } = seen.snapshot
        switch (kinds.next().value) {
          case 0:
            expected.push({ _tag: "SeqConflict", seq })
            return [{ ...commit, expectSeq: seq + 7 }]
          case 1:
            expected.push({ _tag: "NotFound" })
            return [{ ...commit, tenant: "west" }]
          case 2: {
            const forged = { epoch: seen.snapshot.row.epoch, token: "nobody's-token-at-all" }
            const because = checkLease(seen.snapshot.row, lease, forged, now)
            expected.push({ _tag: "LeaseLost", because: because === "current" ? "superseded" : because })
            return [{ ...commit, lease: forged }]
          }
          default:
            expected.push({ _tag: "Committed", seq: seq + 1 })
            return [commit]
        }
      })
      demandSame(yield* store.commitMany(commits), expected, "the verdicts")
      const later = yield* observe(store)
      commits.forEach(({ tenant, id, events }, i) => {
        const log = later.get(placeOf({ tenant, id }))?.events ?? []
        demandSame(
          log.some((event) => samePlain(event, events[0])),
          expected[i]?._tag === "Committed",
          "whether a commit of the batch was written"
        )
      })
    })
  )
)

const pickLaw = law(
  "FAIR",
  "A claim takes as many jobs as were asked for, each from the tenant that holds the fewest, of its jobs the first by priority and age; no cap is exceeded.",
  [mutants.ignoresCaps, mutants.takesOneMore, mutants.servesById],
  always(({ did, before, after, now }) => {
    if (did._tag !== "Claim" || did.again) return
    const { kinds, limit, token } = did.request
    const rows = rowsOf(before)
    const held = [...before.values()]
      .filter(({ snapshot }) => snapshot.lease !== null)
      .map(({ snapshot: { row } }) => ({ ...row, jobs: 1 }))
    const expected = pick(
      rows.filter((row) => isClaimable(row, now)),
      held,
      kinds,
      limit
    )
    const taken = [...after].flatMap(([place, { snapshot }]) => (snapshot.lease?.token === token ? [place] : []))
    demandSame(
      taken.toSorted(),
      expected.map(placeOf).toSorted(),
      `the jobs that were taken for ${JSON.stringify(kinds)}`
    )
  })
)

const overdueSince = ({ snapshot: { row, lease } }: Seen, because: DueJob["because"]): Millis | null =>
  because === "lease" ? (lease?.deadline ?? null) : because === "timer" ? (row.timer?.at ?? null) : row.readyAt

const dueLaw = law(
  "DUE",
  "What is overdue is given out, the longest overdue first, once in a while until an event changes the job, and nothing else is.",
  [mutants.notesNothing, mutants.allKinds, mutants.youngestFirst, mutants.forgetsLeases],
  always((step, earlier) => {
    const { did, before, now } = step
    if (did._tag !== "Due") return
    demandUnchanged(step, "after due")
    for (const because of ["lease", "timer", "ready"] as const) {
      const overdue = [...before.values()].flatMap((seen) => {
        const { row, seq } = seen.snapshot
        const given = earlier.findLast(
          (one) =>
            one.did._tag === "Due" &&
            one.did.answer.some((job) => job.because === because && placeOf(job) === placeOf(row)) &&
            samePlain(one.before.get(placeOf(row))?.events, seen.events)
        )
        const since = overdueSince(seen, because)
        const at = since === null ? Infinity : Math.max(since, given === undefined ? 0 : given.now + DUE_AGAIN_MS)
        return at <= now && did.kinds.includes(row.kind) ? [{ place: placeOf(row), at, seq }] : []
      })
      const found = did.answer.filter((job) => job.because === because).map(placeOf)
      const atOf = (place: string) => overdue.find((one) => one.place === place)?.at ?? null
      demandSame(new Set(found).size, found.length, `each job once as ${because}`)
      demandSame(
        found.map(atOf),
        overdue
          .map(({ at }) => at)
          .toSorted((a, b) => a - b)
          .slice(0, did.limit),
        `since when those given out as ${because} are due, of ${JSON.stringify(overdue)}`
      )
    }
  })
)

const noLostJob = law(
  "NO-LOST-JOB",
  "Whatever happened, a sweeper that deals with what is due and workers that claim what is announced bring every job of ours to its end.",
  [mutants.forgetsLeases, mutants.forgetsTimers, mutants.forgetsReady],
  after(20, fc.constant(null), ({ store, clock }) =>
    Effect.gen(function* () {
      const act = Effect.fnUntraced(function* (tenant: string, id: string, command: Parameters<typeof commitOf>[1]) {
        const found = yield* store.read(tenant, id)
        if ("_tag" in found) return
        const commit = commitOf({ snapshot: found }, command, found.now)
        if (commit !== undefined) yield* store.commit(commit)
      })
      for (let round = 0; round < 12; round++) {
        const due = yield* store.due(KINDS, 100)
        for (const { tenant, id, because } of due) {
          const found = yield* store.read(tenant, id)
          if ("_tag" in found) continue
          if (because === "lease")
            yield* act(tenant, id, { _tag: "ExpireLease", deadline: found.lease?.deadline ?? null })
          if (because === "timer" && found.row.timer !== null)
            yield* act(tenant, id, { _tag: "Ring", timer: found.row.timer.name })
        }
        const claimed = due.some(({ because }) => because === "ready")
          ? yield* store.claim({
              kinds: KINDS.map((kind) => ({ kind })),
              worker: "sweeper",
              token: tokenOf(9_000 + round),
              leaseMs: 1_000,
              limit: 100
            })
          : []
        for (const { row } of claimed) {
          yield* act(row.tenant, row.id, { _tag: "Start", epoch: row.epoch })
          yield* act(row.tenant, row.id, { _tag: "Succeed", epoch: row.epoch, result: null })
        }
        yield* clock.advance(20_000)
      }
      const left = rowsOf(yield* observe(store)).filter(({ state }) => !isTerminal(state))
      demandSame(
        left.map(({ tenant, id, state }) => ({ tenant, id, state })),
        [],
        "jobs that never ended"
      )
    })
  )
)

const tenantLaw = law(
  "TENANT",
  "A tenant sees and writes its own jobs only, and nobody learns whether another has a job.",
  [mutants.readsAnyTenant, mutants.listsEverybody, mutants.talliesEverybody],
  after(12, fc.constant(null), ({ store, clock }, world) =>
    Effect.gen(function* () {
      const now = yield* clock.now
      const stranger = "west"
      const notFound = { _tag: "NotFound" }
      for (const seen of world.values()) {
        const { id, session, outputs } = seen.snapshot.row
        demandSame(yield* store.read(stranger, id), notFound, "a stranger reads")
        demandSame(yield* store.events(stranger, id, 0, 10), notFound, "a stranger reads the log")
        for (const { key } of outputs)
          demandSame(yield* store.output(stranger, id, session, key), undefined, "a stranger reads an output")
        const commit = rename(seen, "stolen", now)
        if (commit !== undefined)
          demandSame(yield* store.commit({ ...commit, tenant: stranger }), notFound, "a stranger writes")
      }
      for (const tenant of [...TENANTS, stranger]) {
        const { rows } = yield* store.list(tenant, {}, null, 100)
        const ours = rowsOf(world).filter((row) => row.tenant === tenant)
        demandSame(rows.map(placeOf).toSorted(), ours.map(placeOf).toSorted(), `the list of ${tenant}`)
        const tally = yield* store.tally(tenant)
        demandSame(
          tally.reduce((sum, { jobs }) => sum + jobs, 0),
          ours.length,
          `the tally of ${tenant}`
        )
      }
      demandUnchanged({ before: world, after: yield* observe(store) }, "after a stranger's visit")
    })
  )
)

const filters: fc.Arbitrary<JobFilter> = fc.record(
  {
    kinds: fc.subarray([...KINDS]),
    states: fc.subarray([...JOB_STATES]),
    key: fc.constantFrom("k", "unknown"),
    dead: fc.boolean(),
    createdFrom: fc.integer({ min: 0, max: 6_000 }).map((ms) => 1_700_000_000_000 + ms),
    createdTo: fc.integer({ min: 0, max: 20_000 }).map((ms) => 1_700_000_000_000 + ms),
    order: fc.constantFrom("newest" as const, "oldest" as const)
  },
  { requiredKeys: [] }
)

const matches = (row: Job, { kinds, states, key, dead, createdFrom, createdTo }: JobFilter): boolean =>
  (kinds?.includes(row.kind) ?? true) &&
  (states?.includes(row.state) ?? true) &&
  (key === undefined || row.key === key) &&
  (dead === undefined || row.dead === dead) &&
  row.createdAt >= (createdFrom ?? 0) &&
  row.createdAt <= (createdTo ?? Infinity)

const listLaw = law(
  "LIST",
  "Pages give what matches the filter, by creation and id; whatever is submitted meanwhile, what was there before comes once.",
  [mutants.pagesByOffset, mutants.skipsTies, mutants.ignoresFilter, mutants.oneOrder],
  after(
    16,
    fc.tuple(
      fc.oneof(fc.constantFrom<JobFilter>({}, { order: "oldest" }), filters),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.nat(1), { maxLength: 3 })
    ),
    ({ store, clock }, world, [filter, limit, pauses]) =>
      Effect.gen(function* () {
        const tenant = "north"
        const sign = filter.order === "oldest" ? 1 : -1
        const expected = rowsOf(world)
          .filter((row) => row.tenant === tenant && matches(row, filter))
          .toSorted((a, b) => sign * (a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)))
        const before = new Set(rowsOf(world).map(placeOf))
        const found: Array<Job> = []
        let cursor: JobCursor | null = null
        for (let page = 0; page < 20; page++) {
          const answer: { readonly rows: ReadonlyArray<Job>; readonly next: JobCursor | null } = yield* store.list(
            tenant,
            filter,
            cursor,
            limit
          )
          demand(answer.rows.length <= limit, () => `a page of ${answer.rows.length}, not ${limit}`)
          found.push(...answer.rows)
          cursor = answer.next
          if (cursor === null) break
          const pause = pauses[page]
          if (pause === undefined) continue
          yield* clock.advance(pause)
          const op = { do: "submit", kind: "work", key: null, parameters: 0, priority: 0, delayMs: 0 } as const
          const more = { ...op, tenant, id: `z${page}`, concurrencyKey: null, deadlineMs: null, maxFailures: 1 }
          yield* store.create(jobOf(more, yield* clock.now))
        }
        demandSame(cursor, null, "the last page")
        demandSame(
          found.filter((row) => before.has(placeOf(row))),
          expected,
          "what was there, page by page"
        )
        demandSame(new Set(found.map(placeOf)).size, found.length, "the pages, each job once")
      })
  )
)

const tallyLaw = law(
  "TALLY",
  "The tally counts every job once, by kind and state, without zeros.",
  [mutants.talliesZeros, mutants.talliesStatesOnly],
  after(16, fc.constantFrom(null, "north"), ({ store }, world, tenant) =>
    Effect.gen(function* () {
      const counts: Record<string, number> = {}
      for (const row of rowsOf(world)) {
        const name = `${row.kind} ${row.state}`
        if (tenant === null || row.tenant === tenant) counts[name] = (counts[name] ?? 0) + 1
      }
      const tally = yield* store.tally(tenant)
      demandSame(tally.length, Object.keys(counts).length, "the lines of the tally")
      demandSame(
        Object.fromEntries(tally.map(({ kind, state, jobs }) => [`${kind} ${state}`, jobs])),
        counts,
        "the tally"
      )
    })
  )
)

const purgeLaw = law(
  "PURGE",
  "Only jobs that have ended and were kept long enough go, with log, outputs and key, as many as asked for and of the kinds asked for.",
  [mutants.countsLimit, mutants.purgesAllKinds, mutants.purgesNothing],
  always((step) => {
    const { did, before, after, now } = step
    const gone = [...before.keys()].filter((place) => !after.has(place))
    if (did._tag !== "Purge") {
      demandSame(gone, [], `jobs that went with ${did._tag}`)
      return
    }
    const may = rowsOf(before)
      .filter((row) => isPurgeable(row, now) && (did.kinds?.includes(row.kind) ?? true))
      .map(placeOf)
    demandSame(
      gone.filter((place) => !may.includes(place)),
      [],
      "jobs that went too early"
    )
    demandSame(did.answer, Math.min(did.limit, may.length), "how many went")
    demandSame(gone.length, did.answer, "how many are gone")
    unchangedBut(step, gone, "the jobs that stayed")
  }, 50)
)

const cancelFences = law(
  "CANCEL-FENCES",
  "A job that is cancelled or reset under a worker's hands takes nothing from it any more, and the worker is told why.",
  [mutants.noFence, mutants.renewsEverything, mutants.vagueReason],
  after(20, fc.boolean(), ({ store, clock }, world, reset) =>
    Effect.gen(function* () {
      const now = yield* clock.now
      for (const seen of world.values()) {
        const { row, lease } = seen.snapshot
        if (lease === null) continue
        const command = reset
          ? ({ _tag: "Reset", by: "client", fromInput: null, preserve: [] } as const)
          : ({ _tag: "Cancel", by: "client", reason: null } as const)
        const commit = commitOf(seen, command, now)
        if (commit === undefined) continue
        yield* store.commit(commit)
        const lost = { _tag: "LeaseLost", because: reset ? "reset" : "cancelled" }
        const fresh = yield* store.read(row.tenant, row.id)
        const late = "_tag" in fresh ? undefined : rename({ snapshot: fresh }, "late", now)
        if (late !== undefined)
          demandSame(yield* store.commit({ ...late, lease }), lost, "what the worker is told when it writes")
        const { tenant, id } = row
        demandSame(
          yield* store.renew([{ lease: { tenant, id, ...lease } }], 12_000),
          [lost],
          "what the worker is told when it renews"
        )
        const left = yield* store.read(tenant, id)
        demandSame("_tag" in left ? left : left.row, commit.row, "the job afterwards")
      }
    })
  )
)

const clockLaw = law(
  "CLOCK",
  "Times are the store's: a snapshot tells its present one, and new jobs and claims bear it.",
  [mutants.wrongClock, mutants.staleBirth],
  after(12, fc.constant(null), ({ store, clock, steps }, world) =>
    Effect.gen(function* () {
      const now = yield* clock.now
      for (const row of rowsOf(world)) {
        const found = yield* store.read(row.tenant, row.id)
        demandSame("_tag" in found ? undefined : found.now, now, "the time of a snapshot")
      }
      for (const { did, now } of steps) {
        if (did._tag === "Create" && did.answer._tag === "Created") demandSame(did.answer.row.createdAt, now, "a birth")
        if (did._tag === "Claim" && !did.again)
          for (const { row } of did.answer) demandSame(row.updatedAt, now, "the time of a claim")
      }
    })
  )
)

const reopenLaw = law(
  "REOPEN",
  "What was answered is there when the store is opened again.",
  [mutants.writesBehind],
  after(16, fc.constant(null), ({ store, steps }, world) =>
    Effect.gen(function* () {
      const again = yield* (yield* JobStoreLab).reopen
      const reopened = yield* observe(again)
      for (const { did } of steps) {
        if (did._tag !== "Commit" || did.answer._tag !== "Committed") continue
        const log = reopened.get(placeOf(did.commit))?.events ?? []
        const known = sameBirth(log, world.get(placeOf(did.commit))?.events ?? [])
        const born = did.commit.row.createdAt === log[0]?.at
        if (known && born)
          demand(
            isCommitted(did.commit, log.slice(did.commit.expectSeq)),
            () => `${JSON.stringify(did.commit)} is gone`
          )
      }
      demandSame(plain(reopened), plain(yield* observe(store)), "the jobs of the store that was opened again")
      demandSame(plain(reopened), plain(world), "the jobs as they were before")
    })
  )
)

/** Jobs that are said to be published so far; most of them never say so many outward events, and one is not there. */
const marking = fc.array(
  fc.record({
    tenant: fc.constantFrom(...TENANTS),
    id: fc.constantFrom("a", "b", "c", "nobody"),
    number: fc.integer({ min: 0, max: 6 })
  }),
  { maxLength: 4 }
)

const outboxLaw = law(
  "OUTBOX",
  "A job with outward events above its note is given out until they are marked, in turn by tenant, also after the store is opened again; a note never falls.",
  [
    mutants.publishesNothing,
    mutants.marksNothing,
    mutants.marksEverything,
    mutants.lowersNotes,
    mutants.marksEverybody,
    mutants.mixesTenants,
    mutants.oneTenantFirst,
    mutants.unlimitedOutbox,
    mutants.marksBehind
  ],
  property(fc.array(fc.tuple(histories(8), marking), { minLength: 1, maxLength: 3 }), (rounds) =>
    Effect.gen(function* () {
      const driver = driverOf(yield* JobStore, yield* LawClock)
      const { store, steps } = driver
      const notes = new Map<string, number>()
      for (const [ops, marks] of rounds) {
        const seen = steps.length
        const world = yield* runHistory(driver, ops)
        for (const { before, after } of steps.slice(seen)) {
          for (const place of before.keys()) if (!after.has(place)) notes.delete(place)
        }
        yield* store.published(marks)
        for (const mark of marks) {
          const last = world.get(placeOf(mark))?.snapshot.row.outwardSeq
          if (last === undefined) continue
          notes.set(placeOf(mark), Math.max(notes.get(placeOf(mark)) ?? 0, Math.min(mark.number, last)))
        }
        demandSame(plain(yield* observe(store)), plain(world), "the jobs after some were published")

        const open = (tenant: string) =>
          rowsOf(world)
            .map((row) => ({ row, published: notes.get(placeOf(row)) ?? 0 }))
            .filter(({ row, published }) => row.tenant === tenant && row.outwardSeq > published)
            .toSorted(({ row: a }, { row: b }) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
            .map(({ row: { id, kind, seq, outwardSeq }, published }) => ({
              tenant,
              id,
              kind,
              seq,
              outwardSeq,
              published
            }))
        const [north, south] = [open("north"), open("south")]
        const turns = Array.from({ length: 3 }, (_, i) => [...north.slice(i, i + 1), ...south.slice(i, i + 1)]).flat()
        for (const one of [store, yield* (yield* JobStoreLab).reopen]) {
          demandSame(yield* one.unpublished(["south", "north", "south"], 100), turns, "what is unpublished")
          demandSame(yield* one.unpublished(TENANTS, 2), turns.slice(0, 2), "the first two that are unpublished")
          demandSame(yield* one.unpublished(["north", "west"], 100), north, "what one tenant has not published")
          demandSame(yield* one.unpublished([], 100), [], "what nobody has not published")
        }
      }
    })
  )
)

export const jobStoreLaws: ReadonlyArray<JobStoreLaw> = [
  foldLaw,
  gapless,
  commitLaw,
  visibleTogether,
  fence,
  oneWriter,
  oneHolder,
  claimAtOnce,
  leaseLaw,
  cancelFences,
  keyLaw,
  repeat,
  repeatClaim,
  batch,
  pickLaw,
  dueLaw,
  noLostJob,
  progressLaw,
  tenantLaw,
  listLaw,
  tallyLaw,
  purgeLaw,
  outboxLaw,
  clockLaw,
  reopenLaw
]
