import type { Plain } from "@sotto/core/job"
import { RecordFormat, RecordsUnreadable, type ReadRecord } from "@sotto/core/ports/RecordFormat"
import type { RecordForm } from "@sotto/core/tabular"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { CsvRows } from "./CsvRows.ts"
import { JsonItems, JsonLines } from "./JsonItems.ts"

export interface RecordFormatOptions {
  /** The longest record, in bytes of CSV or UTF-16 units of JSON; 4 MiB unless told. It bounds the memory that a file can take. */
  readonly maxRecordBytes?: number
}

const MAX_RECORD_BYTES = 4 * 1_048_576

/** Files of records on Node: CSV by csv-parse, JSON item by item. */
export const layerRecordFormat = (options: RecordFormatOptions = {}): Layer.Layer<RecordFormat> => {
  const { maxRecordBytes = MAX_RECORD_BYTES } = options
  return Layer.succeed(RecordFormat, {
    read: (form, bytes) =>
      form._tag === "Csv" ? readCsv(bytes, maxRecordBytes) : readJson(form, bytes, maxRecordBytes),
    write: (form, header, rows) => write(form, header, rows)
  })
}

const readCsv = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>, maxRecordBytes: number) =>
  Stream.unwrap(
    Effect.gen(function* () {
      const text = new Utf8()
      const rows = yield* Effect.acquireRelease(
        Effect.sync(() => new CsvRows(maxRecordBytes)),
        (open) => open.close
      )
      const pieces = Stream.mapEffect(bytes, (chunk) => Effect.andThen(text.check(chunk), rows.push(chunk)))
      const last = Stream.fromEffect(Effect.andThen(text.checkEnd, rows.end))
      return Stream.flattenIterable(Stream.concat(pieces, last))
    })
  )

const readJson = <E, R>(
  form: Exclude<RecordForm, { readonly _tag: "Csv" }>,
  bytes: Stream.Stream<Uint8Array, E, R>,
  maxLength: number
): Stream.Stream<ReadRecord, E | RecordsUnreadable, R> =>
  Stream.suspend(() => {
    const text = new Utf8()
    const records = form._tag === "Json" ? new JsonItems({ maxLength }) : new JsonLines({ maxLength })
    const push = (piece: string) => settled(records.push(piece))
    const pieces = Stream.mapEffect(bytes, (chunk) => Effect.flatMap(text.decode(chunk), push))
    const last = Stream.fromEffect(
      Effect.andThen(
        text.checkEnd,
        Effect.suspend(() => settled(records.end() ?? []))
      )
    )
    return Stream.flattenIterable(Stream.concat(pieces, last))
  })

const settled = <A>(answer: A | RecordsUnreadable): Effect.Effect<A, RecordsUnreadable> =>
  answer instanceof RecordsUnreadable ? Effect.fail(answer) : Effect.succeed(answer)

/** Bytes that must be UTF-8, in pieces; knows in which line it is. */
class Utf8 {
  readonly #decoder = new TextDecoder("utf-8", { fatal: true })
  #line = 1

  readonly decode = (chunk: Uint8Array): Effect.Effect<string, RecordsUnreadable> =>
    Effect.try({ try: () => this.#decoder.decode(chunk, { stream: true }), catch: () => this.#refused(chunk) }).pipe(
      Effect.tap(() => Effect.sync(() => void (this.#line += linesIn(chunk))))
    )

  readonly check = (chunk: Uint8Array): Effect.Effect<void, RecordsUnreadable> => Effect.asVoid(this.decode(chunk))

  readonly checkEnd: Effect.Effect<void, RecordsUnreadable> = Effect.try({
    try: () => void this.#decoder.decode(),
    catch: () => this.#refused(new Uint8Array())
  })

  #refused(chunk: Uint8Array): RecordsUnreadable {
    // The line is that of the last good byte, or one before it when a character was cut between two chunks.
    const line = this.#line + linesIn(chunk.subarray(0, goodPart(chunk)))
    return new RecordsUnreadable({ line, message: `Line ${line} is no UTF-8 text. Save the file as UTF-8.` })
  }
}

const LF = 0x0a

const linesIn = (chunk: Uint8Array): number => {
  let lines = 0
  for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) lines++
  return lines
}

/** How many bytes of a chunk lie before the first line that is no UTF-8. */
const goodPart = (chunk: Uint8Array): number => {
  const strict = new TextDecoder("utf-8", { fatal: true })
  let from = 0
  for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, from)) {
    try {
      // A line that begins in the middle of a character belongs to the chunk before, which was good.
      strict.decode(from === 0 ? chunk.subarray(headOf(chunk), at) : chunk.subarray(from, at))
    } catch {
      return from
    }
    from = at + 1
  }
  return from
}

const headOf = (chunk: Uint8Array): number => {
  const first = chunk.findIndex((byte) => (byte & 0xc0) !== 0x80)
  return first === -1 ? 0 : first
}

const write = <E, R>(
  form: RecordForm,
  header: ReadonlyArray<string> | null,
  rows: Stream.Stream<Plain, E, R>
): Stream.Stream<Uint8Array, E, R> => {
  switch (form._tag) {
    case "Csv": {
      const lines = Stream.mapArray(rows, (some) => [
        encoded(some.map((row) => line(row as ReadonlyArray<string>)).join(""))
      ])
      return header === null ? lines : Stream.concat(Stream.succeed(encoded(line(header))), lines)
    }
    case "Ndjson":
      return Stream.mapArray(rows, (some) => [encoded(some.map((row) => `${JSON.stringify(row)}\n`).join(""))])
    case "Json":
      return Stream.suspend(() => {
        let separator = "["
        const items = Stream.mapArray(rows, (some) => {
          const text = some
            .map((row) => {
              const item = `${separator}\n${JSON.stringify(row)}`
              separator = ","
              return item
            })
            .join("")
          return [encoded(text)]
        })
        return Stream.concat(
          items,
          Stream.sync(() => encoded(separator === "[" ? "[]\n" : "\n]\n"))
        )
      })
  }
}

const encoder = new TextEncoder()
const encoded = (text: string): Uint8Array => encoder.encode(text)

/** A row; one empty cell is quoted, because a blank line is no row. */
const line = (cells: ReadonlyArray<string>): string =>
  cells.length === 1 && cells[0] === "" ? '""\n' : `${cells.map(quoted).join(",")}\n`

const quoted = (cell: string): string => (/[",\r\n]|^\uFEFF/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)
