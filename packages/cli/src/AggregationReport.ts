/** What an aggregation tells: `result_info.json`, the document of `--json`, and lines for a person. */
import { renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { errorCounts, printFilteringIds, printResultInfo, RESULT_INFO_FILE } from "@sotto/core/aggregation"
import { printEpsilon } from "@sotto/core/budget"
import { fromMillis } from "@sotto/core/Instant"
import type { AggregationResult, BudgetUse } from "@sotto/engine"
import type { LocalAggregation } from "@sotto/local"
import { shortUnits, shortUnitTable, timeText } from "./Print.ts"
import { bold, grouped, print, seconds } from "./Terminal.ts"

/** Whole or not at all, and never longer than it is (spec: aggregation §17-22). */
export const writeResultInfo = (folder: string, { outcome, errors }: AggregationResult): void => {
  const text = printResultInfo({
    returnCode: outcome.code,
    returnMessage: outcome.message,
    errorCounts: errorCounts(errors),
    errorMessages: [],
    finishedAt: fromMillis(Date.now())
  })
  const partial = join(folder, `.${RESULT_INFO_FILE}.${process.pid}`)
  try {
    writeFileSync(partial, text)
    renameSync(partial, join(folder, RESULT_INFO_FILE))
  } finally {
    rmSync(partial, { force: true })
  }
}

/** The document of `--json`. Its member `unprotected` holds exact numbers that no noise covers. */
export const resultDocument = (result: AggregationResult, request: LocalAggregation): object => ({
  returnCode: result.outcome.code,
  returnMessage: result.outcome.message,
  errorSummary: { errorCounts: errorCounts(result.errors) },
  asOf: timeText(result.asOf),
  epsilon: printEpsilon(request.epsilon),
  l1: request.l1,
  filteringIds: printFilteringIds(request.filteringIds),
  question: result.question,
  budget: budgetDocument(result.budget),
  accuracy: result.accuracy,
  unprotected: { reports: result.errors.total, withErrors: result.errors.withErrors, ...result.unprotected },
  files: filesOf(result, request)
})

const budgetDocument = (budget: BudgetUse): object => {
  switch (budget._tag) {
    case "NotAsked":
      return { charged: false }
    case "Uncertain":
      return { charged: "uncertain" }
    case "Exhausted":
      return { charged: false, short: shortUnits(budget.short) }
    default:
      return {
        charged: budget._tag === "Charged",
        firstAskedAt: timeText(budget.chargedAt),
        ...(budget.sequence === undefined ? {} : { sequence: budget.sequence })
      }
  }
}

const filesOf = ({ files }: AggregationResult, { outputFolder }: LocalAggregation) =>
  files === undefined
    ? []
    : [...files.summary, ...files.debug].map(({ key, rows }) => ({ path: join(outputFolder, key), rows }))

/** What to look at when most reports were left out for one reason. */
const hints = (keysFile: string | undefined): Readonly<Record<string, string>> => ({
  ATTRIBUTION_REPORT_TO_MALFORMED: "their origins belong to no site; name one with --attribution-report-to instead",
  ATTRIBUTION_REPORT_TO_MISMATCH: "they come from another origin than --attribution-report-to",
  DEBUG_NOT_ENABLED: "a debug run counts reports made in debug mode only",
  DECRYPTION_ERROR: "the key does not open them",
  DECRYPTION_KEY_NOT_FOUND: `the file of --keys (${keysFile}) lacks the key that they are sealed for`,
  ORIGINAL_REPORT_TIME_TOO_OLD: "they are older than 90 days; --as-of names the time to judge by",
  REPORTING_SITE_MISMATCH: "they come from another site than --reporting-site",
  ...(keysFile === undefined ? { REPORT_PARSING_ERROR: "encrypted reports need --keys" } : {})
})

/** A failed result in a sentence: its code, its message, and what most reports with errors have in common. */
export const failureOf = ({ outcome, errors }: AggregationResult, { keysFile }: LocalAggregation): string => {
  const text = `${outcome.code}: ${outcome.message.replaceAll("\n", " ").trim()}`
  const known = hints(keysFile)
  const common = errorCounts(errors).find(
    ({ category, count }) => category in known && 2n * BigInt(count) > BigInt(errors.withErrors)
  )
  return common === undefined ? text : `${text} Most have ${common.category}: ${known[common.category]}.`
}

export const tellResult = async (
  result: AggregationResult,
  request: LocalAggregation,
  millis: number
): Promise<void> => {
  for (const [name, text] of [
    ...inputLines(result),
    ...budgetLines(result, request),
    ...(result.files === undefined ? [] : outputLines(result, request, millis))
  ]) {
    await print(`${name.padEnd(9)} ${text}`)
  }
  if (result.budget._tag === "Exhausted") {
    await print(
      bold(`${grouped(result.budget.short.length)} budget units cannot pay ε = ${printEpsilon(request.epsilon)}:`)
    )
    await print(shortUnitTable(result.budget.short))
  }
}

type Line = readonly [name: string, text: string]

const inputLines = ({ errors, unprotected, question, asOf }: AggregationResult): ReadonlyArray<Line> => [
  ...(unprotected === undefined
    ? []
    : [
        [
          "reports",
          `${grouped(errors.total)} read, ${grouped(unprotected.counted)} counted, ${grouped(unprotected.duplicates)} duplicates, ${grouped(errors.withErrors)} with errors; ${grouped(unprotected.units)} budget units`
        ] as const
      ]),
  ...errorCounts(errors).map(({ category, count }) => ["", `${category} ${grouped(count)}`] as const),
  ...(question === undefined
    ? []
    : [["question", `${question.fingerprint.slice(0, 16)}…, as of ${timeText(asOf)}`] as const])
]

const budgetLines = ({ budget, unprotected }: AggregationResult, request: LocalAggregation): ReadonlyArray<Line> => {
  switch (budget._tag) {
    case "Charged":
      return [
        [
          "budget",
          `charged ε = ${printEpsilon(request.epsilon)} (${request.ledger?.charge}) to ${grouped(unprotected?.units ?? 0)} units`
        ]
      ]
    case "Replayed":
      return [["budget", `free: this question was paid for on ${timeText(budget.chargedAt)}`]]
    case "Nothing":
      return [["budget", "free: no report counts, so no unit is touched"]]
    default:
      return []
  }
}

const outputLines = (result: AggregationResult, request: LocalAggregation, millis: number): ReadonlyArray<Line> => {
  const { accuracy, errors } = result
  const noise =
    accuracy === undefined
      ? bold("none: the sums are exact and not private")
      : `ε = ${printEpsilon(request.epsilon)}, standard deviation ${grouped(Math.round(accuracy.stdDev))}, 95 % within ±${grouped(accuracy.halfWidth.p95)}`
  // JSON output is a bare list of rows, as the original's, and has no place for a mark.
  const unpaid = `none: fresh noise, and no budget was charged${request.format === "avro" ? "; the file says so" : ""}`
  // A rate over a handful of reports would only tell how long the program takes to start.
  const rate = errors.total < 1000 ? "" : `, ${grouped(Math.round(errors.total / (millis / 1000)))} reports/s all in`
  return [
    ["noise", noise],
    ...(request.debugRun
      ? [["debug", bold("a debug run shows exact sums and is not private")] as const]
      : request.noise && request.ledger === undefined
        ? [["ledger", unpaid] as const]
        : []),
    ...filesOf(result, request).map(({ path, rows }) => ["wrote", `${path} (${grouped(rows)} rows)`] as const),
    ["took", `${seconds(millis)}${rate}`]
  ]
}
