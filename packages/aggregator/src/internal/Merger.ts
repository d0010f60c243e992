/**
 * Where the results of all lanes meet, in input order: here it is decided which reports count.
 *
 * Memory: 22 to 32 bytes for a report id, as much for a unit id, 30 to 45 for a distinct bucket.
 */
import {
  Contributions,
  type ErrorCounts,
  ErrorCounter,
  type FilteringIds,
  type HashKey,
  Histogram,
  ReportIds,
  UNBOUNDED
} from "@sotto/core/aggregation"
import { addReport, emptySum, MAC_BYTES, type ReportSum, type UnitId, type UnitSource } from "@sotto/core/budget"
import type { BatchResult, Fatal } from "./ReportBatch.ts"

export interface MergeRules {
  readonly filteringIds: FilteringIds
  readonly perReport: number | undefined
  readonly errorLimit: bigint | undefined
  readonly unitLimit: number
}

/** Why merging ended before the input did. */
export type Stop = Fatal | { readonly _tag: "TooManyErrors"; readonly errors: ErrorCounts }

/** `UnitUse` of the port. */
export interface MergedUnit {
  readonly id: UnitId
  readonly hour: number
  readonly origin: string
  readonly filteringId: bigint
  readonly source: UnitSource
}

export class Merger {
  readonly histogram: Histogram
  readonly sum: ReportSum = emptySum()
  readonly units: Array<MergedUnit> = []
  duplicates = 0
  readonly #rules: MergeRules
  readonly #errors = new ErrorCounter()
  readonly #reportIds: ReportIds
  readonly #unitIds: ReportIds

  constructor(rules: MergeRules, hash: HashKey) {
    this.#rules = rules
    this.histogram = new Histogram(hash)
    this.#reportIds = new ReportIds(hash)
    this.#unitIds = new ReportIds(hash)
  }

  get errors(): ErrorCounts {
    return this.#errors.counts()
  }

  get reports(): number {
    return this.#errors.total
  }

  get unitCount(): number {
    return this.#unitIds.size
  }

  /** Takes in the next result. After a stop nothing more may be merged. */
  merge(result: BatchResult): Stop | undefined {
    const { masks, reportIds, ends, macs, group, groups } = result
    const { filteringIds, perReport = UNBOUNDED, errorLimit } = this.#rules
    const report = contributionsOf(result)
    const paid = new Uint8Array(groups.length)
    for (let i = 0; i < result.rows; i++) {
      const mask = masks[i]!
      this.#errors.add(mask)
      if (mask !== 0) {
        if (errorLimit !== undefined && BigInt(this.#errors.withErrors) > errorLimit) {
          return { _tag: "TooManyErrors", errors: this.errors }
        }
        continue
      }
      const at = 4 * i
      if (!this.#reportIds.add(reportIds[at]!, reportIds[at + 1]!, reportIds[at + 2]!, reportIds[at + 3]!)) {
        this.duplicates++
        continue
      }
      this.histogram.addReport(report, i === 0 ? 0 : ends[i - 1]!, ends[i]!, filteringIds, perReport)
      if (macs.length === 0) this.sum.reports++
      else addReport(this.sum, macs.subarray(MAC_BYTES * i, MAC_BYTES * i + MAC_BYTES))
      if (paid[group[i]!] === 0) {
        paid[group[i]!] = 1
        this.#addUnits(result, i)
      }
    }
    return result.fatal
  }

  #addUnits({ group, groups, seconds, nanos }: BatchResult, i: number): void {
    const { source, hour, ids } = groups[group[i]!]!
    ids.forEach((id, k) => {
      // A unit id is a SHA-256: its first 128 bits tell units apart.
      const word = (at: number) => Number.parseInt(id.slice(at, at + 8), 16)
      if (!this.#unitIds.add(word(0), word(8), word(16), word(24))) return
      if (this.units.length >= this.#rules.unitLimit) return
      this.units.push({
        id,
        hour,
        origin: source.reportingOrigin,
        filteringId: this.#rules.filteringIds.ids[k]!,
        source: { ...source, scheduledReportTime: { seconds: seconds[i]!, nanos: nanos[i]! } }
      })
    })
  }
}

const contributionsOf = ({ buckets, values, contributionIds }: BatchResult): Contributions => {
  const contributions = new Contributions(0)
  contributions.buckets = buckets
  contributions.values = values
  contributions.ids = contributionIds
  contributions.length = values.length
  return contributions
}
