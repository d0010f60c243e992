/** An interactive automation: a script that emits outputs, asks for inputs and waits for 3-D Secure (other systems A3). */
import * as Schema from "effect/Schema"
import type { EventBody, OutwardName } from "../job/Event.ts"
import type { Job } from "../job/Job.ts"
import { JobKind } from "../job/Kind.ts"
import { isTerminal, type JobState } from "../job/Lifecycle.ts"

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** The words of `state`; the last two are accepted in filters and never said. */
export const AUTOMATION_WORDS = [
  "processing",
  "awaitingInput",
  "awaitingTds",
  "pending",
  "success",
  "fail",
  "created",
  "scheduled"
] as const
export type AutomationWord = (typeof AUTOMATION_WORDS)[number]

export const CATEGORIES = ["live", "test"] as const

/** What an automation job is from its beginning: names are copied, because a service may be renamed later. */
const Parameters = Schema.Struct({
  serviceId: Schema.String,
  serviceName: Schema.String,
  domainId: Schema.String,
  category: Schema.Literals(CATEGORIES),
  /** As it was given; `null`: none. */
  callbackUrl: Schema.NullOr(Schema.String),
  /** Names the key that the job's inputs and outputs are sealed with (spec: automation §4). */
  dataKey: Schema.String
})

export type AutomationParameters = typeof Parameters.Type

const STATES = {
  Queued: "pending",
  Starting: "processing",
  Running: "processing",
  AwaitingInput: "awaitingInput",
  AwaitingExternal: "awaitingTds",
  Finishing: "processing",
  Succeeded: "success",
  Failed: "fail",
  Cancelled: "fail"
} as const satisfies Partial<Record<JobState, AutomationWord>>

/** A job that worked before, or could be worked on now, is being processed; only one that waits for a slot is pending. */
const isPending = (job: Job, slotFree: boolean): boolean => job.state === "Queued" && job.epoch === 0 && !slotFree

/** The events that clients track, in the order in which they read them (other systems A3). */
const eventsOf = (
  event: Exclude<EventBody, { readonly _tag: "Claimed" }>,
  state: JobState,
  before: Job | undefined
): ReadonlyArray<OutwardName> => {
  switch (event._tag) {
    case "OutputEmitted":
      return [{ name: "createOutput", key: event.key }]
    case "InputAsked":
      return [{ name: "awaitingInput", key: event.key }]
    case "InputGiven":
      return before?.state === "AwaitingInput" && state === "Queued" ? [{ name: "processing" }] : []
    case "ExternalAsked":
      return [{ name: "tdsStart" }]
    case "ExternalFinished":
      return [{ name: "tdsFinish" }]
    case "Reset":
    case "Redriven":
      // A client that tracks a job does not take `restart` for a change of its state.
      return before !== undefined && STATES[before.state as keyof typeof STATES] === "processing"
        ? [{ name: "restart" }]
        : [{ name: "restart" }, { name: "processing" }]
    default:
      return before === undefined || isTerminal(before.state) || !isTerminal(state)
        ? []
        : [{ name: state === "Succeeded" ? "success" : "fail" }]
  }
}

const kindNamed = (name: string) =>
  JobKind.make({
    name,
    relation: "leased",
    parameters: Parameters,
    result: Schema.Struct({ code: Schema.NullOr(Schema.String) }),
    failure: Schema.Json,
    inputMs: 15 * MINUTE_MS,
    externalMs: 15 * MINUTE_MS,
    deadlineMs: 60 * MINUTE_MS,
    // Longer than personal data, so that a job is seen without it (spec: automation §4).
    retentionMs: 90 * DAY_MS,
    without: { states: ["Skipped"] },
    outward: {
      states: STATES,
      refine: (job, { slotFree }) =>
        job.state === "Queued" ? (isPending(job, slotFree) ? "pending" : "processing") : undefined,
      accepted: ["created", "scheduled"],
      events: eventsOf
    }
  })

/** Inputs and 3-D Secure are waited for 15 minutes, the whole job for an hour (other systems A3). */
export const automationKind = kindNamed("automation")

/** Whether a kind is that of automations, inside or outside. */
export const isAutomationKind = (kind: string): boolean =>
  /^automation(-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$/.test(kind)

/** The same for a service whose scripts run outside: a kind of its own, so that only its own workers claim its jobs. */
export const outsideKind = (serviceId: string) => kindNamed(`automation-${serviceId}`)
