/** One aggregation over local files, put together from the adapters for files and SQLite. */
import { layerAggregator } from "@sotto/aggregator"
import { type FilteringIds, LOCAL_FILES, type Percentage, type Reporter } from "@sotto/core/aggregation"
import type { Charge, Epsilon } from "@sotto/core/budget"
import { Aggregator, type OnProgress } from "@sotto/core/ports/Aggregator"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { adviseBudget, aggregate, listObjects, type Release, type Stage } from "@sotto/engine"
import { layerFileLedgerKeys, layerFsBlobStore, layerFsKeyRing, layerSystemEntropy } from "@sotto/fs"
import { layerSqliteBudgetLedger } from "@sotto/store-sqlite"
import { KeyNotFound, KeyRing } from "@sotto/core/ports/KeyRing"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Location } from "./Location.ts"
import { siteOf } from "./SiteOf.ts"

/** Where a question is charged. Both files belong together; the ledger is made when it does not exist. */
export interface LocalLedger {
  readonly file: string
  readonly keysFile: string
  readonly scope: string
  readonly charge: Charge
  /** A new one for each run (spec: ledger §3). */
  readonly spender: string
}

export interface LocalAggregation {
  readonly reports: Location
  /** Absent: publish every key that the reports hold. */
  readonly domain?: (Location & { readonly format: "avro" | "text" }) | undefined
  /** `output.avro` or `output.json` (and `debug_output.…`) appear in this folder, an absolute path; it is made. */
  readonly outputFolder: string
  readonly format: "avro" | "json"
  /** File of private keys; absent for cleartext reports. */
  readonly keysFile?: string | undefined
  readonly reporter: Reporter
  readonly filteringIds: FilteringIds
  readonly bounded: boolean
  /** Milliseconds since 1970. */
  readonly asOf: number
  readonly errorThreshold: Percentage
  readonly inputReportCount?: bigint | undefined
  readonly epsilon: Epsilon
  readonly l1: number
  /** Without a ledger: is this a debug run, and is there noise? */
  readonly ledger?: LocalLedger | undefined
  readonly debugRun: boolean
  readonly noise: boolean
  readonly lanes?: number | undefined
  readonly onProgress?: OnProgress | undefined
}

const releaseOf = ({ ledger, debugRun, noise }: LocalAggregation): Release =>
  debugRun
    ? { _tag: "Debug", noise }
    : !noise
      ? { _tag: "Exact" }
      : ledger === undefined
        ? { _tag: "Unpaid" }
        : { _tag: "Question", scope: ledger.scope, charge: ledger.charge, spender: ledger.spender }

/** Objects of a location; an exact one that is missing is an error, a prefix without objects is an empty list. */
const objectsOf = Effect.fn("objectsOf")(function* ({ folder, prefix, exact }: Location) {
  const blobs = yield* BlobStore
  return exact ? [yield* blobs.stat({ bucket: folder, key: prefix })] : yield* listObjects(folder, [prefix])
})

/** How reports are read: encrypted ones take all eight checks, cleartext ones the original local tool's few. */
const rulesOf = ({
  keysFile,
  reporter,
  filteringIds
}: Pick<LocalAggregation, "keysFile" | "reporter" | "filteringIds">) => ({
  input: keysFile === undefined ? ("cleartext" as const) : ("encrypted" as const),
  checks: keysFile === undefined ? ("reduced" as const) : ("full" as const),
  reporter,
  siteOf,
  filteringIds
})

const printed = ({ folder, prefix }: Location): string => `${folder}/${prefix}`

/** Stands in where a run has no ledger, so that the type of a run is one. Whoever asks it has made a mistake. */
const noLedger = Layer.mergeAll(
  Layer.mock(BudgetLedger)({ capabilities: { durable: false } }),
  Layer.mock(LedgerKeys)({ capabilities: { head: false } })
)

const noKeys = Layer.succeed(KeyRing, {
  privateKey: (keyId) => Effect.fail(new KeyNotFound({ keyId, message: "This run was given no keys." }))
})

/** The adapters of one run. */
const layersOf = (
  options: Pick<LocalAggregation, "reports" | "domain" | "keysFile" | "lanes"> & {
    readonly outputFolder?: string
    readonly ledger?: Pick<LocalLedger, "file" | "keysFile"> | undefined
  }
) => {
  const { reports, domain, ledger, keysFile, lanes } = options
  // A bucket is called as its folder is, so that messages name files as the user knows them.
  const folders = [reports.folder, domain?.folder, options.outputFolder].filter((folder) => folder !== undefined)
  const blobs = layerFsBlobStore({ buckets: Object.fromEntries(folders.map((folder) => [folder, folder])) })
  const keyRing = keysFile === undefined ? noKeys : layerFsKeyRing({ path: keysFile })
  const aggregator = layerAggregator(lanes === undefined ? {} : { lanes }).pipe(
    Layer.provide(keyRing),
    Layer.provideMerge(blobs)
  )
  const budget =
    ledger === undefined
      ? noLedger
      : layerSqliteBudgetLedger({ file: ledger.file }).pipe(Layer.provideMerge(layerFileLedgerKeys(ledger.keysFile)))
  return Layer.mergeAll(aggregator, budget, layerSystemEntropy)
}

/**
 * Runs it. A foreseen failure is a result with a return code; the error channel holds what is wrong with the set-up: a key
 * file or ledger that cannot be opened, a file that is not there.
 */
export const aggregateLocally = Effect.fn("aggregateLocally")(function* (
  options: LocalAggregation,
  onStage: (stage: Stage) => Effect.Effect<void> = () => Effect.void
) {
  const { reports, domain } = options
  const run = Effect.gen(function* () {
    return yield* aggregate(
      {
        reports: { objects: yield* objectsOf(reports), locations: [printed(reports)] },
        ...rulesOf(options),
        bounded: options.bounded,
        asOf: options.asOf,
        errorThreshold: options.errorThreshold,
        inputReportCount: options.inputReportCount,
        domain:
          domain === undefined
            ? undefined
            : {
                format: domain.format,
                objects: yield* objectsOf(domain),
                location: printed(domain),
                ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress })
              },
        output: {
          bucket: options.outputFolder,
          names: {
            _tag: "Single",
            key: LOCAL_FILES.summary[options.format],
            debugKey: LOCAL_FILES.debugSummary[options.format],
            format: options.format
          },
          debug: options.debugRun,
          reportKeys: domain === undefined,
          ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress })
        },
        epsilon: options.epsilon,
        l1: options.l1,
        release: releaseOf(options),
        onProgress: options.onProgress
      },
      onStage
    )
  })
  return yield* run.pipe(Effect.provide(layersOf(options)))
})

/** What the question would cost now; reads the reports and charges nothing. */
export const adviseLocally = Effect.fn("adviseLocally")(function* (
  options: Omit<
    LocalAggregation,
    "outputFolder" | "format" | "domain" | "ledger" | "errorThreshold" | "debugRun" | "noise"
  > & {
    readonly ledger: Omit<LocalLedger, "spender">
  }
) {
  const { ledger, filteringIds, bounded, epsilon, l1 } = options
  const run = Effect.gen(function* () {
    const aggregator = yield* Aggregator
    const keys = yield* LedgerKeys
    const sums = yield* aggregator.sum(
      yield* objectsOf(options.reports),
      {
        ...rulesOf(options),
        ...(bounded ? { perReport: 65_536 } : {}),
        debugRun: false,
        fingerprintKey: yield* keys.fingerprintKey,
        ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress })
      },
      options.asOf
    )
    const advice = yield* adviseBudget({
      scope: ledger.scope,
      sums,
      bounded,
      epsilon,
      l1,
      filteringIds: filteringIds.ids,
      charge: ledger.charge
    })
    return { ...advice, errors: sums.errors, reports: sums.sum.reports, units: sums.unitCount }
  })
  return yield* Effect.scoped(run).pipe(Effect.provide(layersOf(options)))
})
