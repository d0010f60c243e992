import { createHash, randomUUID } from "node:crypto"
import { lstat, readdir, rm } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"

/** Names of unfinished writes: `.sotto-<host>-<process>-<random>.part`. */
const PATTERN = /^\.sotto-([0-9a-f]{8})-(\d{1,10})-[0-9a-f-]{36}\.part$/

const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8)

/** On other machines we cannot see whether the writer lives; no write of ours takes this long. */
const STALE_AFTER_MS = 24 * 3600 * 1000

export const partialName = (): string => `.sotto-${host}-${process.pid}-${randomUUID()}.part`

export const isPartial = (name: string): boolean => PATTERN.test(name)

/** Removes what writers left that are no more. Best effort: what cannot be removed stays hidden. */
export const sweepPartials = async (folder: string): Promise<void> => {
  for (const name of await readdir(folder)) {
    const match = PATTERN.exec(name)
    if (match === null) continue
    const path = join(folder, name)
    const dead = match[1] === host && !lives(Number(match[2]))
    if (dead || (await age(path)) > STALE_AFTER_MS) await rm(path, { force: true }).catch(() => undefined)
  }
}

const age = (path: string): Promise<number> =>
  lstat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0
  )

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code !== "ESRCH"
  }
}
