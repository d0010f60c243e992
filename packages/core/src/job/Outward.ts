/**
 * The outward events of a kind that names none: what a client wants to hear of, in one vocabulary.
 *
 * Claims, hand-backs and signs of life are ours alone. How a job ends is said by its state, whatever ended it.
 */
import type { EventBody, OutwardName } from "./Event.ts"
import type { JobState } from "./Lifecycle.ts"

/** Every name, roughly in the order in which a job says them. `awaitingInput`, `input`, `awaitingExternal`, `external` and `output` carry a key. */
export const OUTWARD_NAMES = [
  "submitted",
  "queued",
  "starting",
  "started",
  "awaitingInput",
  "input",
  "awaitingExternal",
  "external",
  "output",
  "retrying",
  "finishing",
  "cancelling",
  "unknown",
  "succeeded",
  "failed",
  "cancelled",
  "skipped",
  "reset",
  "redriven",
  "renamed"
] as const

type Name = (typeof OUTWARD_NAMES)[number]

/** What a job is said to be when it arrives in a state. */
const ARRIVED: Readonly<Record<JobState, Name>> = {
  Queued: "queued",
  Starting: "starting",
  Running: "started",
  AwaitingInput: "awaitingInput",
  AwaitingExternal: "awaitingExternal",
  Finishing: "finishing",
  Cancelling: "cancelling",
  Unknown: "unknown",
  Succeeded: "succeeded",
  Failed: "failed",
  Cancelled: "cancelled",
  Skipped: "skipped"
}

/** The outward events of one event in this vocabulary; `state` is the one after it. */
export const outwardNames = (event: EventBody, state: JobState): ReadonlyArray<OutwardName> => {
  switch (event._tag) {
    case "Claimed":
    case "Released":
    case "Heard":
      return []
    case "Submitted":
      return [named("submitted"), ...(event.report === null ? [] : [named(ARRIVED[state])])]
    case "OutputEmitted":
      return [named("output", event.key)]
    case "InputAsked":
      return [named("awaitingInput", event.key)]
    case "InputGiven":
      return [named("input", event.key)]
    case "ExternalAsked":
      return [named("awaitingExternal", event.id)]
    case "ExternalFinished":
      return [named("external", event.id)]
    case "Faltered":
    case "LeaseExpired":
      return [named(state === "Failed" ? "failed" : "retrying")]
    case "Reset":
      return [named("reset")]
    case "Redriven":
      return [named("redriven")]
    case "Renamed":
      return [named("renamed")]
    default:
      return [named(ARRIVED[state])]
  }
}

const named = (name: Name, key?: string): OutwardName => (key === undefined ? { name } : { name, key })
