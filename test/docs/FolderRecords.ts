/** The example of docs/adapters.md: records as files of one folder. */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { compareKeys } from "@sotto/core/ports/BlobStore"
import {
  MAX_RECORD_BYTES,
  type RecordId,
  Records,
  RecordsUnavailable,
  RecordTooLarge,
  type StoredRecord
} from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** What one file holds. `bytes` is `null` behind a delete: the file stays, so that its versions go on. */
interface Stored extends RecordId {
  readonly version: number
  readonly bytes: string | null
  readonly expiresAt: number | null
}

const nameOf = ({ collection, tenant, key }: RecordId): string =>
  `${Buffer.from(JSON.stringify([collection, tenant, key])).toString("base64url")}.json`

export const layerFolderRecords = (folder: string): Layer.Layer<Records> =>
  Layer.sync(Records, () => {
    mkdirSync(folder, { recursive: true })

    // One synchronous step: within this process nothing comes in between.
    const step = <A>(body: (now: number) => A) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.try({
          try: () => body(now),
          catch: (cause) =>
            new RecordsUnavailable({ because: "io", message: `The folder ${folder} cannot be used: ${String(cause)}` })
        })
      )
    const readFile = (name: string): Stored => JSON.parse(readFileSync(join(folder, name), "utf8"))
    const find = (id: RecordId): Stored | undefined =>
      readdirSync(folder).includes(nameOf(id)) ? readFile(nameOf(id)) : undefined
    const write = (stored: Stored) => {
      const path = join(folder, nameOf(stored))
      writeFileSync(`${path}.new`, JSON.stringify(stored))
      renameSync(`${path}.new`, path)
    }
    const alive = (stored: Stored | undefined, now: number): StoredRecord | undefined =>
      stored === undefined || stored.bytes === null || (stored.expiresAt !== null && stored.expiresAt <= now)
        ? undefined
        : {
            key: stored.key,
            version: stored.version,
            bytes: new Uint8Array(Buffer.from(stored.bytes, "base64")),
            expiresAt: stored.expiresAt
          }

    return Records.of({
      capabilities: { durable: true },

      get: (id) => step((now) => alive(find(id), now)),

      put: ({ collection, tenant, key, bytes, expectVersion, expiresAt }) =>
        bytes.length > MAX_RECORD_BYTES
          ? Effect.fail(new RecordTooLarge({ bytes: bytes.length, message: `At most ${MAX_RECORD_BYTES} bytes.` }))
          : step((now) => {
              const id = { collection, tenant, key }
              const last = find(id)
              const found = alive(last, now)?.version ?? null
              if (expectVersion !== "any" && expectVersion !== found) {
                return { _tag: "VersionConflict", version: found } as const
              }
              const version = (last?.version ?? 0) + 1
              write({ ...id, version, bytes: Buffer.from(bytes).toString("base64"), expiresAt })
              return { _tag: "Put", version } as const
            }),

      delete: ({ collection, tenant, key }, expectVersion) =>
        step((now) => {
          const id = { collection, tenant, key }
          const last = find(id)
          const found = alive(last, now)?.version ?? null
          if (expectVersion !== "any" && expectVersion !== found) {
            return { _tag: "VersionConflict", version: found } as const
          }
          if (last !== undefined) write({ ...last, bytes: null, expiresAt: null })
          return { _tag: "Deleted" } as const
        }),

      scan: ({ collection, tenant, prefix }, after, limit) =>
        step((now) =>
          readdirSync(folder)
            .filter((name) => name.endsWith(".json"))
            .map(readFile)
            .filter((one) => one.collection === collection && one.tenant === tenant)
            .flatMap((one) => alive(one, now) ?? [])
            .filter(({ key }) => key.startsWith(prefix) && (after === null || compareKeys(key, after) > 0))
            .toSorted((a, b) => compareKeys(a.key, b.key))
            .slice(0, limit)
        )
    })
  })
