/**
 * Removes the files of jobs that are no longer kept, and uploads that were never submitted.
 *
 * A file goes when it has belonged to no job twice in a row: an upload has that long to become a job, and nothing need be
 * known of its age.
 */
import { BlobStore } from "@sotto/core/ports/BlobStore"
import type { JobCursor, JobPage } from "@sotto/core/ports/JobStore"
import { compactId, onDemandKind, parametersOf } from "@sotto/core/tabular"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Engine } from "../Engine.ts"
import { inRounds } from "../Rounds.ts"
import { type FilesPlace, ownerOf } from "./Place.ts"

/** The keys that belong to no job now. */
const orphans = Effect.fnUntraced(function* (place: FilesPlace) {
  const blobs = yield* BlobStore
  const byTenant = new Map<string, Array<{ readonly key: string; readonly job: string | undefined }>>()
  // Files first: one that is submitted after it was seen is found among the jobs.
  yield* Stream.runForEach(blobs.list(place.bucket, place.prefix ?? ""), ({ key }) =>
    Effect.sync(() => {
      const owner = ownerOf(place, key)
      if (owner === undefined) return
      const files = byTenant.get(owner.tenant)
      if (files === undefined) byTenant.set(owner.tenant, [{ key, job: owner.job }])
      else files.push({ key, job: owner.job })
    })
  )
  const found: Array<string> = []
  for (const [tenant, files] of byTenant) {
    const { jobs, inputs } = yield* keptBy(tenant)
    found.push(
      ...files.filter(({ key, job }) => !(job === undefined ? inputs.has(key) : jobs.has(job))).map(({ key }) => key)
    )
  }
  return found
})

/** The jobs of a tenant, and the files that they read. */
const keptBy = Effect.fnUntraced(function* (tenant: string) {
  const engine = yield* Engine
  const [jobs, inputs] = [new Set<string>(), new Set<string>()]
  let next: JobCursor | null = null
  do {
    const page: JobPage = yield* engine.list(tenant, { kinds: [onDemandKind.name] }, next, PER_PAGE)
    for (const job of page.rows) {
      jobs.add(compactId(job.id))
      const input = parametersOf(job)?.file.key
      if (input !== undefined) inputs.add(input)
    }
    next = page.next
  } while (next !== null)
  return { jobs, inputs }
})

const PER_PAGE = 500

/** Looks for such files for as long as the layer lives; every hour unless told. */
export const layerFilesRetention = (options: {
  readonly place: FilesPlace
  readonly everyMs?: number
}): Layer.Layer<never, never, Engine | BlobStore> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { place, everyMs = 3_600_000 } = options
      const blobs = yield* BlobStore
      let before: ReadonlySet<string> = new Set()
      const look = Effect.gen(function* () {
        const now = yield* orphans(place)
        yield* Effect.forEach(
          now.filter((key) => before.has(key)),
          (key) => blobs.delete({ bucket: place.bucket, key }),
          { discard: true }
        )
        before = new Set(now.filter((key) => !before.has(key)))
      })
      yield* inRounds(look, { everyMs, failed: "Old files could not be removed; the next try follows." })
    })
  )
