/** Models that a host offers: what they take, give and cost, with the function that does the work. */
import type { BlobChanged, BlobDenied, BlobNotFound, BlobUnavailable } from "@sotto/core/ports/BlobStore"
import {
  type FileOffer,
  modelFaults,
  type ModelOffer,
  ModelRejected,
  recordSchema,
  type RecordsOffer
} from "@sotto/core/tabular"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { Signal } from "../Handler.ts"

/** In place of a result: this record cannot be worked on, and the others can. */
export class RecordFailed {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** The model cannot go on with the whole job. */
export class ModelFailed extends Data.TaggedError("ModelFailed")<{
  readonly message: string
  /** Whether the same work may succeed at another time; only then is the job tried again. */
  readonly retryable: boolean
}> {}

/** For whom a model works. */
export interface ModelJob {
  readonly tenant: string
  readonly id: string
  readonly model: string
  readonly version: string
  /** Aborts when the work is to stop. */
  readonly signal: Signal
}

/**
 * Gives as many results as there are records, in their order. It is called again with the same records after a crash, so the
 * same records should give the same results.
 */
export type RunRecords<I, O, S> = (
  records: ReadonlyArray<I>,
  job: ModelJob
) => Effect.Effect<ReadonlyArray<O | RecordFailed>, ModelFailed, S>

type InputTrouble = BlobNotFound | BlobChanged | BlobDenied | BlobUnavailable

export interface InputFile {
  readonly name: string
  readonly mime: string
  /** Its size. */
  readonly bytes: number
  readonly content: Stream.Stream<Uint8Array, InputTrouble>
}

export interface OutputFile<S> {
  readonly mime: string
  readonly content: Uint8Array | Stream.Stream<Uint8Array, ModelFailed | InputTrouble, S>
}

export type RunFile<S> = (file: InputFile, job: ModelJob) => Effect.Effect<OutputFile<S>, ModelFailed | InputTrouble, S>

export interface RecordsVersion<S> extends RecordsOffer<unknown, unknown> {
  /** Records that the function gets at once, at most. */
  readonly batchSize: number
  readonly run: RunRecords<unknown, unknown, S>
}

export interface FileVersion<S> extends FileOffer {
  readonly run: RunFile<S>
}

export type ModelVersion<S = never> = RecordsVersion<S> | FileVersion<S>

export interface Model<S = never> extends ModelOffer<ModelVersion<S>> {}

interface VersionOptions {
  /** A word such as `0.0.1`. */
  readonly version: string
  /** `true` unless told; a version that is not active takes no new jobs. */
  readonly active?: boolean
  /** Records that are paid for together. */
  readonly groupSize: number
  /** For a begun group, in thousandths of a US dollar. */
  readonly groupPrice: number
}

const BATCH_SIZE = 500

/** A version that works on records. Its schemas are structs with named fields. */
export const recordsVersion = <I, O, S = never>(
  options: VersionOptions & {
    readonly input: Schema.Codec<I, unknown>
    readonly output: Schema.Codec<O, unknown>
    /** 500 unless told. */
    readonly batchSize?: number
    readonly run: RunRecords<I, O, S>
  }
): RecordsVersion<S> => ({
  _tag: "Records",
  version: options.version,
  active: options.active ?? true,
  groupSize: options.groupSize,
  groupPrice: options.groupPrice,
  batchSize: options.batchSize ?? BATCH_SIZE,
  input: recordSchema(options.input) as RecordsVersion<S>["input"],
  output: recordSchema(options.output) as RecordsVersion<S>["output"],
  run: options.run as RecordsVersion<S>["run"]
})

/** A version that works on a whole file, which counts as one record. */
export const fileVersion = <S = never>(
  options: VersionOptions & {
    /** Media types; `image/*` is possible. */
    readonly accepts: ReadonlyArray<string>
    readonly run: RunFile<S>
  }
): FileVersion<S> => ({
  _tag: "File",
  version: options.version,
  active: options.active ?? true,
  groupSize: options.groupSize,
  groupPrice: options.groupPrice,
  accepts: options.accepts,
  run: options.run
})

/** Defines a model, or throws `ModelRejected`. Its versions are in the order in which they were published. */
export const defineModel = <S = never>(model: Model<S>): Model<S> => {
  const faults = [
    ...modelFaults(model),
    ...model.versions.flatMap((one) =>
      one._tag === "File" || (Number.isInteger(one.batchSize) && one.batchSize >= 1 && one.batchSize <= MAX_BATCH)
        ? []
        : [`version ${one.version}: batchSize is a whole number from 1 to ${MAX_BATCH}, not ${one.batchSize}`]
    )
  ]
  if (faults.length > 0) throw new ModelRejected(model.name, faults)
  return model
}

const MAX_BATCH = 100_000
