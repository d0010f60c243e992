import { describe, expect, it } from "vitest"
import type { Command } from "../../src/job/Command.ts"
import { birth, claim, decide, newJob } from "../../src/job/Decision.ts"
import type { Failure } from "../../src/job/Failure.ts"
import { isPurgeable, type Job } from "../../src/job/Job.ts"
import type { REPORTS } from "../../src/job/Lifecycle.ts"
import {
  accepted,
  after,
  automation,
  broken,
  claimed,
  launcher,
  model,
  started,
  submission,
  submitted
} from "./support.ts"

const fatal: Failure = { ...broken, retryable: false }
const faltered = ({ epoch }: Job): Command => ({ _tag: "Fail", epoch, failure: broken })
const running = [claimed, started]

describe("decide", () => {
  it("makes nothing of a command for a job that is not there", () => {
    expect(decide(automation, undefined, { _tag: "Rename", name: "x" }, 0)).toMatchObject({
      _tag: "Rejected",
      state: "Absent",
      event: "Renamed",
      reason: "notListed",
      message: "Renamed needs a job, and there is none"
    })
  })

  it("refuses a submission whose options are out of range, naming them all", () => {
    const bad = { ...submission(automation), priority: 101, tenant: "", silenceMs: 5 }
    expect(decide(automation, undefined, { _tag: "Submit", submission: bad }, 0)).toMatchObject({
      reason: "invalid",
      message: expect.stringMatching(/tenant.*priority.*silenceMs/)
    })
  })

  it("creates by the store's time what was checked without one", () => {
    const created = newJob(automation, { _tag: "Submit", submission: submission(automation) })
    expect(created._tag).toBe("NewJob")
    if (created._tag !== "NewJob") return
    expect(birth(created, 77)).toEqual(
      decide(automation, undefined, { _tag: "Submit", submission: submission(automation) }, 77)
    )
    expect(birth(created, 77).job).toMatchObject({
      createdAt: 77,
      readyAt: 77,
      deadline: 3_600_077,
      seq: 1,
      session: 1
    })
  })

  it("waits for notBefore and then may be claimed", () => {
    const job = submitted(automation, { notBefore: 5_000 })
    expect(claim(job, "w", 4_999)).toMatchObject({ _tag: "Rejected", event: "Claimed", reason: "ready" })
    expect(claim(job, "w", 5_000)).toMatchObject({ job: { state: "Starting", epoch: 1, holder: "w", readyAt: null } })
  })

  it("expires a lease at its deadline and not before, and retries the first time at once", () => {
    const job = after(automation, ...running)
    expect(decide(automation, job, { _tag: "ExpireLease", deadline: 9_000 }, 8_999)).toMatchObject({
      reason: "leaseOver"
    })
    const { job: expired } = accepted(decide(automation, job, { _tag: "ExpireLease", deadline: 9_000 }, 9_000))
    expect(expired).toMatchObject({
      state: "Queued",
      failures: 1,
      readyAt: 9_000,
      holder: null,
      lastEnd: { epoch: 1, how: "expired" },
      lastFailure: { code: "WorkerLost" }
    })
  })

  it("waits longer after each failure, is dead after the last, and lives again when redriven", () => {
    const first = after(automation, ...running, faltered)
    expect(first).toMatchObject({ state: "Queued", failures: 1, readyAt: 1_003 + 1_000 })
    const again = (job: Job, now: number) =>
      [claimed, started, faltered].reduce((one, make) => accepted(decide(automation, one, make(one), now)).job, job)
    const second = again(first, 10_000)
    expect(second).toMatchObject({ failures: 2, readyAt: 10_000 + 4_000 })
    const third = again(second, 20_000)
    expect(third).toMatchObject({ state: "Failed", failures: 3, dead: true, outcome: { failure: { code: "Broken" } } })
    expect(accepted(decide(automation, third, { _tag: "Redrive", by: "operator" }, 99_000_000)).job).toMatchObject({
      state: "Queued",
      session: 1,
      failures: 0,
      dead: false,
      readyAt: 99_000_000,
      outcome: null,
      finishedAt: null
    })
  })

  it("fails at once, without counting, what is not retryable", () => {
    const job = after(automation, ...running, ({ epoch }) => ({ _tag: "Fail", epoch, failure: fatal }))
    expect(job).toMatchObject({ state: "Failed", failures: 0, dead: false, outcome: { failure: fatal } })
    expect(decide(automation, job, { _tag: "Redrive", by: "operator" }, 2_000)).toMatchObject({ reason: "dead" })
  })

  it("hands a job back without a failure, before younger ones", () => {
    const job = after(automation, ...running, ({ epoch }) => ({ _tag: "Release", epoch }))
    expect(job).toMatchObject({ state: "Queued", failures: 0, readyAt: 1_000, lastEnd: { epoch: 1, how: "released" } })
  })

  const ask =
    (key: string, rejects = false) =>
    ({ epoch }: Job): Command => ({ _tag: "Ask", epoch, key, stage: "s", waitMs: 900_000, rejects })
  const give =
    (key: string, data = key) =>
    (): Command => ({ _tag: "GiveInput", key, data })

  it("parks a job that asks, without a lease, and queues it when the answer comes", () => {
    const parked = after(automation, ...running, ask("a"))
    expect(parked).toMatchObject({
      state: "AwaitingInput",
      holder: null,
      awaiting: { _tag: "Input", key: "a", stage: "s", until: 1_003 + 900_000 },
      lastAwaited: "a",
      timer: { name: "input" },
      lastEnd: { epoch: 1, how: "parked" }
    })
    const other = accepted(decide(automation, parked, give("b")(), 2_000)).job
    expect(other).toMatchObject({ state: "AwaitingInput", inputs: [{ key: "b", data: "b", at: 2_000 }] })
    const answered = accepted(decide(automation, other, give("a")(), 3_000)).job
    expect(answered).toMatchObject({ state: "Queued", readyAt: 1_000, awaiting: null, lastAwaited: "a", failures: 0 })
    expect(decide(automation, answered, give("a", "other")(), 4_000)).toMatchObject({
      _tag: "Rejected",
      state: "Queued",
      event: "InputGiven",
      reason: "not inputKnown",
      message: "InputGiven is refused in Queued: inputKnown must not hold"
    })
  })

  it("does not park a job that asks for what is there, unless it rejects it", () => {
    const job = after(automation, give("a"), ...running)
    expect(accepted(decide(automation, job, ask("a")(job), 2_000))).toMatchObject({
      events: [],
      job: { state: "Running" }
    })
    const rejecting = accepted(decide(automation, job, ask("a", true)(job), 2_000)).job
    expect(rejecting).toMatchObject({ state: "AwaitingInput", inputs: [], awaiting: { key: "a", rejected: "a" } })
    const replaced = accepted(decide(automation, rejecting, give("a", "better")(), 3_000)).job
    expect(replaced).toMatchObject({ state: "Queued", inputs: [{ key: "a", data: "better" }] })
    const timedOut = accepted(decide(automation, rejecting, { _tag: "Ring", timer: "input" }, 902_000)).job
    expect(timedOut).toMatchObject({
      state: "Failed",
      outcome: { failure: { code: "InputRejected", category: "client" } }
    })
  })

  it("fails a job whose input, external step or end does not come in time", () => {
    const ring = (job: Job, timer: "input" | "external" | "deadline", now: number) =>
      decide(automation, job, { _tag: "Ring", timer }, now)
    const failed = (code: string) => ({ job: { state: "Failed", dead: false, outcome: { failure: { code } } } })
    const parked = after(automation, ...running, ask("a"))
    expect(ring(parked, "input", 901_002)).toMatchObject({ reason: "timerDue" })
    expect(ring(parked, "input", 901_003)).toMatchObject(failed("InputTimeout"))
    const outside = after(automation, ...running, ({ epoch }) => ({
      _tag: "AskExternal",
      epoch,
      id: "3ds",
      data: { url: "https://bank.example" },
      waitMs: 10
    }))
    expect(outside).toMatchObject({ state: "AwaitingExternal", holder: null, timer: { name: "external", at: 1_013 } })
    expect(ring(outside, "external", 1_013)).toMatchObject(failed("ExternalTimeout"))
    expect(decide(automation, outside, { _tag: "FinishExternal", id: "other", data: 1 }, 1_005)).toMatchObject({
      reason: "externalAwaited"
    })
    expect(decide(automation, outside, { _tag: "FinishExternal", id: "3ds", data: 1 }, 1_005)).toMatchObject({
      job: { state: "Queued", externals: [{ id: "3ds", data: 1, at: 1_005 }] }
    })
    const late = after(automation, ...running)
    expect(ring(late, "deadline", 3_600_999)).toMatchObject({ reason: "timerDue" })
    expect(ring(late, "deadline", 3_601_000)).toMatchObject({
      job: { epoch: 2, lastEnd: { epoch: 1, how: "deadline" } }
    })
    expect(ring(late, "deadline", 3_601_000)).toMatchObject(failed("JobTimeout"))
  })

  it("lets a job finish that has begun to", () => {
    const job = after(automation, ...running, ({ epoch }) => ({ _tag: "BeginFinish", epoch }))
    expect(job).toMatchObject({ state: "Finishing", timer: null })
    expect(decide(automation, job, { _tag: "Ring", timer: "deadline" }, 9_999_999)).toMatchObject({
      reason: "notListed"
    })
  })

  it("cancels at once, so that the worker can write no more; cancelling twice is once", () => {
    const held = after(automation, ...running)
    const cancel: Command = { _tag: "Cancel", by: "client", reason: "changed my mind" }
    const { job } = accepted(decide(automation, held, cancel, 2_000))
    expect(job).toMatchObject({
      state: "Cancelled",
      epoch: 2,
      finishedAt: 2_000,
      outcome: { by: "client", reason: "changed my mind" },
      lastEnd: { epoch: 1, how: "cancelled" }
    })
    expect(decide(automation, job, { _tag: "Succeed", epoch: 1, result: 1 }, 2_001)).toMatchObject({
      reason: "staleLease"
    })
    expect(decide(automation, job, cancel, 2_001)).toEqual({ _tag: "Accepted", events: [], job })
  })

  it("resets into a new session, keeps the history and frees the inputs from a key on", () => {
    const job = after(automation, give("a"), give("b"), give("c"), ...running, ({ epoch }) => ({
      _tag: "Emit",
      epoch,
      key: "o"
    }))
    const reset = (fromInput: string | null, preserve: ReadonlyArray<string>) =>
      accepted(decide(automation, job, { _tag: "Reset", by: "client", fromInput, preserve }, 9_000)).job
    expect(reset("b", [])).toMatchObject({
      state: "Queued",
      session: 2,
      epoch: 2,
      seq: job.seq + 1,
      outputs: [],
      startedAt: null,
      deadline: 3_609_000,
      lastEnd: { epoch: 1, how: "reset" }
    })
    const keys = (one: Job) => one.inputs.map(({ key }) => key)
    expect(keys(reset("b", []))).toEqual(["a"])
    expect(keys(reset("a", ["b"]))).toEqual(["b"])
    expect(keys(reset(null, []))).toEqual(["a", "b", "c"])
    expect(keys(reset("unknown", []))).toEqual(["a", "b", "c"])
  })

  it("resets a failed job for fifteen minutes and a successful one never", () => {
    const reset: Command = { _tag: "Reset", by: "client", fromInput: null, preserve: [] }
    const failed = after(automation, ...running, ({ epoch }) => ({ _tag: "Fail", epoch, failure: fatal }))
    const end = failed.finishedAt ?? 0
    expect(decide(automation, failed, reset, end + 900_000)).toMatchObject({ job: { state: "Queued", outcome: null } })
    expect(decide(automation, failed, reset, end + 900_001)).toMatchObject({ reason: "within15MinOfFailure" })
    const done = after(automation, ...running, ({ epoch }) => ({ _tag: "Succeed", epoch, result: 1 }))
    expect(decide(automation, done, reset, 2_000)).toMatchObject({ state: "Succeeded", reason: "notListed" })
  })

  it("keeps when it first ran in a session, and when it ended, whatever comes after", () => {
    const again = after(automation, ...running, ({ epoch }) => ({ _tag: "Release", epoch }), ...running)
    expect(again.startedAt).toBe(1_002)
    const done = accepted(decide(automation, again, { _tag: "Succeed", epoch: 2, result: 1 }, 5_000)).job
    const renamed = accepted(decide(automation, done, { _tag: "Rename", name: "n" }, 6_000)).job
    expect(renamed).toMatchObject({ name: "n", finishedAt: 5_000, updatedAt: 6_000, outcome: { result: 1 } })
    expect(renamed.retainUntil).toBe(5_000 + renamed.retentionMs)
  })

  it("may be purged when it has been kept for long enough after its end", () => {
    const done = after(automation, ...running, ({ epoch }) => ({ _tag: "Succeed", epoch, result: 1 }))
    const until = (done.finishedAt ?? 0) + 14 * 86_400_000
    expect(isPurgeable(done, until - 1)).toBe(false)
    expect(isPurgeable(done, until)).toBe(true)
    expect(isPurgeable(submitted(automation), Number.MAX_SAFE_INTEGER)).toBe(false)
  })

  it("emits an output once in a session", () => {
    const emit = ({ epoch }: Job): Command => ({ _tag: "Emit", epoch, key: "o" })
    const job = after(automation, ...running, emit)
    expect(job.outputs).toEqual([{ key: "o", at: 1_003 }])
    expect(decide(automation, job, emit(job), 2_000)).toEqual({ _tag: "Accepted", events: [], job })
  })

  it("knows only the steps that a kind kept", () => {
    const job = after(model, ...running)
    expect(decide(model, job, { _tag: "Cancel", by: "client", reason: null }, 2_000)).toMatchObject({
      _tag: "Rejected",
      state: "Running",
      event: "Cancelled",
      reason: "notListed"
    })
  })

  it("maps to outward events when they are appended", () => {
    const job = after(automation, ...running, ask("a"))
    const { events } = accepted(
      decide(automation, job, { _tag: "Reset", by: "client", fromInput: null, preserve: [] }, 9_000)
    )
    expect(events.flatMap(({ outward }) => outward)).toEqual([
      { name: "restart", number: 2 },
      { name: "processing", number: 3 }
    ])
    expect(automation.outward.word(submitted(automation), { slotFree: true })).toBe("processing")
    expect(automation.outward.word(submitted(automation), { slotFree: false })).toBe("pending")
  })
})

describe("a reported job", () => {
  const report = (state: keyof typeof REPORTS, fields: Job["fields"] = {}): Command => ({
    _tag: "Report",
    report: { state, fields, failure: null },
    submission: submission(launcher)
  })

  it("keeps absent fields and merges the result by name", () => {
    const job = accepted(
      decide(launcher, undefined, report("running", { hostname: "h", result: { a: 1, b: 1 } }), 1_000)
    ).job
    expect(job).toMatchObject({ state: "Running", startedAt: 1_000, fields: { hostname: "h" } })
    const done = accepted(decide(launcher, job, report("finished", { result: { b: 2 } }), 2_000)).job
    expect(done.fields).toEqual({ hostname: "h", result: { a: 1, b: 2 } })
    expect(done.outcome).toEqual({ _tag: "Succeeded", result: { a: 1, b: 2 } })
  })

  it("is unknown after a silence and failed after six; any report starts the wait again", () => {
    const job = accepted(decide(launcher, undefined, report("running"), 1_000)).job
    expect(job.timer).toEqual({ name: "silence", at: 601_000 })
    const heard = accepted(decide(launcher, job, report("running"), 500_000)).job
    expect(heard).toEqual({ ...job, seq: 2, silentAt: 1_100_000, timer: { name: "silence", at: 1_100_000 } })
    const ring: Command = { _tag: "Ring", timer: "silence" }
    const lost = accepted(decide(launcher, heard, ring, 1_100_000)).job
    expect(lost).toMatchObject({ state: "Unknown", timer: { name: "silence", at: 4_100_000 } })
    expect(decide(launcher, lost, ring, 4_099_999)).toMatchObject({ reason: "timerDue" })
    const over = accepted(decide(launcher, lost, ring, 4_100_000)).job
    expect(over).toMatchObject({ state: "Failed", outcome: { failure: { code: "DriverLost" } } })
  })

  it("is only asked to cancel; the driver confirms", () => {
    const job = accepted(decide(launcher, undefined, report("running"), 1_000)).job
    const asked = accepted(decide(launcher, job, { _tag: "Cancel", by: "user", reason: null }, 1_001)).job
    expect(asked).toMatchObject({ state: "Cancelling", outcome: null })
    expect(accepted(decide(launcher, asked, report("finished"), 1_002)).job.state).toBe("Succeeded")
    expect(accepted(decide(launcher, asked, report("cancelled"), 1_002)).job).toMatchObject({
      state: "Cancelled",
      outcome: { by: "driver" }
    })
  })
})
