/**
 * Histories of a store of jobs: generated steps, what they were answered, and everything that can be seen before and after.
 *
 * The driver decides with core's rules, as an engine does, and so every law can say what had to happen.
 */
import {
  type ClaimKind,
  type Command,
  type Commit,
  decide,
  type Job,
  type JobEvent,
  type KindRules,
  leased,
  type Lease,
  newJob,
  type NewJob,
  type OutputData,
  type Progress,
  reported,
  type Submission
} from "@sotto/core/job"
import type {
  ClaimedJob,
  ClaimRequest,
  CommitAnswer,
  CreateAnswer,
  DueJob,
  JobSnapshot,
  JobStore,
  Renewal,
  RenewAnswer
} from "@sotto/core/ports/JobStore"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import type { LawClock } from "../LawClock.ts"

export type Store = JobStore["Service"]

export const TENANTS = ["north", "south"] as const
const IDS = ["a", "b", "c"] as const
const OUTPUT_KEYS = ["x", "y"] as const

const rules = (name: string, relation: "leased" | "reported"): KindRules => ({
  name,
  relation,
  lifecycle: relation === "leased" ? leased : reported,
  outward: { events: (event, state) => (event._tag === "Claimed" ? [] : [{ name: state }]) }
})

/** How long the jobs of histories are kept after their end. */
const RETENTION_MS = 60_000

/** Two kinds that workers claim and one that a driver reports. */
export const KINDS = ["work", "play", "watch"] as const
const RULES: Readonly<Record<string, KindRules>> = {
  work: rules("work", "leased"),
  play: rules("play", "leased"),
  watch: rules("watch", "reported")
}
const rulesOf = (kind: string): KindRules => RULES[kind] as KindRules

/** A job as everybody can see it. */
export interface Seen {
  readonly snapshot: Omit<JobSnapshot, "now">
  readonly events: ReadonlyArray<JobEvent>
  /** By session and key. */
  readonly outputs: ReadonlyMap<string, OutputData>
}

/** By tenant and id. */
export type World = ReadonlyMap<string, Seen>

export const placeOf = ({ tenant, id }: { readonly tenant: string; readonly id: string }): string => `${tenant}/${id}`

export const observe = Effect.fnUntraced(function* (store: Store) {
  const world = new Map<string, Seen>()
  for (const tenant of TENANTS) {
    for (const id of IDS) {
      const seen = yield* look(store, tenant, id)
      if (seen !== undefined) world.set(placeOf({ tenant, id }), seen)
    }
  }
  return world as World
})

const look = Effect.fnUntraced(function* (store: Store, tenant: string, id: string) {
  const found = yield* store.read(tenant, id)
  if ("_tag" in found) return undefined
  const { now: _, ...snapshot } = found
  const events = yield* store.events(tenant, id, 0, 1_000)
  const outputs = new Map<string, OutputData>()
  for (let session = 1; session <= snapshot.row.session; session++) {
    for (const key of OUTPUT_KEYS) {
      const output = yield* store.output(tenant, id, session, key)
      if (output !== undefined) outputs.set(`${session}/${key}`, output)
    }
  }
  return { snapshot, events: "_tag" in events ? [] : events, outputs }
})

/** What is to be done; numbers choose among what there is. */
export type Op =
  | {
      readonly do: "submit"
      readonly tenant: string
      readonly id: string
      readonly kind: string
      readonly key: string | null
      readonly parameters: number
      readonly priority: number
      readonly delayMs: number
      readonly concurrencyKey: string | null
      readonly deadlineMs: number | null
      readonly maxFailures: number
    }
  | {
      readonly do: "claim"
      readonly kinds: ReadonlyArray<ClaimKind>
      readonly limit: number
      readonly leaseMs: number
      readonly again: boolean
    }
  /** `forward`: what a worker does that gets on with a job it holds; otherwise anything by anybody. */
  | {
      readonly do: "act"
      readonly job: number
      readonly choice: number
      readonly forward: boolean
      readonly progress: boolean
    }
  | { readonly do: "late"; readonly lease: number; readonly forged: boolean; readonly progress: boolean }
  | {
      readonly do: "renew"
      readonly leases: ReadonlyArray<number>
      readonly leaseMs: number
      readonly progress: boolean
    }
  | { readonly do: "due"; readonly kinds: ReadonlyArray<string>; readonly limit: number }
  | { readonly do: "purge"; readonly kinds: ReadonlyArray<string> | null; readonly limit: number }
  | { readonly do: "advance"; readonly ms: number }

const claimKinds: fc.Arbitrary<ReadonlyArray<ClaimKind>> = fc
  .subarray(["work", "play"], { minLength: 1 })
  .chain((kinds) =>
    fc.tuple(
      ...kinds.map((kind) =>
        fc.record(
          {
            kind: fc.constant(kind),
            perTenant: fc.integer({ min: 1, max: 2 }),
            perKey: fc.constant(1)
          },
          { requiredKeys: ["kind"] }
        )
      )
    )
  ) as fc.Arbitrary<ReadonlyArray<ClaimKind>>

const submit: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("submit" as const),
  tenant: fc.constantFrom(...TENANTS),
  id: fc.constantFrom(...IDS),
  kind: fc.constantFrom("work", "work", "work", "play", "watch"),
  key: fc.constantFrom(null, null, "k"),
  parameters: fc.nat(1),
  priority: fc.integer({ min: -1, max: 1 }),
  delayMs: fc.constantFrom(0, 0, 0, 5_000),
  concurrencyKey: fc.constantFrom(null, "u", "v"),
  deadlineMs: fc.constantFrom(null, null, 20_000),
  maxFailures: fc.integer({ min: 1, max: 3 })
})
const claimOp: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("claim" as const),
  kinds: claimKinds,
  limit: fc.integer({ min: 1, max: 4 }),
  leaseMs: fc.constantFrom(1_000, 12_000, 12_000),
  again: fc.integer({ min: 0, max: 4 }).map((n) => n === 4)
})
const act: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("act" as const),
  job: fc.nat(5),
  choice: fc.nat(40),
  forward: fc.boolean(),
  progress: fc.boolean()
})
const late: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("late" as const),
  lease: fc.nat(9),
  forged: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
  progress: fc.boolean()
})
const renewOp: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("renew" as const),
  leases: fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }),
  leaseMs: fc.constantFrom(1_000, 12_000),
  progress: fc.boolean()
})
const dueOp: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("due" as const),
  kinds: fc.subarray([...KINDS], { minLength: 1 }),
  limit: fc.constantFrom(1, 2, 100)
})
const purgeOp: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("purge" as const),
  kinds: fc.constantFrom(null, null, ["work"], ["play", "watch"]),
  limit: fc.constantFrom(1, 2, 100)
})
const advance: fc.Arbitrary<Op> = fc.record({
  do: fc.constant("advance" as const),
  ms: fc.constantFrom(1, 999, 1_000, 4_000, 5_000, 12_000, RETENTION_MS, RETENTION_MS)
})

/** A few jobs at first, then anything. */
export const histories = (length: number): fc.Arbitrary<ReadonlyArray<Op>> =>
  fc
    .tuple(
      fc.array(submit, { minLength: 1, maxLength: 5 }),
      fc.array(
        fc.oneof(
          { weight: 3, arbitrary: submit },
          { weight: 4, arbitrary: claimOp },
          { weight: 9, arbitrary: act },
          { weight: 2, arbitrary: late },
          { weight: 2, arbitrary: renewOp },
          { weight: 2, arbitrary: dueOp },
          { weight: 2, arbitrary: purgeOp },
          { weight: 4, arbitrary: advance }
        ),
        { maxLength: length, size: "max" }
      )
    )
    .map(([first, then]) => [...first, ...then])

/** A call and its answer. */
export type Did =
  | { readonly _tag: "Create"; readonly job: NewJob; readonly answer: CreateAnswer }
  | {
      readonly _tag: "Claim"
      readonly request: ClaimRequest
      readonly again: boolean
      readonly answer: ReadonlyArray<ClaimedJob>
    }
  | { readonly _tag: "Commit"; readonly commit: Commit; readonly answer: CommitAnswer }
  | {
      readonly _tag: "Renew"
      readonly renewals: ReadonlyArray<Renewal>
      readonly leaseMs: number
      readonly answer: ReadonlyArray<RenewAnswer>
    }
  | {
      readonly _tag: "Due"
      readonly kinds: ReadonlyArray<string>
      readonly limit: number
      readonly answer: ReadonlyArray<DueJob>
    }
  | {
      readonly _tag: "Purge"
      readonly kinds: ReadonlyArray<string> | undefined
      readonly limit: number
      readonly answer: number
    }

export interface Step {
  readonly did: Did
  readonly now: number
  readonly before: World
  readonly after: World
}

/** A driver with its memory of tokens and leases. */
export interface Driver {
  readonly store: Store
  readonly clock: LawClock["Service"]
  /** Every lease that was ever given. */
  readonly leases: Array<Lease>
  readonly steps: Array<Step>
  claims: number
  last: ClaimRequest | undefined
}

export const driverOf = (store: Store, clock: LawClock["Service"]): Driver => ({
  store,
  clock,
  leases: [],
  steps: [],
  claims: 0,
  last: undefined
})

export const tokenOf = (claims: number): string => `token-of-claim-${String(claims).padStart(6, "0")}`

/** Runs a history; steps that found nothing to do leave no trace. */
export const runHistory = Effect.fnUntraced(function* (driver: Driver, ops: ReadonlyArray<Op>) {
  let before = yield* observe(driver.store)
  for (const op of ops) {
    if (op.do === "advance") {
      yield* driver.clock.advance(op.ms)
      continue
    }
    const now = yield* driver.clock.now
    const did = yield* perform(driver, before, op, now)
    if (did === undefined) continue
    const after = yield* observe(driver.store)
    driver.steps.push({ did, now, before, after })
    before = after
  }
  return before
})

const perform = Effect.fnUntraced(function* (
  driver: Driver,
  world: World,
  op: Exclude<Op, { do: "advance" }>,
  now: number
) {
  const { store } = driver
  switch (op.do) {
    case "submit": {
      const job = jobOf(op, now)
      return { _tag: "Create", job, answer: yield* store.create(job) } satisfies Did as Did
    }
    case "claim": {
      const again = op.again && driver.last !== undefined
      const request: ClaimRequest =
        again && driver.last !== undefined
          ? driver.last
          : {
              kinds: op.kinds,
              worker: `worker-${driver.claims % 3}`,
              token: tokenOf(driver.claims++),
              leaseMs: op.leaseMs,
              limit: op.limit
            }
      const answer = yield* store.claim(request)
      // A claim that took nothing leaves nothing to recognise it by.
      if (answer.length > 0) driver.last = request
      driver.leases.push(...answer.map(({ lease }) => lease))
      return { _tag: "Claim", request, again, answer } satisfies Did as Did
    }
    case "act": {
      const jobs = [...world.values()].filter(({ snapshot }) => !op.forward || snapshot.lease !== null)
      const seen = chosen(jobs, op.job)
      const commands = seen === undefined ? [] : openCommands(seen, now)
      const command = chosen(
        op.forward ? commands.filter(({ _tag }) => FORWARD.some((one) => one === _tag)) : commands,
        op.choice
      )
      if (seen === undefined || command === undefined) return undefined
      const commit = commitOf(seen, command, now, op.progress ? progressOf(op.choice) : undefined)
      return commit && (yield* committed(store, commit))
    }
    case "late": {
      const lease = chosen(driver.leases, op.lease)
      const seen = lease && world.get(placeOf(lease))
      if (lease === undefined || seen === undefined) return undefined
      const { epoch, token } = lease
      const commit = commitOf(seen, { _tag: "Rename", name: `late-${op.lease}` }, now)
      return (
        commit &&
        (yield* committed(store, {
          ...commit,
          lease: op.forged ? { epoch: seen.snapshot.row.epoch, token: `forged-${token}` } : { epoch, token },
          ...(op.progress ? { progress: progressOf(op.lease) } : {})
        }))
      )
    }
    case "renew": {
      const renewals = op.leases.flatMap((n): ReadonlyArray<Renewal> => {
        const lease = chosen(driver.leases, n)
        return lease === undefined ? [] : [{ lease, ...(op.progress ? { progress: progressOf(n) } : {}) }]
      })
      if (renewals.length === 0) return undefined
      const { leaseMs } = op
      return { _tag: "Renew", renewals, leaseMs, answer: yield* store.renew(renewals, leaseMs) } satisfies Did as Did
    }
    case "due": {
      const { kinds, limit } = op
      return { _tag: "Due", kinds, limit, answer: yield* store.due(kinds, limit) } satisfies Did as Did
    }
    case "purge": {
      const kinds = op.kinds ?? undefined
      const answer = yield* store.purge(kinds === undefined ? {} : { kinds }, op.limit)
      return { _tag: "Purge", kinds, limit: op.limit, answer } satisfies Did as Did
    }
  }
})

const committed = (store: Store, commit: Commit) =>
  Effect.map(store.commit(commit), (answer): Did => ({ _tag: "Commit", commit, answer }))

const chosen = <A>(all: ReadonlyArray<A>, n: number): A | undefined => all[n % Math.max(all.length, 1)]

const progressOf = (done: number): Progress => ({ done, total: null, phase: null, details: null })

export const jobOf = (op: Extract<Op, { do: "submit" }>, now: number): NewJob => {
  const isLeased = op.kind !== "watch"
  const submission: Submission = {
    id: op.id,
    tenant: op.tenant,
    kind: op.kind,
    relation: isLeased ? "leased" : "reported",
    key: op.key,
    name: null,
    parameters: { n: op.parameters },
    inputs: [],
    priority: op.priority,
    notBefore: isLeased && op.delayMs > 0 ? now + op.delayMs : null,
    deadlineMs: isLeased ? op.deadlineMs : null,
    concurrencyKey: op.concurrencyKey,
    retry: { maxFailures: op.maxFailures, firstMs: 1_000, factor: 2, capMs: 4_000 },
    silenceMs: isLeased ? null : 10_000,
    retentionMs: RETENTION_MS
  }
  const made = newJob(rulesOf(op.kind), { _tag: "Submit", submission })
  if (made._tag === "Rejected") throw new Error(made.message)
  return made
}

const failure = (retryable: boolean) =>
  ({ code: "Broken", category: "external", message: "It broke.", details: null, retryable }) as const

const FORWARD = ["Start", "Emit", "Ask", "BeginFinish", "Succeed"] satisfies ReadonlyArray<Command["_tag"]>

/** Every command that would write something now. */
const openCommands = ({ snapshot: { row, lease } }: Seen, now: number): ReadonlyArray<Command> => {
  const { epoch } = row
  const commands: ReadonlyArray<Command> = [
    { _tag: "Start", epoch },
    { _tag: "Emit", epoch, key: "x" },
    { _tag: "Emit", epoch, key: "y" },
    { _tag: "BeginFinish", epoch },
    { _tag: "Succeed", epoch, result: { n: 1 } },
    { _tag: "Fail", epoch, failure: failure(true) },
    { _tag: "Fail", epoch, failure: failure(false) },
    { _tag: "Ask", epoch, key: "code", stage: "login", waitMs: 10_000, rejects: false },
    { _tag: "AskExternal", epoch, id: "3ds", data: null, waitMs: 10_000 },
    { _tag: "Skip", epoch, reason: "nothing to do" },
    { _tag: "Release", epoch },
    { _tag: "ExpireLease", deadline: lease?.deadline ?? null },
    { _tag: "Ring", timer: "input" },
    { _tag: "Ring", timer: "external" },
    { _tag: "Ring", timer: "deadline" },
    { _tag: "Ring", timer: "silence" },
    { _tag: "GiveInput", key: "code", data: "1234" },
    { _tag: "FinishExternal", id: "3ds", data: "ok" },
    { _tag: "Rename", name: `name-${row.seq}` },
    { _tag: "Cancel", by: "client", reason: null },
    { _tag: "Reset", by: "client", fromInput: null, preserve: [] },
    { _tag: "Redrive", by: "operator" },
    { _tag: "Report", report: { state: "running", fields: { hostname: "h" }, failure: null } },
    { _tag: "Report", report: { state: "finished", fields: { result: { n: 2 } }, failure: null } },
    { _tag: "Report", report: { state: "unknown", fields: {}, failure: null } }
  ]
  return commands.filter((command) => {
    if (command._tag === "Report" && row.relation === "leased") return false
    const decided = decide(rulesOf(row.kind), row, command, now)
    return decided._tag === "Accepted" && decided.events.length > 0
  })
}

/** What a command writes, under the lease of the job if it is a worker's. */
export const commitOf = (
  { snapshot: { row, lease } }: Pick<Seen, "snapshot">,
  command: Command,
  now: number,
  progress?: Progress
): Commit | undefined => {
  const decided = decide(rulesOf(row.kind), row, command, now)
  if (decided._tag === "Rejected" || decided.events.length === 0) return undefined
  const { events, job } = decided
  const outputs = events.flatMap((event) =>
    event._tag === "OutputEmitted" ? [{ key: event.key, data: { seq: event.seq } }] : []
  )
  return {
    tenant: row.tenant,
    id: row.id,
    expectSeq: row.seq,
    ...("epoch" in command && lease !== null ? { lease: { epoch: lease.epoch, token: lease.token } } : {}),
    events,
    row: job,
    ...(outputs.length > 0 ? { outputs } : {}),
    ...(progress === undefined ? {} : { progress })
  }
}

/** The job as it is when `seen`, for those that look at rows only. */
export const rowsOf = (world: World): ReadonlyArray<Job> => [...world.values()].map(({ snapshot }) => snapshot.row)
