/** Kinds of both relations, and jobs of theirs. */
import * as Schema from "effect/Schema"
import type { Command } from "../../src/job/Command.ts"
import { type Accepted, decide, type Rejected } from "../../src/job/Decision.ts"
import type { Submission } from "../../src/job/Event.ts"
import type { Failure } from "../../src/job/Failure.ts"
import type { Job } from "../../src/job/Job.ts"
import { JobKind, submissionOf } from "../../src/job/Kind.ts"

const anything = { parameters: Schema.Json, result: Schema.Json, failure: Schema.Json }

/** All rows of the leased relation; words and outward events as an automation has them (spec: automation §1). */
export const automation = JobKind.make({
  ...anything,
  name: "automation",
  relation: "leased",
  deadlineMs: 3_600_000,
  retry: { maxFailures: 3 },
  outward: {
    states: {
      Queued: "pending",
      Starting: "processing",
      Running: "processing",
      AwaitingInput: "awaitingInput",
      AwaitingExternal: "awaitingTds",
      Finishing: "processing",
      Succeeded: "success",
      Failed: "fail",
      Cancelled: "fail",
      Skipped: "success"
    },
    refine: (job, { slotFree }) => (job.state === "Queued" && slotFree ? "processing" : undefined),
    accepted: ["created", "scheduled"],
    events: (event, state, before) => {
      switch (event._tag) {
        case "Reset":
          return before?.state === "Running" ? [{ name: "restart" }] : [{ name: "restart" }, { name: "processing" }]
        case "OutputEmitted":
          return [{ name: "createOutput", key: event.key }]
        case "InputAsked":
          return [{ name: "awaitingInput", key: event.key }]
        default:
          return state === "Failed" || state === "Cancelled" ? [{ name: "fail" }] : []
      }
    }
  }
})

/** The report table as it is. */
export const launcher = JobKind.make({ ...anything, name: "launcher", relation: "reported", silenceMs: 600_000 })

/** A leased kind that uses few rows. */
export const model = JobKind.make({
  ...anything,
  name: "model",
  relation: "leased",
  without: {
    states: ["AwaitingInput", "AwaitingExternal", "Cancelled", "Skipped"],
    events: ["Reset", "InputGiven", "Redriven"]
  }
})

export const kinds = { automation, launcher, model }

export type AnyKind = (typeof kinds)[keyof typeof kinds]

export const submission = (kind: AnyKind, more: Partial<Submission> = {}): Submission => ({
  ...submissionOf(kind, { rows: 3 }, { id: "job-1", tenant: "tenant" }),
  ...more
})

/** A failure to be tried again. */
export const broken: Failure = {
  code: "Broken",
  category: "server",
  message: "It broke.",
  details: null,
  retryable: true
}

/** The job after commands that must all be accepted, one every millisecond from 1000. */
export const after = (kind: AnyKind, ...commands: ReadonlyArray<(job: Job) => Command>): Job =>
  commands.reduce((job, command, i) => accepted(decide(kind, job, command(job), 1_001 + i)).job, submitted(kind))

export const submitted = (kind: AnyKind, more: Partial<Submission> = {}): Job =>
  accepted(decide(kind, undefined, { _tag: "Submit", submission: submission(kind, more) }, 1_000)).job

export const accepted = (decision: Accepted | Rejected): Accepted => {
  if (decision._tag === "Rejected") throw new Error(decision.message)
  return decision
}

export const claimed = (): Command => ({ _tag: "Claim", worker: "w" })
export const started = ({ epoch }: Job): Command => ({ _tag: "Start", epoch })
