import { describe, expect, it } from "vitest"
import { decide } from "../../src/job/Decision.ts"
import { begin, type Job } from "../../src/job/Job.ts"
import {
  guards,
  HELD,
  isTerminal,
  JOB_STATES,
  leased,
  relations,
  reported,
  type ReportedState,
  REPORTS,
  TERMINAL
} from "../../src/job/Lifecycle.ts"
import { conditionsOf, eventsOf, faultsOf, restrict, statesOf } from "../../src/machine/Machine.ts"
import { toMermaid } from "../../src/machine/Mermaid.ts"
import { launcher, submission } from "./support.ts"

/** The report table of spec: launcher §1, as it stands there. */
const TABLE = `
from              | starting | running | finishing | cancelling | finished | cancelled | error | skipped | unknown | idle
(no such run)     | new      | new     | new       | new        | new      | new       | new   | new     | new     | new
unknown           | ✓        | ✓       | ✓         | ✓          | ✓        | ✓         | ✓     | ✓       | same    | ✗
idle              | ✓        | ✓       | ✓         | ✓          | ✓        | ✓         | ✓     | ✓       | ✓       | same
starting          | same     | ✓       | ✓         | ✓          | ✓        | ✓         | ✓     | ✓       | ✓       | ✗
running           | ✗        | same    | ✓         | ✓          | ✓        | ✓         | ✓     | ✓       | ✓       | ✗
finishing         | ✗        | ✗       | same      | ✓          | ✓        | ✓         | ✓     | ✗       | ✓       | ✗
cancelling        | ✗        | ✗       | ✗         | same       | ✓        | ✓         | ✓     | ✗       | ✓       | ✗
finished          | ✗        | ✗       | ✗         | ✗          | same     | ✗         | ✗     | ✗       | ✗       | ✗
cancelled         | ✗        | ✗       | ✗         | ✗          | ✗        | same      | ✗     | ✗       | ✗       | ✗
error             | ✗        | ✗       | ✗         | ✗          | ✗        | ✗         | same  | ✗       | ✗       | ✗
skipped           | ✗        | ✗       | ✗         | ✗          | ✗        | ✗         | ✗     | same    | ✗       | ✗
`

const STATE = {
  idle: "Queued",
  starting: "Starting",
  running: "Running",
  finishing: "Finishing",
  cancelling: "Cancelling",
  finished: "Succeeded",
  cancelled: "Cancelled",
  error: "Failed",
  skipped: "Skipped",
  unknown: "Unknown"
} as const satisfies Record<ReportedState, Job["state"]>

const [head = [], ...lines] = TABLE.trim()
  .split("\n")
  .map((line) => line.split("|").map((cell) => cell.trim()))
const cells = lines.flatMap(([from = "", ...verdicts]) =>
  verdicts.map((verdict, i) => ({ from, report: head[i + 1] as ReportedState, verdict }))
)

/** A run in a state that it was reported to be in at first. */
const runIn = (state: ReportedState): Job =>
  begin({
    _tag: "Submitted",
    submission: submission(launcher),
    report: { state, fields: {}, failure: null },
    seq: 1,
    at: 1_000,
    state: STATE[state],
    epoch: 0,
    session: 1,
    outward: []
  })

describe("the report table", () => {
  it("has all cells", () => {
    expect(cells.length).toBe(110)
  })

  it.each(cells)("$from, told $report: $verdict", ({ from, report, verdict }) => {
    const job = from === "(no such run)" ? undefined : runIn(from as ReportedState)
    const decision = decide(
      launcher,
      job,
      {
        _tag: "Report",
        report: { state: report, fields: { hostname: "h" }, failure: null },
        submission: submission(launcher)
      },
      2_000
    )
    if (verdict === "✗") {
      expect(decision).toMatchObject({
        _tag: "Rejected",
        state: job?.state,
        event: REPORTS[report],
        reason: "notListed"
      })
    } else if (verdict === "same") {
      expect(decision).toMatchObject({ _tag: "Accepted", job: { state: job?.state, updatedAt: 1_000, fields: {} } })
    } else {
      expect(decision).toMatchObject({ _tag: "Accepted", job: { state: STATE[report], updatedAt: 2_000 } })
    }
  })

  it("lets a user cancel only what starts, runs or finishes", () => {
    for (const state of Object.keys(STATE) as ReadonlyArray<ReportedState>) {
      const decision = decide(launcher, runIn(state), { _tag: "Cancel", by: "user", reason: null }, 2_000)
      const may = ["starting", "running", "finishing"].includes(state)
      if (may) expect(decision).toMatchObject({ job: { state: "Cancelling" } })
      else if (state === "cancelling" || state === "cancelled") expect(decision).toMatchObject({ events: [] })
      else expect(decision).toMatchObject({ _tag: "Rejected", reason: "notListed" })
    }
  })
})

describe("the relations", () => {
  it.each(Object.entries(relations))("%s is a sound machine", (_, lifecycle) => {
    expect(faultsOf(lifecycle)).toEqual([])
  })

  it("have the states that they should and no others", () => {
    const own = (lifecycle: typeof leased) => JOB_STATES.filter((state) => statesOf(lifecycle).includes(state))
    expect(own(leased)).toEqual(JOB_STATES.filter((state) => state !== "Cancelling" && state !== "Unknown"))
    expect(own(reported)).toEqual(JOB_STATES.filter((state) => !state.startsWith("Awaiting")))
    const all = Object.values(relations).flatMap((one) => statesOf(one))
    expect([...new Set(all)].sort()).toEqual(["Absent", ...JOB_STATES].sort())
    expect(TERMINAL.every((state) => isTerminal(state))).toBe(true)
    expect(JOB_STATES.filter((state) => isTerminal(state))).toEqual([...TERMINAL])
  })

  it("name every guard of the registry and no other", () => {
    const named = Object.values(relations).flatMap(({ rows }) =>
      rows.flatMap((row) => conditionsOf(row).map((condition) => condition.replace("not ", "")))
    )
    expect([...new Set(named)].sort()).toEqual(Object.keys(guards).sort())
  })

  it("let every job that is not at its end come to one, however its events are chosen", () => {
    for (const { rows } of Object.values(relations)) {
      for (const state of JOB_STATES.filter((one) => !isTerminal(one) && rows.some(({ from }) => from === one))) {
        expect(rows.some(({ from, to }) => from === state && to !== state)).toBe(true)
      }
    }
  })

  it("take a lost worker's job back from every state that has one", () => {
    for (const state of HELD) {
      for (const on of ["LeaseExpired", "Faltered"]) {
        const ends = leased.rows.filter((row) => row.from === state && row.on === on).map(({ to }) => to)
        expect(ends).toEqual(["Queued", "Failed"])
      }
    }
  })

  it("cannot do without the rows that end a wait", () => {
    expect(restrict(leased, ({ to }) => !isTerminal(to))).toMatchObject({ _tag: "MachineRejected" })
    expect(restrict(leased, ({ on }) => on !== "Claimed")).toMatchObject({
      faults: expect.arrayContaining([expect.objectContaining({ _tag: "Unreachable", state: "Starting" })])
    })
    expect(eventsOf(leased).length).toBeGreaterThan(20)
  })
})

describe("the diagrams", () => {
  it("show the leased relation", () => {
    expect(toMermaid(leased)).toMatchInlineSnapshot(`
      "stateDiagram-v2
        [*] --> Queued: Submitted
        Queued --> Starting: Claimed [ready]
        Starting --> Running: Started
        Running --> Finishing: FinishBegun
        Running --> Succeeded: Succeeded
        Finishing --> Succeeded: Succeeded
        Starting --> Skipped: Skipped
        Running --> Skipped: Skipped
        Starting --> Failed: Failed<br/>Faltered [not failuresLeft]<br/>LeaseExpired [leaseOver, not failuresLeft]<br/>DeadlinePassed [timerDue]
        Running --> Failed: Failed<br/>Faltered [not failuresLeft]<br/>LeaseExpired [leaseOver, not failuresLeft]<br/>DeadlinePassed [timerDue]
        Finishing --> Failed: Failed<br/>Faltered [not failuresLeft]<br/>LeaseExpired [leaseOver, not failuresLeft]
        Starting --> Queued: Faltered [failuresLeft]<br/>LeaseExpired [leaseOver, failuresLeft]<br/>Released<br/>Reset
        Running --> Queued: Faltered [failuresLeft]<br/>LeaseExpired [leaseOver, failuresLeft]<br/>Released<br/>Reset
        Finishing --> Queued: Faltered [failuresLeft]<br/>LeaseExpired [leaseOver, failuresLeft]<br/>Released<br/>Reset
        Running --> AwaitingInput: InputAsked [not inputKnown]
        AwaitingInput --> Queued: InputGiven [not inputKnown, inputAwaited]<br/>Reset
        AwaitingInput --> Failed: InputTimedOut [timerDue]<br/>DeadlinePassed [timerDue]
        Running --> AwaitingExternal: ExternalAsked [not externalKnown]
        AwaitingExternal --> Queued: ExternalFinished [externalAwaited]
        AwaitingExternal --> Failed: ExternalTimedOut [timerDue]<br/>DeadlinePassed [timerDue]
        Queued --> Failed: DeadlinePassed [timerDue]
        Queued --> Cancelled: Cancelled
        Starting --> Cancelled: Cancelled
        Running --> Cancelled: Cancelled
        Finishing --> Cancelled: Cancelled
        AwaitingInput --> Cancelled: Cancelled
        AwaitingExternal --> Cancelled: Cancelled
        Failed --> Queued: Reset [within15MinOfFailure]<br/>Redriven [dead]
        Cancelled --> Queued: Reset [within15MinOfFailure]
        Succeeded --> [*]
        Failed --> [*]
        Cancelled --> [*]
        Skipped --> [*]
      "
    `)
  })

  it("show the reported relation", () => {
    expect(toMermaid(reported)).toMatchInlineSnapshot(`
      "stateDiagram-v2
        [*] --> Starting: Submitted<br/>ReportedStarting
        [*] --> Queued: ReportedIdle
        Unknown --> Starting: ReportedStarting
        Queued --> Starting: ReportedStarting
        [*] --> Running: ReportedRunning
        Unknown --> Running: ReportedRunning
        Queued --> Running: ReportedRunning
        Starting --> Running: ReportedRunning
        [*] --> Finishing: ReportedFinishing
        Unknown --> Finishing: ReportedFinishing
        Queued --> Finishing: ReportedFinishing
        Starting --> Finishing: ReportedFinishing
        Running --> Finishing: ReportedFinishing
        [*] --> Cancelling: ReportedCancelling
        Unknown --> Cancelling: ReportedCancelling
        Queued --> Cancelling: ReportedCancelling
        Starting --> Cancelling: ReportedCancelling<br/>CancelRequested
        Running --> Cancelling: ReportedCancelling<br/>CancelRequested
        Finishing --> Cancelling: ReportedCancelling<br/>CancelRequested
        [*] --> Succeeded: ReportedFinished
        Unknown --> Succeeded: ReportedFinished
        Queued --> Succeeded: ReportedFinished
        Starting --> Succeeded: ReportedFinished
        Running --> Succeeded: ReportedFinished
        Finishing --> Succeeded: ReportedFinished
        Cancelling --> Succeeded: ReportedFinished
        [*] --> Cancelled: ReportedCancelled
        Unknown --> Cancelled: ReportedCancelled
        Queued --> Cancelled: ReportedCancelled
        Starting --> Cancelled: ReportedCancelled
        Running --> Cancelled: ReportedCancelled
        Finishing --> Cancelled: ReportedCancelled
        Cancelling --> Cancelled: ReportedCancelled
        [*] --> Failed: ReportedError
        Unknown --> Failed: ReportedError<br/>Silenced [timerDue]
        Queued --> Failed: ReportedError
        Starting --> Failed: ReportedError
        Running --> Failed: ReportedError
        Finishing --> Failed: ReportedError
        Cancelling --> Failed: ReportedError
        [*] --> Skipped: ReportedSkipped
        Unknown --> Skipped: ReportedSkipped
        Queued --> Skipped: ReportedSkipped
        Starting --> Skipped: ReportedSkipped
        Running --> Skipped: ReportedSkipped
        [*] --> Unknown: ReportedUnknown
        Queued --> Unknown: ReportedUnknown<br/>Silenced [timerDue]
        Starting --> Unknown: ReportedUnknown<br/>Silenced [timerDue]
        Running --> Unknown: ReportedUnknown<br/>Silenced [timerDue]
        Finishing --> Unknown: ReportedUnknown<br/>Silenced [timerDue]
        Cancelling --> Unknown: ReportedUnknown<br/>Silenced [timerDue]
        Succeeded --> [*]
        Failed --> [*]
        Cancelled --> [*]
        Skipped --> [*]
      "
    `)
  })
})
