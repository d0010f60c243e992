import { exhaustedReportPlace, printExhaustedReport, type SharedInfo } from "@sotto/core/aggregation"
import { describe, expect, it } from "vitest"
import { VALID_INFO } from "./support.ts"

const unit = (filteringId: bigint, changes: Partial<SharedInfo> = {}) => ({
  filteringId,
  sharedInfo: { ...VALID_INFO, ...changes }
})

const ENTRY = `{
      "aggregateable_input_budget_id" : {
        "filtering_id" : 1,
        "relevant_shared_info" : {
          "api" : "attribution-reporting",
          "attribution_destination" : "https://www.destination.com",
          "reporting_origin" : "https://www.origin.com",
          "scheduled_report_time" : 1609459200.000000000,
          "source_registration_time" : 1609459200.000000000,
          "version" : "1.0"
        }
      }
    }`

const file = (list: string) => `{
  "privacy_budget_exhausted_info" : {
    "aggregatable_input_budget_consumption_info" : ${list}
  }
}`

describe("ExhaustedReport", () => {
  it("writes the file in the original's layout, without a final line break", () => {
    expect(printExhaustedReport([unit(1n)])).toBe(file(`[ ${ENTRY} ]`))
    expect(printExhaustedReport([unit(1n), unit(2n)])).toBe(file(`[ ${ENTRY}, ${ENTRY.replace(": 1,", ": 2,")} ]`))
    expect(printExhaustedReport([])).toBe(file("[ ]"))
  })

  it("lists units whose printed values agree once: the report id is not printed", () =>
    expect(printExhaustedReport([unit(1n), unit(1n, { reportId: "1-1-1-1-1", debugMode: "x" })])).toBe(
      file(`[ ${ENTRY} ]`)
    ))

  it("leaves absent members out", () => {
    const { attributionDestination: _, sourceRegistrationTime: __, ...rest } = VALID_INFO
    const text = printExhaustedReport([{ filteringId: 5n, sharedInfo: { ...rest, api: "shared-storage" } }])
    expect(JSON.parse(text)).toEqual({
      privacy_budget_exhausted_info: {
        aggregatable_input_budget_consumption_info: [
          {
            aggregateable_input_budget_id: {
              filtering_id: 5,
              relevant_shared_info: {
                api: "shared-storage",
                reporting_origin: "https://www.origin.com",
                scheduled_report_time: 1609459200,
                version: "1.0"
              }
            }
          }
        ]
      }
    })
  })

  it("writes a filtering id as a bare number, beyond what doubles hold", () =>
    expect(printExhaustedReport([unit(2n ** 64n - 1n)])).toContain('"filtering_id" : 18446744073709551615,'))

  it.each([
    [0, 0, "0.0"],
    [0, 5, "0.000000005"],
    [1, 250_000_000, "1.250000000"],
    [-2, 500_000_000, "-1.500000000"],
    [-1, 0, "-1.000000000"]
  ])("prints %i s and %i ns as %s", (seconds, nanos, printed) =>
    expect(printExhaustedReport([unit(1n, { scheduledReportTime: { seconds, nanos } })])).toContain(
      `"scheduled_report_time" : ${printed},`
    )
  )

  it("names the file after the time of the request, in a folder named like the output", () => {
    const at = { seconds: 1_609_459_200, nanos: 120_000_000 }
    const name = "privacy_budget_exhausted_debugging_information_2021-01-01T00:00:00.120Z.json"
    const message = (folder: string) =>
      `Insufficient privacy budget for one or more aggregatable reports. No aggregatable report can appear in more than one aggregation job. Information related to reports that do not have budget can be found in the following file:\n File path: results/${folder} \n Filename: ${name} \n`
    expect(exhaustedReportPlace("results", "a/out.avro", at)).toEqual({
      key: `a/out/${name}`,
      outcome: { code: "PRIVACY_BUDGET_EXHAUSTED", message: message("a/out") }
    })
    expect(exhaustedReportPlace("results", "out", at)).toEqual({
      key: `out/${name}`,
      outcome: { code: "PRIVACY_BUDGET_EXHAUSTED", message: message("out") }
    })
  })
})
