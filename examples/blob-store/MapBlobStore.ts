/** A BlobStore of one's own, with Promises only. `npx sotto verify` proves that it keeps the port's laws. */
import { SottoError, type PromisedBlobStore } from "sotto"

type Ref = Parameters<PromisedBlobStore["stat"]>[0]

export class MapBlobStore implements PromisedBlobStore {
  readonly #buckets: ReadonlyMap<string, Map<string, { readonly bytes: Uint8Array; readonly etag: string }>>
  #version = 0

  constructor(buckets: ReadonlyArray<string>) {
    this.#buckets = new Map(buckets.map((name) => [name, new Map()]))
  }

  #bucket(name: string) {
    const bucket = this.#buckets.get(name)
    if (bucket === undefined) throw new SottoError("NoBucket", `There is no bucket ${name}.`)
    return bucket
  }
  #blob({ bucket, key }: Ref) {
    const blob = this.#bucket(bucket).get(key)
    if (blob === undefined) throw new SottoError("NotFound", `There is no object ${bucket}/${key}.`)
    return blob
  }

  async *list(bucket: string, prefix: string) {
    const keys = [...this.#bucket(bucket).keys()].filter((key) => key.startsWith(prefix))
    // By the bytes of UTF-8, as every store lists.
    for (const key of keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
      yield await this.stat({ bucket, key })
    }
  }
  async stat({ bucket, key }: Ref) {
    const { bytes, etag } = this.#blob({ bucket, key })
    return { bucket, key, size: bytes.length, etag }
  }
  async *read(ref: Ref, { offset = 0, length = Infinity, ifMatch }: Parameters<PromisedBlobStore["read"]>[1]) {
    const { bytes, etag } = this.#blob(ref)
    if (ifMatch !== undefined && ifMatch !== etag) throw new SottoError("Changed", `${ref.key} has changed.`)
    yield bytes.slice(offset, offset + length)
  }
  async write(ref: Ref, source: AsyncIterable<Uint8Array>, { mode }: Parameters<PromisedBlobStore["write"]>[2]) {
    await this.probe(ref)
    const chunks: Array<Uint8Array> = []
    for await (const chunk of source) chunks.push(chunk.slice())
    const bytes = Buffer.concat(chunks)
    const blobs = this.#bucket(ref.bucket)
    if (mode === "create" && blobs.has(ref.key)) throw new SottoError("Exists", `${ref.key} exists already.`)
    blobs.set(ref.key, { bytes, etag: `v${++this.#version}` })
    return this.stat(ref)
  }
  async delete(ref: Ref) {
    await this.probe(ref)
    this.#bucket(ref.bucket).delete(ref.key)
  }
  async probe({ bucket, key }: Ref) {
    if (key === "" || !key.isWellFormed()) throw new SottoError("Denied", "A key is a non-empty, well-formed text.")
    this.#bucket(bucket)
  }
}
