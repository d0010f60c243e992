import { randomUUID } from "node:crypto"
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import {
  errorCounts,
  isSuccess,
  type Outcome,
  parseFilteringIds,
  parsePercentage,
  parseReportCount,
  printFilteringIds,
  printResultInfo,
  type Reporter,
  RESULT_INFO_FILE
} from "@sotto/core/aggregation"
import { type Charge, printEpsilon } from "@sotto/core/budget"
import { fromMillis, printInstant } from "@sotto/core/Instant"
import type { Progress as Report } from "@sotto/core/ports/Aggregator"
import type { AggregationResult, ShortUnit, Stage } from "@sotto/engine"
import { aggregateLocally, type LocalAggregation, type Location as Place } from "@sotto/local"
import * as Effect from "effect/Effect"
import { CommandError, Interrupted, UsageError } from "../Failure.ts"
import { locate } from "../Locations.ts"
import { asOfOf, epsilonOf } from "../Options.ts"
import { run } from "../Run.ts"
import { bold, grouped, interactive, note, print, printJson, progress, seconds, table } from "../Terminal.ts"

/** Flags that say which reports are meant. */
export interface QuestionOptions {
  readonly inputDataAvroFile: string
  readonly keys?: string
  readonly filteringIds: string
  readonly localJobParamsInputFilteringIds?: string
  readonly reportingSite?: string
  readonly attributionReportTo?: string
  readonly asOf?: string
  readonly bound: boolean
}

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

const placeOf = (path: string, what: string): Place => {
  const { root, prefix, exact } = locate(path, what)
  return { folder: root, prefix, exact }
}

/** Which reports count: shared by `aggregate` and `budget check`. Now is taken in whole seconds, so that it prints short. */
export const questionOf = (options: QuestionOptions) => {
  const encrypted = options.keys !== undefined
  const site = options.reportingSite
  const origin = options.attributionReportTo
  if (encrypted && (site === undefined) === (origin === undefined)) {
    throw new UsageError("Encrypted reports need exactly one of --reporting-site and --attribution-report-to.")
  }
  if (!encrypted && (site ?? origin) !== undefined) {
    throw new UsageError(
      "Cleartext reports are not checked for their origin: leave --reporting-site and --attribution-report-to out, or give --keys."
    )
  }
  const ids = parseFilteringIds(options.localJobParamsInputFilteringIds ?? options.filteringIds)
  if ("_tag" in ids)
    throw new UsageError(
      `--filtering-ids takes numbers from 0 to 18446744073709551615 such as 0,5, not ${JSON.stringify(ids.piece)}.`
    )
  const reporter: Reporter =
    site !== undefined ? { _tag: "Site", reportingSite: site } : { _tag: "Origin", attributionReportTo: origin ?? "" }
  return {
    reports: placeOf(options.inputDataAvroFile, "reports"),
    keysFile: options.keys,
    reporter,
    filteringIds: ids,
    bounded: options.bound,
    asOf: options.asOf === undefined ? Math.floor(Date.now() / 1000) * 1000 : asOfOf(options.asOf)
  }
}

/** Where the keys of a ledger lie unless a flag says so. */
export const ledgerKeysBeside = (ledger: string, keys: string | undefined): string =>
  keys ?? join(dirname(resolve(ledger)), "ledger-keys.json")

/** Everything that can be wrong with the flags is wrong here, before a file is opened. */
const requestOf = (options: AggregateOptions): LocalAggregation => {
  const encrypted = options.keys !== undefined
  const exactAllowed = !encrypted || options.debugRun
  if (options.domainAvroFile === undefined && !options.skipDomain) {
    throw new UsageError(
      "Required Parameter --domain_avro_file missing, should be a valid avro file path containing the output domain. (Or print every key with --skip-domain.)"
    )
  }
  if (options.domainAvroFile !== undefined && options.skipDomain)
    throw new UsageError("Give only one of --domain-avro-file and --skip-domain.")
  if (!options.noising && !exactAllowed)
    throw new UsageError(
      "--no-noising is for cleartext reports and debug runs: exact sums of encrypted reports are not private."
    )
  if (options.skipDomain && !exactAllowed)
    throw new UsageError(
      "--skip-domain is for cleartext reports and debug runs: which keys occur in encrypted reports is not private."
    )
  if (options.bound && options.l1Sensitivity !== 65_536)
    throw new UsageError("--bound cuts reports at 65,536; it does not go with another --l1-sensitivity.")
  const ledger = typeof options.ledger === "string" ? options.ledger : undefined
  if (encrypted && !options.debugRun && options.ledger === undefined) {
    throw new UsageError(
      "Encrypted reports are charged to a budget: give --ledger FILE, or say --no-ledger for fresh noise without a budget."
    )
  }
  if (ledger !== undefined && options.debugRun)
    throw new UsageError("Debug runs never touch a ledger: leave --ledger out.")
  if (ledger !== undefined && !options.noising)
    throw new UsageError("--no-noising publishes exact sums, which no ledger can pay for: leave --ledger out.")
  if (ledger !== undefined && options.skipDomain)
    throw new UsageError("--skip-domain publishes which keys occur, which no ledger can pay for: leave --ledger out.")
  if (ledger !== undefined && options.l1Sensitivity !== 65_536)
    throw new UsageError(
      "A ledger charges for reports that contribute up to 65,536: leave --l1-sensitivity out, or --ledger."
    )
  const percent = options.reportErrorThresholdPercentage ?? options.errorThreshold
  const errorThreshold = parsePercentage(percent)
  if (errorThreshold === undefined)
    throw new UsageError(
      `--error-threshold takes a percentage from 0 to 100 such as 10 or 2.5, not ${JSON.stringify(percent)}.`
    )
  const inputReportCount = parseReportCount(options.inputReportCount)
  if (inputReportCount === "invalid")
    throw new UsageError(`--input-report-count takes a whole number, not ${JSON.stringify(options.inputReportCount)}.`)
  const text = options.textDomain || options.domainFileFormat === "TEXT_FILE"
  return {
    ...questionOf(options),
    ...(options.domainAvroFile === undefined
      ? {}
      : { domain: { ...placeOf(options.domainAvroFile, "output domain"), format: text ? "text" : "avro" } as const }),
    outputFolder: resolve(options.outputDirectory),
    format: options.jsonOutput ? "json" : "avro",
    errorThreshold,
    inputReportCount,
    epsilon: epsilonOf(options.epsilon),
    l1: options.l1Sensitivity,
    ledger:
      ledger === undefined
        ? undefined
        : {
            file: resolve(ledger),
            keysFile: resolve(ledgerKeysBeside(ledger, options.ledgerKeys)),
            scope: options.scope,
            charge: options.budget,
            spender: randomUUID()
          },
    debugRun: options.debugRun,
    noise: options.noising,
    lanes: options.lanes
  }
}

const asOfText = (asOf: number): string => printInstant(fromMillis(asOf))

/**
 * For tests and drills: `SOTTO_PAUSE_AT=paid` stops a run at that border, so that somebody can end the process there.
 */
const pauseAt = (stage: Stage): Effect.Effect<void> =>
  process.env["SOTTO_PAUSE_AT"] === stage
    ? Effect.andThen(
        Effect.sync(() => note(`paused at ${stage}`)),
        Effect.callback<void>(() => {
          const alive = setInterval(() => {}, 60_000)
          return Effect.sync(() => clearInterval(alive))
        })
      )
    : Effect.void

const TITLES: Record<Report["stage"], readonly [title: string, unit: string]> = {
  reports: ["reports", "reports"],
  domain: ["output domain", "keys"],
  release: ["summary", "rows"]
}

/** One line per stage; the total of reports is known in bytes only, so the share is theirs. */
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

export const aggregate = async (options: AggregateOptions): Promise<void> => {
  const request = requestOf(options)
  const started = performance.now()
  mkdirSync(request.outputFolder, { recursive: true })
  const progressLine = watch()
  let reached: Stage | undefined
  const onStage = (stage: Stage): Effect.Effect<void> =>
    Effect.andThen(
      Effect.sync(() => {
        reached = stage
        if (stage === "started" && request.ledger !== undefined && options.asOf === undefined) {
          note(
            `This question is asked as of ${asOfText(request.asOf)}; to ask exactly it again, add --as-of ${asOfText(request.asOf)}`
          )
        }
      }),
      pauseAt(stage)
    )
  const paidFor = () => request.ledger !== undefined && (reached === "paid" || reached === "written")
  const again = () =>
    paidFor()
      ? `The question is paid for: the same command with --as-of ${asOfText(request.asOf)} writes the same bytes at no charge.`
      : request.ledger !== undefined
        ? "Nothing was charged and nothing was written."
        : "Nothing was written."
  const result = await run(
    aggregateLocally({ ...request, onProgress: interactive() ? progressLine.onProgress : undefined }, onStage)
  ).catch((error: Error) => {
    progressLine.end()
    if (error instanceof Interrupted) throw new Interrupted(error.signal, `Stopped. ${again()}`)
    throw new CommandError(`${error.message} ${again()}`)
  })
  progressLine.end()
  const ok = isSuccess(result.outcome.code)
  try {
    writeResultInfo(request.outputFolder, result)
  } catch (error) {
    // Beside a result that could not be written either, this would only hide the cause.
    if (ok) throw new CommandError(`${RESULT_INFO_FILE} could not be written: ${(error as Error).message}. ${again()}`)
  }
  await (options.json ? printJson(document(result, request)) : tell(result, request, performance.now() - started))
  if (!ok) {
    note(`sotto: ${result.outcome.code}: ${plainMessage(result.outcome)}`)
    note(again())
    process.exitCode = 1
  }
}

const plainMessage = ({ message }: Outcome): string => message.replaceAll("\n", " ").trim()

/** Whole or not at all, and never longer than it is (spec: aggregation §17-22). */
const writeResultInfo = (folder: string, { outcome, errors }: AggregationResult): void => {
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

const document = (result: AggregationResult, request: LocalAggregation): object => ({
  returnCode: result.outcome.code,
  returnMessage: result.outcome.message,
  errorSummary: { errorCounts: errorCounts(result.errors) },
  asOf: asOfText(result.asOf),
  epsilon: printEpsilon(request.epsilon),
  l1: request.l1,
  filteringIds: printFilteringIds(request.filteringIds),
  question: result.question,
  budget: budgetDocument(result),
  accuracy: result.accuracy,
  unprotected: { reports: result.errors.total, withErrors: result.errors.withErrors, ...result.unprotected },
  files:
    result.files === undefined
      ? []
      : [...result.files.summary, ...result.files.debug].map(({ key, rows }) => ({
          path: join(request.outputFolder, key),
          rows
        }))
})

const budgetDocument = ({ budget }: AggregationResult): object =>
  budget._tag === "NotAsked"
    ? { charged: false }
    : budget._tag === "Exhausted"
      ? { charged: false, short: budget.short.map(shortDocument) }
      : {
          charged: budget._tag === "Charged",
          firstAskedAt: asOfText(budget.chargedAt),
          ...(budget.sequence === undefined ? {} : { sequence: budget.sequence })
        }

const shortDocument = ({ id, remaining, use }: ShortUnit): object => ({
  unit: id,
  remaining: remaining === 0 ? "0" : printEpsilon(remaining as never),
  filteringId: use.filteringId,
  origin: use.origin,
  hour: hourText(use.hour)
})

export const hourText = (hour: number): string => `${printInstant({ seconds: hour * 3600, nanos: 0 }).slice(0, 13)}h`

const tell = async (result: AggregationResult, request: LocalAggregation, millis: number): Promise<void> => {
  const { budget, errors, files, unprotected } = result
  const line = (name: string, value: string) => print(`${name.padEnd(9)} ${value}`)
  if (unprotected !== undefined) {
    await line(
      "reports",
      `${grouped(errors.total)} read, ${grouped(unprotected.counted)} counted, ${grouped(unprotected.duplicates)} duplicates, ${grouped(errors.withErrors)} with errors; ${grouped(unprotected.units)} budget units`
    )
  }
  for (const { category, count } of errorCounts(errors)) await line("", `${category} ${grouped(count)}`)
  if (result.question !== undefined)
    await line("question", `${result.question.fingerprint.slice(0, 16)}…, as of ${asOfText(result.asOf)}`)
  if (budget._tag === "Charged")
    await line(
      "budget",
      `charged ε = ${printEpsilon(request.epsilon)} (${request.ledger?.charge}) to ${grouped(unprotected?.units ?? 0)} units`
    )
  if (budget._tag === "Replayed")
    await line("budget", `free: this question was paid for on ${asOfText(budget.chargedAt)}`)
  if (budget._tag === "Nothing") await line("budget", "free: no report counts, so no unit is touched")
  if (budget._tag === "Exhausted") await tellShort(budget.short, request)
  if (files === undefined) return
  if (result.accuracy !== undefined) {
    const { stdDev, halfWidth } = result.accuracy
    await line(
      "noise",
      `ε = ${printEpsilon(request.epsilon)}, standard deviation ${grouped(Math.round(stdDev))}, 95 % within ±${grouped(halfWidth.p95)}`
    )
  } else await line("noise", bold("none: the sums are exact and not private"))
  if (request.debugRun) await line("debug", bold("a debug run shows exact sums and is not private"))
  else if (request.noise && request.ledger === undefined)
    await line("ledger", "none: fresh noise, and no budget was charged; the file says so")
  for (const { key, rows } of [...files.summary, ...files.debug])
    await line("wrote", `${join(request.outputFolder, key)} (${grouped(rows)} rows)`)
  await line(
    "took",
    `${seconds(millis)}${errors.total === 0 ? "" : `, ${grouped(Math.round(errors.total / (millis / 1000)))} reports/s all in`}`
  )
}

const SHOWN = 10

const tellShort = async (short: ReadonlyArray<ShortUnit>, request: LocalAggregation): Promise<void> => {
  await print(bold(`${grouped(short.length)} budget units cannot pay ε = ${printEpsilon(request.epsilon)}:`))
  await print(
    table(
      ["unit", "origin", "hour", "filtering id", "remaining ε"],
      short
        .slice(0, SHOWN)
        .map(({ id, remaining, use }) => [
          `${id.slice(0, 12)}…`,
          use.origin,
          hourText(use.hour),
          String(use.filteringId),
          remaining === 0 ? "0" : printEpsilon(remaining as never)
        ])
    )
  )
  if (short.length > SHOWN) await print(`… ${grouped(short.length - SHOWN)} more; --json names all`)
}
