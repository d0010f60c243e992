import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  extensionOf,
  formOf,
  isAccepted,
  mimeOf,
  mimeOfForm,
  parseMime,
  type RecordForm
} from "../../src/tabular/MimeType.ts"

const mime = (text: string) => {
  const read = parseMime(text)
  if (read === undefined) throw new Error(text)
  return read
}

describe("a MIME type", () => {
  it.each<[string, string, Record<string, string>]>([
    ["text/csv", "text/csv", {}],
    ["text/csv; header=present", "text/csv", { header: "present" }],
    ['Text/CSV ;Header=absent;charset="utf-8"', "text/csv", { header: "absent", charset: "utf-8" }],
    ['a/b; x="1; y=\\"2\\""; y=3;', "a/b", { x: '1; y="2"', y: "3" }],
    ["a/b; x=1; x=2", "a/b", { x: "1" }]
  ])("%s is read", (text, essence, parameters) => {
    expect(parseMime(text)).toEqual({ essence, parameters: new Map(Object.entries(parameters)) })
  })

  it.each(["", "csv", "text/", "/csv", "text/csv/x", "te xt/csv", "text/csv; header", "text/csv; =x"])(
    "%j is none",
    (text) => {
      expect(parseMime(text)).toBeUndefined()
    }
  )

  it("is never read into an exception", () =>
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", "/", ";", "=", '"', "\\", " ") }), (text) => {
        parseMime(text)
      })
    ))
})

describe("the form of records", () => {
  it.each<[string, unknown]>([
    ["text/csv", { _tag: "Csv", header: true }],
    ["text/csv; header=present", { _tag: "Csv", header: true }],
    ["text/csv; header=Absent", { _tag: "Csv", header: false }],
    ["application/csv", { _tag: "Csv", header: true }],
    ["application/json; charset=UTF-8", { _tag: "Json" }],
    ["application/x-ndjson", { _tag: "Ndjson" }],
    ["application/jsonl", { _tag: "Ndjson" }],
    ["image/png", { _tag: "NoRecords" }],
    ["text/plain", { _tag: "NoRecords" }]
  ])("of %s is %j", (text, form) => {
    expect(formOf(mime(text))).toEqual(form)
  })

  it("is refused for another encoding or another word for the header", () => {
    expect(formOf(mime("text/csv; charset=latin1"))).toMatchObject({
      message: expect.stringMatching(/Convert .* "latin1"/)
    })
    expect(formOf(mime("text/csv; header=yes"))).toMatchObject({ message: expect.stringMatching(/header=present or/) })
  })

  it.each<RecordForm>([
    { _tag: "Csv", header: true },
    { _tag: "Csv", header: false },
    { _tag: "Json" },
    { _tag: "Ndjson" }
  ])("is told by the type in which it is written: %j", (form) => {
    expect(formOf(mime(mimeOfForm(form)))).toEqual(form)
  })
})

describe("the type of an input file", () => {
  const told = (declared: string | null, part: string | null, fileName: string) => mimeOf({ declared, part, fileName })

  it("is what the request says, parameters kept", () => {
    expect(told("text/csv; header=present", "image/png", "a.json")).toBe("text/csv; header=present")
  })

  it("is without that the type of the part", () => {
    expect(told(null, "text/csv; header=absent", "a.json")).toBe("text/csv; header=absent")
  })

  it.each(["application/octet-stream", "application/vnd.ms-excel"])("is the ending when the part says %s", (part) => {
    expect(told(null, part, "a.CSV")).toBe("text/csv")
    expect(told(null, part, "input.dat")).toBe(part)
  })

  it("is the ending when there is nothing else, and unknown when not even that tells", () => {
    expect([told(null, null, "a.jsonl"), told(null, "rubbish", "x.png")]).toEqual(["application/x-ndjson", "image/png"])
    expect([told(null, null, "input.dat"), told(null, null, "file")]).toEqual([undefined, undefined])
  })

  it("gives an output its ending", () => {
    expect(
      ["text/csv", "application/json", "application/jsonl", "image/jpeg", "x/y"].map((one) => extensionOf(mime(one)))
    ).toEqual(["csv", "json", "ndjson", "jpg", "dat"])
  })

  it("is accepted by its name or by its family", () => {
    const accepts = (type: string, ...accepted: ReadonlyArray<string>) => isAccepted(mime(type), accepted)
    expect([accepts("image/png", "image/*"), accepts("image/png; a=b", "IMAGE/PNG"), accepts("a/b", "*/*")]).toEqual([
      true,
      true,
      true
    ])
    expect([accepts("image/png", "image/jpeg"), accepts("imagex/png", "image/*")]).toEqual([false, false])
  })
})
