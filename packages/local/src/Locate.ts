import { readdirSync, statSync } from "node:fs"
import { basename, dirname, resolve } from "node:path"
import type { Location } from "./Location.ts"

/**
 * What a path means: one file (taken literally, spec: aggregation §11.1), everything in a folder, or all files of a folder
 * whose names begin so. `undefined` when it leads nowhere.
 */
export const locate = (path: string): Location | undefined => {
  const full = resolve(path)
  const stat = statSync(full, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true) return { folder: full, prefix: "", exact: false }
  const [folder, prefix] = [dirname(full), basename(full)]
  if (stat !== undefined) return { folder, prefix, exact: true }
  const begins =
    !path.endsWith("/") &&
    statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true &&
    readdirSync(folder).some((name) => name.startsWith(prefix))
  return begins ? { folder, prefix, exact: false } : undefined
}
