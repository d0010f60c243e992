/** What a path on the command line means: one file, a folder, or the beginning of file names. */
import { existsSync, readdirSync, statSync } from "node:fs"
import { basename, dirname, resolve } from "node:path"
import { CommandError } from "./Failure.ts"

/**
 * Objects of a bucket: `root` is the folder that the bucket maps to, `prefix` the beginning of keys below it.
 * With `exact` only the one object named `prefix` is meant (spec: aggregation §11.1, a file path is taken literally).
 */
export interface Location {
  readonly root: string
  readonly prefix: string
  readonly exact: boolean
}

/** `what` names the thing in the sentence for a path that leads nowhere, e.g. "reports". */
export const locate = (path: string, what: string): Location => {
  const full = resolve(path)
  const stat = statSync(full, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true) return { root: full, prefix: "", exact: false }
  const [root, prefix] = [dirname(full), basename(full)]
  if (stat !== undefined) return { root, prefix, exact: true }
  if (existsSync(root) && !path.endsWith("/") && readdirSync(root).some((name) => name.startsWith(prefix))) {
    return { root, prefix, exact: false }
  }
  throw new CommandError(`There is no file, folder or file name prefix ${path} for the ${what}.`)
}
