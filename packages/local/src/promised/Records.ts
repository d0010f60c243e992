import {
  type DeleteAnswer,
  MAX_RECORD_BYTES,
  type PutAnswer,
  type PutRequest,
  type RecordId,
  Records,
  type RecordsCapabilities,
  RecordsUnavailable,
  RecordTooLarge,
  type StoredRecord
} from "@sotto/core/ports/Records"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { call, checkBytes, checker, checkList, checkOptional, demandAdapter, type Thrown, Whole } from "./Border.ts"

/**
 * Small versioned records as a host keeps them with Promises; the promises are those of the port `Records`.
 *
 * A record that is too large never comes here. An error's `code` may be one of the port's causes, e.g. `busy`.
 */
export interface PromisedRecords {
  readonly capabilities: RecordsCapabilities
  get(id: RecordId): Promise<StoredRecord | undefined>
  put(request: PutRequest): Promise<PutAnswer>
  delete(id: RecordId, expectVersion: number | "any"): Promise<DeleteAnswer>
  scan(
    place: { readonly collection: string; readonly tenant: string; readonly prefix: string },
    after: string | null,
    limit: number
  ): Promise<ReadonlyArray<StoredRecord>>
}

const Conflict = Schema.Struct({ _tag: Schema.Literal("VersionConflict"), version: Schema.NullOr(Whole) })

const hasFields = checker(
  "record",
  Schema.Struct({ key: Schema.NonEmptyString, version: Whole, bytes: Schema.Unknown, expiresAt: Schema.NullOr(Whole) })
)

const isRecord = (answer: unknown): StoredRecord => {
  const { key, version, bytes, expiresAt } = hasFields(answer)
  return { key, version, bytes: checkBytes("content of a record")(bytes), expiresAt }
}

/** The record that was asked for and no other one. */
const recordOf = (key: string) =>
  checkOptional((answer: unknown): StoredRecord => {
    const record = isRecord(answer)
    if (record.key === key) return record
    throw new Error(`The adapter answered with the record "${record.key}" when it was asked for "${key}".`)
  })

const isPut = checker("answer to put", Schema.Union([Schema.TaggedStruct("Put", { version: Whole }), Conflict]))
const isDelete = checker("answer to delete", Schema.Union([Schema.TaggedStruct("Deleted", {}), Conflict]))

const BECAUSE = ["missing", "not-a-store", "newer", "corrupt", "full", "read-only", "busy"] as const

const refuse = ({ code, message }: Thrown) =>
  new RecordsUnavailable({ because: BECAUSE.find((one) => one === code) ?? "io", message })

/** The port over a host's Promises: answers are checked. */
export const layerPromisedRecords = (records: PromisedRecords): Layer.Layer<Records> => {
  demandAdapter("Records", records, ["get", "put", "delete", "scan"], ["durable"])
  return Layer.succeed(Records, {
    capabilities: { durable: records.capabilities.durable },
    get: (id) => call(() => records.get(id), recordOf(id.key), refuse),
    put: (request) => {
      const { length } = request.bytes
      return length > MAX_RECORD_BYTES
        ? Effect.fail(
            new RecordTooLarge({
              bytes: length,
              message: `A record has at most ${MAX_RECORD_BYTES} bytes, not ${length}. Keep large data in a blob.`
            })
          )
        : call(() => records.put(request), isPut, refuse)
    },
    delete: (id, expectVersion) => call(() => records.delete(id, expectVersion), isDelete, refuse),
    scan: (place, after, limit) => call(() => records.scan(place, after, limit), checkList("record", isRecord), refuse)
  })
}
