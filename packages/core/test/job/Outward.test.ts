import { jobHistories } from "@sotto/testkit/generators"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { EventBody, OutwardName } from "../../src/job/Event.ts"
import { isTerminal, type JobState } from "../../src/job/Lifecycle.ts"
import { OUTWARD_NAMES, outwardNames } from "../../src/job/Outward.ts"
import { broken, submission, kinds } from "./support.ts"

const submittedWith = (report: Extract<EventBody, { _tag: "Submitted" }>["report"]): EventBody => ({
  _tag: "Submitted",
  submission: submission(kinds.launcher),
  report
})
const running = { state: "running", fields: {}, failure: null } as const

const EXAMPLES: ReadonlyArray<readonly [EventBody, JobState, ReadonlyArray<OutwardName>]> = [
  [submittedWith(null), "Queued", [{ name: "submitted" }]],
  [submittedWith(running), "Running", [{ name: "submitted" }, { name: "started" }]],
  [{ _tag: "Claimed", worker: "w" }, "Starting", []],
  [{ _tag: "Released" }, "Queued", []],
  [{ _tag: "Heard" }, "Running", []],
  [{ _tag: "Started" }, "Running", [{ name: "started" }]],
  [{ _tag: "OutputEmitted", key: "k" }, "Running", [{ name: "output", key: "k" }]],
  [
    { _tag: "InputAsked", key: "k", stage: "s", until: 1, rejects: false },
    "AwaitingInput",
    [{ name: "awaitingInput", key: "k" }]
  ],
  [{ _tag: "InputGiven", key: "k", data: 1 }, "Queued", [{ name: "input", key: "k" }]],
  [{ _tag: "InputTimedOut" }, "Failed", [{ name: "failed" }]],
  [
    { _tag: "ExternalAsked", id: "k", data: null, until: 1 },
    "AwaitingExternal",
    [{ name: "awaitingExternal", key: "k" }]
  ],
  [{ _tag: "ExternalFinished", id: "k", data: null }, "Queued", [{ name: "external", key: "k" }]],
  [{ _tag: "Faltered", failure: broken, readyAt: 1 }, "Queued", [{ name: "retrying" }]],
  [{ _tag: "LeaseExpired", readyAt: null }, "Failed", [{ name: "failed" }]],
  [{ _tag: "Reset", by: "client", freed: [] }, "Queued", [{ name: "reset" }]],
  [{ _tag: "Redriven", by: "operator" }, "Queued", [{ name: "redriven" }]],
  [{ _tag: "Renamed", name: null }, "Succeeded", [{ name: "renamed" }]],
  [{ _tag: "Reported", report: running }, "Running", [{ name: "started" }]],
  [{ _tag: "CancelRequested", by: "client", reason: null }, "Cancelling", [{ name: "cancelling" }]],
  [{ _tag: "Silenced" }, "Unknown", [{ name: "unknown" }]],
  [{ _tag: "Cancelled", by: "client", reason: null }, "Cancelled", [{ name: "cancelled" }]],
  [{ _tag: "Skipped", reason: "r" }, "Skipped", [{ name: "skipped" }]],
  [{ _tag: "Succeeded", result: null }, "Succeeded", [{ name: "succeeded" }]]
]

describe("outward names", () => {
  it.each(EXAMPLES)("of %o in %s are %o", (event, state, names) => {
    expect(outwardNames(event, state)).toEqual(names)
  })

  it("tell of every life how it ended, in words of the vocabulary", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(kinds)).chain((kind) => jobHistories(kind)),
        ({ log }) => {
          for (const event of log) {
            const names = outwardNames(event, event.state).map(({ name }) => name)
            expect(OUTWARD_NAMES).toEqual(expect.arrayContaining(names))
            if (isTerminal(event.state) && event._tag !== "Renamed") {
              expect(names.at(-1)).toBe(event.state.toLowerCase())
            }
          }
        }
      ),
      { numRuns: 200 }
    ))
})
