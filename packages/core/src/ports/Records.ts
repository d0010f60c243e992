import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The store did not answer, or cannot. The outcome of a write is unknown: read, then decide. */
export class RecordsUnavailable extends Schema.TaggedError<RecordsUnavailable>()("RecordsUnavailable", {
  because: Schema.Literals(["missing", "not-a-store", "newer", "corrupt", "full", "read-only", "busy", "io"]),
  message: Schema.String
}) {}

/** The bytes are more than `MAX_RECORD_BYTES`; nothing was written. */
export class RecordTooLarge extends Schema.TaggedError<RecordTooLarge>()("RecordTooLarge", {
  bytes: Schema.Int,
  message: Schema.String
}) {}

export const MAX_RECORD_BYTES = 65_536

/** Where a record is. Each part is 1 … 200 characters without control characters. */
export interface RecordId {
  readonly collection: string
  readonly tenant: string
  readonly key: string
}

export interface StoredRecord {
  readonly key: string
  /** Raised by every write of this record, never used twice for it, also not after it was deleted or expired. */
  readonly version: number
  readonly bytes: Uint8Array
  /** Milliseconds since 1970 by the store's clock; from then on it is as if deleted. */
  readonly expiresAt: number | null
}

export interface PutRequest extends RecordId {
  readonly bytes: Uint8Array
  /** The version to replace; `null`: only if there is none; `"any"`: whatever is there. */
  readonly expectVersion: number | null | "any"
  /** Whole milliseconds since 1970; one that has passed deletes. */
  readonly expiresAt: number | null
}

export type PutAnswer =
  | { readonly _tag: "Put"; readonly version: number }
  /** Another version is there, or (`null`) none. */
  | { readonly _tag: "VersionConflict"; readonly version: number | null }

export type DeleteAnswer =
  { readonly _tag: "Deleted" } | { readonly _tag: "VersionConflict"; readonly version: number | null }

export interface RecordsCapabilities {
  /** What was written survives the end of the process. */
  readonly durable: boolean
}

/**
 * Small versioned records: API keys, webhooks, schedules, watermarks, tokens.
 *
 * Linearizable per record; collections and tenants do not see each other.
 */
export class Records extends Context.Service<
  Records,
  {
    readonly capabilities: RecordsCapabilities

    get(id: RecordId): Effect.Effect<StoredRecord | undefined, RecordsUnavailable>

    /** Of several writes that expect one version exactly one wins. */
    put(request: PutRequest): Effect.Effect<PutAnswer, RecordTooLarge | RecordsUnavailable>

    /** `"any"`: succeeds also if nothing was there. */
    delete(id: RecordId, expectVersion: number | "any"): Effect.Effect<DeleteAnswer, RecordsUnavailable>

    /**
     * At most `limit` (1 … 1000) records whose key starts with `prefix` and lies above `after` (`null`: from the start),
     * ordered by the UTF-8 bytes of the key.
     */
    scan(
      place: { readonly collection: string; readonly tenant: string; readonly prefix: string },
      after: string | null,
      limit: number
    ): Effect.Effect<ReadonlyArray<StoredRecord>, RecordsUnavailable>
  }
>()("@sotto/core/ports/Records") {}
