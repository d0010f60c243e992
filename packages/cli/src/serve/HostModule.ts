/** Modules of a host that a configuration names. */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { CommandError } from "../Failure.ts"

/** What a module exports, each thing once, lists one by one; `field` is where the configuration names it. */
export const exportsOf = async (folder: string, path: string, field: string): Promise<ReadonlyArray<unknown>> => {
  const file = resolve(folder, path)
  if (!existsSync(file)) throw new CommandError(`${field}: there is no file ${file}.`)
  try {
    const module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
    return [...new Set(Object.values(module).flat())]
  } catch (error) {
    throw new CommandError(`${field}: ${file} cannot be loaded: ${(error as Error).message}`)
  }
}
