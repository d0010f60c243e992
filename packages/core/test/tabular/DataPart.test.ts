import { describe, expect, it } from "vitest"
import { type DataPart, readDataPart } from "../../src/tabular/DataPart.ts"

const read = (value: unknown) => readDataPart(JSON.stringify(value))

const nothing: DataPart = { version: null, mimeType: null, name: null, mapping: [], outputMapping: [] }

describe("the data part", () => {
  it("is read as its documentation shows it", () => {
    const mapping = [{ source: "x1", destination: "x", defaultValue: "1" }]
    expect(
      read({ version: "0.0.1", mimeType: "text/csv; header=present", name: "n", mapping, outputMapping: mapping })
    ).toEqual({ version: "0.0.1", mimeType: "text/csv; header=present", name: "n", mapping, outputMapping: mapping })
  })

  it.each<[string, unknown]>([
    ["nothing", {}],
    [
      "null everywhere",
      { version: null, mimeType: null, name: null, jobName: null, mapping: null, outputMapping: null }
    ],
    ["empty texts, as forms send them", { version: "", mimeType: " ", name: "", mapping: [] }],
    ["members that nobody knows", { data: "x", groupId: null, isGrouped: false, versionId: "v", containerId: 1 }]
  ])("may have %s", (_, value) => {
    expect(read(value)).toEqual(nothing)
  })

  it("may call the name jobName; name counts first", () => {
    expect(read({ jobName: "a" })).toMatchObject({ name: "a" })
    expect(read({ jobName: "a", name: "b" })).toMatchObject({ name: "b" })
    expect(read({ jobName: "a", name: null })).toMatchObject({ name: "a" })
  })

  it("may write members in any case, those of mappings too", () => {
    expect(
      read({
        Version: "1",
        MimeType: "text/csv",
        JobName: "n",
        Mapping: [{ Source: "a", Destination: "b", DefaultValue: "3" }],
        OUTPUTMAPPING: null
      })
    ).toEqual({
      ...nothing,
      version: "1",
      mimeType: "text/csv",
      name: "n",
      mapping: [{ source: "a", destination: "b", defaultValue: "3" }]
    })
  })

  it.each(["3", 3, 2.5, true, null])("takes the default %j as it is; an absent one is none", (defaultValue) => {
    expect(read({ mapping: [{ source: "a", destination: "b", defaultValue }] })).toMatchObject({
      mapping: [{ defaultValue }]
    })
    expect(read({ mapping: [{ source: "a", destination: "b" }] })).toMatchObject({ mapping: [{ defaultValue: null }] })
  })

  it("may leave out the source of an entry that has a default", () => {
    expect(read({ mapping: [{ destination: "b", defaultValue: 1 }] })).toMatchObject({ mapping: [{ source: "" }] })
    expect(read({ mapping: [{ source: null, destination: "b", defaultValue: 1 }] })).toMatchObject({
      mapping: [{ source: "" }]
    })
  })

  it.each<[string, RegExp]>([
    ["", /must be a JSON object/],
    ["{", /must be a JSON object/],
    ["[]", /must be a JSON object/],
    ["null", /must be a JSON object/],
    ['{"version": 1}', /"version" .* must be a text or null/],
    ['{"mimeType": {}}', /"mimeType" .* must be a text or null/],
    ['{"jobName": 5}', /"name" .* must be a text or null/],
    ['{"mapping": {}}', /"mapping" .* must be an array or null/],
    ['{"mapping": [null]}', /Entry 1 of mapping: write/],
    ['{"mapping": [{"source":"a","destination":"b"},{"source":"a"}]}', /Entry 2 of mapping: write/],
    ['{"outputMapping": [{"source":1,"destination":"b"}]}', /Entry 1 of outputMapping: write/],
    ['{"mapping": [{"source":"","destination":"b"}]}', /there must be a defaultValue/],
    ['{"mapping": [{"source":"a","destination":"b","defaultValue":[]}]}', /must be a text, a number/]
  ])("is refused when it is %s", (text, message) => {
    expect(readDataPart(text)).toMatchObject({ _tag: "DataPartRejected", message: expect.stringMatching(message) })
  })
})
