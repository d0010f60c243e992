import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { ColumnInfo } from "../launcher/Rollup.ts"
import type { SqlView } from "../launcher/RunPlan.ts"
import type { SqlDialect } from "../launcher/SqlTokens.ts"
import type { BlobError, BlobRef } from "./BlobStore.ts"

/**
 * A statement was not run to its end. `rejected`: it is not one SELECT, or names what is not there; `failed`: it met an
 * error in the data; `memory`: it needed more than it may have; `crashed`: the engine's process ended; `unavailable`: the
 * engine cannot start. `message` says what to do.
 */
export class SqlFailed extends Schema.TaggedError<SqlFailed>()("SqlFailed", {
  because: Schema.Literals(["rejected", "failed", "memory", "crashed", "unavailable"]),
  message: Schema.String
}) {}

/** How the objects of a collection are written. `ndjson` also reads JSON arrays. */
export const COLLECTION_FORMATS = ["parquet", "csv", "ndjson", "avro"] as const
export type CollectionFormat = (typeof COLLECTION_FORMATS)[number]

export interface SqlTable {
  readonly name: string
  readonly objects: ReadonlyArray<BlobRef>
  readonly format: CollectionFormat
}

export interface StagedTable {
  readonly columns: ReadonlyArray<ColumnInfo>
  /** What `write` noted in the table's objects; of several objects any may speak. */
  readonly notes: Readonly<Record<string, string>>
}

/**
 * A private database: nothing but the tables that were staged into it can be read, and nothing can be written but by
 * `write`. Calls run one after another; an interrupted call is cancelled and leaves the session usable or closed.
 */
export interface SqlSession {
  /**
   * Makes the rows of a collection readable under a name. Columns are united by name. A column whose name ends in `_dt` or
   * `_tdt` is a time without zone in UTC: texts are read as ISO 8601, whole numbers as milliseconds since 1970.
   */
  stage(table: SqlTable): Effect.Effect<StagedTable, SqlFailed | BlobError>

  /** One SELECT under a name; replaces a view of that name. */
  view(view: SqlView): Effect.Effect<void, SqlFailed>

  /** The columns that a table or view has. */
  columns(name: string): Effect.Effect<ReadonlyArray<ColumnInfo>, SqlFailed>

  /** The one number that a SELECT gives. */
  number(sql: string): Effect.Effect<bigint, SqlFailed>

  /** Writes the rows that a SELECT gives into one object, all or nothing; answers how many. Only parquet keeps notes. */
  write(
    sql: string,
    to: BlobRef,
    format: Exclude<CollectionFormat, "avro">,
    notes?: Readonly<Record<string, string>>
  ): Effect.Effect<number, SqlFailed | BlobError>
}

export interface SqlEngineCapabilities {
  readonly dialect: SqlDialect
  /** `onProgress` is called. */
  readonly progress: boolean
}

/** Runs the SQL of an aggregation over staged collections. */
export class SqlEngine extends Context.Service<
  SqlEngine,
  {
    readonly capabilities: SqlEngineCapabilities

    /** `onProgress`: the share of the running statement that is done, 0 … 1. */
    open(options?: { readonly onProgress?: (done: number) => void }): Effect.Effect<SqlSession, SqlFailed, Scope.Scope>
  }
>()("@sotto/core/ports/SqlEngine") {}
