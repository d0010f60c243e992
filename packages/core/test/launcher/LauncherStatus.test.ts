import { decide, type Job, type PlainObject, REPORTS, submissionOf } from "@sotto/core/job"
import { launcherKind, launcherStatus, type ParsedReport, parseReport, type ReportRejected } from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const EXAMPLE = {
  state: "finished",
  jobId: "hhzitrwancwv",
  jobConfig: { type: "aggregation", id: "clicks" },
  hostname: "driver-sjnamxwxsyhq",
  result: { jobConfigId: "clicks", jobRunId: "sjnamxwxsyhq", aggregated: 0 },
  startTime: "2025-10-16T19:49:15.106Z",
  endTime: "2025-10-16T19:49:42.276Z",
  duration: 27_170
} as const

const read = (body: PlainObject): ParsedReport => {
  const parsed = parseReport(body)
  if ("_tag" in parsed) throw new Error(parsed.messages.join("; "))
  return parsed
}

/** A run after its reports, the first of which makes it. */
const told = (...bodies: ReadonlyArray<PlainObject>): Job =>
  bodies.reduce<Job | undefined>((job, body, i) => {
    const { report, jobId } = read(body)
    const parameters = { jobConfig: EXAMPLE.jobConfig }
    const submission = submissionOf(launcherKind, parameters, { id: jobId, tenant: "t" })
    const command = job === undefined ? { report, submission } : { report }
    const decision = decide(launcherKind, job, { _tag: "Report", ...command }, 1_000 * (i + 1))
    if (decision._tag === "Rejected") throw new Error(decision.message)
    return decision.job
  }, undefined) as Job

const status = (job: Job) => launcherStatus(job, launcherKind.outward.word(job, { slotFree: true }))

describe("LauncherStatus", () => {
  it("tells back the vendor's example, member for member", () => expect(status(told(EXAMPLE))).toEqual(EXAMPLE))

  it("says nothing of times before the end, and knows them without the driver afterwards", () => {
    const running = { state: "running", jobId: "a" }
    expect(status(told(running))).toEqual({
      state: "running",
      jobId: "a",
      jobConfig: EXAMPLE.jobConfig,
      hostname: "",
      result: {}
    })
    expect(status(told(running, { state: "finished", jobId: "a" }))).toMatchObject({
      startTime: "1970-01-01T00:00:01.000Z",
      endTime: "1970-01-01T00:00:02.000Z",
      duration: 1_000
    })
  })

  it("keeps what a later report leaves out, and merges results by name", () =>
    expect(
      status(
        told({ ...EXAMPLE, state: "running" }, { state: "finished", jobId: "hhzitrwancwv", result: { aggregated: 7 } })
      )
    ).toMatchObject({ hostname: EXAMPLE.hostname, result: { ...EXAMPLE.result, aggregated: 7 } }))

  it("shows why a run ended in an error, also when the driver gave no reason", () => {
    const failed = told({
      state: "error",
      jobId: "a",
      result: { exception: { message: "No such field.", httpStatusCode: 400 } }
    })
    expect(failed.outcome).toMatchObject({ failure: { code: "DriverError", message: "No such field." } })
    expect(status(failed).result).toEqual({ exception: { message: "No such field.", httpStatusCode: 400 } })
    expect(status(told({ state: "error", jobId: "a" })).result).toEqual({
      exception: { message: "The driver reported an error." }
    })
  })

  it("has a word for each state, which is what can be reported", () =>
    expect(launcherKind.outward.words.toSorted()).toEqual(Object.keys(REPORTS).sort()))

  it.each([
    [{ state: "done" }, "state"],
    [{ state: undefined }, "state"],
    [{ jobId: "" }, "jobId"],
    [{ jobId: "a/b" }, "jobId"],
    [{ jobConfig: [] }, "jobConfig"],
    [{ hostname: 1 }, "hostname"],
    [{ result: "x" }, "result"],
    [{ startTime: "today" }, "startTime"],
    [{ duration: -1 }, "duration"],
    [{ duration: 1.5 }, "duration"]
  ])("refuses %j and names the member", (change, name) =>
    expect((parseReport({ ...EXAMPLE, ...change } as PlainObject) as ReportRejected).messages).toEqual([
      expect.stringContaining(`${name}:`)
    ])
  )

  it("reads any value or says what is wrong with it", () =>
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(EXAMPLE)), (value, member) => {
        const parsed = parseReport({ ...EXAMPLE, [member]: value } as PlainObject)
        if ("_tag" in parsed) expect(parsed.messages.length).toBe(1)
        expect(parseReport(value as PlainObject)).toMatchObject({ _tag: "ReportRejected" })
      })
    ))
})
