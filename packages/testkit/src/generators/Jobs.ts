/** Kinds of jobs, and jobs: what a host submits, what happens to it, and what is there then. */
import {
  type Accepted,
  type Command,
  decide,
  type Failure,
  fold,
  type Job,
  type JobEvent,
  JobKind,
  type JobState,
  type KindOptions,
  type Lease,
  type LeasePolicy,
  type LifecycleEvent,
  LEASE,
  MAX_PRIORITY,
  type Plain,
  type Progress,
  type Relation,
  RETRY,
  type RetryPolicy,
  type Submission,
  submissionOf
} from "@sotto/core/job"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { allCommands, type AnyKind, type KindSamples, live, livesOf, submissionFor } from "../internal/JobLives.ts"

export type { AnyKind, KindSamples } from "../internal/JobLives.ts"

const DAY_MS = 86_400_000
const YEAR_MS = 365 * DAY_MS

/** Milliseconds since 1970, up to the year 2106. */
export const times: fc.Arbitrary<number> = fc.integer({ min: 0, max: 2 ** 32 * 1_000 })

const durations = fc.oneof(fc.constantFrom(1, 1_000, DAY_MS), fc.integer({ min: 1, max: YEAR_MS }))

/** Names as jobs, tenants, keys and inputs have them, with characters that stores and addresses mistake. */
export const names: fc.Arbitrary<string> = fc
  .array(fc.constantFrom("a", "b", "Z", "0", "-", "_", "/", "%", "'", '"', " ", "é", "中", "\u{1f600}"), {
    minLength: 1,
    maxLength: 30
  })
  .map((characters) => characters.join(""))

/** Ids of jobs: visible ASCII characters. */
export const jobIds: fc.Arbitrary<string> = fc
  .array(fc.integer({ min: 0x21, max: 0x7e }), { minLength: 1, maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes))

/** What JSON can say and gives back as it was. */
export const plains: fc.Arbitrary<Plain> = fc
  .jsonValue({ maxDepth: 3 })
  .map(
    (value) =>
      JSON.parse(JSON.stringify(value), (name, one: Plain) => (name === "__proto__" ? undefined : one)) as Plain
  )

export const failures: fc.Arbitrary<Failure> = fc.record({
  code: fc.constantFrom("Broken", "NotFound", "Refused", "TooLarge"),
  category: fc.constantFrom("client", "server", "external"),
  message: fc.string(),
  details: plains,
  retryable: fc.boolean()
})

export const retryPolicies: fc.Arbitrary<RetryPolicy> = fc.record({
  maxFailures: fc.integer({ min: 1, max: 100 }),
  firstMs: fc.integer({ min: 0, max: RETRY.capMs }),
  factor: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.constant(1.5)),
  capMs: fc.integer({ min: RETRY.capMs, max: DAY_MS })
})

export const leasePolicies: fc.Arbitrary<LeasePolicy> = fc
  .tuple(fc.integer({ min: 10, max: 600_000 }), fc.integer({ min: 2, max: 6 }))
  .map(([renewMs, renewals]) => ({ renewMs, leaseMs: Math.max(100, renewMs * renewals) }))

export const leases: fc.Arbitrary<Lease> = fc.record({
  tenant: names,
  id: jobIds,
  epoch: fc.integer({ min: 1, max: 1_000 }),
  token: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Array.from(bytes, hex).join("")),
  deadline: times
})

const hex = (byte: number): string => byte.toString(16).padStart(2, "0")

export const progresses: fc.Arbitrary<Progress> = fc
  .tuple(fc.nat(), fc.option(fc.nat()), fc.option(names), plains)
  .map(([done, more, phase, details]) => ({ done, total: more === null ? null : done + more, phase, details }))

const OPTIONAL: Readonly<
  Record<Relation, { readonly states: ReadonlyArray<JobState>; readonly events: ReadonlyArray<LifecycleEvent> }>
> = {
  leased: {
    states: ["AwaitingInput", "AwaitingExternal", "Finishing", "Cancelled", "Skipped"],
    events: ["InputGiven", "OutputEmitted", "Progressed", "Reset", "Redriven", "Renamed", "FinishBegun"]
  },
  reported: {
    states: ["Queued", "Finishing", "Cancelling", "Cancelled", "Skipped"],
    events: ["CancelRequested", "ReportedIdle", "ReportedSkipped"]
  }
}

/** Kinds of both relations that leave out this or that, with times, leases and retries of their own; all sound. */
export const jobKinds: fc.Arbitrary<AnyKind> = fc
  .constantFrom<Relation>("leased", "reported")
  .chain((relation) =>
    fc.record({
      relation: fc.constant(relation),
      name: fc.constantFrom("work", "play", "night-shift"),
      parameters: fc.constant(Schema.Json),
      result: fc.constant(Schema.Json),
      failure: fc.constant(Schema.Json),
      without: fc.record({
        states: fc.subarray([...OPTIONAL[relation].states]),
        events: fc.subarray([...OPTIONAL[relation].events])
      }),
      lease: fc.oneof(fc.constant(LEASE), leasePolicies),
      retry: fc.oneof(fc.constant(RETRY), retryPolicies),
      deadlineMs: relation === "leased" ? fc.option(durations) : fc.constant(null),
      silenceMs: relation === "reported" ? fc.option(durations) : fc.constant(null),
      inputMs: durations,
      externalMs: durations,
      retentionMs: fc.integer({ min: DAY_MS, max: YEAR_MS })
    })
  )
  .filter((options) => JobKind.check(options as KindOptions<string, unknown, unknown, unknown, string>).length === 0)
  .map((options) => JobKind.make(options))

/** Submissions of a kind that it takes. `samples.parameters` are encoded; without them any plain data. */
export const submissions = (
  kind: Pick<AnyKind, "name" | "relation" | "times" | "retry">,
  samples: KindSamples = {}
): fc.Arbitrary<Submission> => {
  const leased = kind.relation === "leased"
  const none = fc.constant(null)
  return fc
    .record({
      parameters: samples.parameters === undefined ? plains : fc.constant(samples.parameters),
      options: fc.record({
        id: jobIds,
        tenant: names,
        key: fc.option(names),
        name: fc.option(names),
        inputs: fc.uniqueArray(fc.record({ key: names, data: plains }), { selector: ({ key }) => key, maxLength: 3 }),
        priority: fc.integer({ min: -MAX_PRIORITY, max: MAX_PRIORITY }),
        notBefore: leased ? fc.option(times) : none,
        deadlineMs: leased ? fc.option(durations) : none,
        concurrencyKey: fc.option(names),
        retry: retryPolicies
      })
    })
    .map(({ parameters, options }) => submissionOf(kind, parameters, options))
}

/** A job with everything that happened to it. */
export interface JobHistory {
  readonly job: Job
  readonly log: ReadonlyArray<JobEvent>
}

/** Jobs of a kind in whatever state a random life of at most `length` commands brings them, with their logs. */
export const jobHistories = (
  kind: AnyKind,
  { length = 40, ...samples }: KindSamples & { readonly length?: number } = {}
): fc.Arbitrary<JobHistory> =>
  fc.tuple(livesOf(kind, samples, length), times).map(([life, start]) => {
    const { log } = live(kind, samples, (job, command, now) => decide(kind, job, command, now), life, start)
    const job = fold(log)
    if (job !== undefined) return { job, log }
    const { events, job: born } = birthOf(kind, samples, start)
    return { job: born, log: events }
  })

const birthOf = (kind: AnyKind, samples: KindSamples, now: number): Accepted => {
  const born = decide(kind, undefined, { _tag: "Submit", submission: submissionFor(kind, samples) }, now)
  if (born._tag === "Rejected") throw new Error(born.message)
  return born
}

export const jobs = (kind: AnyKind, samples: KindSamples = {}): fc.Arbitrary<Job> =>
  jobHistories(kind, samples).map(({ job }) => job)

/** Commands to a job of a kind, of every sort: most of them are refused by most jobs. */
export const commands = (kind: AnyKind, job: Job | undefined, samples: KindSamples = {}): fc.Arbitrary<Command> =>
  fc.constantFrom(...allCommands(kind, samples, job))
