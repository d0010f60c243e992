/** What the three kinds of threads ask of each other: engine ↔ coordinator ↔ lanes. Everything here is cloneable. */
import type { ErrorCounts } from "@sotto/core/aggregation"
import type { ReportSum } from "@sotto/core/budget"
import type { MergedUnit } from "./Merger.ts"
import type { Answers, Batch, BatchResult, BatchRules, Fatal, KeyAnswer, Questions } from "./ReportBatch.ts"

/** An object that a coordinator reads; it asks for it by its place in the list. */
export interface Source {
  /** For messages. */
  readonly name: string
  readonly size: number
}

/** Why an object cannot be read; `offset` when the fault has a place in it. */
export interface ReadFault {
  readonly _tag: "ReadFault"
  readonly source: number
  readonly offset: number | undefined
  readonly reason: string
}

/** How far a thread has come; `Progress` of the port, without the stage. */
export interface Steps {
  readonly rows: number
  readonly bytes: number
}

/** What the engine's thread does for a coordinator: all that needs a port of the hexagon or a function of the caller. */
export type EngineCalls = {
  /** A path in the file system, if the store has one for this object. */
  readonly locate: (source: number) => string | undefined
  /** `undefined` if the object is still the one that was listed, else the reason. */
  readonly verify: (source: number) => string | undefined
  readonly read: (range: {
    readonly source: number
    readonly offset: number
    readonly length: number
  }) => Uint8Array<ArrayBuffer> | ReadFault
  readonly keys: (keyIds: ReadonlyArray<string>) => ReadonlyArray<KeyAnswer>
  readonly sites: (origins: ReadonlyArray<string>) => ReadonlyArray<string | undefined>
  readonly progress: (steps: Steps) => void
}

export interface SumTask {
  readonly sources: ReadonlyArray<Source>
  readonly rules: BatchRules
  readonly perReport: number | undefined
  readonly errorLimit: bigint | undefined
  readonly unitLimit: number
}

export type SumOutcome =
  | {
      readonly _tag: "Summed"
      readonly errors: ErrorCounts
      readonly sum: ReportSum
      readonly duplicates: number
      /** Listed by `units`, in pieces. */
      readonly units: number
      readonly unitCount: number
      readonly buckets: number
    }
  | ReadFault
  | Exclude<Fatal, { readonly _tag: "Input" }>
  | { readonly _tag: "TooManyErrors"; readonly errors: ErrorCounts }

export interface DomainTask {
  readonly sources: ReadonlyArray<Source>
  readonly format: "avro" | "text"
  /** A folder of its own, which the engine's thread removes. */
  readonly folder: string
}

/** Distinct keys in ascending order: in memory that threads share, or in a file of 16 bytes a key (machine's byte order). */
export interface SortedKeys {
  readonly _tag: "SortedKeys"
  readonly rows: number
  readonly held: SharedArrayBuffer | { readonly path: string }
}

export type DomainOutcome = SortedKeys | ReadFault | { readonly _tag: "KeyTooLong"; readonly reason: string }

/** The seed of `Noising` and what goes with it. */
export interface NoiseSource {
  readonly seed: Uint8Array
  readonly epsilon: number
  readonly l1: number
}

export interface ReleaseTask {
  readonly domain: SortedKeys
  readonly reportKeys: boolean
  readonly debug: boolean
  readonly shardRows: number
  /** All rows of a kind in one file, which exists even when empty. */
  readonly single: boolean
  readonly format: "avro" | "json"
  readonly noise: NoiseSource | undefined
  readonly metadata: ReadonlyArray<readonly [string, string]>
  readonly debugMetadata: ReadonlyArray<readonly [string, string]>
}

/** A file to be written, its bytes to be asked for with `chunk`. */
export interface PlannedFile {
  readonly kind: "summary" | "debug"
  /** Counts from 1 within its kind. */
  readonly index: number
  readonly rows: number
}

export type CoordinatorCalls = {
  readonly sum: (task: SumTask) => SumOutcome
  readonly units: (range: { readonly from: number; readonly count: number }) => ReadonlyArray<MergedUnit>
  readonly domain: (task: DomainTask) => DomainOutcome
  /** The files in the order in which they must be written. Begins a release; an unfinished one is forgotten. */
  readonly plan: (task: ReleaseTask) => ReadonlyArray<PlannedFile>
  /** Opens file `number` of the plan. */
  readonly file: (number: number) => void
  /** The next bytes of the opened file, `undefined` at its end. */
  readonly chunk: (nothing: undefined) => Uint8Array<ArrayBuffer> | undefined
}

/** How the threads are laid out; from `AggregatorOptions`. */
export interface CoordinatorOptions {
  readonly lanes: number
  readonly batchBytes: number
  readonly partitionKeys: number
  readonly laneModule: string
}

export type LaneCalls = {
  readonly begin: (rules: BatchRules) => void
  readonly batch: (batch: Batch) => BatchResult
  readonly rows: (task: RowsTask) => RowsOutcome
}

export type CoordinatorForLane = {
  readonly ask: (questions: Questions) => Answers
}

/** Rows of one block: bucket i is bytes 16·i … 16·i + 15, big-endian, its sum `sums[i]`. */
export interface RowsTask {
  readonly buckets: Uint8Array<ArrayBuffer>
  readonly sums: BigInt64Array<ArrayBuffer>
  readonly noise: NoiseSource | undefined
  readonly form: "facts" | "debug" | "metrics"
  readonly inDomain: boolean
  /** 1 where the bucket is present in reports; of debug rows only. */
  readonly inReports: Uint8Array<ArrayBuffer> | undefined
}

/** Encoded rows, or with the form `metrics` the 64-bit numbers. */
export type RowsOutcome = Uint8Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>
