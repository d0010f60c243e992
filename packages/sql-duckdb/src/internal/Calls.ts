/** What the engine's process and its child say to each other; plain data, because it passes between processes. */
import type { ColumnInfo } from "@sotto/core/launcher"
import type { SqlFailed, StagedTable } from "@sotto/core/ports/SqlEngine"

export type FileFormat = "parquet" | "csv" | "ndjson"

export type Call =
  | {
      readonly _tag: "Open"
      readonly folder: string
      readonly memoryBytes: number
      readonly spillBytes: number
      readonly outputBytes: number
      readonly threads: number
    }
  | {
      readonly _tag: "Stage"
      readonly name: string
      readonly files: ReadonlyArray<string>
      readonly format: FileFormat
    }
  | { readonly _tag: "View"; readonly name: string; readonly sql: string }
  | { readonly _tag: "Columns"; readonly name: string }
  | { readonly _tag: "Number"; readonly sql: string }
  | {
      readonly _tag: "Write"
      readonly sql: string
      readonly file: string
      readonly format: FileFormat
      readonly notes: Readonly<Record<string, string>>
    }

/** The answer to each call, by its tag. A number travels as text, because it may be larger than a double holds. */
export interface Answers {
  readonly Open: null
  readonly Stage: StagedTable
  readonly View: null
  readonly Columns: ReadonlyArray<ColumnInfo>
  readonly Number: string
  readonly Write: number
}

export type ToChild = { readonly id: number; readonly call: Call } | { readonly interrupt: true }

export type FromChild =
  | { readonly id: number; readonly answer: Answers[Call["_tag"]] }
  | { readonly id: number; readonly because: SqlFailed["because"]; readonly message: string }
  | { readonly progress: number }
