import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Stream from "effect/Stream"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type FilePart, readForm } from "../../src/ondemand/Form.ts"

const BOUNDARY = "=_b"

/** A request of which only what `readForm` looks at is there, with its body in these pieces. */
const requestOf = (pieces: ReadonlyArray<Uint8Array>, type = `multipart/form-data; boundary="${BOUNDARY}"`) =>
  ({
    headers: { "content-type": type },
    stream: Stream.fromIterable(pieces)
  }) as unknown as HttpServerRequest

const collect = (file: FilePart) =>
  Effect.map(Stream.runCollect(file.content), (chunks) => ({
    fileName: file.fileName,
    type: file.type,
    bytes: Buffer.concat(chunks)
  }))

const read = (pieces: ReadonlyArray<Uint8Array>, type?: string) =>
  Effect.runPromise(Effect.result(readForm(requestOf(pieces, type), collect)))

const part = (headers: ReadonlyArray<string>, content: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([`--${BOUNDARY}`, ...headers, "", ""].join("\r\n")), content, Buffer.from("\r\n")])

const END = Buffer.from(`--${BOUNDARY}--\r\n`)

/** Where a body is cut. */
const cut = (body: Uint8Array, at: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const places = [...new Set(at.map((one) => one % (body.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...places].map((from, i) => body.subarray(from, places[i] ?? body.length))
}

const contents = fc
  .oneof(
    fc.uint8Array({ maxLength: 300 }),
    // What looks like a boundary, and is none.
    fc
      .array(fc.constantFrom("\r\n", "--", BOUNDARY, `\r\n--${BOUNDARY.slice(0, 2)}`, "\r", "\n", "x"), {
        maxLength: 20
      })
      .map((parts) => Uint8Array.from(Buffer.from(parts.join(""))))
  )
  .filter((bytes) => !Buffer.from(`\r\n${Buffer.from(bytes).toString("latin1")}`).includes(`\r\n--${BOUNDARY}`))

describe("readForm", () => {
  it("reads the same form however the body is cut, and whichever part comes first", () =>
    fc.assert(
      fc.asyncProperty(contents, fc.boolean(), fc.array(fc.nat(2_000), { maxLength: 12 }), async (bytes, first, at) => {
        const data = part(["content-disposition: form-data; name=data"], Buffer.from("{}"))
        const file = part(
          ['Content-Disposition: form-data; name="file"; filename="a.csv"', "content-type: text/csv"],
          bytes
        )
        const body = Buffer.concat(first ? [file, data, END] : [data, file, END])
        const form = await read(cut(body, at))
        expect(form).toMatchObject({
          success: {
            fields: new Map([["data", "{}"]]),
            file: { fileName: "a.csv", type: "text/csv", bytes: Buffer.from(bytes) }
          }
        })
      }),
      { numRuns: 300 }
    ))

  it("refuses every body that breaks off", () =>
    fc.assert(
      fc.asyncProperty(contents, fc.nat(2_000), async (bytes, at) => {
        const file = part(['content-disposition: form-data; name="file"'], bytes)
        const body = Buffer.concat([file, END])
        // The line end behind the last boundary may be missing.
        const form = await read([body.subarray(0, at % (body.length - 3))])
        expect(form).toMatchObject({ failure: { status: 400 } })
      }),
      { numRuns: 300 }
    ))

  it("counts the first of two fields with one name, and passes over others", async () => {
    const field = (name: string, text: string) =>
      part([`content-disposition: form-data; name=${name}`], Buffer.from(text))
    const body = Buffer.concat([field("data", "1"), field("data", "2"), field("other", "3"), END])
    expect(await read([body])).toMatchObject({
      success: {
        fields: new Map([
          ["data", "1"],
          ["other", "3"]
        ]),
        file: undefined
      }
    })
  })

  it("refuses more parts than anybody needs", async () => {
    const field = part(["content-disposition: form-data; name=a"], Buffer.from("1"))
    const body = Buffer.concat([...Array.from({ length: 21 }, () => field), END])
    expect(await read([body])).toMatchObject({ failure: { status: 413 } })
  })

  it.each(["application/json", "multipart/mixed; boundary=b", "multipart/form-database", ""])(
    "refuses the content type %j",
    async (type) => expect(await read([END], type)).toMatchObject({ failure: { status: 415 } })
  )
})
