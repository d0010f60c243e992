import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { Plain } from "../job/Plain.ts"
import type { RecordForm } from "../tabular/MimeType.ts"

/** The file is not what its form says; nothing behind the place can be read. `message` names the place and what to do. */
export class RecordsUnreadable extends Schema.TaggedError<RecordsUnreadable>()("RecordsUnreadable", {
  /** From 1. */
  line: Schema.Int,
  message: Schema.String
}) {}

/** One record of a file. */
export type ReadRecord =
  | {
      readonly _tag: "Record"
      /** Where it begins, from 1. */
      readonly line: number
      /** The cells of a row as texts, the header line being a row like any other; or a value of JSON. */
      readonly value: Plain
    }
  /** It cannot be read; those behind it can. `hint` is a sentence without its full stop. */
  | { readonly _tag: "Broken"; readonly line: number; readonly hint: string }

/** Files of records: rows of texts (RFC 4180), one JSON array, or a JSON value in each line. */
export class RecordFormat extends Context.Service<
  RecordFormat,
  {
    /** The records in order, as they come, never the whole file at once. Blank lines are none. */
    read<E, R>(
      form: RecordForm,
      bytes: Stream.Stream<Uint8Array, E, R>
    ): Stream.Stream<ReadRecord, E | RecordsUnreadable, R>

    /** The file of these rows: cells for CSV, values for JSON. Equal rows give equal bytes. `header` is for CSV only. */
    write<E, R>(
      form: RecordForm,
      header: ReadonlyArray<string> | null,
      rows: Stream.Stream<Plain, E, R>
    ): Stream.Stream<Uint8Array, E, R>
  }
>()("@sotto/core/ports/RecordFormat") {}
