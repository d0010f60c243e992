import { parseSharedInfo, type SharedInfo } from "@sotto/core/aggregation"
import { printInstant } from "@sotto/core/Instant"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mutatedTexts } from "./support.ts"

const REQUIRED = { version: "1.0", scheduled_report_time: "1234486400", reporting_origin: "https://report.test" }
const parse = (members: object): SharedInfo | undefined => parseSharedInfo(JSON.stringify({ ...REQUIRED, ...members }))
const withTime = (literal: string) =>
  parseSharedInfo(`{"version":"1.0","scheduled_report_time":${literal},"reporting_origin":"o"}`)?.scheduledReportTime
const seconds = (literal: string) => withTime(literal)?.seconds
const at = (s: number, nanos = 0) => ({ seconds: s, nanos })

describe("SharedInfo", () => {
  it("reads every member it knows", () =>
    expect(
      parse({
        api: "attribution-reporting",
        report_id: "21abd97f-73e8-4b88-9389-a9fee6abda5e",
        attribution_destination: "https://conversion.test",
        source_registration_time: "1234483200",
        debug_mode: "enabled"
      })
    ).toEqual({
      version: "1.0",
      scheduledReportTime: at(1_234_486_400),
      reportingOrigin: "https://report.test",
      api: "attribution-reporting",
      reportId: "21abd97f-73e8-4b88-9389-a9fee6abda5e",
      attributionDestination: "https://conversion.test",
      sourceRegistrationTime: at(1_234_483_200),
      debugMode: "enabled"
    }))

  it("reads the original's test data: numeric times and debug_mode disabled", () =>
    expect(
      parseSharedInfo(
        '{"api":"attribution-reporting","version":"0.1","scheduled_report_time":1640995200.000000000,"reporting_origin":"https://simulation.com","attribution_destination":"https://conversion.test","source_registration_time":1640995200.000000000,"report_id":"9ce36657-848f-4299-97fc-1104e4ffcd96","debug_mode":"disabled"}'
      )
    ).toMatchObject({ scheduledReportTime: at(1_640_995_200), debugMode: "disabled" }))

  it("ignores other members and text behind the object", () => {
    expect(parse({ privacy_budget_key: "x", nested: { a: [1, { version: 7 }] } })).toBeDefined()
    const text = JSON.stringify(REQUIRED)
    const plain = parseSharedInfo(text)
    for (const tail of [" ", "}", " trailing", "{}", "\0", '{"version":"9.9"}'])
      expect(parseSharedInfo(text + tail)).toEqual(plain)
  })

  it("takes the last of a member given twice, in both readers", () => {
    const text = '{"version":"0.1","version":"1.0","scheduled_report_time":"1","reporting_origin":"o"}'
    expect(parseSharedInfo(text)?.version).toBe("1.0")
    expect(parseSharedInfo(`${text} x`)?.version).toBe("1.0")
  })

  it.each(["version", "scheduled_report_time", "reporting_origin"])("needs %s", (name) => {
    expect(parse({ [name]: undefined })).toBeUndefined()
    expect(parse({ [name]: null })).toBeUndefined()
  })

  it("takes empty texts as given, but an empty time as missing", () => {
    expect(parse({ version: "", reporting_origin: "", api: "", report_id: "" })).toMatchObject({ version: "", api: "" })
    expect(parse({ scheduled_report_time: "" })).toBeUndefined()
    expect(parse({ scheduled_report_time: "  " })).toBeUndefined()
    expect(parse({ source_registration_time: "" })).not.toHaveProperty("sourceRegistrationTime")
  })

  it.each(["api", "report_id", "attribution_destination", "source_registration_time", "debug_mode"])(
    "refuses %s if it is null or of another type",
    (name) => {
      for (const value of [null, true, [], {}, ...(name.endsWith("time") ? ["abc"] : [1])]) {
        expect(parse({ [name]: value }), JSON.stringify(value)).toBeUndefined()
      }
    }
  )

  it.each([
    ['"1234486400"', at(1_234_486_400)],
    ['"1234486400.25"', at(1_234_486_400, 250_000_000)],
    ['" 1234486400 "', at(1_234_486_400)],
    ['"0"', at(0)],
    ['"1234486400.1234567899"', at(1_234_486_400, 123_456_789)],
    ['"2009-02-13T00:00:00Z"', at(1_234_483_200)],
    ['" 2009-02-13T00:00:00.5Z "', at(1_234_483_200, 500_000_000)],
    ["1234486400", at(1_234_486_400)],
    ["1234486400.25", at(1_234_486_400, 250_000_000)],
    ["1640995200.999999999", at(1_640_995_200, 999_999_999)],
    ["0.1", at(0, 100_000_000)],
    ["-900", at(-900)],
    ["-1.5", at(-2, 500_000_000)],
    ["-0.25", at(-1, 750_000_000)],
    ["1e9", at(1_000_000_000)],
    ["12.5e1", at(125)],
    ["15e-1", at(1, 500_000_000)],
    ["1e-9", at(0, 1)],
    ["1e-10", at(0)],
    ["-0", at(0)],
    ["0e99", at(0)]
  ])("reads the time %s", (literal, expected) => expect(withTime(literal)).toEqual(expected))

  it.each([
    '"-900"',
    '"1e9"',
    '"abc"',
    "true",
    "false",
    "null",
    '""',
    "[1]",
    "{}",
    '"."',
    '"1.2.3"',
    "1e17",
    "1e999999999999",
    '"99999999999999999999"',
    '"2009-02-13"',
    '"2009-02-30T00:00:00Z"'
  ])("refuses the time %s", (literal) => expect(withTime(literal)).toBeUndefined())

  it("reads every time in its three forms alike", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: -1e11, max: 1e11 }),
        fc.constantFrom(0, 1, 250_000_000, 999_999_999),
        (s, nanos) => {
          const expected = at(s, nanos)
          expect(withTime(`"${printInstant(expected)}"`)).toEqual(expected)
          const total = BigInt(s) * 1_000_000_000n + BigInt(nanos)
          const digits = String(total < 0n ? -total : total).padStart(10, "0")
          const decimal = `${total < 0n ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`
          expect(withTime(decimal)).toEqual(expected)
          if (total >= 0n) expect(withTime(`"${decimal}"`)).toEqual(expected)
        }
      )
    ))

  it.each(["", "null", "[]", "1", '"a"', "{", "{}", "[{}]", "{'version':'1.0'}", "{version:1}", "\u0000"])(
    "refuses %j",
    (text) => expect(parseSharedInfo(text)).toBeUndefined()
  )

  it("does not take inherited names for members", () => {
    expect(
      parseSharedInfo('{"__proto__":{"version":"1.0"},"scheduled_report_time":"1","reporting_origin":"o"}')
    ).toBeUndefined()
    expect(parse({ constructor: 1, toString: 2 })).toBeDefined()
  })

  it("never throws, and both readers agree", () => {
    const text = JSON.stringify({
      ...REQUIRED,
      api: "shared-storage",
      source_registration_time: 1.5,
      x: [1, { y: "\u00e9\n" }]
    })
    let read = 0
    for (const mutant of mutatedTexts([text, JSON.stringify(REQUIRED)], 20_000)) {
      const info = parseSharedInfo(mutant)
      if (info === undefined) continue
      read++
      if (read % 50 === 0) expect(parseSharedInfo(`${mutant} ,`)).toEqual(info)
    }
    expect(read).toBeGreaterThan(1_000)
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`
    expect(parseSharedInfo(`{"x":${deep}} x`)).toBeUndefined()
    expect(seconds("0".repeat(100_000))).toBeUndefined()
    expect(seconds(`"${"0".repeat(100_000)}7"`)).toBe(7)
    expect(seconds(`${"9".repeat(100_000)}`)).toBeUndefined()
  })
})
