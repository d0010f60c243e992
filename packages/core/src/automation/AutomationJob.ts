/** Jobs, events, inputs and outputs as the automation interface shows them (other systems A3). Times are milliseconds. */
import { sha256 } from "@noble/hashes/sha2.js"
import { toUuid, utf8 } from "../Bytes.ts"
import type { OutputData, Progress } from "../job/Commit.ts"
import type { JobEvent } from "../job/Event.ts"
import type { Job } from "../job/Job.ts"
import type { Millis } from "../job/Lifecycle.ts"
import type { Plain } from "../job/Plain.ts"
import { type JobError, jobErrorOf } from "./AutomationError.ts"
import type { AutomationParameters, AutomationWord } from "./AutomationKind.ts"

export interface ItemMeta<Object extends string> {
  readonly object: Object
  readonly key: string
  readonly createdAt: Millis
}

export interface AutomationJob {
  readonly object: "job"
  readonly id: string
  readonly category: AutomationParameters["category"]
  readonly state: AutomationWord
  readonly serviceId: string
  readonly serviceName: string
  readonly domainId: string
  readonly awaitingInputKey: string | null
  readonly awaitingInputStage: string
  readonly lastAwaitingInputKey: string | null
  /** What was given and is to be replaced. */
  readonly rejectedInput: { readonly key: string; readonly data: Plain } | null
  /** 0 … 100 */
  readonly progress: number
  readonly error: JobError | null
  readonly activeTdsId: string | null
  readonly inputs: ReadonlyArray<ItemMeta<"job-input-meta">>
  readonly outputs: ReadonlyArray<ItemMeta<"job-output-meta">>
  readonly piiRemoved: boolean
  readonly sessionId: string
  /** Sessions that began to run. */
  readonly sessionCount: number
  readonly successCode: string | null
  readonly createdAt: Millis
  readonly updatedAt: Millis
  readonly finishedAt: Millis | null
  readonly duration: number
}

export interface AutomationFacts {
  readonly job: Job
  readonly word: AutomationWord
  readonly progress: Progress | null
  readonly piiRemoved: boolean
  readonly now: Millis
}

/** `parameters` as the kind decoded them. */
export const automationJob = (
  { job, word, progress, piiRemoved, now }: AutomationFacts,
  { serviceId, serviceName, domainId, category }: AutomationParameters
): AutomationJob => {
  const { awaiting, outcome, inputs, outputs, createdAt, updatedAt, finishedAt, lastAwaited } = job
  const input = awaiting?._tag === "Input" ? awaiting : undefined
  const result = outcome?._tag === "Succeeded" ? (outcome.result as { readonly code?: string | null } | null) : null
  return {
    object: "job",
    id: job.id,
    category,
    state: word,
    serviceId,
    serviceName,
    domainId,
    awaitingInputKey: input?.key ?? null,
    awaitingInputStage: input?.stage ?? "",
    lastAwaitingInputKey: lastAwaited,
    rejectedInput: input?.rejected === undefined || piiRemoved ? null : { key: input.key, data: input.rejected },
    progress: percentOf(progress),
    error: jobErrorOf(job),
    activeTdsId: awaiting?._tag === "External" ? awaiting.id : null,
    inputs: inputs.map(({ key, at }) => ({ object: "job-input-meta", key, createdAt: at })),
    outputs: outputs.map(({ key, at }) => ({ object: "job-output-meta", key, createdAt: at })),
    piiRemoved,
    sessionId: sessionIdOf(job),
    sessionCount: sessionCountOf(job),
    successCode: result?.code ?? null,
    createdAt,
    updatedAt,
    finishedAt,
    duration: Math.max(0, (finishedAt ?? now) - createdAt)
  }
}

const percentOf = (progress: Progress | null): number => {
  if (progress === null || progress.total === null || progress.total <= 0) return 0
  return Math.max(0, Math.min(100, Math.round((100 * progress.done) / progress.total)))
}

export const sessionCountOf = ({ session, startedAt }: Pick<Job, "session" | "startedAt">): number =>
  startedAt === null ? session - 1 : session

export const sessionIdOf = ({ id, session }: Pick<Job, "id" | "session">): string =>
  namedUuid(`session/${id}/${session}`)

/** The same UUID for the same name, always (RFC 9562 §5.8: version 8, from SHA-256). */
export const namedUuid = (name: string): string => toUuid(sha256(utf8(name)).slice(0, 16), 8)

export interface AutomationEvent {
  readonly object: "job-event"
  readonly id: string
  readonly name: string
  readonly key?: string
  readonly createdAt: Millis
}

/** The events of a part of a job's log, as its clients count them: append-only, never cut, not even by a reset. */
export const automationEvents = (jobId: string, log: ReadonlyArray<JobEvent>): ReadonlyArray<AutomationEvent> =>
  log.flatMap(({ at, outward }) =>
    outward.map(({ name, key, number }) => ({
      object: "job-event" as const,
      id: namedUuid(`event/${jobId}/${number}`),
      name,
      ...(key === undefined ? {} : { key }),
      createdAt: at
    }))
  )

export interface AutomationInput {
  readonly object: "job-input"
  readonly jobId: string
  readonly key: string
  readonly stage: string
  readonly data: Plain
}

export const automationInput = (jobId: string, key: string, stage: string, data: Plain): AutomationInput => ({
  object: "job-input",
  jobId,
  key,
  stage,
  data
})

export interface AutomationOutput {
  readonly object: "job-output"
  readonly jobId: string
  readonly key: string
  readonly stage: string
  readonly data: Plain
  readonly createdAt: Millis
  readonly updatedAt: Millis
}

export const automationOutput = (
  jobId: string,
  { key, data }: Pick<OutputData, "key" | "data">,
  at: Millis
): AutomationOutput => ({
  object: "job-output",
  jobId,
  key,
  stage: "",
  data,
  createdAt: at,
  updatedAt: at
})
