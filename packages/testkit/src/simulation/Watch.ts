/** What must hold after every step, and what is worth counting. Looks at the stores past all faults. */
import { toHex } from "@sotto/core/Bytes"
import { type Commit, fold, isPurgeable, isTerminal, type Job, type JobEvent, type Lease } from "@sotto/core/job"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import {
  type ClaimedJob,
  type CommitAnswer,
  type CreateAnswer,
  type JobSnapshot,
  JobStore,
  type RenewAnswer,
  type Renewal
} from "@sotto/core/ports/JobStore"
import type { SpendAnswer, SpendRequest } from "@sotto/core/budget"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { SimulatedPorts, StepCall } from "./Steps.ts"
import { OUTPUT_BUCKET, SCOPE } from "./Workload.ts"

/** What a run must have met somewhere, or its silence proves nothing. */
export const COUNTERS = [
  "crashed",
  "crashed with the reply on its way",
  "request lost",
  "reply lost",
  "frozen",
  "arrived late",
  "wake-up lost",
  "taken over",
  "handed back",
  "stale write refused",
  "conflict",
  "commit repeated",
  "claim repeated",
  "submission repeated",
  "charged",
  "replayed spend",
  "charged and reply lost",
  "refused by the budget",
  "published",
  "published again",
  "parked and resumed",
  "cancelled while running",
  "reset",
  "redriven",
  "paused",
  "resumed",
  "faltered",
  "succeeded",
  "purged"
] as const

export type Counter = (typeof COUNTERS)[number]

export type Invariant =
  | "NOTHING-LOST"
  | "FOLD"
  | "GAPLESS"
  | "ONE-HOLDER"
  | "STALE-WRITE"
  | "RELEASED-ONCE"
  | "PAID-FIRST"
  | "SPENT"
  | "COMES-TO-AN-END"

/** An invariant that does not hold after some step. */
export interface Violation {
  readonly invariant: Invariant
  readonly message: string
}

interface Known {
  readonly tenant: string
  readonly id: string
  events: ReadonlyArray<JobEvent>
  /** As it was last seen. */
  row: Job
}

/** Looks at one call before and after it is carried out. */
export interface Watch {
  /** Answers what to do with the outcome of the call. */
  readonly before: (call: StepCall) => (exit: Exit.Exit<unknown, unknown>) => Violation | undefined
  /** Whether there is a job yet. */
  readonly begun: () => boolean
  readonly allEnded: () => boolean
  readonly open: () => string
}

type Run = <A, E>(effect: Effect.Effect<A, E>) => A

export const makeWatch = (
  ports: Context.Context<SimulatedPorts>,
  run: Run,
  now: () => number,
  count: (counter: Counter) => void
): Watch => {
  const store = Context.get(ports, JobStore)
  const ledger = Context.get(ports, BudgetLedger)
  const known = new Map<string, Known>()
  /** Who was given an epoch of a job: its token. */
  const given = new Map<string, string>()
  const claims = new Set<string>()
  const submitted = new Set<string>()
  /** The bytes that were published for a question. */
  const published = new Map<string, string>()
  let paidFor: ReadonlyArray<string> = []
  const place = (tenant: string, id: string) => `${tenant}\n${id}`

  const read = (tenant: string, id: string): JobSnapshot | undefined => {
    const answer = run(store.read(tenant, id))
    return "_tag" in answer ? undefined : answer
  }

  const isCurrent = (job: JobSnapshot | undefined, lease: Pick<Lease, "epoch" | "token">): boolean =>
    job?.lease?.epoch === lease.epoch && job.lease.token === lease.token && now() < job.lease.deadline

  const countEvents = (event: JobEvent, before: JobEvent | undefined) => {
    if (event._tag === "Claimed" && before?._tag === "LeaseExpired") count("taken over")
    if (event._tag === "Released") count("handed back")
    if (event._tag === "InputGiven" || event._tag === "ExternalFinished") count("parked and resumed")
    if (event._tag === "Cancelled" && before?.state === "Running") count("cancelled while running")
    if (event._tag === "Reset") count("reset")
    if (event._tag === "Redriven") count("redriven")
    if (event._tag === "Faltered") count("faltered")
    if (event._tag === "Succeeded") count("succeeded")
  }

  /** Only a purge may take a job away, and only one that was kept for as long as it was to be. */
  const gone = (job: Known, purging: boolean): Violation | undefined => {
    if (!purging || !isPurgeable(job.row, now())) {
      return { invariant: "NOTHING-LOST", message: `Job ${job.id} is gone.` }
    }
    count("purged")
    known.delete(place(job.tenant, job.id))
    const log = run(store.events(job.tenant, job.id, 0, 1))
    return "_tag" in log ? undefined : { invariant: "NOTHING-LOST", message: `Job ${job.id} is gone without its log.` }
  }

  /** The laws of one job and its log; nothing of what was seen before may have changed. */
  const look = (job: Known, purging: boolean): Violation | undefined => {
    const name = `Job ${job.id}`
    const snapshot = read(job.tenant, job.id)
    if (snapshot === undefined) return gone(job, purging)
    const { row, seq, lease } = snapshot
    job.row = row
    if ((row.holder === null) !== (lease === null)) {
      return { invariant: "ONE-HOLDER", message: `${name} is held by ${row.holder}, but its lease is ${text(lease)}.` }
    }
    if (seq === job.events.length) return undefined
    const answer = run(store.events(job.tenant, job.id, 0, 1_000))
    if ("_tag" in answer) return { invariant: "NOTHING-LOST", message: `The log of ${name} is gone.` }
    const changed = job.events.findIndex((event, i) => text(event) !== text(answer[i]))
    if (changed >= 0) return { invariant: "NOTHING-LOST", message: `Event ${changed + 1} of ${name} was replaced.` }
    if (answer.some(({ seq }, i) => seq !== i + 1)) {
      return {
        invariant: "GAPLESS",
        message: `The log of ${name} is numbered ${answer.map(({ seq }) => seq).join(" ")}.`
      }
    }
    if (text(fold(answer)) !== text(row))
      return { invariant: "FOLD", message: `The row of ${name} is not the fold of its log.` }
    const epochs = answer.flatMap((event) => (event._tag === "Claimed" ? [event.epoch] : []))
    if (epochs.some((epoch, i) => i > 0 && epoch <= (epochs[i - 1] ?? 0))) {
      return { invariant: "ONE-HOLDER", message: `The claims of ${name} have the epochs ${epochs.join(" ")}.` }
    }
    const ends = answer.flatMap((event) => (event._tag === "Succeeded" ? [event.session] : []))
    if (new Set(ends).size < ends.length) {
      return { invariant: "RELEASED-ONCE", message: `${name} succeeded twice in one session.` }
    }
    for (let i = job.events.length; i < answer.length; i++) countEvents(answer[i] as JobEvent, answer[i - 1])
    job.events = answer
    return undefined
  }

  const lookAtAll = (purging: boolean): Violation | undefined => first([...known.values()], (job) => look(job, purging))

  const spent = (): Violation | undefined => {
    const history = run(ledger.history(SCOPE, 0, 1_000))
    const questions = history.map(({ fingerprint }) => String(fingerprint))
    if (paidFor.some((fingerprint, i) => fingerprint !== questions[i])) {
      return { invariant: "SPENT", message: "The ledger forgot a charge." }
    }
    paidFor = questions
    const due = new Map<string, number>()
    const seen = new Set<string>()
    for (const { fingerprint, epsilon, unitIds } of history) {
      if (seen.has(fingerprint)) continue
      seen.add(fingerprint)
      for (const unit of unitIds) due.set(unit, (due.get(unit) ?? 0) + epsilon)
    }
    const units = new Map(run(ledger.units(SCOPE, undefined, 1_000)).map((unit) => [String(unit.id), unit.spent]))
    for (const unit of new Set([...due.keys(), ...units.keys()])) {
      const [is, should] = [units.get(unit) ?? 0, due.get(unit) ?? 0]
      if (is !== should) {
        return {
          invariant: "SPENT",
          message: `Unit ${unit.slice(0, 4)} spent ${is} micro-epsilon, its questions cost ${should}.`
        }
      }
    }
    return undefined
  }

  const commitOf = (commit: Commit) => {
    const job = read(commit.tenant, commit.id)
    const repeated = commit.events.length > 0 && commit.expectSeq < (job?.seq ?? 0)
    return (answer: CommitAnswer): Violation | undefined => {
      if (answer._tag === "SeqConflict") count("conflict")
      if (answer._tag === "LeaseLost") count("stale write refused")
      if (answer._tag !== "Committed") return undefined
      if (repeated) count("commit repeated")
      if (!repeated && commit.lease !== undefined && !isCurrent(job, commit.lease)) {
        return {
          invariant: "STALE-WRITE",
          message: `A write to job ${commit.id} was taken from epoch ${commit.lease.epoch}, whose lease is over.`
        }
      }
      const log = run(store.events(commit.tenant, commit.id, commit.expectSeq, commit.events.length))
      return text(log) === text(commit.events)
        ? undefined
        : { invariant: "NOTHING-LOST", message: `A write to job ${commit.id} was answered and is not in its log.` }
    }
  }

  const claimed = (token: string, jobs: ReadonlyArray<ClaimedJob>): Violation | undefined => {
    if (jobs.length > 0 && claims.has(token)) count("claim repeated")
    if (jobs.length > 0) claims.add(token)
    return first(jobs, ({ row, lease }): Violation | undefined => {
      const epoch = `${place(row.tenant, row.id)}\n${lease.epoch}`
      const other = given.get(epoch)
      given.set(epoch, token)
      return other === undefined || other === token
        ? undefined
        : { invariant: "ONE-HOLDER", message: `Epoch ${lease.epoch} of job ${row.id} was given to two workers.` }
    })
  }

  const renewed = (renewals: ReadonlyArray<Renewal>) => {
    const current = renewals.map(({ lease }) => isCurrent(read(lease.tenant, lease.id), lease))
    return (answers: ReadonlyArray<RenewAnswer>): Violation | undefined =>
      first(answers.entries(), ([i, answer]): Violation | undefined =>
        answer._tag === "Renewed" && current[i] !== true
          ? { invariant: "STALE-WRITE", message: `A lost lease of job ${answer.lease.id} was renewed.` }
          : undefined
      )
  }

  const created = (answer: CreateAnswer): Violation | undefined => {
    if (answer._tag === "KeyConflict") return undefined
    const { tenant, id, kind, key } = answer.row
    if (answer._tag === "Exists") count("submission repeated")
    const submission = `${tenant}\n${kind}\n${key}`
    if (!known.has(place(tenant, id))) {
      if (submitted.has(submission)) return { invariant: "RELEASED-ONCE", message: `One key, two jobs: ${key}.` }
      submitted.add(submission)
      known.set(place(tenant, id), { tenant, id, events: [], row: answer.row })
    }
    return undefined
  }

  const paid = ({ fingerprint }: SpendRequest, answer: SpendAnswer): Violation | undefined => {
    if (answer._tag === "Exhausted") count("refused by the budget")
    if (answer._tag === "Replayed") count("replayed spend")
    if (answer._tag === "Charged") count("charged")
    const wrong = spent()
    if (wrong !== undefined || (answer._tag !== "Charged" && answer._tag !== "Replayed")) return wrong
    return paidFor.includes(fingerprint)
      ? undefined
      : { invariant: "SPENT", message: `The ledger answered ${answer._tag} and has no such charge.` }
  }

  const wrote = ([ref, bytes]: ReadonlyArray<unknown>): Violation | undefined => {
    const { bucket, key } = ref as { bucket: string; key: string }
    const [fingerprint = ""] = key.split("/")
    if (bucket !== OUTPUT_BUCKET) return undefined
    const hex = toHex(bytes as Uint8Array)
    const before = published.get(fingerprint)
    count(before === undefined ? "published" : "published again")
    published.set(fingerprint, hex)
    if (!run(ledger.history(SCOPE, 0, 1_000)).some((spend) => spend.fingerprint === fingerprint)) {
      return {
        invariant: "PAID-FIRST",
        message: `A question was published that nobody paid: ${fingerprint.slice(0, 4)}.`
      }
    }
    return before === undefined || before === hex
      ? undefined
      : {
          invariant: "RELEASED-ONCE",
          message: `Two answers were published to one question: ${fingerprint.slice(0, 4)}.`
        }
  }

  const judge = (call: StepCall): ((value: never) => Violation | undefined) | undefined => {
    const [argument] = call.args as [never]
    switch (`${call.port}.${call.method}`) {
      case "JobStore.create":
        return created
      case "JobStore.commit":
        return commitOf(argument)
      case "JobStore.claim":
        return (jobs: ReadonlyArray<ClaimedJob>) => claimed((argument as { token: string }).token, jobs)
      case "JobStore.renew":
        return renewed(argument)
      case "BudgetLedger.spend":
        return (answer: SpendAnswer) => paid(argument, answer)
      case "BlobStore.write":
        return () => wrote(call.args)
      // The engine keeps nothing but paused kinds in records.
      case "Records.put":
        return () => void count("paused")
      case "Records.delete":
        return () => void count("resumed")
      default:
        return undefined
    }
  }

  return {
    before: (call) => {
      const ofAnswer = judge(call)
      return (exit) => {
        const wrong = call.port === "JobStore" ? lookAtAll(call.method === "purge") : undefined
        return wrong ?? (ofAnswer !== undefined && Exit.isSuccess(exit) ? ofAnswer(exit.value as never) : undefined)
      }
    },
    begun: () => submitted.size > 0,
    allEnded: () => [...known.values()].every(({ events }) => isTerminal(events.at(-1)?.state ?? "Queued")),
    open: () =>
      [...known.values()]
        .flatMap(({ id, events }) => {
          const last = events.at(-1)
          return last === undefined || !isTerminal(last.state) ? [`${id} is ${last?.state}`] : []
        })
        .join(", ")
  }
}

const first = <A, B>(items: Iterable<A>, find: (item: A) => B | undefined): B | undefined => {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

const text = (value: unknown): string => JSON.stringify(value)
