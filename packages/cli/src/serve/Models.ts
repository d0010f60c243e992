/** Models that a server offers: those that a module of the host exports. */
import { resolve } from "node:path"
import { defineModel, type FilesPlace, layerFilesRetention, layerOnDemand, type Model } from "@sotto/engine"
import { layerRecordFormat } from "@sotto/tabular"
import * as Layer from "effect/Layer"
import { CommandError } from "../Failure.ts"
import { exportsOf } from "./HostModule.ts"
import type { ServerConfig, Settings } from "./ServerConfig.ts"

/** Where the files of on-demand jobs are. */
export const filesPlaceOf = ({ models }: ServerConfig): FilesPlace => ({ bucket: models?.bucket ?? "models" })

/** What the module exports, checked; none without a module. */
export const loadModels = async ({ config, folder }: Settings): Promise<ReadonlyArray<Model>> => {
  if (config.models === undefined) return []
  const file = resolve(folder, config.models.module)
  const found = (await exportsOf(folder, config.models.module, "models.module")).filter(isModel)
  if (found.length === 0) {
    throw new CommandError(`models.module: ${file} exports no model. Export what \`defineModel\` gives.`)
  }
  const names = found.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new CommandError(`models.module: ${file} exports two models called "${twice}".`)
  const unoffered = config.apiKeys.find(({ model }) => model !== undefined && !names.includes(model))
  if (unoffered !== undefined) {
    throw new CommandError(
      `The key "${unoffered.name}" of apiKeys is for the model "${unoffered.model}"; there are ${names.join(", ")}.`
    )
  }
  return found
}

const isModel = (value: unknown): value is Model => {
  const { name, versions } = (value ?? {}) as Partial<Model>
  if (typeof name !== "string" || !Array.isArray(versions)) return false
  try {
    defineModel(value as Model)
    return true
  } catch (error) {
    throw new CommandError(`models.module: ${(error as Error).message}`)
  }
}

/** Reads and writes records, for the service and for workers. */
export const layerFormats = layerRecordFormat()

/** On-demand jobs as a service; with workers also what removes files that belong to no job any more. */
export const layerOnDemandOf = (
  { config }: Settings,
  { models, workers }: { readonly models: ReadonlyArray<Model>; readonly workers: boolean }
) => {
  const place = filesPlaceOf(config)
  const { maxFileBytes } = config.models ?? {}
  return Layer.merge(
    layerOnDemand({ models, place, ...(maxFileBytes === undefined ? {} : { maxUploadBytes: maxFileBytes }) }),
    workers && models.length > 0 ? layerFilesRetention({ place }) : Layer.empty
  ).pipe(Layer.provide(layerFormats))
}
