import type { Plain } from "@sotto/core/job"
import { RecordFormat, type ReadRecord, RecordsUnreadable } from "@sotto/core/ports/RecordFormat"
import type { RecordForm } from "@sotto/core/tabular"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { layerRecordFormat } from "../src/index.ts"

const CSV: RecordForm = { _tag: "Csv", header: true }
const JSON_FORM: RecordForm = { _tag: "Json" }
const NDJSON: RecordForm = { _tag: "Ndjson" }

/** The bytes in pieces of this size, so that everything is cut somewhere. */
const inPieces = (bytes: Uint8Array, size: number) =>
  Stream.fromArray(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
  ).pipe(Stream.rechunk(1))

const utf8 = (text: string) => new TextEncoder().encode(text)

const readBytes = (form: RecordForm, bytes: Uint8Array, size = 7, maxRecordBytes?: number) =>
  Effect.gen(function* () {
    const formats = yield* RecordFormat
    return yield* Stream.runCollect(formats.read(form, inPieces(bytes, size)))
  }).pipe(
    Effect.result,
    Effect.provide(layerRecordFormat(maxRecordBytes === undefined ? {} : { maxRecordBytes })),
    Effect.runPromise
  )

const read = async (form: RecordForm, text: string, size?: number) => {
  const answer = await readBytes(form, utf8(text), size)
  if (Result.isFailure(answer)) throw answer.failure
  return answer.success as ReadonlyArray<ReadRecord>
}

const refusal = async (form: RecordForm, bytes: Uint8Array | string, size?: number, maxRecordBytes?: number) => {
  const answer = await readBytes(form, typeof bytes === "string" ? utf8(bytes) : bytes, size, maxRecordBytes)
  return Result.isFailure(answer) ? answer.failure : undefined
}

const values = (records: ReadonlyArray<ReadRecord>) =>
  records.map((record) => (record._tag === "Record" ? record.value : record))
const lines = (records: ReadonlyArray<ReadRecord>) => records.map(({ line }) => line)

const written = (form: RecordForm, header: ReadonlyArray<string> | null, rows: ReadonlyArray<Plain>, chunk = 3) =>
  Effect.gen(function* () {
    const formats = yield* RecordFormat
    const bytes = yield* Stream.runCollect(
      formats.write(form, header, Stream.fromArray(rows).pipe(Stream.rechunk(chunk)))
    )
    return Buffer.concat(bytes).toString()
  }).pipe(Effect.provide(layerRecordFormat()), Effect.runPromise)

const sizes = fc.integer({ min: 1, max: 12 })

describe("CSV", () => {
  const cell = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 8 }),
    fc.constantFrom('"', ",", "\n", "\r\n", "\r", '""', "a,b", " x ", "é𝄞", "\uFEFF")
  )
  const tables = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 6 }))

  it("reads what it wrote, wherever the bytes are cut", () =>
    fc.assert(
      fc.asyncProperty(tables, sizes, sizes, async (rows, size, chunk) => {
        expect(values(await read(CSV, await written(CSV, null, rows, chunk), size))).toEqual(rows)
      })
    ))

  it("tells the line in which each row begins", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom("", "\n", "\r\n", "\r"), { maxLength: 3 }), { minLength: 1, maxLength: 6 }),
        fc.constantFrom("\n", "\r\n"),
        sizes,
        async (rows, end, size) => {
          const text = rows.map((breaks) => `1,"x${breaks.join("y")}"`).join(end)
          const begins = rows.map(
            (_, i) =>
              1 +
              i +
              rows
                .slice(0, i)
                .flat()
                .filter((one) => one !== "").length
          )
          expect(lines(await read(CSV, text, size))).toEqual(begins)
        }
      )
    ))

  it.each([
    ["a line end of CRLF", "a,b\r\n1,2\r\n"],
    ["a line end of LF", "a,b\n1,2\n"],
    ["a line end of CR", "a,b\r1,2\r"],
    ["mixed line ends", "a,b\r\n1,2\n"],
    ["no line end at the end", "a,b\n1,2"],
    ["blank lines", "\na,b\n\n1,2\n\n\n"],
    ["a byte order mark", "\uFEFFa,b\n1,2\n"],
    ["a byte order mark before a quote", '\uFEFF"a",b\n1,2\n'],
    ["quotes around everything", '"a","b"\n"1","2"\n']
  ])("reads %s", async (_, text) => {
    for (const size of [1, 3, 100])
      expect(values(await read(CSV, text, size))).toEqual([
        ["a", "b"],
        ["1", "2"]
      ])
  })

  it("gives rows of any length, because who knows the header judges them", async () => {
    expect(values(await read(CSV, "a,b\n1\n1,2,3\n"))).toEqual([["a", "b"], ["1"], ["1", "2", "3"]])
  })

  it.each([
    ["a quote that is never closed", 'a,b\n1,"2\n3,4\n', 2, /never closed/],
    ["a quote within a field", 'a,b\n1,2\n3,4"5\n', 3, /quote stands within a field/],
    ["text behind a closing quote", 'a,b\n1,"2"3\n', 2, /closing quote is followed/]
  ])("refuses %s and names its line", async (_, text, line, message) => {
    for (const size of [1, 100]) {
      const refused = await refusal(CSV, text, size)
      expect(refused).toBeInstanceOf(RecordsUnreadable)
      expect(refused?.line).toBe(line)
      expect(refused?.message).toMatch(message)
    }
  })

  it("refuses a row that is longer than is allowed, without keeping it", async () => {
    const refused = await refusal(CSV, `a,b\n1,2\n"${"x".repeat(5_000)}",2\n`, 100, 1_000)
    expect(refused).toMatchObject({ line: 3, message: expect.stringMatching(/longer than is allowed/) })
  })

  it("quotes what would be read otherwise, and nothing else", async () => {
    expect(
      await written(
        CSV,
        ["a", 'b"c'],
        [
          ["1,2", " x "],
          ["\n", ""]
        ]
      )
    ).toBe('a,"b""c"\n"1,2", x \n"\n",\n')
    expect(await written(CSV, ["a"], [[""], ["x"]])).toBe('a\n""\nx\n')
  })
})

describe("a JSON array", () => {
  const items = fc.array(fc.dictionary(fc.string({ maxLength: 4 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 3 }), {
    maxLength: 6
  })

  it("is read as JSON.parse reads it, wherever it is cut and however it is spaced", () =>
    fc.assert(
      fc.asyncProperty(items, sizes, fc.constantFrom(0, 1, 2), async (rows, size, space) => {
        const text = JSON.stringify(rows, null, space)
        expect(values(await read(JSON_FORM, text, size))).toEqual(JSON.parse(text))
      })
    ))

  it("is written so that JSON.parse gives the rows", () =>
    fc.assert(
      fc.asyncProperty(items, sizes, async (rows, chunk) => {
        const text = await written(JSON_FORM, null, rows as ReadonlyArray<Plain>, chunk)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(rows)))
        expect(text.endsWith("]\n")).toBe(true)
      })
    ))

  it("may be one object alone", async () => {
    expect(values(await read(JSON_FORM, ' {"a": [1, {"b": "}"}]} \n', 2))).toEqual([{ a: [1, { b: "}" }] }])
  })

  it("may hold anything; a schema judges it", async () => {
    expect(values(await read(JSON_FORM, '[1, "a]", null, [2], true]', 1))).toEqual([1, "a]", null, [2], true])
  })

  it("tells the line in which each item begins", async () => {
    expect(lines(await read(JSON_FORM, '[\n {"a":\n1},\n\n {"a": 2}, {"a": 3}]', 4))).toEqual([2, 5, 5])
  })

  it("may begin with a byte order mark", async () => {
    expect(values(await read(JSON_FORM, "\uFEFF[1]", 1))).toEqual([1])
  })

  it.each([
    ["nothing", "", 1, /empty/],
    ["blanks", " \n ", 2, /empty/],
    ["a text", '"x"', 1, /expected an array/],
    ["an open array", '[{"a":1},\n{"a"', 2, /not closed/],
    ["an array without its end", "[1", 1, /not closed/],
    ["a comma at the end", "[1,\n]", 2, /item 2 is no JSON/],
    ["two commas", "[1,,2]", 1, /item 2 is no JSON/],
    ["single quotes", "[\n{'a': 1}]", 2, /item 1 is no JSON/],
    ["more behind the array", "[1]\n[2]", 2, /more behind/],
    ["a brace that closes nothing", "[1}]", 1, /closes nothing/],
    ["deep nesting", `[${"[".repeat(70)}`, 1, /in each other/]
  ])("is refused with its line when it is %s", async (_, text, line, message) => {
    for (const size of [1, 100]) {
      const refused = await refusal(JSON_FORM, text, size)
      expect(refused?.line).toBe(line)
      expect(refused?.message).toMatch(message)
    }
  })

  it("refuses an item that is longer than is allowed", async () => {
    const refused = await refusal(JSON_FORM, `[1,\n"${"x".repeat(5_000)}"]`, 100, 1_000)
    expect(refused).toMatchObject({ line: 2, message: expect.stringMatching(/longer than is allowed/) })
  })
})

describe("NDJSON", () => {
  it("is read as it is written", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 6 }),
        sizes,
        sizes,
        async (rows, size, chunk) => {
          const plain = JSON.parse(JSON.stringify(rows)) as ReadonlyArray<Plain>
          const records = await read(NDJSON, await written(NDJSON, null, plain, chunk), size)
          expect(values(records)).toEqual(plain)
          expect(lines(records)).toEqual(plain.map((_, i) => i + 1))
        }
      )
    ))

  it("goes on behind a line that is no JSON, and skips blank ones", async () => {
    const records = await read(NDJSON, '{"a":1}\r\n\n{"a":\n{"a":2}', 3)
    expect(records).toMatchObject([
      { _tag: "Record", line: 1, value: { a: 1 } },
      { _tag: "Broken", line: 3, hint: expect.stringMatching(/one JSON value/) },
      { _tag: "Record", line: 4, value: { a: 2 } }
    ])
  })

  it("takes a line with too deep nesting for a broken one", async () => {
    const deep = `${"[".repeat(65)}${"]".repeat(65)}`
    expect(await read(NDJSON, `"${"[".repeat(65)}"\n${deep}\n`)).toMatchObject([{ _tag: "Record" }, { _tag: "Broken" }])
  })

  it("refuses a line that is longer than is allowed", async () => {
    expect(await refusal(NDJSON, `1\n"${"x".repeat(5_000)}"`, 100, 1_000)).toMatchObject({ line: 2 })
  })
})

describe("text that is no UTF-8", () => {
  const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0))

  it.each([CSV, JSON_FORM, NDJSON])("is refused with its line in $_tag", async (form) => {
    const text = form._tag === "Json" ? '[\n"a",\n"caf\xe9"]' : '"a"\n"b"\n"caf\xe9"\n"d"\n'
    for (const size of [1, 5, 100]) {
      const refused = await refusal(form, latin1(text), size)
      expect(refused).toMatchObject({ line: 3, message: expect.stringMatching(/Save the file as UTF-8/) })
    }
  })

  it("is also a character that is cut off by the end, and UTF-16", async () => {
    expect(await refusal(CSV, Uint8Array.of(0x61, 0xc3))).toMatchObject({ line: 1 })
    expect(await refusal(CSV, Uint8Array.of(0xff, 0xfe, 0x61, 0))).toMatchObject({ line: 1 })
  })
})
