import type { DatabaseSync, SQLOutputValue } from "node:sqlite"
import {
  type DeleteAnswer,
  MAX_RECORD_BYTES,
  type PutAnswer,
  type RecordId,
  Records,
  RecordsUnavailable,
  RecordTooLarge,
  type StoredRecord
} from "@sotto/core/ports/Records"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { openDatabase, type OpenOptions, type Voice } from "./internal/Database.ts"

export type SqliteRecordsOptions = Pick<OpenOptions, "file" | "mustExist" | "busyMs">

/** Records in one SQLite file, which may be that of the ledger and the jobs. Time is Effect's clock. */
export const layerSqliteRecords = (options: SqliteRecordsOptions): Layer.Layer<Records, RecordsUnavailable> =>
  Layer.effect(
    Records,
    Effect.map(openDatabase(options, voice), ({ db, read, change }) => {
      const sql = statements(db)
      const versionOf = ({ collection, tenant, key }: RecordId, now: number): number | null =>
        (sql.get.get(collection, tenant, key, now)?.["version"] as number | undefined) ?? null
      const readNow = <A>(body: (now: number) => A) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => read(() => body(now)))

      return Records.of({
        capabilities: { durable: options.file !== ":memory:" },

        get: ({ collection, tenant, key }) =>
          readNow((now) => {
            const row = sql.get.get(collection, tenant, key, now)
            return row && recordOf(row)
          }),

        put: (request) => {
          const { collection, tenant, key, bytes, expectVersion, expiresAt } = request
          if (bytes.length > MAX_RECORD_BYTES) {
            return Effect.fail(
              new RecordTooLarge({
                bytes: bytes.length,
                message: `A record has at most ${MAX_RECORD_BYTES} bytes, not ${bytes.length}. Keep large data in a blob.`
              })
            )
          }
          return change((now): PutAnswer => {
            sql.forget.run(now)
            const found = versionOf(request, now)
            if (expectVersion !== "any" && expectVersion !== found) return { _tag: "VersionConflict", version: found }
            const version = sql.nextVersion.get()?.["last"] as number
            if (expiresAt !== null && expiresAt <= now) sql.remove.run(collection, tenant, key)
            else sql.put.run(collection, tenant, key, version, bytes, expiresAt)
            return { _tag: "Put", version }
          })
        },

        delete: (id, expectVersion) =>
          change((now): DeleteAnswer => {
            const found = versionOf(id, now)
            if (expectVersion !== "any" && expectVersion !== found) return { _tag: "VersionConflict", version: found }
            sql.remove.run(id.collection, id.tenant, id.key)
            return { _tag: "Deleted" }
          }),

        scan: ({ collection, tenant, prefix }, after, limit) =>
          readNow((now) =>
            sql.scan.all(collection, tenant, prefix, `${prefix}${HIGHEST}`, after ?? "", now, limit).map(recordOf)
          )
      })
    })
  )

const voice: Voice<RecordsUnavailable> = {
  what: "store of records",
  again: "Read the record to see whether it was written.",
  refuse: (because, message) =>
    new RecordsUnavailable({ because: because === "foreign" ? "not-a-store" : because, message })
}

/** Behind every rest of a key, which has at most 200 characters. */
const HIGHEST = "\u{10ffff}".repeat(200)

const statements = (db: DatabaseSync) => ({
  get: db.prepare(
    `select key, version, bytes, expires_at from record
     where collection = ? and tenant = ? and key = ? and (expires_at is null or expires_at > ?)`
  ),
  put: db.prepare(
    `insert into record (collection, tenant, key, version, bytes, expires_at) values (?, ?, ?, ?, ?, ?)
     on conflict do update set version = excluded.version, bytes = excluded.bytes, expires_at = excluded.expires_at`
  ),
  remove: db.prepare("delete from record where collection = ? and tenant = ? and key = ?"),
  // A few with every write, so that none waits long for many.
  forget: db.prepare("delete from record where rowid in (select rowid from record where expires_at <= ? limit 20)"),
  nextVersion: db.prepare("update record_version set last = last + 1 returning last"),
  scan: db.prepare(
    `select key, version, bytes, expires_at from record
     where collection = ? and tenant = ? and key between ? and ? and key > ? and (expires_at is null or expires_at > ?)
     order by key limit ?`
  )
})

const recordOf = (row: Record<string, SQLOutputValue>): StoredRecord => ({
  key: row["key"] as string,
  version: row["version"] as number,
  bytes: row["bytes"] as Uint8Array,
  expiresAt: row["expires_at"] as number | null
})
