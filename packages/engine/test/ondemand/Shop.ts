/** Processes that offer models, over files in memory. */
import type { Job } from "@sotto/core/job"
import { BlobStore } from "@sotto/core/ports/BlobStore"
import { RecordFormat } from "@sotto/core/ports/RecordFormat"
import { type DataPart, filesOf, isDataPartRejected, parametersOf, readDataPart } from "@sotto/core/tabular"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { layerRecordFormat } from "@sotto/tabular"
import {
  Engine,
  layerOnDemand,
  type Model,
  OnDemand,
  onDemandHandler,
  type OnDemandSubmission
} from "../../src/index.ts"
import { play, type Ports, type ProcessOptions, start, TENANT } from "../Rig.ts"

export const PLACE = { bucket: "data", prefix: "on-demand/" }

export type House = Ports | RecordFormat

/** A test on a clock of its own, with files of records. */
export const playShop = <A>(test: (house: Context.Context<House>) => Effect.Effect<A, unknown, Scope.Scope>) =>
  play((ports) =>
    Effect.gen(function* () {
      const formats = yield* Layer.build(layerRecordFormat({ maxRecordBytes: 100_000 }))
      return yield* test(Context.merge(ports, formats))
    })
  )

/** One process with a worker and the service. */
export const open = Effect.fnUntraced(function* (
  house: Context.Context<House>,
  models: ReadonlyArray<Model>,
  options: Omit<ProcessOptions<RecordFormat>, "handlers" | "services"> & { readonly maxUploadBytes?: number } = {}
) {
  const process = yield* start(house, {
    ...options,
    handlers: [onDemandHandler({ models, place: PLACE })],
    services: Context.pick(RecordFormat)(house) as Context.Context<RecordFormat>
  })
  const { maxUploadBytes } = options
  const context = yield* Layer.build(
    layerOnDemand({ models, place: PLACE, ...(maxUploadBytes === undefined ? {} : { maxUploadBytes }) }).pipe(
      Layer.provide(Layer.succeedContext(Context.add(house, Engine, process.engine)))
    )
  )
  return { ...process, shop: Context.get(context, OnDemand) }
})

/** What the part `data` says. */
export const data = (members: object = {}): DataPart => {
  const read = readDataPart(JSON.stringify(members))
  if (isDataPartRejected(read)) throw new Error(read.message)
  return read
}

export const utf8 = (text: string) => new TextEncoder().encode(text)

/** An upload and its submission, in one. */
export const send = Effect.fnUntraced(function* (
  shop: OnDemand["Service"],
  content: string | Uint8Array,
  more: Partial<OnDemandSubmission> = {}
) {
  const bytes = typeof content === "string" ? utf8(content) : content
  const upload = yield* shop.upload(more.tenant ?? TENANT, Stream.succeed(bytes))
  const submission = { tenant: TENANT, model: "pythagoras", data: data(), fileName: "example.csv", partType: null }
  return yield* shop.submit({ ...submission, upload, ...more })
})

const readText = Effect.fnUntraced(function* (
  house: Context.Context<House>,
  ref: { readonly bucket: string; readonly key: string }
) {
  const chunks = yield* Stream.runCollect(Context.get(house, BlobStore).read(ref))
  return Buffer.concat(chunks).toString()
})

/** Every key that is there. */
export const keys = (house: Context.Context<House>) =>
  Effect.map(Stream.runCollect(Context.get(house, BlobStore).list("data", "")), (all) => all.map(({ key }) => key))

/** The files of a job that ended, by the start of their names. */
export const filesIn = Effect.fnUntraced(function* (house: Context.Context<House>, job: Job) {
  const files: Record<string, string> = {}
  for (const file of filesOf(job)) files[file.name.split("_")[0] as string] = yield* readText(house, file)
  return files
})

export const billingOf = (job: Job) => parametersOf(job)?.billing
