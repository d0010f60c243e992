import { compareKeys } from "@sotto/core/ports/BlobStore"
import {
  type DeleteAnswer,
  MAX_RECORD_BYTES,
  type PutAnswer,
  type RecordId,
  Records,
  RecordTooLarge,
  type StoredRecord
} from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** What outlives a layer: hand the same one to a second layer to see what a restart sees. */
export interface MemoryRecords {
  /** By collection, tenant and key; expired ones may still be among them. */
  readonly records: Map<string, StoredRecord>
  /** The last version that was given, of all records together. */
  version: number
}

export const emptyMemoryRecords = (): MemoryRecords => ({ records: new Map(), version: 0 })

/** The reference that all stores of records are compared with. Time is Effect's clock. */
export const layerMemoryRecords = (options: { readonly records?: MemoryRecords } = {}): Layer.Layer<Records> =>
  Layer.sync(Records, () => makeMemoryRecords(options.records ?? emptyMemoryRecords()))

const makeMemoryRecords = (store: MemoryRecords): Records["Service"] => {
  const { records } = store
  const step = <A>(body: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, body)
  const find = (id: RecordId, now: number): StoredRecord | undefined => {
    const record = records.get(placeOf(id))
    return record === undefined || isOver(record.expiresAt, now) ? undefined : record
  }

  return Records.of({
    capabilities: { durable: false },

    get: (id) =>
      step((now) => {
        const record = find(id, now)
        return record && copyOf(record)
      }),

    put: (request) => {
      const { key, bytes, expectVersion, expiresAt } = request
      if (bytes.length > MAX_RECORD_BYTES) {
        return Effect.fail(
          new RecordTooLarge({
            bytes: bytes.length,
            message: `A record has at most ${MAX_RECORD_BYTES} bytes, not ${bytes.length}. Keep large data in a blob.`
          })
        )
      }
      return step((now): PutAnswer => {
        const found = find(request, now)?.version ?? null
        if (expectVersion !== "any" && expectVersion !== found) return { _tag: "VersionConflict", version: found }
        const version = ++store.version
        if (isOver(expiresAt, now)) records.delete(placeOf(request))
        else records.set(placeOf(request), { key, version, bytes: bytes.slice(), expiresAt })
        return { _tag: "Put", version }
      })
    },

    delete: (id, expectVersion) =>
      step((now): DeleteAnswer => {
        const found = find(id, now)?.version ?? null
        if (expectVersion !== "any" && expectVersion !== found) return { _tag: "VersionConflict", version: found }
        records.delete(placeOf(id))
        return { _tag: "Deleted" }
      }),

    scan: ({ collection, tenant, prefix }, after, limit) =>
      step((now) => {
        const start = placeOf({ collection, tenant, key: prefix })
        return [...records]
          .filter(([place, { expiresAt }]) => place.startsWith(start) && !isOver(expiresAt, now))
          .map(([, record]) => record)
          .filter(({ key }) => after === null || compareKeys(key, after) > 0)
          .toSorted((a, b) => compareKeys(a.key, b.key))
          .slice(0, limit)
          .map(copyOf)
      })
  })
}

const isOver = (expiresAt: number | null, now: number): boolean => expiresAt !== null && expiresAt <= now

// Names hold no control characters, so these are unique.
const placeOf = ({ collection, tenant, key }: RecordId): string => `${collection}\n${tenant}\n${key}`

const copyOf = (record: StoredRecord): StoredRecord => ({ ...record, bytes: record.bytes.slice() })
