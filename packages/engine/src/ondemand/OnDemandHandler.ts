/**
 * Runs on-demand jobs: reads the input record by record, lets the model work on batches, and writes the result and the file of
 * errors as they come. Nothing is kept of what has been written, so a file may be larger than memory.
 */
import type { BlobError, BlobInfo } from "@sotto/core/ports/BlobStore"
import { RecordFormat, type ReadRecord, type RecordsUnreadable } from "@sotto/core/ports/RecordFormat"
import {
  describeError,
  errorForm,
  errorRow,
  extensionOf,
  formOf,
  type MimeType,
  mimeOfForm,
  onDemandKind,
  type OnDemandFailure,
  type OnDemandParameters,
  type OnDemandResult,
  parseMime,
  planRecords,
  type RecordError,
  type RecordPlan,
  type WrittenFile
} from "@sotto/core/tabular"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { handle, type JobContext, JobFailed, type KindHandler } from "../Handler.ts"
import { lateFile } from "./ErrorFile.ts"
import { firstRowOf } from "./Inspection.ts"
import { type FileVersion, type Model, ModelFailed, type ModelJob, RecordFailed, type RecordsVersion } from "./Model.ts"
import { type FilesPlace, outputFile, outputPrefix } from "./Place.ts"

export interface OnDemandHandlerOptions<S> {
  /** Those of the service, with what runs them. */
  readonly models: ReadonlyArray<Model<S>>
  readonly place: FilesPlace
}

type Job = JobContext<OnDemandParameters>
type Failed = JobFailed<OnDemandFailure>

/** The handler of `onDemandKind`. */
export const onDemandHandler = <S = never>(options: OnDemandHandlerOptions<S>): KindHandler<S | RecordFormat> =>
  handle(onDemandKind, (job) => run(options, job)) as KindHandler<S | RecordFormat>

const run = <S>({ models, place }: OnDemandHandlerOptions<S>, job: Job) =>
  Effect.gen(function* () {
    const { model, version } = job.parameters
    const found = models.find(({ name }) => name === model)?.versions.find((one) => one.version === version)
    if (found === undefined) {
      // Another worker may have it, or this one after its next deployment.
      return yield* ours(
        "ModelMissing",
        `This worker does not know the model "${model}" ${version}. Register it.`,
        true
      )
    }
    const result = yield* found._tag === "Records" ? runRecords(place, found, job) : runFile(place, found, job)
    yield* tidy(place, job, result.errors === null ? [result.file] : [result.file, result.errors])
    return result
  }).pipe(Effect.mapError(failureOf))

/** What earlier epochs wrote, and could not hand in, goes. */
const tidy = (place: FilesPlace, job: Job, kept: ReadonlyArray<WrittenFile>) =>
  job.epoch === 1
    ? Effect.void
    : job.blobs.list(place.bucket, outputPrefix(place, job)).pipe(
        Stream.filter(({ key }) => kept.every((one) => one.key !== key)),
        Stream.runForEach((one) => job.blobs.delete(one)),
        Effect.ignore
      )

const modelJobOf = ({ tenant, id, signal, parameters: { model, version } }: Job): ModelJob => ({
  tenant,
  id,
  model,
  version,
  signal
})

const runRecords = Effect.fnUntraced(function* <S>(place: FilesPlace, version: RecordsVersion<S>, job: Job) {
  const formats = yield* RecordFormat
  const { parameters, blobs } = job
  const { file, mapping, outputMapping, billing } = parameters
  const mime = parseMime(parameters.inputMime)
  const form = mime === undefined ? undefined : formOf(mime)
  if (mime === undefined || form === undefined || form._tag === "NoRecords" || form._tag === "Refused") {
    return yield* ours("ModelChanged", `${version.version} takes no ${parameters.inputMime} any more.`)
  }
  const records = () => formats.read(form, blobs.read(file, { ifMatch: file.etag }))
  const firstRow = yield* firstRowOf(form, records())
  const plan = planRecords(version, { form, firstRow, mapping, outputMapping })
  if (plan._tag === "PlanRejected") return yield* ours("ModelChanged", plan.faults.join(" "))

  const count = { succeeded: 0, failed: 0 }
  let first: RecordError | undefined
  const told = errorForm(form)
  const errorsTo = outputFile(place, job, "errors", extensionOf(mime))
  const errorFile = yield* lateFile((rows) =>
    blobs.write(errorsTo.ref, formats.write(told.form, told.header, rows), { mode: "replace" })
  )
  const batch = batchesOf(version, plan, modelJobOf(job))
  const rows = (form._tag === "Csv" && form.header ? Stream.drop(records(), 1) : records()).pipe(
    Stream.grouped(version.batchSize),
    Stream.mapEffect((some) =>
      Effect.gen(function* () {
        const done = yield* batch(some, count.succeeded + count.failed)
        count.succeeded += done.rows.length
        count.failed += some.length - done.rows.length
        first ??= done.errors[0]
        yield* errorFile.add(done.errors.map((error) => errorRow(form, error)))
        job.progress({ done: count.succeeded + count.failed, total: billing.recordCount, phase: "records" })
        return done.rows
      })
    ),
    Stream.flattenIterable
  )
  const resultTo = outputFile(place, job, "data", extensionOf(mime))
  const written = yield* blobs.write(resultTo.ref, formats.write(form, plan.header, rows), { mode: "replace" })
  const errorsWritten = yield* errorFile.close
  const errors = errorsWritten === undefined ? null : fileOf(errorsWritten, errorsTo.name, mimeOfForm(told.form))
  if (count.succeeded === 0 && first !== undefined) {
    yield* Effect.ignore(blobs.delete(resultTo.ref))
    yield* tidy(place, job, errors === null ? [] : [errors])
    return yield* new JobFailed<OnDemandFailure>({
      code: "NoRecordSucceeded",
      category: "client",
      message: `None of the ${count.failed} records could be processed; ${describeError(first)}.`,
      details: { errors, failed: count.failed },
      retryable: false
    })
  }
  return { file: fileOf(written, resultTo.name, mimeOfForm(form)), errors, ...count } satisfies OnDemandResult
})

/** What a batch comes to: a row for each record that succeeded, one error or more for each other. */
const batchesOf =
  <S>(version: RecordsVersion<S>, plan: RecordPlan<unknown, unknown>, job: ModelJob) =>
  (some: ReadonlyArray<ReadRecord>, before: number) =>
    Effect.gen(function* () {
      const errors: Array<RecordError> = []
      const good: Array<{ readonly at: Pick<RecordError, "record" | "line">; readonly value: unknown }> = []
      for (const [i, one] of some.entries()) {
        const at = { record: before + i + 1, line: one.line }
        const read = one._tag === "Record" ? plan.read(one.value) : undefined
        if (read?._tag === "Planned") good.push({ at, value: read.value })
        else {
          const faults = read?.faults ?? [{ path: "", hint: one._tag === "Broken" ? one.hint : "" }]
          for (const { path, hint } of faults) errors.push({ ...at, stage: "input", path, message: hint })
        }
      }
      const results =
        good.length === 0
          ? []
          : yield* guarded(
              Effect.suspend(() =>
                version.run(
                  good.map(({ value }) => value),
                  job
                )
              )
            )
      if (results.length !== good.length) {
        return yield* new ModelFailed({
          message: `The model gave ${results.length} results for ${good.length} records.`,
          retryable: false
        })
      }
      const rows = good.flatMap(({ at }, i) => {
        const result = results[i]
        if (result instanceof RecordFailed) {
          errors.push({ ...at, stage: "model", path: "", message: result.message })
          return []
        }
        const row = plan.write(result)
        if (row._tag === "Planned") return [row.value]
        for (const { path, hint } of row.faults) errors.push({ ...at, stage: "output", path, message: hint })
        return []
      })
      errors.sort((a, b) => a.record - b.record)
      return { rows, errors }
    })

const runFile = Effect.fnUntraced(function* <S>(place: FilesPlace, version: FileVersion<S>, job: Job) {
  const { file, inputFileName, inputMime } = job.parameters
  const made = yield* guarded(
    Effect.suspend(() =>
      version.run(
        {
          name: inputFileName,
          mime: inputMime,
          bytes: file.bytes,
          content: job.blobs.read(file, { ifMatch: file.etag })
        },
        modelJobOf(job)
      )
    )
  )
  const mime: MimeType = parseMime(made.mime) ?? { essence: "application/octet-stream", parameters: new Map() }
  const to = outputFile(place, job, "data", extensionOf(mime))
  const content = made.content instanceof Uint8Array ? made.content : Stream.catchDefect(made.content, modelDefect)
  const written = yield* job.blobs.write(to.ref, content, { mode: "replace" })
  return { file: fileOf(written, to.name, made.mime), errors: null, succeeded: 1, failed: 0 } satisfies OnDemandResult
})

/** A model that throws is a model that failed: the same input would make it throw again. */
const guarded = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.catchDefect(effect, (defect) => Effect.fail(modelFault(defect)))

const modelDefect = (defect: unknown) => Stream.fail(modelFault(defect))

const modelFault = (defect: unknown): ModelFailed =>
  new ModelFailed({
    message: `The model failed in an unforeseen way: ${Cause.prettyErrors(Cause.die(defect))[0]?.message ?? String(defect)}`,
    retryable: false
  })

const fileOf = ({ bucket, key, size }: BlobInfo, name: string, mime: string): WrittenFile => ({
  bucket,
  key,
  bytes: size,
  mime,
  name
})

const NOTHING: OnDemandFailure = { errors: null, failed: 0 }

const ours = (code: string, message: string, retryable = false): Failed =>
  new JobFailed({ code, category: "server", message, details: NOTHING, retryable })

/** `server` is our fault, everything else that of the model or the data. */
const failureOf = (error: Failed | ModelFailed | RecordsUnreadable | BlobError): Failed => {
  switch (error._tag) {
    case "JobFailed":
      return error
    case "ModelFailed":
      return new JobFailed({
        code: "ModelFailed",
        category: "external",
        message: error.message,
        details: NOTHING,
        retryable: error.retryable
      })
    case "RecordsUnreadable":
      return new JobFailed({
        code: "InvalidData",
        category: "client",
        message: error.message,
        details: NOTHING,
        retryable: false
      })
    default:
      return ours("FilesUnavailable", error.message, error._tag === "BlobUnavailable")
  }
}
