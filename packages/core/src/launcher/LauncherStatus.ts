/** What a driver reports and what everybody is told of a run: the same object (other systems A2). */
import { fromMillis, parseInstant, printInstant, toMillis } from "../Instant.ts"
import type { Report } from "../job/Event.ts"
import type { Failure } from "../job/Failure.ts"
import type { Job } from "../job/Job.ts"
import { REPORTS, type ReportedState } from "../job/Lifecycle.ts"
import { isPlainObject, type Plain, type PlainObject } from "../job/Plain.ts"
import type { LaunchParameters } from "./LauncherKind.ts"

export interface LauncherStatus {
  readonly state: ReportedState
  readonly jobId: string
  readonly jobConfig: PlainObject
  readonly hostname: string
  readonly result: PlainObject
  /** These three stand in the status of a run that ended; ISO 8601 with milliseconds, and milliseconds. */
  readonly startTime?: string
  readonly endTime?: string
  readonly duration?: number
}

export interface ParsedReport {
  readonly jobId: string
  readonly report: Report
  /** Absent: the driver does not repeat it. */
  readonly jobConfig: PlainObject | undefined
}

export interface ReportRejected {
  readonly _tag: "ReportRejected"
  /** A sentence for each member. */
  readonly messages: ReadonlyArray<string>
}

const STATES = Object.keys(REPORTS) as ReadonlyArray<ReportedState>

const JOB_ID = /^[\w.:-]{1,100}$/

/** Reads the body of a report. Members that nobody knows are ignored; `null` is absent. */
export const parseReport = (body: Plain): ParsedReport | ReportRejected => {
  if (!isPlainObject(body)) return { _tag: "ReportRejected", messages: ["write an object"] }
  const messages: Array<string> = []
  const check = (sound: boolean, message: string): void => void (sound || messages.push(message))
  const { state, jobId, jobConfig, hostname, result, startTime, endTime, duration } = body
  const known = STATES.find((one) => one === state)
  check(known !== undefined, `state: write one of ${STATES.join(", ")}`)
  check(typeof jobId === "string" && JOB_ID.test(jobId), "jobId: write 1 to 100 letters, digits and . _ : -")
  check(absent(jobConfig) || isPlainObject(jobConfig), "jobConfig: write an object")
  check(absent(hostname) || typeof hostname === "string", "hostname: write a text")
  check(absent(result) || isPlainObject(result), "result: write an object")
  for (const [name, time] of [["startTime", startTime] as const, ["endTime", endTime] as const]) {
    check(absent(time) || isTime(time), `${name}: write a time such as 2025-10-16T19:49:15.106Z`)
  }
  check(absent(duration) || (Number.isSafeInteger(duration) && Number(duration) >= 0), "duration: write milliseconds")
  if (messages.length > 0) return { _tag: "ReportRejected", messages }
  const fields = Object.entries({ hostname, result, startTime, endTime, duration }).filter(
    ([, value]) => !absent(value)
  )
  return {
    jobId: jobId as string,
    jobConfig: isPlainObject(jobConfig) ? jobConfig : undefined,
    report: {
      state: known as ReportedState,
      fields: Object.fromEntries(fields) as PlainObject,
      failure: known === "error" ? failureOf(isPlainObject(result) ? result : {}) : null
    }
  }
}

/** Drivers tell of an error in `result.exception`. */
const failureOf = ({ exception }: PlainObject): Failure => {
  const { message, error, cause } = isPlainObject(exception) ? exception : {}
  const text = [message, error, cause].find((one) => typeof one === "string" && one !== "")
  return {
    code: "DriverError",
    category: "external",
    message: typeof text === "string" ? text : "The driver reported an error.",
    details: exception ?? null,
    retryable: false
  }
}

/** The status of a run; `word` is its state in the words of the kind. */
export const launcherStatus = (job: Job, word: ReportedState): LauncherStatus => {
  const { jobConfig } = job.parameters as unknown as LaunchParameters
  const { hostname, result, startTime, endTime, duration } = job.fields
  const start = isTime(startTime) ? startTime : launcherTime(job.startedAt ?? job.createdAt)
  const end = isTime(endTime) ? endTime : job.finishedAt === null ? undefined : launcherTime(job.finishedAt)
  const shown = isPlainObject(result) ? result : {}
  return {
    state: word,
    jobId: job.id,
    jobConfig: jobConfig as PlainObject,
    hostname: typeof hostname === "string" ? hostname : "",
    result:
      job.outcome?._tag === "Failed" && shown["exception"] === undefined
        ? { ...shown, exception: { message: job.outcome.failure.message } }
        : shown,
    ...(end === undefined || job.finishedAt === null
      ? {}
      : {
          startTime: start,
          endTime: end,
          duration: typeof duration === "number" ? duration : Math.max(0, millisOf(end) - millisOf(start))
        })
  }
}

/** With three digits, as the launcher writes its times. */
export const launcherTime = (millis: number): string =>
  printInstant(fromMillis(millis)).replace(/(?<!\.\d{3})Z$/, ".000Z")

const millisOf = (text: string): number => {
  const at = parseInstant(text)
  return at === undefined ? 0 : toMillis(at)
}

const isTime = (value: Plain | undefined): value is string =>
  typeof value === "string" && parseInstant(value) !== undefined

const absent = (value: Plain | undefined): value is null | undefined => value === undefined || value === null
