/** The example of docs/embedding.md: the layers of a process that takes jobs and runs them. */
import { layerJobs } from "@sotto/engine"
import { layerFsBlobStore, layerSystemEntropy } from "@sotto/fs"
import { layerMemoryJobQueue } from "@sotto/memory"
import { layerSqliteJobStore, layerSqliteRecords } from "@sotto/store-sqlite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { translationHandler, Translator } from "./Translation.ts"

const adapters = (folder: string) =>
  Layer.mergeAll(
    layerSqliteJobStore({ file: `${folder}/jobs.db` }),
    layerSqliteRecords({ file: `${folder}/jobs.db` }),
    layerMemoryJobQueue(),
    layerFsBlobStore({ buckets: { data: `${folder}/data` } }),
    layerSystemEntropy
  )

const translator = Layer.succeed(Translator, {
  translate: (text, to) => Effect.succeed(`${text} (${to})`)
})

export const layerService = (folder: string) =>
  layerJobs({ handlers: [translationHandler], concurrency: 8 }).pipe(
    Layer.provide(Layer.mergeAll(adapters(folder), translator))
  )
