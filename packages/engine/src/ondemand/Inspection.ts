/** What must be known of a file before its job is paid: how many records it has, and whether all of it can be read. */
import type { ReadRecord } from "@sotto/core/ports/RecordFormat"
import { MAX_RECORDS, type RecordForm } from "@sotto/core/tabular"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

export interface Inspection {
  /** Of a CSV file: its header, or its first record. */
  readonly firstRow: ReadonlyArray<string> | undefined
  readonly recordCount: number
}

/** Reads everything once and keeps nothing of it. More records than a job may have are not counted to the end. */
export const inspect = <E, R>(form: RecordForm, records: Stream.Stream<ReadRecord, E, R>) =>
  Effect.gen(function* () {
    let firstRow: ReadonlyArray<string> | undefined
    let count = 0
    yield* Stream.runForEachArray(Stream.take(records, MAX_RECORDS + 2), (some) =>
      Effect.sync(() => {
        if (count === 0) firstRow = rowOf(form, some[0])
        count += some.length
      })
    )
    const header = form._tag === "Csv" && form.header && count > 0 ? 1 : 0
    return { firstRow, recordCount: count - header } satisfies Inspection
  })

export const firstRowOf = <E, R>(form: RecordForm, records: Stream.Stream<ReadRecord, E, R>) =>
  form._tag === "Csv"
    ? Effect.map(Stream.runHead(records), (first) => rowOf(form, Option.getOrUndefined(first)))
    : Effect.succeed(undefined)

const rowOf = (form: RecordForm, first: ReadRecord | undefined): ReadonlyArray<string> | undefined =>
  form._tag === "Csv" && first?._tag === "Record" ? (first.value as ReadonlyArray<string>) : undefined
