import { type ReadRecord, RecordsUnreadable } from "@sotto/core/ports/RecordFormat"
import { CsvError, Parser } from "csv-parse"
import * as Effect from "effect/Effect"

/**
 * Rows of a CSV file (RFC 4180), of bytes that come in pieces. Line ends may be CRLF, LF or CR; a byte order mark and blank
 * lines are skipped.
 */
export class CsvRows {
  readonly #parser: Rows

  constructor(maxRecordBytes: number) {
    this.#parser = new Rows(maxRecordBytes)
    // What fails is told to whoever waits for the write.
    this.#parser.on("error", () => {})
  }

  /** The rows that end in these bytes. */
  readonly push = (bytes: Uint8Array): Effect.Effect<ReadonlyArray<ReadRecord>, RecordsUnreadable> =>
    this.#rows((done) => this.#parser.write(bytes, done))

  /** The last row, which may end with the file. */
  readonly end: Effect.Effect<ReadonlyArray<ReadRecord>, RecordsUnreadable> = Effect.suspend(() =>
    this.#rows((done) => this.#parser.end(done))
  )

  readonly close = Effect.sync(() => void this.#parser.destroy())

  #rows(
    feed: (done: (error?: Error | null) => void) => void
  ): Effect.Effect<ReadonlyArray<ReadRecord>, RecordsUnreadable> {
    return Effect.callback((resume) => {
      feed((error) =>
        resume(
          error === undefined || error === null
            ? Effect.sync(() => this.#parser.taken())
            : Effect.fail(this.#parser.unreadable(error))
        )
      )
    })
  }
}

/** The parser, with its rows and their lines kept for whoever feeds it: a row is pushed while its line is the present one. */
class Rows extends Parser {
  #rows: Array<ReadRecord> = []
  /** Line ends that the parser has counted twice: within quotes it takes CRLF for two. */
  #surplus = 0
  /** The line in which the last row ended. */
  #line = 0

  constructor(maxRecordBytes: number) {
    super({
      bom: true,
      // Rows of another length are told of one by one, and do not end the file.
      relax_column_count: true,
      skip_empty_lines: true,
      record_delimiter: ["\r\n", "\n", "\r"],
      max_record_size: maxRecordBytes
    })
  }

  override push(row: ReadonlyArray<string> | null): boolean {
    if (row === null) return super.push(null)
    let breaks = 0
    for (const cell of row) {
      if (!/[\r\n]/.test(cell)) continue
      breaks += count(cell, /\r\n|\n|\r/g)
      this.#surplus += count(cell, /\r\n/g)
    }
    this.#line = this.info.lines - this.#surplus
    this.#rows.push({ _tag: "Record", line: this.#line - breaks, value: row })
    return true
  }

  taken(): ReadonlyArray<ReadRecord> {
    const rows = this.#rows
    this.#rows = []
    return rows
  }

  unreadable(error: Error): RecordsUnreadable {
    const code = error instanceof CsvError ? error.code : undefined
    const told = code === undefined ? undefined : WHAT_TO_DO[code]
    const lines = error instanceof CsvError && typeof error["lines"] === "number" ? error["lines"] : undefined
    // A row that does not end is found out at the end of the file, or when it has become too long.
    const endless = code === "CSV_QUOTE_NOT_CLOSED" || code === "CSV_MAX_RECORD_SIZE"
    const line = endless || lines === undefined ? this.#line + 1 : lines - this.#surplus
    return new RecordsUnreadable({ line, message: `Line ${line} cannot be read as CSV: ${told ?? error.message}.` })
  }
}

const count = (text: string, what: RegExp): number => text.match(what)?.length ?? 0

const WHAT_TO_DO: Partial<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "a quote is opened and never closed; close it, or double quotes that are part of a text",
  INVALID_OPENING_QUOTE: "a quote stands within a field; put the whole field in quotes and double those within",
  CSV_INVALID_CLOSING_QUOTE: "a closing quote is followed by more text; double quotes that are part of a text",
  CSV_MAX_RECORD_SIZE: "a row is longer than is allowed; look for a quote that is not closed, or split the field"
}
