/** On-demand models for hosts that write Promises. */
import type { BlobStore } from "@sotto/core/ports/BlobStore"
import { isDataPartRejected, type JobObject, jobObject, readDataPart, type UsageLine } from "@sotto/core/tabular"
import {
  defineModel as defineEngineModel,
  fileVersion,
  type InputFile,
  type Model,
  ModelFailed,
  type ModelJob,
  type OnDemand,
  type OnDemandRequest,
  type Quote,
  RecordFailed,
  recordsVersion
} from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { SottoError } from "./SottoError.ts"

type Scalar = "number" | "integer" | "text" | "boolean"

/** What a field of a record holds: `?` may be missing, `[]` is a list. */
export type Field = Scalar | `${Scalar}?` | `${Scalar}[]`

/** The fields of a record by name, e.g. `{ x: "number", note: "text?" }`. */
export type Fields = Readonly<Record<string, Field>>

interface ScalarValues {
  readonly number: number
  readonly integer: number
  readonly text: string
  readonly boolean: boolean
}

type FieldValue<F> = F extends `${infer S extends Scalar}[]`
  ? ReadonlyArray<ScalarValues[S]>
  : F extends `${infer S extends Scalar}?`
    ? ScalarValues[S]
    : F extends Scalar
      ? ScalarValues[F]
      : never

type Optional<F extends Fields> = { [K in keyof F]: F[K] extends `${Scalar}?` ? K : never }[keyof F]

/** A record with these fields. */
export type RecordOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, Optional<F>>]: FieldValue<F[K]>
} & { readonly [K in Optional<F>]?: FieldValue<F[K]> }

/** How a model fails that cannot go on with the whole job; whatever else it throws ends the job as well. */
export class ModelError extends Error {
  override readonly name = "ModelError"
  /** Whether the same work may succeed at another time; only then is the job tried again. */
  readonly retryable: boolean

  constructor(message: string, options: ErrorOptions & { readonly retryable?: boolean } = {}) {
    super(message, options)
    this.retryable = options.retryable ?? false
  }
}

/** In place of a result: this record cannot be worked on, and the others can. */
export type FailedRecord = RecordFailed

export const failedRecord = (message: string): FailedRecord => new RecordFailed(message)

interface VersionDefinition {
  /** A word such as `0.0.1`. */
  readonly version: string
  /** `true` unless told; a version that is not active takes no new jobs. */
  readonly active?: boolean
  /** Records that are paid for together. */
  readonly groupSize: number
  /** For a begun group, in thousandths of a US dollar. */
  readonly groupPrice: number
}

/** Works on records. Called again with the same ones after a crash, it should give the same results. */
export interface RecordsDefinition<I extends Fields, O extends Fields> extends VersionDefinition {
  readonly input: I
  readonly output: O
  /** Records that `run` gets at once, at most; 500 unless told. */
  readonly batchSize?: number
  /** A result for each record, in their order. */
  readonly run: (
    records: ReadonlyArray<RecordOf<I>>,
    job: ModelJob
  ) => Awaitable<ReadonlyArray<RecordOf<O> | FailedRecord>>
}

/** The file of a job. */
export interface ModelFile extends Pick<InputFile, "name" | "mime" | "bytes"> {
  /** All of it. */
  read(): Promise<Uint8Array>
  /** Piece by piece, for a file that is larger than memory. */
  stream(): AsyncIterable<Uint8Array>
}

/** Works on a whole file, which counts as one record. */
export interface FileDefinition extends VersionDefinition {
  /** Media types; `image/*` is possible. */
  readonly accepts: ReadonlyArray<string>
  readonly run: (
    file: ModelFile,
    job: ModelJob
  ) => Awaitable<{ readonly mime: string; readonly content: Uint8Array | string }>
}

type Awaitable<A> = A | Promise<A>

const SCALARS = { number: Schema.Finite, integer: Schema.Int, text: Schema.String, boolean: Schema.Boolean }

const schemaOf = (fields: Fields): Schema.Codec<unknown> =>
  Schema.Struct(
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => {
        const [, scalar = "", mark = ""] = /^(\w+)(\?|\[\])?$/.exec(field) ?? []
        const schema = Object.hasOwn(SCALARS, scalar) ? SCALARS[scalar as Scalar] : undefined
        if (schema === undefined) {
          const words = Object.keys(SCALARS).join(", ")
          throw new SottoError("InvalidArgument", `The field ${name} is one of ${words}, with ? or [] behind it.`)
        }
        return [name, mark === "?" ? Schema.optionalKey(schema) : mark === "[]" ? Schema.Array(schema) : schema]
      })
    )
  ) as unknown as Schema.Codec<unknown>

/** A promise of the host's: what it throws is the model's fault. */
const promised = <A>(work: () => Awaitable<A>): Effect.Effect<A, ModelFailed> =>
  Effect.tryPromise({
    try: async () => work(),
    catch: (error) =>
      new ModelFailed({
        message: error instanceof Error ? error.message : String(error),
        retryable: error instanceof ModelError && error.retryable
      })
  })

/** A version that works on records. */
export const onRecords = <const I extends Fields, const O extends Fields>({
  input,
  output,
  run,
  ...options
}: RecordsDefinition<I, O>): Model["versions"][number] =>
  recordsVersion({
    ...options,
    input: schemaOf(input),
    output: schemaOf(output),
    run: (records, job) => promised(() => run(records as ReadonlyArray<RecordOf<I>>, job))
  })

/** A version that works on whole files. */
export const onFiles = ({ run, ...options }: FileDefinition): Model["versions"][number] =>
  fileVersion({
    ...options,
    run: (file, job) =>
      Effect.map(
        promised(() => run(fileOf(file), job)),
        ({ mime, content }) => ({
          mime,
          content: typeof content === "string" ? new TextEncoder().encode(content) : content
        })
      )
  })

const fileOf = ({ name, mime, bytes, content }: InputFile): ModelFile => ({
  name,
  mime,
  bytes,
  read: async () => Buffer.concat(await Effect.runPromise(Stream.runCollect(content))),
  stream: () => Stream.toAsyncIterableWith(content, Context.empty())
})

/** Defines a model, with its versions in the order in which they were published; throws if it cannot be offered. */
export const defineModel = (model: {
  readonly name: string
  readonly versions: ReadonlyArray<Model["versions"][number]>
}): Model => defineEngineModel(model)

/** Which of its models, and how the file is to be read. */
export interface ModelSubmission {
  readonly model: string
  readonly file: Uint8Array | string
  /** `file` unless told. */
  readonly fileName?: string
  /** E.g. `text/csv; header=present`; told by the file's name unless given. */
  readonly mimeType?: string
  /** The most recent active one unless told. */
  readonly version?: string
  readonly name?: string
  readonly mapping?: ReadonlyArray<ModelMapping>
  readonly outputMapping?: ReadonlyArray<ModelMapping>
  /** With the key of an earlier submission that asks for the same, that job is the answer and nothing is billed. */
  readonly key?: string
  /** Who pays. */
  readonly submittedBy?: string
}

export interface ModelMapping {
  readonly source?: string
  readonly destination: string
  readonly defaultValue?: string | number | boolean
}

export interface ModelResult {
  /** For whoever saves it. */
  readonly name: string
  readonly mime: string
  readonly content: Uint8Array
}

interface Tenanted {
  readonly tenant?: string
}

/** On-demand jobs of an engine; its other methods (`wait`, `cancel`, `rename`) are for these jobs too. */
export interface ModelJobs {
  submit(submission: ModelSubmission & Tenanted): Promise<{ readonly job: JobObject; readonly created: boolean }>
  /** What `submit` would bill. */
  quote(submission: ModelSubmission & Tenanted): Promise<Quote>
  /** The result, or the file of the records that failed; waits for the end of the job. */
  result(id: string, options?: Tenanted & { readonly which?: "data" | "errors" }): Promise<ModelResult>
  /** Totals of the jobs that are still kept, a line for each payer and model. */
  usage(options?: Tenanted): Promise<ReadonlyArray<UsageLine>>
}

type Call = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

/** Longer than any job may take. */
const AS_LONG_AS_IT_TAKES = 2_147_483_647

export const modelJobs = (onDemand: OnDemand["Service"], blobs: BlobStore["Service"], call: Call): ModelJobs => {
  const requestOf = Effect.fnUntraced(function* (submission: ModelSubmission & Tenanted) {
    const { tenant = "default", model, file, fileName = null, key: _, submittedBy: __, ...data } = submission
    const read = readDataPart(JSON.stringify(data))
    if (isDataPartRejected(read)) {
      return yield* Effect.fail(new SottoError("InvalidSubmission", read.message))
    }
    const bytes = typeof file === "string" ? new TextEncoder().encode(file) : file
    const upload = yield* onDemand.upload(tenant, Stream.succeed(bytes))
    return { tenant, model, data: read, upload, fileName, partType: null } satisfies OnDemandRequest
  })
  return {
    submit: (submission) => {
      const { key = null, submittedBy = null } = submission
      const submitted = Effect.flatMap(requestOf(submission), (request) =>
        onDemand.submit({ ...request, key, submittedBy })
      )
      return call(Effect.map(submitted, ({ job, created }) => ({ job: jobObject(job) as JobObject, created })))
    },
    quote: (submission) =>
      call(
        Effect.flatMap(requestOf(submission), (request) =>
          Effect.ensuring(onDemand.quote(request), onDemand.discard(request.upload))
        )
      ),
    result: (id, { tenant = "default", which = "data" } = {}) =>
      call(
        Effect.gen(function* () {
          const { name, mime, ...ref } = yield* onDemand.result({ tenant, id }, which, AS_LONG_AS_IT_TAKES)
          const content = Buffer.concat(yield* Stream.runCollect(blobs.read(ref)))
          return { name, mime, content } satisfies ModelResult
        })
      ),
    usage: ({ tenant = "default" } = {}) => call(onDemand.usage({ tenant }))
  }
}
