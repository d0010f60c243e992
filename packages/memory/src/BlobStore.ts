import {
  BlobChanged,
  BlobDenied,
  BlobExists,
  BlobNotFound,
  BlobStore,
  compareKeys,
  type BlobInfo,
  type BlobRef
} from "@sotto/core/ports/BlobStore"
import { Unsupported } from "@sotto/core/ports/Unsupported"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

interface Blob {
  readonly bytes: Uint8Array
  readonly etag: string
}

const CHUNK_BYTES = 65_536

/** A store in memory with these buckets, empty at first. Any non-empty, well-formed text is a key. */
export const layerMemoryBlobStore = (options: { readonly buckets: ReadonlyArray<string> }): Layer.Layer<BlobStore> =>
  Layer.sync(BlobStore, () => makeMemoryBlobStore(options.buckets))

const makeMemoryBlobStore = (names: ReadonlyArray<string>): BlobStore["Service"] => {
  const buckets = new Map(names.map((name) => [name, new Map<string, Blob>()]))
  let version = 0

  const bucketOf = (bucket: string): Effect.Effect<Map<string, Blob>, BlobNotFound> => {
    const blobs = buckets.get(bucket)
    return blobs === undefined
      ? Effect.fail(new BlobNotFound({ bucket, key: "", message: `there is no bucket ${bucket}` }))
      : Effect.succeed(blobs)
  }
  const placeOf = ({ bucket, key }: BlobRef): Effect.Effect<Map<string, Blob>, BlobNotFound | BlobDenied> =>
    key === "" || !key.isWellFormed()
      ? Effect.fail(new BlobDenied({ bucket, key, message: "a key is a non-empty, well-formed text" }))
      : bucketOf(bucket)
  const blobOf = Effect.fnUntraced(function* (ref: BlobRef) {
    const blob = (yield* placeOf(ref)).get(ref.key)
    if (blob !== undefined) return blob
    return yield* new BlobNotFound({ ...named(ref), message: `there is no object ${ref.bucket}/${ref.key}` })
  })
  const missing = (capability: string) =>
    Effect.fail(new Unsupported({ capability, message: `the store in memory has no ${capability}` }))

  return BlobStore.of({
    capabilities: { signedLinks: false, localPaths: false },

    list: (bucket, prefix) =>
      Stream.unwrap(
        Effect.map(bucketOf(bucket), (blobs) =>
          Stream.fromIterable(
            [...blobs]
              .filter(([key]) => key.startsWith(prefix))
              .sort(([a], [b]) => compareKeys(a, b))
              .map(([key, blob]) => infoOf({ bucket, key }, blob))
          )
        )
      ),

    stat: (ref) => Effect.map(blobOf(ref), (blob) => infoOf(ref, blob)),

    read: (ref, { offset = 0, length = Number.MAX_SAFE_INTEGER, ifMatch } = {}) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const { bytes, etag } = yield* blobOf(ref)
          if (ifMatch !== undefined && ifMatch !== etag)
            return yield* new BlobChanged({
              ...named(ref),
              message: `${ref.bucket}/${ref.key} has changed: list the inputs again`
            })
          const end = Math.min(offset + length, bytes.length)
          const chunks: Array<Uint8Array> = []
          for (let at = offset; at < end; at += CHUNK_BYTES)
            chunks.push(bytes.slice(at, Math.min(at + CHUNK_BYTES, end)))
          return Stream.fromIterable(chunks)
        })
      ),

    write: (ref, source, { mode }) =>
      Effect.gen(function* () {
        const blobs = yield* placeOf(ref)
        const chunks =
          source instanceof Uint8Array
            ? [source]
            : yield* Stream.runCollect(Stream.map(source, (chunk: Uint8Array) => chunk.slice()))
        const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
        let at = 0
        for (const chunk of chunks) {
          bytes.set(chunk, at)
          at += chunk.length
        }
        // Looked at last, so that of concurrent writers only the first to finish creates.
        if (mode === "create" && blobs.has(ref.key))
          return yield* new BlobExists({ ...named(ref), message: `${ref.bucket}/${ref.key} exists already` })
        const blob = { bytes, etag: `v${++version}` }
        blobs.set(ref.key, blob)
        return infoOf(ref, blob)
      }),

    delete: (ref) => Effect.map(placeOf(ref), (blobs) => void blobs.delete(ref.key)),
    probe: (ref) => Effect.asVoid(placeOf(ref)),
    signedLink: () => missing("signedLinks"),
    localPath: () => missing("localPaths")
  })
}

const named = ({ bucket, key }: BlobRef): BlobRef => ({ bucket, key })

const infoOf = ({ bucket, key }: BlobRef, { bytes, etag }: Blob): BlobInfo => ({
  bucket,
  key,
  size: bytes.length,
  etag
})
