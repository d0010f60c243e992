/** One aggregation of local files as a Promise: plain values in, plain values out. */
import { randomUUID } from "node:crypto"
import { dirname, join, resolve } from "node:path"
import {
  errorCounts,
  filteringIds,
  isSuccess,
  parsePercentage,
  type Reporter,
  type ReturnCode
} from "@sotto/core/aggregation"
import { DEFAULT_EPSILON, EPSILON_DECIMALS, type Epsilon, parseEpsilon, printEpsilon } from "@sotto/core/budget"
import type { Accuracy } from "@sotto/core/noise"
import type { Progress } from "@sotto/core/ports/Aggregator"
import type { AggregationResult } from "@sotto/engine"
import { aggregateLocally, type LocalAggregation, locate, type Location } from "@sotto/local"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SottoError } from "./SottoError.ts"

/** Who may be asked about, and what it costs. Exactly one of `reportingSite` and `attributionReportTo`. */
export interface AggregateOptions {
  /** An Avro file, a folder, or the beginning of file names. */
  readonly reports: string
  /** Likewise. `textDomain` says that it is text, one key a line. */
  readonly domain: string
  readonly textDomain?: boolean
  /** A folder; it gets `output.avro`. */
  readonly output: string
  /** Private keys, as `sotto keys generate` writes them. */
  readonly keys: string
  readonly reportingSite?: string
  readonly attributionReportTo?: string
  /**
   * The budget ledger, made when it does not exist, and its keys (default: `ledger-keys.json` beside it). `"none"` draws
   * fresh noise each time, charges nothing, and marks the file.
   */
  readonly ledger: { readonly file: string; readonly keys?: string; readonly scope?: string } | "none"
  /** A decimal such as `"10"` or `"0.5"`, above 0 and up to 64; default 10. A text, because doubles do not add up. */
  readonly epsilon?: string
  /** `exclusive` (default): a unit is asked about once. `shared`: ε adds up to 64. */
  readonly charge?: "exclusive" | "shared"
  /** Default `[0n]`. */
  readonly filteringIds?: ReadonlyArray<bigint>
  /** When the age of reports is judged. Default now; an old question is named by the `asOf` of its result. */
  readonly asOf?: Date
  /** Percentage of reports that may have errors, as text; default `"10"`. */
  readonly errorThreshold?: string
  /** Cut what one report contributes at 65 536. */
  readonly bound?: boolean
  /** Threads that open reports; default: one for each core. */
  readonly lanes?: number
  readonly onProgress?: (progress: Progress) => void
  /** Stops within a second; what is paid for stays paid and can be asked again for free. */
  readonly signal?: AbortSignal
}

export interface AggregateResult {
  /** A summary was written. */
  readonly ok: boolean
  readonly returnCode: ReturnCode
  readonly message: string
  /** Names this question again. */
  readonly asOf: Date
  readonly files: ReadonlyArray<string>
  /** `uncertain`: the ledger failed in the middle of paying; asking again is charged at most once. */
  readonly budget:
    | { readonly charged: boolean | "uncertain"; readonly firstAskedAt?: Date }
    | {
        readonly charged: false
        readonly short: ReadonlyArray<{ readonly unit: string; readonly origin: string; readonly remaining: string }>
      }
  readonly errors: ReadonlyArray<{ readonly category: string; readonly count: number }>
  /** Exact numbers, not protected by noise. */
  readonly unprotected: {
    readonly reports: number
    readonly counted: number
    readonly duplicates: number
    readonly units: number
  }
  readonly accuracy?: Accuracy
}

const invalid = (message: string): never => {
  throw new SottoError("InvalidArgument", message)
}

const locationOf = (path: string, name: string): Location =>
  locate(path) ?? invalid(`${name}: there is no file, folder or file name prefix ${path}.`)

const reporterOf = ({ reportingSite, attributionReportTo }: AggregateOptions): Reporter => {
  if (reportingSite !== undefined && attributionReportTo === undefined) return { _tag: "Site", reportingSite }
  if (attributionReportTo !== undefined && reportingSite === undefined) return { _tag: "Origin", attributionReportTo }
  return invalid("Give exactly one of reportingSite and attributionReportTo.")
}

const epsilonOf = (text: string | undefined): Epsilon => {
  const parsed = text === undefined ? DEFAULT_EPSILON : parseEpsilon(text, EPSILON_DECIMALS)
  return typeof parsed === "number" ? parsed : invalid(`epsilon: ${parsed.hint}`)
}

const requestOf = (options: AggregateOptions): LocalAggregation => {
  const { ledger, onProgress, lanes } = options
  return {
    reports: locationOf(options.reports, "reports"),
    domain: { ...locationOf(options.domain, "domain"), format: options.textDomain === true ? "text" : "avro" },
    outputFolder: resolve(options.output),
    format: "avro",
    keysFile: resolve(options.keys),
    reporter: reporterOf(options),
    filteringIds: filteringIds(options.filteringIds ?? []),
    bounded: options.bound === true,
    asOf: options.asOf?.getTime() ?? Date.now(),
    errorThreshold:
      parsePercentage(options.errorThreshold ?? "10") ??
      invalid("errorThreshold: write a percentage from 0 to 100 such as 10 or 2.5."),
    epsilon: epsilonOf(options.epsilon),
    l1: 65_536,
    ledger:
      ledger === "none"
        ? undefined
        : {
            file: resolve(ledger.file),
            keysFile: resolve(ledger.keys ?? join(dirname(resolve(ledger.file)), "ledger-keys.json")),
            scope: ledger.scope ?? "default",
            charge: options.charge ?? "exclusive",
            spender: randomUUID()
          },
    debugRun: false,
    noise: true,
    lanes,
    onProgress
  }
}

/**
 * Aggregates encrypted reports into a noised summary.
 *
 * A foreseen failure (no budget, too many errors, an unreadable file) is a result with `ok: false`. Throws `SottoError`
 * for wrong arguments, for keys or a ledger that cannot be opened, and with the code `Aborted` for an aborted signal.
 */
export const aggregate = async (options: AggregateOptions): Promise<AggregateResult> => {
  const request = requestOf(options)
  const { signal } = options
  const exit = await Effect.runPromiseExit(aggregateLocally(request), signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return resultOf(exit.value, request)
  if (signal?.aborted === true)
    throw new SottoError("Aborted", "The aggregation was aborted.", { cause: signal.reason })
  const error = Cause.squash(exit.cause) as { readonly _tag?: string; readonly message?: string }
  throw new SottoError(error._tag ?? "Defect", error.message ?? String(error), { cause: error })
}

const resultOf = (result: AggregationResult, request: LocalAggregation): AggregateResult => {
  const { outcome, budget, errors, files, unprotected, accuracy } = result
  return {
    ok: isSuccess(outcome.code),
    returnCode: outcome.code,
    message: outcome.message,
    asOf: new Date(result.asOf),
    files: files === undefined ? [] : files.summary.map(({ key }) => join(request.outputFolder, key)),
    budget:
      budget._tag === "Exhausted"
        ? {
            charged: false,
            short: budget.short.map(({ id, remaining, use }) => ({
              unit: id,
              origin: use.origin,
              remaining: remaining === 0 ? "0" : printEpsilon(remaining as Epsilon)
            }))
          }
        : budget._tag === "NotAsked" || budget._tag === "Uncertain"
          ? { charged: budget._tag === "Uncertain" ? "uncertain" : false }
          : { charged: budget._tag === "Charged", firstAskedAt: new Date(budget.chargedAt) },
    errors: errorCounts(errors).map(({ category, count }) => ({ category, count })),
    unprotected: {
      reports: errors.total,
      counted: unprotected?.counted ?? 0,
      duplicates: unprotected?.duplicates ?? 0,
      units: unprotected?.units ?? 0
    },
    ...(accuracy === undefined ? {} : { accuracy })
  }
}
