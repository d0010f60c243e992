import { type Commit, type Job, JOB_STATES, type JobEvent, type NewJob, type OutputData } from "@sotto/core/job"
import {
  type ClaimedJob,
  type ClaimRequest,
  type CommitAnswer,
  type CreateAnswer,
  type DueJob,
  type JobCursor,
  type JobFilter,
  type JobNotFound,
  type JobPage,
  type JobSnapshot,
  JobStore,
  type JobStoreCapabilities,
  JobStoreUnavailable,
  type JobTally,
  type PublishedMark,
  type PurgePolicy,
  type Renewal,
  type RenewAnswer,
  type UnpublishedJob
} from "@sotto/core/ports/JobStore"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { call, checker, checkList, checkOptional, demandAdapter, type Thrown, Whole } from "./Border.ts"

/** A store of jobs as a host writes it with Promises; the promises are those of the port `JobStore`, method by method. */
export interface PromisedJobStore {
  readonly capabilities: JobStoreCapabilities
  create(job: NewJob): Promise<CreateAnswer>
  read(tenant: string, id: string): Promise<JobSnapshot | JobNotFound>
  commit(commit: Commit): Promise<CommitAnswer>
  commitMany(commits: ReadonlyArray<Commit>): Promise<ReadonlyArray<CommitAnswer>>
  claim(request: ClaimRequest): Promise<ReadonlyArray<ClaimedJob>>
  renew(renewals: ReadonlyArray<Renewal>, leaseMs: number): Promise<ReadonlyArray<RenewAnswer>>
  due(kinds: ReadonlyArray<string>, limit: number): Promise<ReadonlyArray<DueJob>>
  events(tenant: string, id: string, after: number, limit: number): Promise<ReadonlyArray<JobEvent> | JobNotFound>
  output(tenant: string, id: string, session: number, key: string): Promise<OutputData | undefined>
  list(tenant: string, filter: JobFilter, after: JobCursor | null, limit: number): Promise<JobPage>
  tally(tenant: string | null): Promise<ReadonlyArray<JobTally>>
  unpublished(tenants: ReadonlyArray<string>, limit: number): Promise<ReadonlyArray<UnpublishedJob>>
  published(marks: ReadonlyArray<PublishedMark>): Promise<void>
  purge(policy: PurgePolicy, limit: number): Promise<number>
}

/** What the engine decides by; the rest of a row is what the engine itself wrote. */
const Row = Schema.Struct({
  id: Schema.NonEmptyString,
  tenant: Schema.NonEmptyString,
  kind: Schema.NonEmptyString,
  state: Schema.Literals(JOB_STATES),
  seq: Whole,
  outwardSeq: Whole,
  epoch: Whole,
  session: Whole,
  failures: Whole,
  dead: Schema.Boolean,
  createdAt: Whole,
  updatedAt: Whole
})
const Lease = Schema.Struct({ epoch: Whole, token: Schema.NonEmptyString, deadline: Whole })
const Lost = Schema.Struct({
  _tag: Schema.Literal("LeaseLost"),
  because: Schema.Literals(["expired", "superseded", "cancelled", "reset"])
})
const NotFound = Schema.Struct({ _tag: Schema.Literal("NotFound") })
const snapshot = { row: Row, seq: Whole, now: Whole, lease: Schema.NullOr(Schema.Unknown), progress: Schema.Unknown }
const Committed = Schema.Union([
  Schema.Struct({ _tag: Schema.Literals(["Committed", "SeqConflict"]), seq: Whole }),
  Lost,
  NotFound
])

const as = <A>(what: string, schema: Schema.Codec<unknown, unknown>) =>
  checker(what, schema) as unknown as (answer: unknown) => A

const isCreate = as<CreateAnswer>(
  "answer to create",
  Schema.Union([
    Schema.Struct({ _tag: Schema.Literals(["Created", "Exists"]), ...snapshot }),
    Schema.Struct({ _tag: Schema.Literal("KeyConflict"), id: Schema.NonEmptyString })
  ])
)
const isRead = as<JobSnapshot | JobNotFound>("answer to read", Schema.Union([Schema.Struct(snapshot), NotFound]))
const isCommit = as<CommitAnswer>("answer to commit", Committed)
const isClaimed = as<ClaimedJob>(
  "claimed job",
  Schema.Struct({ row: Row, lease: Lease, progress: Schema.NullOr(Schema.Unknown) })
)
const isRenewal = as<RenewAnswer>(
  "answer to renew",
  Schema.Union([Schema.Struct({ _tag: Schema.Literal("Renewed"), lease: Lease }), Lost, NotFound])
)
const isDue = as<DueJob>(
  "due job",
  Schema.Struct({
    tenant: Schema.String,
    id: Schema.String,
    kind: Schema.String,
    because: Schema.Literals(["lease", "timer", "ready"])
  })
)
const isEvent = as<JobEvent>(
  "event",
  Schema.Struct({ _tag: Schema.String, seq: Whole, at: Whole, state: Schema.Literals(JOB_STATES), epoch: Whole })
)
const isNotFound = as<JobNotFound>("answer to events", NotFound)
const isOutput = as<OutputData>("output", Schema.Struct({ key: Schema.String, data: Schema.Unknown }))
const isPage = as<JobPage>(
  "page of jobs",
  Schema.Struct({
    rows: Schema.Array(Row),
    next: Schema.NullOr(Schema.Struct({ createdAt: Whole, id: Schema.String }))
  })
)
const isTally = as<JobTally>(
  "count of jobs",
  Schema.Struct({ kind: Schema.String, state: Schema.Literals(JOB_STATES), jobs: Whole })
)
const isUnpublished = as<UnpublishedJob>(
  "unpublished job",
  Schema.Struct({
    tenant: Schema.String,
    id: Schema.String,
    kind: Schema.String,
    seq: Whole,
    outwardSeq: Whole,
    published: Whole
  })
)
const isCount = as<number>("count", Whole)

const done = (): void => undefined

/** Nobody sees a job of another tenant or under another id, whatever the adapter does. */
const own = (tenant: string, id: string) => (answer: unknown) => {
  const read = isRead(answer)
  if (!("row" in read) || (samePlace(read.row, tenant) && read.row.id === id)) return read
  throw new Error(`The adapter answered with the job ${read.row.id} when it was asked for ${id}; correct the adapter.`)
}

const samePlace = (row: Job, tenant: string): boolean => row.tenant === tenant

const BECAUSE = ["missing", "not-a-store", "newer", "corrupt", "full", "read-only", "busy"] as const

const refuse = ({ code, message }: Thrown) =>
  new JobStoreUnavailable({ because: BECAUSE.find((one) => one === code) ?? "io", message })

const METHODS = [
  "create",
  "read",
  "commit",
  "commitMany",
  "claim",
  "renew",
  "due",
  "events",
  "output",
  "list",
  "tally",
  "unpublished",
  "published",
  "purge"
] as const

/** The port over a host's Promises. An error's `code` may be one of the port's causes, e.g. `busy`; others are `io`. */
export const layerPromisedJobStore = (store: PromisedJobStore): Layer.Layer<JobStore> => {
  demandAdapter("JobStore", store, METHODS, ["durable", "shared"])
  return Layer.succeed(JobStore, {
    capabilities: { durable: store.capabilities.durable, shared: store.capabilities.shared },
    create: (job) => call(() => store.create(job), isCreate, refuse),
    read: (tenant, id) => call(() => store.read(tenant, id), own(tenant, id), refuse),
    commit: (commit) => call(() => store.commit(commit), isCommit, refuse),
    commitMany: (commits) =>
      call(() => store.commitMany(commits), checkList("answer to commit", isCommit, commits.length), refuse),
    claim: (request) => call(() => store.claim(request), checkList("claimed job", isClaimed), refuse),
    renew: (renewals, leaseMs) =>
      call(() => store.renew(renewals, leaseMs), checkList("answer to renew", isRenewal, renewals.length), refuse),
    due: (kinds, limit) => call(() => store.due(kinds, limit), checkList("due job", isDue), refuse),
    events: (tenant, id, after, limit) =>
      call(
        () => store.events(tenant, id, after, limit),
        (answer) => (Array.isArray(answer) ? checkList("event", isEvent)(answer) : isNotFound(answer)),
        refuse
      ),
    output: (tenant, id, session, key) =>
      call(() => store.output(tenant, id, session, key), checkOptional(isOutput), refuse),
    list: (tenant, filter, after, limit) => call(() => store.list(tenant, filter, after, limit), isPage, refuse),
    tally: (tenant) => call(() => store.tally(tenant), checkList("count of jobs", isTally), refuse),
    unpublished: (tenants, limit) =>
      call(() => store.unpublished(tenants, limit), checkList("unpublished job", isUnpublished), refuse),
    published: (marks) => call(() => store.published(marks), done, refuse),
    purge: (policy, limit) => call(() => store.purge(policy, limit), isCount, refuse)
  })
}
