/**
 * On-demand jobs as their clients see them: models, quotes, submissions, results and usage.
 *
 * A file is uploaded first; a quote or a submission then reads it once, counts its records and tries the mapping, so that what
 * cannot work is refused and costs nothing. The price is part of the job from its first event on.
 */
import { toHex } from "@sotto/core/Bytes"
import { isTerminal, type Job } from "@sotto/core/job"
import {
  type BlobDenied,
  type BlobExists,
  type BlobNotFound,
  type BlobRef,
  BlobStore,
  type BlobUnavailable
} from "@sotto/core/ports/BlobStore"
import { Entropy } from "@sotto/core/ports/Entropy"
import type { JobCursor, JobStoreUnavailable } from "@sotto/core/ports/JobStore"
import { RecordFormat } from "@sotto/core/ports/RecordFormat"
import {
  addUsage,
  bill,
  type Billing,
  type DataPart,
  fileDigest,
  filesOf,
  fingerprintOf,
  formOf,
  isAccepted,
  jobObject,
  type JobObject,
  MAX_RECORDS,
  mimeOf,
  type ModelOffer,
  modelView,
  type ModelView,
  onDemandKind,
  type OnDemandParameters,
  type OnDemandStatus,
  parametersOf,
  parseMime,
  planRecords,
  resultOf,
  type UsageLine,
  type VersionOffer,
  versionOf,
  type WrittenFile
} from "@sotto/core/tabular"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Engine } from "../Engine.ts"
import {
  type CommandRefused,
  type InvalidSubmission,
  KeyTaken,
  type UnknownJob,
  unknownJob,
  type UnknownKind
} from "../Refusals.ts"
import { inspect, type Inspection } from "./Inspection.ts"
import { type FilesPlace, uploadRef } from "./Place.ts"

/** No model of this name is offered here. */
export class UnknownModel extends Schema.TaggedError<UnknownModel>()("UnknownModel", {
  model: Schema.String,
  message: Schema.String
}) {}

/** The submission cannot work. Nothing was submitted and nothing is billed. */
export class OnDemandRefused extends Schema.TaggedError<OnDemandRefused>()("OnDemandRefused", {
  because: Schema.Literals(["version", "mimeType", "file", "mapping"]),
  message: Schema.String
}) {}

/** The file is larger than is allowed; nothing of it was kept. */
export class UploadTooLarge extends Schema.TaggedError<UploadTooLarge>()("UploadTooLarge", {
  /** The most bytes that a file may have. */
  limit: Schema.Int,
  message: Schema.String
}) {}

/** There is no result: not yet, not any more, or because the job went wrong. */
export class ResultMissing extends Schema.TaggedError<ResultMissing>()("ResultMissing", {
  status: Schema.Literals(["incomplete", "success", "error", "fail"]),
  message: Schema.String
}) {}

type FileTrouble = BlobNotFound | BlobExists | BlobDenied | BlobUnavailable

/** A file that waits for its submission, or to be discarded. */
export interface Upload {
  readonly ref: BlobRef
  readonly bytes: number
  readonly etag: string
  readonly sha256: string
}

export interface OnDemandRequest {
  readonly tenant: string
  readonly model: string
  readonly data: DataPart
  readonly upload: Upload
  /** As the sender called it; `null` if it has none. */
  readonly fileName: string | null
  /** The media type that its part had; `null` if none. */
  readonly partType: string | null
}

export interface OnDemandSubmission extends OnDemandRequest {
  /** With the key of an earlier submission that asks for the same, that job is the answer. */
  readonly key?: string | null
  /** Who pays, e.g. the id of an API key. */
  readonly submittedBy?: string | null
}

/** What a job would cost. */
export interface Quote extends Billing {
  readonly model: string
  /** The version that would run. */
  readonly version: string
  readonly inputMime: string
}

export interface OnDemandFilter {
  readonly tenant: string
  readonly model?: string
  /** Within the job's name or that of its file, whatever the case. */
  readonly search?: string
  readonly statuses?: ReadonlyArray<OnDemandStatus>
}

export interface OnDemandPage {
  readonly jobs: ReadonlyArray<JobObject>
  /** Where the next page starts; `null` if this was the last. With a search a page may be short and not the last. */
  readonly next: JobCursor | null
}

export interface UsageQuery {
  readonly tenant: string
  /** By the time of submission, in milliseconds since 1970, inclusive. */
  readonly from?: number
  readonly to?: number
}

/** A job, named by its owner; with a model, only if it is one of that model's. */
export interface OnDemandJobId {
  readonly tenant: string
  readonly id: string
  readonly model?: string
}

type ReadError = UnknownJob | JobStoreUnavailable
type CheckError = UnknownModel | OnDemandRefused | FileTrouble

export class OnDemand extends Context.Service<
  OnDemand,
  {
    readonly models: ReadonlyArray<ModelView>

    /** Keeps a file until it is submitted or discarded; its bytes pass through and are not held. */
    upload<E, R>(
      tenant: string,
      content: Stream.Stream<Uint8Array, E, R>
    ): Effect.Effect<Upload, E | UploadTooLarge | FileTrouble, R>

    /** Removes the file of a submission that does not come. */
    discard(upload: Upload): Effect.Effect<void>

    /** What `submit` would bill, found out in the same way. The upload stays. */
    quote(request: OnDemandRequest): Effect.Effect<Quote, CheckError>

    /** Takes the upload: it becomes the job's, or is removed if there is no new job. */
    submit(
      submission: OnDemandSubmission
    ): Effect.Effect<
      { readonly job: Job; readonly created: boolean },
      CheckError | KeyTaken | InvalidSubmission | UnknownKind | JobStoreUnavailable
    >

    get(id: OnDemandJobId): Effect.Effect<Job, ReadError>

    /** The job when it has ended, or as it is after `waitMs`. */
    wait(id: OnDemandJobId, waitMs: number): Effect.Effect<Job, ReadError>

    rename(id: OnDemandJobId, name: string | null): Effect.Effect<Job, ReadError | UnknownKind | CommandRefused>

    /** What was billed stays billed. */
    cancel(id: OnDemandJobId, by: string): Effect.Effect<Job, ReadError | UnknownKind | CommandRefused>

    /** Ends the job if it runs and removes its files, input and all. What it was and cost stays known. */
    erase(id: OnDemandJobId, by: string): Effect.Effect<Job, ReadError | UnknownKind | CommandRefused | FileTrouble>

    /** Newest first; `limit` 1 … 1000. */
    list(
      filter: OnDemandFilter,
      after: JobCursor | null,
      limit: number
    ): Effect.Effect<OnDemandPage, JobStoreUnavailable>

    /** The file of the result, or of the records that failed; waits up to `waitMs` for the end of the job. */
    result(
      id: OnDemandJobId,
      which: "data" | "errors",
      waitMs: number
    ): Effect.Effect<WrittenFile, ReadError | ResultMissing | BlobDenied | BlobUnavailable>

    /** Totals of the jobs that are still kept, a line for each payer and model. */
    usage(query: UsageQuery): Effect.Effect<ReadonlyArray<UsageLine>, JobStoreUnavailable>
  }
>()("@sotto/engine/OnDemand") {}

export interface OnDemandOptions {
  readonly models: ReadonlyArray<ModelOffer>
  readonly place: FilesPlace
  /** Bytes of one file; 1 GiB unless told. */
  readonly maxUploadBytes?: number
}

const GIB = 1_073_741_824

/** Jobs that are looked at for one page, at most, when not all of them match. */
const MAX_LOOKED_AT = 5_000
const PER_LOOK = 500

/** What a submission comes to before it is one. */
interface Checked {
  readonly version: VersionOffer
  readonly inputMime: string
  readonly inputFileName: string
  readonly billing: Billing
}

const make = Effect.fnUntraced(function* ({ models, place, maxUploadBytes = GIB }: OnDemandOptions) {
  const engine = yield* Engine
  const blobs = yield* BlobStore
  const formats = yield* RecordFormat
  const entropy = yield* Entropy

  const upload = <E, R>(tenant: string, content: Stream.Stream<Uint8Array, E, R>) =>
    Effect.gen(function* () {
      const ref = uploadRef(place, tenant, toHex(yield* entropy.bytes(16)))
      const digest = fileDigest()
      let bytes = 0
      const passing = Stream.tap(content, (chunk) =>
        Effect.suspend(() => {
          bytes += chunk.length
          if (bytes > maxUploadBytes) return Effect.fail(tooLarge(maxUploadBytes))
          digest.update(chunk)
          return Effect.void
        })
      )
      const { size, etag } = yield* blobs.write(ref, passing, { mode: "create" })
      return { ref, bytes: size, etag, sha256: digest.digest() } satisfies Upload
    })

  const remove = (ref: BlobRef) => Effect.ignore(blobs.delete(ref))

  const check = Effect.fn("OnDemand.check")(function* ({ model: name, data, upload, ...given }: OnDemandRequest) {
    const model = models.find((one) => one.name === name)
    if (model === undefined) {
      return yield* new UnknownModel({ model: name, message: `No model is called "${name}" here.` })
    }
    const version = versionOf(model, data.version)
    if (version._tag === "VersionRefused") return yield* refused("version", version.message)
    const inputFileName = fileNameOf(given.fileName)
    const inputMime = mimeOf({ declared: data.mimeType, part: given.partType, fileName: inputFileName })
    const mime = inputMime === undefined ? undefined : parseMime(inputMime)
    if (inputMime === undefined || mime === undefined) {
      return yield* refused(
        "mimeType",
        inputMime === undefined
          ? 'Say in "mimeType" what the file is, e.g. "text/csv; header=present": neither its part nor its name tells.'
          : `"${inputMime}" is no MIME type. Write e.g. "text/csv; header=present".`
      )
    }
    if (version._tag === "File") {
      if (!isAccepted(mime, version.accepts)) {
        return yield* refused("mimeType", `The model takes ${version.accepts.join(", ")}, not ${mime.essence}.`)
      }
      if (data.mapping.length + data.outputMapping.length > 0) {
        return yield* refused("mapping", "The model works on the file as it is, so there is nothing to map.")
      }
      return { version, inputMime, inputFileName, billing: bill(version, 1) } satisfies Checked
    }
    const form = formOf(mime)
    if (form._tag === "Refused") return yield* refused("mimeType", form.message)
    if (form._tag === "NoRecords") {
      return yield* refused(
        "mimeType",
        `The model takes records as text/csv, application/json or application/x-ndjson, not ${mime.essence}.`
      )
    }
    const { firstRow, recordCount }: Inspection = yield* inspect(
      form,
      formats.read(form, blobs.read(upload.ref, { ifMatch: upload.etag }))
    ).pipe(
      Effect.catchTags({
        RecordsUnreadable: ({ message }) => refused("file", message),
        // Nobody else writes to an upload.
        BlobChanged: Effect.die
      })
    )
    if (recordCount > MAX_RECORDS) return yield* refused("file", `A job has at most ${MAX_RECORDS} records.`)
    const plan = planRecords(version, { form, firstRow, mapping: data.mapping, outputMapping: data.outputMapping })
    if (plan._tag === "PlanRejected") return yield* refused("mapping", plan.faults.join(" "))
    return { version, inputMime, inputFileName, billing: bill(version, recordCount) } satisfies Checked
  })

  const quote = Effect.fn("OnDemand.quote")(function* (request: OnDemandRequest) {
    const { version, inputMime, billing } = yield* check(request)
    return { model: request.model, version: version.version, inputMime, ...billing } satisfies Quote
  })

  /** The job that has this key, if it asks for the same. */
  const repeated = Effect.fnUntraced(function* (tenant: string, key: string, fingerprint: string) {
    const { rows } = yield* engine.list(tenant, { kinds: [onDemandKind.name], key }, null, 1)
    const [job] = rows
    if (job === undefined) return undefined
    if (parametersOf(job)?.fingerprint === fingerprint) return { job, created: false }
    return yield* new KeyTaken({
      id: job.id,
      message: `The key "${key}" was used for the job "${job.id}", which asks for something else. Use another key.`
    })
  })

  const submitOnce = Effect.fnUntraced(function* (submission: OnDemandSubmission) {
    const { tenant, model, data, upload, key = null, submittedBy = null } = submission
    const inputFileName = fileNameOf(submission.fileName)
    const fingerprint = fingerprintOf({
      model,
      data,
      inputMime: mimeOf({ declared: data.mimeType, part: submission.partType, fileName: inputFileName }) ?? "",
      inputFileName,
      fileSha256: upload.sha256
    })
    const before = key === null ? undefined : yield* repeated(tenant, key, fingerprint)
    if (before !== undefined) return before
    const { version, inputMime, billing } = yield* check(submission)
    const parameters: OnDemandParameters = {
      model,
      version: version.version,
      file: { ...upload.ref, bytes: upload.bytes, etag: upload.etag },
      inputFileName,
      inputMime,
      mapping: data.mapping,
      outputMapping: data.outputMapping,
      billing,
      submittedBy,
      fingerprint
    }
    const submitted = engine.submit({ kind: onDemandKind.name, tenant, parameters, name: data.name, key })
    // Of two that come at once with one key, one is told that the key is taken: by what it asks for itself.
    return yield* Effect.catchTag(submitted, "KeyTaken", (taken) =>
      Effect.flatMap(key === null ? Effect.fail(taken) : repeated(tenant, key, fingerprint), (same) =>
        same === undefined ? Effect.fail(taken) : Effect.succeed(same)
      )
    )
  })

  const submit = Effect.fn("OnDemand.submit")((submission: OnDemandSubmission) =>
    submitOnce(submission).pipe(
      Effect.tap(({ created }) => (created ? Effect.void : remove(submission.upload.ref))),
      // A store that does not answer may have taken the job, and then the file is its.
      Effect.tapError(({ _tag }) => (_tag === "JobStoreUnavailable" ? Effect.void : remove(submission.upload.ref)))
    )
  )

  const owned = ({ id, model }: OnDemandJobId, job: Job) => {
    const parameters = parametersOf(job)
    const visible = parameters !== undefined && (model === undefined || parameters.model === model)
    return visible ? Effect.succeed(job) : Effect.fail(unknownJob(id))
  }

  const get = Effect.fn("OnDemand.get")((one: OnDemandJobId) =>
    engine.get(one.tenant, one.id).pipe(
      Effect.catchTag("UnknownKind", () => Effect.fail(unknownJob(one.id))),
      Effect.flatMap(({ job }) => owned(one, job))
    )
  )

  const wait = Effect.fn("OnDemand.wait")(function* (one: OnDemandJobId, waitMs: number) {
    const job = yield* get(one)
    if (isTerminal(job.state) || waitMs <= 0) return job
    yield* Effect.timeoutOption(engine.wait(one.tenant, one.id), waitMs)
    return yield* get(one)
  })

  const cancel = Effect.fn("OnDemand.cancel")((one: OnDemandJobId, by: string) =>
    Effect.andThen(get(one), engine.cancel(one.tenant, one.id, by))
  )

  const erase = Effect.fn("OnDemand.erase")(function* (one: OnDemandJobId, by: string) {
    const before = yield* get(one)
    const job = isTerminal(before.state) ? before : yield* engine.cancel(one.tenant, one.id, by)
    const input = parametersOf(job)?.file
    for (const ref of [...filesOf(job), ...(input === undefined ? [] : [input])]) yield* blobs.delete(ref)
    return job
  })

  const list = Effect.fn("OnDemand.list")(function* (filter: OnDemandFilter, after: JobCursor | null, limit: number) {
    const wanted = filter.search?.toLowerCase() ?? ""
    const matches = (job: Job): boolean => {
      const parameters = parametersOf(job)
      if (parameters === undefined || (filter.model !== undefined && parameters.model !== filter.model)) return false
      const status = onDemandKind.outward.word(job, { slotFree: true })
      if (filter.statuses !== undefined && !filter.statuses.includes(status)) return false
      return `${job.name ?? ""}\n${parameters.inputFileName}`.toLowerCase().includes(wanted)
    }
    const jobs: Array<JobObject> = []
    let next = after
    for (let looked = 0; looked < MAX_LOOKED_AT;) {
      const page = yield* engine.list(filter.tenant, { kinds: [onDemandKind.name] }, next, PER_LOOK)
      for (const [i, job] of page.rows.entries()) {
        const shown = matches(job) ? jobObject(job) : undefined
        if (shown !== undefined) jobs.push(shown)
        const isLast = i === page.rows.length - 1 && page.next === null
        if (jobs.length === limit) return { jobs, next: isLast ? null : { createdAt: job.createdAt, id: job.id } }
      }
      next = page.next
      looked += page.rows.length
      if (next === null) return { jobs, next }
    }
    return { jobs, next } satisfies OnDemandPage
  })

  const result = Effect.fn("OnDemand.result")(function* (one: OnDemandJobId, which: "data" | "errors", waitMs: number) {
    const job = yield* wait(one, waitMs)
    const status = onDemandKind.outward.word(job, { slotFree: true })
    const files = filesOf(job)
    const file = which === "data" ? resultOf(job)?.file : files.find(({ key }) => key !== resultOf(job)?.file.key)
    if (file === undefined) {
      const message = jobObject(job)?.errorMessage ?? undefined
      return yield* new ResultMissing({
        status,
        message: !isTerminal(job.state)
          ? "The job is not done yet. Ask again later."
          : which === "errors" && message === undefined
            ? "No record of this job failed."
            : `The job has no such file: ${message ?? "it was cancelled."}`
      })
    }
    yield* blobs
      .stat(file)
      .pipe(
        Effect.catchTag("BlobNotFound", () =>
          Effect.fail(new ResultMissing({ status, message: "The files of this job were deleted." }))
        )
      )
    return file
  })

  const usage = Effect.fn("OnDemand.usage")(function* ({ tenant, from, to }: UsageQuery) {
    const filter = {
      kinds: [onDemandKind.name],
      ...(from === undefined ? {} : { createdFrom: from }),
      ...(to === undefined ? {} : { createdTo: to })
    }
    let lines: ReadonlyArray<UsageLine> = []
    let next: JobCursor | null = null
    do {
      const page: { readonly rows: ReadonlyArray<Job>; readonly next: JobCursor | null } = yield* engine.list(
        tenant,
        filter,
        next,
        PER_LOOK
      )
      lines = page.rows.reduce(addUsage, lines)
      next = page.next
    } while (next !== null)
    return lines
  })

  return OnDemand.of({
    models: models.map(modelView),
    upload,
    discard: ({ ref }) => remove(ref),
    quote,
    submit,
    get,
    wait,
    rename: Effect.fn("OnDemand.rename")((one: OnDemandJobId, name: string | null) =>
      Effect.andThen(get(one), engine.rename(one.tenant, one.id, name))
    ),
    cancel,
    erase,
    list,
    result,
    usage
  })
})

const refused = (because: OnDemandRefused["because"], message: string) =>
  Effect.fail(new OnDemandRefused({ because, message }))

const tooLarge = (limit: number): UploadTooLarge =>
  new UploadTooLarge({ limit, message: `The file is larger than ${limit} bytes. Split it into several jobs.` })

/** The last part of what a sender called its file, without what could harm a header or a log; `file` if nothing is left. */
const fileNameOf = (given: string | null): string => {
  const last = (given ?? "").split(/[/\\]/).at(-1) ?? ""
  const clean = [...last].filter((c) => c >= " " && c !== "\u007f").join("")
  return clean.trim() === "" ? "file" : clean.trim().slice(-MAX_FILE_NAME)
}

const MAX_FILE_NAME = 200

/** On-demand jobs over the engine. A worker with `onDemandHandler` runs them, here or elsewhere. */
export const layerOnDemand = (
  options: OnDemandOptions
): Layer.Layer<OnDemand, never, Engine | BlobStore | RecordFormat | Entropy> => Layer.effect(OnDemand, make(options))
