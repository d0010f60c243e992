import {
  categoriesOf,
  filteringIds,
  printReportId,
  reportChecker,
  type ReportRules,
  type SharedInfo,
  UNSUPPORTED_MAJOR_VERSION
} from "@sotto/core/aggregation"
import { budgetUnit } from "@sotto/core/budget"
import { fromMillis } from "@sotto/core/Instant"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AS_OF, VALID_INFO } from "./support.ts"

/** Enough of a public suffix list: `.com` is one, `.test` is not. */
const siteOf = (origin: string): string | undefined => {
  const match = /^https?:\/\/(?:[a-z0-9-]+\.)*([a-z0-9-]+\.com)(?::\d+)?(?:\/.*)?$/i.exec(origin)
  return match === null ? undefined : `https://${match[1]?.toLowerCase()}`
}

const SITE_RULES: ReportRules = {
  reporter: { _tag: "Site", reportingSite: "https://origin.com" },
  siteOf,
  filteringIds: filteringIds([]),
  debugRun: false,
  asOf: AS_OF,
  checks: "full"
}

const ids = (...list: ReadonlyArray<bigint>): Partial<ReportRules> => ({ filteringIds: filteringIds(list) })
const origin = (attributionReportTo: string): Partial<ReportRules> => ({
  reporter: { _tag: "Origin", attributionReportTo }
})

/** Members of VALID_INFO, changed, or left out where `undefined`. */
type Changes = { readonly [K in keyof SharedInfo]?: SharedInfo[K] | undefined }
const changed = (changes: Changes): SharedInfo =>
  Object.fromEntries(
    Object.entries({ ...VALID_INFO, ...changes }).filter(([, value]) => value !== undefined)
  ) as unknown as SharedInfo

const mask = (changes: Changes = {}, rules: Partial<ReportRules> = {}, histogram = true) =>
  reportChecker({ ...SITE_RULES, ...rules })(changed(changes), histogram, new Uint32Array(4))

const failures = (changes: Changes = {}, rules: Partial<ReportRules> = {}, histogram = true) =>
  categoriesOf(mask(changes, rules, histogram))

describe("ReportChecks", () => {
  it("lets a good report pass and gives the words of its id", () => {
    const words = new Uint32Array(4)
    expect(reportChecker(SITE_RULES)(VALID_INFO, true, words)).toBe(0)
    expect(printReportId(words)).toBe(VALID_INFO.reportId)
  })

  it("1: compares the site of the origin byte for byte", () => {
    expect(failures({ reportingOrigin: "https://other.com" })).toEqual(["REPORTING_SITE_MISMATCH"])
    expect(failures({}, { reporter: { _tag: "Site", reportingSite: "origin.com" } })).toEqual([
      "REPORTING_SITE_MISMATCH"
    ])
    expect(failures({}, { reporter: { _tag: "Site", reportingSite: "https://ORIGIN.com" } })).toEqual([
      "REPORTING_SITE_MISMATCH"
    ])
  })

  it.each([
    "https://report.test",
    "https://localhost",
    "https://1.2.3.4",
    "https://a..b",
    "www.origin.com",
    "https://com"
  ])("1: calls an origin without a site malformed: %s", (reportingOrigin) =>
    expect(failures({ reportingOrigin })).toEqual(["ATTRIBUTION_REPORT_TO_MALFORMED"])
  )

  it("1: compares attribution_report_to with the origin byte for byte, whatever its suffix", () => {
    expect(failures({}, origin("https://www.origin.com"))).toEqual([])
    expect(failures({}, origin("https://www.origin.com/"))).toEqual(["ATTRIBUTION_REPORT_TO_MISMATCH"])
    expect(failures({ reportingOrigin: "https://report.test" }, origin("https://report.test"))).toEqual([])
    expect(failures({ reportingOrigin: "https://1.2.3.4" }, origin("https://1.2.3.4"))).toEqual([])
  })

  it("2: wants a time strictly later than 90 days before asOf; the future is fine", () => {
    const limit = AS_OF - 90 * 86_400_000
    const age = (millis: number, nanos = 0) => {
      const at = fromMillis(millis)
      return failures({ scheduledReportTime: { seconds: at.seconds, nanos: at.nanos + nanos } }, { asOf: AS_OF })
    }
    expect(age(limit)).toEqual(["ORIGINAL_REPORT_TIME_TOO_OLD"])
    expect(age(limit, 1)).toEqual([])
    expect(age(limit - 1)).toEqual(["ORIGINAL_REPORT_TIME_TOO_OLD"])
    expect(age(AS_OF + 1e12)).toEqual([])
    expect(failures({ scheduledReportTime: fromMillis(limit + 250) }, { asOf: AS_OF + 250 })).toEqual([
      "ORIGINAL_REPORT_TIME_TOO_OLD"
    ])
    expect(failures({ scheduledReportTime: fromMillis(limit + 251) }, { asOf: AS_OF + 250 })).toEqual([])
  })

  it("3: wants the operation histogram", () => expect(failures({}, {}, false)).toEqual(["UNSUPPORTED_OPERATION"]))

  it("4: wants debug_mode enabled in a debug run, and only there", () => {
    const debugRun = { debugRun: true }
    expect(failures({}, debugRun)).toEqual([])
    for (const debugMode of [undefined, "", "disabled", "ENABLED"]) {
      expect(failures({ debugMode }, debugRun)).toEqual(["DEBUG_NOT_ENABLED"])
      expect(failures({ debugMode })).toEqual([])
    }
  })

  it.each(["attribution-reporting", "attribution-reporting-debug", "protected-audience", "shared-storage"])(
    "5: supports %s",
    (api) => expect(failures({ api })).toEqual([])
  )

  // Combinations of checks 5, 6 and 8, as the specification lists them.
  it.each([
    ["no api", { api: undefined }, ids(0n), ["REQUIRED_SHAREDINFO_FIELD_INVALID"]],
    ["an unknown api", { api: "foo" }, ids(0n), ["UNSUPPORTED_REPORT_API_TYPE", "REQUIRED_SHAREDINFO_FIELD_INVALID"]],
    ["an empty api", { api: "" }, ids(0n), ["UNSUPPORTED_REPORT_API_TYPE", "REQUIRED_SHAREDINFO_FIELD_INVALID"]],
    [
      "an inherited name",
      { api: "constructor" },
      ids(0n),
      ["UNSUPPORTED_REPORT_API_TYPE", "REQUIRED_SHAREDINFO_FIELD_INVALID"]
    ],
    [
      "version 0.0",
      { version: "0.0" },
      ids(0n),
      ["REQUIRED_SHAREDINFO_FIELD_INVALID", "UNSUPPORTED_SHAREDINFO_VERSION"]
    ],
    ["version 0.0 for another id", { version: "0.0" }, ids(5n), ["UNSUPPORTED_SHAREDINFO_VERSION"]],
    [
      "version 0.0 for both",
      { version: "0.0" },
      ids(0n, 5n),
      ["REQUIRED_SHAREDINFO_FIELD_INVALID", "UNSUPPORTED_SHAREDINFO_VERSION"]
    ],
    ["version 00.00", { version: "00.00" }, ids(5n), ["UNSUPPORTED_SHAREDINFO_VERSION"]],
    ...["", "1", "1.2.3", "1.", ".1", "a.b", "1.0 ", "-1.0", "+1.0", "١.٠"].flatMap((version) =>
      [ids(0n), ids(5n)].map(
        (requested) =>
          [
            `version ${JSON.stringify(version)}`,
            { version },
            requested,
            ["REQUIRED_SHAREDINFO_FIELD_INVALID", "UNSUPPORTED_SHAREDINFO_VERSION"]
          ] as const
      )
    ),
    ["a 0.x version for any id", { version: "0.1" }, ids(0n, 5n), []],
    ["version 0.10", { version: "0.10" }, ids(0n), []],
    ["version 01.07", { version: "01.07" }, ids(0n), []]
  ] as const)("5, 6, 8: %s", (_, changes, rules, expected) => expect(failures(changes, rules)).toEqual(expected))

  it("6: wants a destination of the two attribution APIs, and of no other", () => {
    for (const attributionDestination of [undefined, ""]) {
      const of = (api: string) => failures({ api, attributionDestination })
      expect(of("attribution-reporting")).toEqual(["REQUIRED_SHAREDINFO_FIELD_INVALID"])
      expect(of("attribution-reporting-debug")).toEqual(["REQUIRED_SHAREDINFO_FIELD_INVALID"])
      expect(of("protected-audience")).toEqual([])
      expect(of("shared-storage")).toEqual([])
    }
    expect(failures({ reportingOrigin: "" }, origin(""))).toEqual(["REQUIRED_SHAREDINFO_FIELD_INVALID"])
    expect(failures({ sourceRegistrationTime: undefined })).toEqual([])
  })

  it.each([undefined, "", "x", "21abd97f73e84b889389a9fee6abda5e"])("7: refuses the report id %j", (reportId) =>
    expect(failures({ reportId })).toEqual(["INVALID_REPORT_ID"])
  )

  it.each(["2.0", "5.0", "10.1", "99999999999999999999.0", "002.0"])(
    "8: ends the job at version %s, whatever else is wrong",
    (version) => {
      expect(mask({ version })).toBe(UNSUPPORTED_MAJOR_VERSION)
      expect(mask({ version, api: "foo", reportId: "" }, { checks: "reduced" })).toBe(UNSUPPORTED_MAJOR_VERSION)
    }
  )

  it("records every failure of a report", () =>
    expect(
      failures(
        {
          reportingOrigin: "https://other.com",
          scheduledReportTime: { seconds: 0, nanos: 0 },
          api: "foo",
          version: "1",
          reportId: "",
          debugMode: "no"
        },
        { debugRun: true },
        false
      )
    ).toEqual([
      "DEBUG_NOT_ENABLED",
      "ORIGINAL_REPORT_TIME_TOO_OLD",
      "REPORTING_SITE_MISMATCH",
      "UNSUPPORTED_OPERATION",
      "UNSUPPORTED_REPORT_API_TYPE",
      "REQUIRED_SHAREDINFO_FIELD_INVALID",
      "INVALID_REPORT_ID",
      "UNSUPPORTED_SHAREDINFO_VERSION"
    ]))

  it("runs only checks 4 to 8 in the local tool", () => {
    const reduced: Partial<ReportRules> = { checks: "reduced", debugRun: true }
    expect(
      failures({ reportingOrigin: "nonsense", scheduledReportTime: { seconds: 0, nanos: 0 } }, reduced, false)
    ).toEqual([])
    expect(failures({ api: "foo", version: "1", reportId: "", debugMode: "no" }, reduced)).toEqual([
      "DEBUG_NOT_ENABLED",
      "UNSUPPORTED_REPORT_API_TYPE",
      "REQUIRED_SHAREDINFO_FIELD_INVALID",
      "INVALID_REPORT_ID",
      "UNSUPPORTED_SHAREDINFO_VERSION"
    ])
  })

  it("remembers sites without mixing them up, however many origins there are", () => {
    const asked: Array<string> = []
    const check = reportChecker({
      ...SITE_RULES,
      siteOf: (text) => {
        asked.push(text)
        return siteOf(text)
      }
    })
    const run = (reportingOrigin: string) => categoriesOf(check(changed({ reportingOrigin }), true, new Uint32Array(4)))
    for (let i = 0; i < 3; i++) {
      expect(run("https://a.origin.com")).toEqual([])
      expect(run("https://report.test")).toEqual(["ATTRIBUTION_REPORT_TO_MALFORMED"])
    }
    expect(asked).toHaveLength(2)
    for (let i = 0; i < 3_000; i++) expect(run(`https://a${i}.origin.com`)).toEqual([])
    expect(run("https://report.test")).toEqual(["ATTRIBUTION_REPORT_TO_MALFORMED"])
    // It forgets, so that many origins do not fill memory.
    expect(asked.filter((text) => text === "https://report.test")).toHaveLength(2)
  })

  it("6: asks of a report exactly what its budget units need, for any digits (spec: aggregation §9.1)", () => {
    const zeros = fc.oneof(fc.nat(3), fc.nat(80)).map((n) => "0".repeat(n))
    const digits = fc.tuple(zeros, fc.constantFrom("", "1", "9", "12")).map(([front, end]) => `${front}${end}`)
    const text = fc.constantFrom(undefined, "", "https://www.origin.com")
    fc.assert(
      fc.property(
        fc.oneof(
          fc.tuple(digits, digits).map(([major, minor]) => `${major}.${minor}`),
          fc.constantFrom("", "1", "1.2.3", "-0.1", "0.1 ")
        ),
        fc.constantFrom(undefined, "", "foo", "attribution-reporting", "attribution-reporting-debug", "shared-storage"),
        text,
        text,
        fc.uniqueArray(fc.bigInt(0n, 2n), { minLength: 1 }),
        (version, api, from, attributionDestination, list) => {
          const changes = { version, api, reportingOrigin: from ?? "", attributionDestination }
          const result = mask(changes, ids(...list))
          if (result === UNSUPPORTED_MAJOR_VERSION) return
          const rejected = list.some((id) => "_tag" in budgetUnit(changed(changes), id))
          expect(categoriesOf(result).includes("REQUIRED_SHAREDINFO_FIELD_INVALID")).toBe(rejected)
        }
      ),
      { numRuns: 500 }
    )
  })

  it("is total: any texts give a mask of known categories", () =>
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (version, api, reportId, reportingOrigin) => {
        const result = mask({ version, api, reportId, reportingOrigin })
        expect(result === UNSUPPORTED_MAJOR_VERSION || (result >= 0 && result < 2 ** 15)).toBe(true)
      })
    ))

  it("reads a version of a million digits in linear time", () => {
    expect(failures({ version: "0".repeat(1_000_000) })).toContain("UNSUPPORTED_SHAREDINFO_VERSION")
    expect(failures({ version: `0.${"0".repeat(1_000_000)}` })).toContain("UNSUPPORTED_SHAREDINFO_VERSION")
    expect(failures({ version: `0.${"0".repeat(1_000_000)}1` })).toEqual([])
  })
})
