import { errorBit, ErrorCounter, errorCounts, printProtoJson, printResultInfo, success } from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const finishedAt = { seconds: 1_609_459_200, nanos: 0 }

describe("ResultInfo", () => {
  it("writes a success in camelCase, without empty lists", () =>
    expect(
      printResultInfo({
        returnCode: success.code,
        returnMessage: success.message,
        errorCounts: [],
        errorMessages: [],
        finishedAt
      })
    ).toBe(`{
  "returnCode": "SUCCESS",
  "returnMessage": "Aggregation job successfully processed",
  "errorSummary": {
  },
  "finishedAt": "2021-01-01T00:00:00Z"
}`))

  it("writes error counts with their descriptions", () => {
    const counter = new ErrorCounter()
    counter.add(errorBit("INVALID_REPORT_ID"))
    expect(
      printResultInfo({
        returnCode: "SUCCESS_WITH_ERRORS",
        returnMessage: "",
        errorCounts: errorCounts(counter).slice(0, 1),
        errorMessages: ["first", "it's"],
        finishedAt
      })
    ).toBe(`{
  "returnCode": "SUCCESS_WITH_ERRORS",
  "errorSummary": {
    "errorCounts": [{
      "category": "INVALID_REPORT_ID",
      "count": 1,
      "description": "Report ID missing or invalid in SharedInfo."
    }],
    "errorMessages": ["first", "it\\u0027s"]
  },
  "finishedAt": "2021-01-01T00:00:00Z"
}`)
  })
})

describe("ProtoJson", () => {
  it("prints what JSON.parse reads back", () =>
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value = JSON.parse(text) as null
        expect(JSON.parse(printProtoJson(value))).toEqual(value)
      })
    ))

  it("prints an empty object on two lines, and escapes '<>=&", () => {
    expect(printProtoJson({})).toBe("{\n}")
    expect(printProtoJson("'<>=&\u2028")).toBe('"\\u0027\\u003c\\u003e\\u003d\\u0026\\u2028"')
  })
})
