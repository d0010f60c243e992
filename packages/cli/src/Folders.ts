import { mkdirSync, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { CommandError } from "./Failure.ts"

/**
 * Makes a folder with all that leads to it, unless it is there.
 *
 * Folder by folder, because Node's recursive `mkdir` never returns where a folder exists and takes no children (/proc).
 */
export const makeFolder = (path: string): void => {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true) return
  if (stat !== undefined) throw new CommandError(`${path} is a file, not a folder. Name another place.`)
  const above = dirname(resolve(path))
  makeFolder(above)
  try {
    mkdirSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== "EEXIST") throw new CommandError(`The folder ${path} cannot be made in ${above} (${code}).`)
  }
}

/** Refuses a file to be written into a folder that is not there. */
export const needFolderOf = (file: string): void => {
  const folder = dirname(resolve(file))
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new CommandError(`${file} cannot be written: there is no folder ${folder}.`)
}
