import type { Plain } from "./Plain.ts"

/** Whose fault: the one who asked, we, or something outside such as a website or a data source. */
export type FailureCategory = "client" | "server" | "external"

/** Why a job, or one try of it, failed. */
export interface Failure {
  /** A word for programs, e.g. `InputTimeout`; unique within a kind. */
  readonly code: string
  readonly category: FailureCategory
  /** A sentence for people. */
  readonly message: string
  readonly details: Plain
  /** Whether the same work may succeed at another time; only then is it tried again. */
  readonly retryable: boolean
}

const ours = (code: string, category: FailureCategory, message: string, retryable = false): Failure => ({
  code,
  category,
  message,
  details: null,
  retryable
})

/** Failures that the clock causes (codes: other systems A3). */
export const workerLost: Failure = ours("WorkerLost", "server", "The worker stopped renewing its lease.", true)
export const jobTimeout: Failure = ours("JobTimeout", "server", "The job did not come to its final step in time.")
export const inputTimeout = (key: string): Failure =>
  ours("InputTimeout", "client", `The input "${key}" was not given in time.`)
export const inputRejected = (key: string): Failure =>
  ours("InputRejected", "client", `The input "${key}" was rejected and not replaced in time.`)
export const externalTimeout = (id: string): Failure =>
  ours("ExternalTimeout", "client", `What had to happen outside ("${id}") did not happen in time.`)
export const driverLost: Failure = ours("DriverLost", "server", "The driver has not reported for too long.")
export const driverFailed: Failure = ours("DriverError", "external", "The driver reported an error.")
