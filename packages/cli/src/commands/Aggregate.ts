import { randomUUID } from "node:crypto"
import { resolve } from "node:path"
import { isSuccess, parsePercentage, parseReportCount, RESULT_INFO_FILE } from "@sotto/core/aggregation"
import type { Charge } from "@sotto/core/budget"
import type { Progress as Report } from "@sotto/core/ports/Aggregator"
import type { AggregationResult, Stage } from "@sotto/engine"
import { aggregateLocally, type LocalAggregation } from "@sotto/local"
import * as Effect from "effect/Effect"
import { failureOf, resultDocument, tellResult, writeResultInfo } from "../AggregationReport.ts"
import { CommandError, Interrupted, UsageError } from "../Failure.ts"
import { makeFolder } from "../Folders.ts"
import { ledgerFiles } from "../LedgerFiles.ts"
import { epsilonOf } from "../Options.ts"
import { pauseAt } from "../PauseAt.ts"
import { timeText } from "../Print.ts"
import { placeOf, questionOf, type QuestionOptions } from "../Question.ts"
import { run } from "../Run.ts"
import { interactive, note, printJson, progress } from "../Terminal.ts"

export interface AggregateOptions extends QuestionOptions {
  readonly domainAvroFile?: string
  readonly outputDirectory: string
  readonly epsilon: string
  readonly noising: boolean
  readonly jsonOutput: boolean
  readonly skipDomain: boolean
  readonly textDomain: boolean
  readonly domainFileFormat?: "AVRO" | "TEXT_FILE"
  readonly debugRun: boolean
  readonly errorThreshold: string
  readonly reportErrorThresholdPercentage?: string
  readonly inputReportCount?: string
  readonly l1Sensitivity: number
  /** `false` is `--no-ledger`. */
  readonly ledger?: string | false
  readonly ledgerKeys?: string
  readonly scope: string
  readonly budget: Charge
  readonly lanes?: number
  readonly json: boolean
}

/** Flags that do not go together, in the order in which they are told. */
const contradictions = (options: AggregateOptions): ReadonlyArray<readonly [wrong: boolean, sentence: string]> => {
  const { domainAvroFile, skipDomain, noising, debugRun, bound, l1Sensitivity } = options
  const closed = options.keys !== undefined && !debugRun
  const ledger = typeof options.ledger === "string"
  return [
    [
      closed && !noising,
      "--no-noising is for cleartext reports and debug runs: exact sums of encrypted reports are not private."
    ],
    [
      closed && skipDomain,
      "--skip-domain is for cleartext reports and debug runs: which keys occur in encrypted reports is not private."
    ],
    [
      domainAvroFile === undefined && !skipDomain,
      "Required Parameter --domain_avro_file missing, should be a valid avro file path containing the output domain. (Or print every key with --skip-domain.)"
    ],
    [domainAvroFile !== undefined && skipDomain, "Give only one of --domain-avro-file and --skip-domain."],
    [
      bound && l1Sensitivity !== 65_536,
      "--bound cuts reports at 65,536; it does not go with another --l1-sensitivity."
    ],
    [
      closed && options.ledger === undefined,
      "Encrypted reports are charged to a budget: give --ledger FILE, or say --no-ledger for fresh noise without a budget."
    ],
    [ledger && debugRun, "Debug runs never touch a ledger: leave --ledger out."],
    [ledger && !noising, "--no-noising publishes exact sums, which no ledger can pay for: leave --ledger out."],
    [
      ledger && skipDomain,
      "--skip-domain publishes which keys occur, which no ledger can pay for: leave --ledger out."
    ],
    [
      ledger && l1Sensitivity !== 65_536,
      "A ledger charges for reports that contribute up to 65,536: leave --l1-sensitivity out, or --ledger."
    ]
  ]
}

/** Everything that can be wrong with the flags is wrong here, before a file is opened. */
const requestOf = (options: AggregateOptions): LocalAggregation => {
  const wrong = contradictions(options).find(([wrong]) => wrong)
  if (wrong !== undefined) throw new UsageError(wrong[1])
  const percent = options.reportErrorThresholdPercentage ?? options.errorThreshold
  const errorThreshold = parsePercentage(percent)
  if (errorThreshold === undefined)
    throw new UsageError(
      `--error-threshold takes a percentage from 0 to 100 such as 10 or 2.5, not ${JSON.stringify(percent)}.`
    )
  const inputReportCount = parseReportCount(options.inputReportCount)
  if (inputReportCount === "invalid")
    throw new UsageError(`--input-report-count takes a whole number, not ${JSON.stringify(options.inputReportCount)}.`)
  const format = options.textDomain || options.domainFileFormat === "TEXT_FILE" ? "text" : "avro"
  const { domainAvroFile: domain, ledger, ledgerKeys, scope, budget } = options
  return {
    epsilon: epsilonOf(options.epsilon),
    ...questionOf(options),
    domain: domain === undefined ? undefined : { ...placeOf(domain, "output domain"), format },
    outputFolder: resolve(options.outputDirectory),
    format: options.jsonOutput ? "json" : "avro",
    errorThreshold,
    inputReportCount,
    l1: options.l1Sensitivity,
    ledger:
      typeof ledger === "string"
        ? {
            ...ledgerFiles({ ledger, ...(ledgerKeys === undefined ? {} : { ledgerKeys }) }),
            scope,
            charge: budget,
            spender: randomUUID()
          }
        : undefined,
    debugRun: options.debugRun,
    noise: options.noising,
    lanes: options.lanes
  }
}

const TITLES: Record<Report["stage"], readonly [title: string, unit: string]> = {
  reports: ["reports", "reports"],
  domain: ["output domain", "keys"],
  release: ["summary", "rows"]
}

/** One line a stage; how many rows there are in all is guessed from the bytes, which are known. */
const watch = () => {
  let stage: Report["stage"] | undefined
  let line: ReturnType<typeof progress> | undefined
  return {
    onProgress: (at: Report) => {
      if (at.stage !== stage) {
        line?.end()
        stage = at.stage
        line = progress(TITLES[at.stage][0])
      }
      const total =
        at.totalBytes === 0 || at.bytes === 0
          ? undefined
          : Math.max(at.rows, Math.round((at.rows * at.totalBytes) / at.bytes))
      line?.update(at.rows, total, TITLES[at.stage][1])
    },
    end: () => line?.end()
  }
}

/** Which of the two a failed run was, before or after paying (spec: ledger §7), unless `told` says so already. */
const standing = (
  request: LocalAggregation,
  reached: Stage | undefined,
  told = "",
  budget: AggregationResult["budget"] = { _tag: "Uncertain" }
): string => {
  if (request.ledger === undefined || told.includes("Nothing was charged")) return "No summary was written."
  const same = `the same command with --as-of ${timeText(request.asOf)}`
  if (reached === "paid" || reached === "written")
    return `The question is paid for: ${same} writes the same bytes at no charge.`
  return reached === "paying" && budget._tag === "Uncertain"
    ? `No summary was written. Whether the question was charged is not certain: ${same} is charged once at most.`
    : "Nothing was charged and no summary was written."
}

const stopped = (text: string): string => (/[.!?)]$/.test(text) ? text : `${text}.`)

export const aggregate = async (options: AggregateOptions): Promise<void> => {
  const request = requestOf(options)
  const started = performance.now()
  makeFolder(request.outputFolder)
  const line = watch()
  let reached: Stage | undefined
  const onStage = (stage: Stage): Effect.Effect<void> =>
    Effect.andThen(
      Effect.sync(() => {
        reached = stage
        if (stage === "started" && request.ledger !== undefined && options.asOf === undefined) {
          const asOf = timeText(request.asOf)
          note(`This question is asked as of ${asOf}; to ask exactly it again, add --as-of ${asOf}`)
        }
      }),
      pauseAt(stage)
    )
  const result = await run(
    aggregateLocally({ ...request, onProgress: interactive() ? line.onProgress : undefined }, onStage)
  )
    .finally(line.end)
    .catch((error: Error) => {
      if (error instanceof Interrupted) throw new Interrupted(error.signal, `Stopped. ${standing(request, reached)}`)
      throw new CommandError(`${stopped(error.message)} ${standing(request, reached, error.message)}`)
    })
  const ok = isSuccess(result.outcome.code)
  // Before anything is printed: a reader that goes away ends the process.
  if (!ok) process.exitCode = 1
  try {
    writeResultInfo(request.outputFolder, result)
  } catch (error) {
    // Beside a result that could not be written either, this would only hide the cause.
    if (ok)
      throw new CommandError(
        `${RESULT_INFO_FILE} could not be written: ${stopped((error as Error).message)} ${standing(request, reached)}`
      )
  }
  await (options.json
    ? printJson(resultDocument(result, request))
    : tellResult(result, request, performance.now() - started))
  if (ok) return
  const failure = failureOf(result, request)
  note(`sotto: ${stopped(failure)}\n${standing(request, reached, failure, result.budget)}`)
}
