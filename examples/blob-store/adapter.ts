/** What `sotto verify examples/blob-store/adapter.ts` is told: the port, and how to make an empty store with these buckets. */
import { MapBlobStore } from "./MapBlobStore.ts"

export const port = "BlobStore"
export const make = (): MapBlobStore => new MapBlobStore(["in", "out"])
