import type { BlobRef } from "@sotto/core/ports/BlobStore"
import { compactId } from "@sotto/core/tabular"
import * as Result from "effect/Result"

/** Where the files of on-demand jobs are. */
export interface FilesPlace {
  readonly bucket: string
  /** Before every key; empty unless told. */
  readonly prefix?: string
}

const folderOf = ({ prefix = "" }: FilesPlace, tenant: string): string => `${prefix}${encodeURIComponent(tenant)}/`

/** `name` is fresh and unguessable. */
export const uploadRef = (place: FilesPlace, tenant: string, name: string): BlobRef => ({
  bucket: place.bucket,
  key: `${folderOf(place, tenant)}input/${name}`
})

/** Everything that any epoch of a job writes. */
export const outputPrefix = (place: FilesPlace, job: { readonly tenant: string; readonly id: string }): string =>
  `${folderOf(place, job.tenant)}${compactId(job.id)}/output/`

/**
 * A file of a job. Each epoch has keys of its own, so that a worker which lost its lease cannot touch what another one has
 * written; all are side by side, because a store of files tidies up after dead writers where the next one writes.
 */
export const outputFile = (
  place: FilesPlace,
  job: { readonly tenant: string; readonly id: string; readonly epoch: number },
  what: "data" | "errors",
  extension: string
): { readonly ref: BlobRef; readonly name: string } => {
  const name = `${what}_${compactId(job.id).slice(0, 8)}.${extension}`
  return { ref: { bucket: place.bucket, key: `${outputPrefix(place, job)}${job.epoch}-${name}` }, name }
}

/** Whose file a key is, and of which job if a job wrote it; `undefined` for a key of another origin. */
export const ownerOf = (
  { prefix = "" }: FilesPlace,
  key: string
): { readonly tenant: string; readonly job: string | undefined } | undefined => {
  const match = key.startsWith(prefix)
    ? /^([^/]+)\/(?:input\/[0-9a-f]{32}|([0-9a-f]{32})\/output\/.+)$/.exec(key.slice(prefix.length))
    : null
  if (match === null) return undefined
  const tenant = Result.try(() => decodeURIComponent(match[1] ?? ""))
  return Result.isSuccess(tenant) ? { tenant: tenant.success, job: match[2] } : undefined
}
