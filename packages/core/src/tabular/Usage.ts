/** What was used, from the jobs themselves: they are never billed twice, so neither is their sum (spec: ondemand §5). */
import type { Job } from "../job/Job.ts"
import { parametersOf } from "./OnDemandKind.ts"

/** Totals of one payer and model. */
export interface UsageLine {
  /** The id of the API key; `null`: nobody was named. */
  readonly submittedBy: string | null
  readonly model: string
  readonly jobs: number
  readonly records: number
  readonly recordGroups: number
  /** In thousandths of a US dollar. */
  readonly billedUsage: number
}

/** Totals with one more job; jobs of other kinds change nothing. */
export const addUsage = (lines: ReadonlyArray<UsageLine>, job: Job): ReadonlyArray<UsageLine> => {
  const parameters = parametersOf(job)
  if (parameters === undefined) return lines
  const { submittedBy, model, billing } = parameters
  const same = (line: UsageLine) => line.submittedBy === submittedBy && line.model === model
  const before = lines.find(same) ?? { submittedBy, model, jobs: 0, records: 0, recordGroups: 0, billedUsage: 0 }
  const after: UsageLine = {
    ...before,
    jobs: before.jobs + 1,
    records: before.records + billing.recordCount,
    recordGroups: before.recordGroups + billing.recordGroupCount,
    billedUsage: before.billedUsage + billing.billedUsage
  }
  return lines.some(same) ? lines.map((line) => (same(line) ? after : line)) : [...lines, after]
}
