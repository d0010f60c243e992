import {
  BlobChanged,
  BlobDenied,
  BlobExists,
  BlobNotFound,
  BlobUnavailable,
  type BlobRef
} from "@sotto/core/ports/BlobStore"

export type Trouble = BlobNotFound | BlobExists | BlobChanged | BlobDenied | BlobUnavailable

export const named = ({ bucket, key }: BlobRef): BlobRef => ({ bucket, key })
/** An object as its users call it. Where its bucket lies is nobody's business who only names buckets. */
export const nameOf = ({ bucket, key }: BlobRef): string => (key === "" ? bucket : `${bucket}/${key}`)

export const denied = (ref: BlobRef, message: string) => new BlobDenied({ ...named(ref), message })
export const absent = (ref: BlobRef, message: string) => new BlobNotFound({ ...named(ref), message })
export const taken = (ref: BlobRef) =>
  new BlobExists({ ...named(ref), message: `${nameOf(ref)} exists already; it was left as it is` })
export const changed = (ref: BlobRef) =>
  new BlobChanged({ ...named(ref), message: `${nameOf(ref)} has changed since it was listed` })

export const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown } | null)?.code

/** What the system says when there is nothing at a path. */
export const GONE = new Set<unknown>(["ENOENT", "ENOTDIR"])

const ADVICE: { readonly [code: string]: string } = {
  EACCES: "we have no right to do this; change its owner or mode",
  EPERM: "the system does not permit this; change its owner or mode",
  EROFS: "the file system is read-only; choose another place",
  ELOOP: "symbolic links lead in a circle; remove them",
  ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
  EISDIR: "there is a folder of this name; choose another key"
}

/** The port's error for one of the file system, with a sentence that says what to do. */
export const troubleOf = (ref: BlobRef, error: unknown): Trouble => {
  if (
    error instanceof BlobNotFound ||
    error instanceof BlobExists ||
    error instanceof BlobChanged ||
    error instanceof BlobDenied ||
    error instanceof BlobUnavailable
  )
    return error
  const code = String(codeOf(error))
  const place = nameOf(ref)
  if (GONE.has(code)) return absent(ref, `there is no ${place}`)
  const advice = ADVICE[code]
  if (advice !== undefined) return denied(ref, `${place}: ${advice}`)
  const message =
    code === "ENOSPC" || code === "EDQUOT"
      ? `${place}: the disk is full; free some space and try again`
      : `${place}: ${error instanceof Error ? withoutPaths(error.message) : String(error)}; try again`
  return new BlobUnavailable({ ...named(ref), message })
}

/** `EIO: i/o error, open '/data/x'` without what it was opened as. */
const withoutPaths = (message: string): string => message.replace(/(?:, \w+)? '[^']*'(?: -> '[^']*')?/g, "")
