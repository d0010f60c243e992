import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { sharedInfo, type SharedInfoFields } from "../src/index.ts"
import { goldenSharedInfo, tagOf } from "./support.ts"

const fields: SharedInfoFields = {
  api: "attribution-reporting",
  reportingOrigin: "https://report.test",
  attributionDestination: "https://conversion.test",
  reportId: "21abd97f-73e8-4b88-9389-a9fee6abda5e",
  scheduledReportTime: 1_234_486_400
}
const { attributionDestination: _, ...plain } = fields
const registered = { ...fields, sourceRegistrationTime: 1_234_483_200 }
const audience: SharedInfoFields = { ...plain, api: "protected-audience", debugMode: true }

describe("sharedInfo", () => {
  it.each([
    ["attribution-0.1/report_1", { ...registered, debugMode: true, version: "0.1" }],
    ["attribution-1.0/report_1", { ...registered, debugMode: true }],
    ["attribution-1.0/report_2", registered],
    ["attribution-debug-1.0/report_1", { ...fields, api: "attribution-reporting-debug" } as const],
    ["private-aggregation-1.0/report_1", audience]
  ])("writes %s as Chrome did", (name, given) => {
    expect(sharedInfo(given)).toBe(goldenSharedInfo(name))
  })

  it("takes any date from 1970 on, rounding down to a second", () =>
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date("2300-01-01"), noInvalidDate: true }), (date) => {
        const read = JSON.parse(sharedInfo({ ...fields, scheduledReportTime: date }))
        expect(read.scheduled_report_time).toBe(String(Math.floor(date.getTime() / 1000)))
      })
    ))

  it("makes a new random UUID for every report", () => {
    const ids = Array.from(
      { length: 50 },
      () => JSON.parse(sharedInfo({ ...audience, reportId: undefined as never })).report_id
    )
    expect(new Set(ids).size).toBe(50)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it.each([
    { ...plain },
    { ...fields, reportingOrigin: "report.test" },
    { ...fields, reportingOrigin: "https://report.test/" },
    { ...fields, attributionDestination: "https://conversion.test/path" },
    { ...fields, reportId: "1" },
    { ...fields, scheduledReportTime: 1_234_486_400_000 },
    { ...fields, scheduledReportTime: 1.5 },
    { ...fields, scheduledReportTime: new Date(Number.NaN) },
    { ...fields, sourceRegistrationTime: -1 },
    { ...fields, version: "2.0" },
    { ...fields, version: "" }
  ])("refuses %j", async (given) => {
    expect(await tagOf(() => sharedInfo(given))).toBe("SharedInfoRejected")
  })
})
