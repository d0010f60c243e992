/** On-demand jobs in the words of their interface: twelve fields in an envelope (spec: ondemand §6). */
import type { Job } from "../job/Job.ts"
import { isTerminal, type Millis } from "../job/Lifecycle.ts"
import { type OnDemandParameters, onDemandKind, parametersOf, resultOf } from "./OnDemandKind.ts"

export type OnDemandStatus = "incomplete" | "success" | "error" | "fail"

export interface JobObject {
  readonly id: string
  /** The file's name unless the job was given one; `null` is read from others and never said. */
  readonly name: string
  readonly inputFileName: string
  readonly inputMime: string
  /** In thousandths of a US dollar, fixed at submission. */
  readonly billedUsage: number
  readonly recordCount: number
  readonly recordGroupCount: number
  /** From its start to its end; 0 before that. */
  readonly processingTimeMS: number
  readonly status: OnDemandStatus
  readonly errorMessage: string | null
  /** ISO 8601 with milliseconds and `Z`. */
  readonly createdDateUtc: string
  readonly lastUpdatedUtc: string
}

/** The job as its owner sees it; `undefined` for a job of another kind. */
export const jobObject = (job: Job): JobObject | undefined => {
  const parameters = parametersOf(job)
  return parameters === undefined ? undefined : shown(job, parameters)
}

const shown = (job: Job, { inputFileName, inputMime, billing }: OnDemandParameters): JobObject => ({
  name: job.name ?? inputFileName,
  inputFileName,
  inputMime,
  billedUsage: billing.billedUsage,
  recordCount: billing.recordCount,
  recordGroupCount: billing.recordGroupCount,
  processingTimeMS:
    isTerminal(job.state) && job.startedAt !== null ? Math.max(0, (job.finishedAt ?? 0) - job.startedAt) : 0,
  status: onDemandKind.outward.word(job, { slotFree: true }),
  errorMessage: errorMessageOf(job),
  id: job.id,
  createdDateUtc: utc(job.createdAt),
  lastUpdatedUtc: utc(job.updatedAt)
})

const utc = (at: Millis): string => new Date(at).toISOString()

/** A job with some failed records has succeeded, and says so here. */
const errorMessageOf = (job: Job): string | null => {
  const { outcome } = job
  switch (outcome?._tag) {
    case "Failed":
      return outcome.failure.message
    case "Cancelled":
      return "The job was cancelled."
    default: {
      const { succeeded = 0, failed = 0 } = resultOf(job) ?? {}
      return failed === 0
        ? null
        : `${failed} of ${succeeded + failed} records could not be processed. The file of errors names them.`
    }
  }
}

/** Every answer of the interface, good or bad. */
export interface Envelope<T> {
  readonly data: T | null
  readonly isError: boolean
  readonly errorMessage: string | null
}

export const answered = <T>(data: T): Envelope<T> => ({ data, isError: false, errorMessage: null })

export const answeredError = (errorMessage: string): Envelope<never> => ({ data: null, isError: true, errorMessage })

/** A name for the job in paths, as 32 hexadecimal digits. */
export const compactId = (id: string): string => id.replaceAll("-", "").toLowerCase()

/** The id of a job, written with dashes or without; `undefined` if the text is neither. */
export const readJobId = (text: string): string | undefined => {
  const hex =
    /^[0-9a-f]{32}$/.test(compactId(text)) &&
    /^[0-9a-fA-F]{32}$|^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/.test(text)
      ? compactId(text)
      : undefined
  return hex?.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
}

/** What a person wants to read as a price, e.g. `$0.02` for 20 units. */
export const printUnits = (units: number): string => {
  const [dollars, thousandths] = [Math.floor(units / 1000), String(units % 1000).padStart(3, "0")]
  return `$${dollars}.${thousandths.endsWith("0") ? thousandths.slice(0, 2) : thousandths}`
}
