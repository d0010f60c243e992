import { type AggregationRequest, parseRequest, type RequestRejected } from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { mutatedTexts } from "./support.ts"

const VALID = {
  job_request_id: "job-1",
  input_data_blob_prefix: "in/",
  input_data_bucket_name: "bucket",
  output_data_blob_prefix: "out",
  output_data_bucket_name: "results",
  job_parameters: {
    reporting_site: "https://example.com",
    output_domain_bucket_name: "b",
    output_domain_blob_prefix: "d"
  }
}

const body = (changes: object = {}): string => JSON.stringify({ ...VALID, ...changes })
const withParameters = (changes: object): string => body({ job_parameters: { ...VALID.job_parameters, ...changes } })
const isRejected = (result: AggregationRequest | RequestRejected): result is RequestRejected => "_tag" in result
const message = (text: string): string => {
  const result = parseRequest(text)
  return isRejected(result) ? result.message : "accepted"
}
const accepted = (text: string): AggregationRequest => {
  const result = parseRequest(text)
  if (isRejected(result)) throw new Error(result.message)
  return result
}
const NAME = "google.aggregate.protos.frontend.api.v1.CreateJobRequest"

describe("Request", () => {
  it("reads a request", () =>
    expect(parseRequest(body({ postback_url: "https://p", account_identity: "me" }))).toEqual({
      jobRequestId: "job-1",
      inputDataBlobPrefix: "in/",
      inputDataBlobPrefixes: [],
      inputDataBucketName: "bucket",
      outputDataBlobPrefix: "out",
      outputDataBucketName: "results",
      jobParameters: VALID.job_parameters,
      postbackUrl: "https://p",
      accountIdentity: "me"
    }))

  it("reads either spelling of every name", () => {
    const camel = Object.fromEntries(
      Object.entries(VALID).map(([name, value]) => [
        name.replace(/_([a-z])/g, (_, c: string) => c.toUpperCase()),
        value
      ])
    )
    expect(parseRequest(JSON.stringify(camel))).toEqual(parseRequest(body()))
  })

  it("refuses both spellings of one field", () => {
    expect(message(body({ jobRequestId: "x" }))).toBe(`Field ${NAME}.job_request_id has already been set.`)
    expect(message(body({ jobParameters: {} }))).toBe(`Field ${NAME}.job_parameters has already been set.`)
    expect(message(body({ input_data_blob_prefixes: ["a"], inputDataBlobPrefixes: ["b"] }))).toBe(
      `Field ${NAME}.input_data_blob_prefixes has already been set.`
    )
    expect(message(body({ inputDataBlobPrefix: "x" }))).toBe(
      `Field ${NAME}.input_data_blob_prefix has already been set.`
    )
  })

  it("turns numbers and booleans into their literal text and unwraps arrays of one", () => {
    const text = body().replace(
      '"reporting_site"',
      '"debug_run":true,"debug_privacy_epsilon":0.10,"input_report_count":[1e3],"filtering_ids":[["0"]],"reporting_site"'
    )
    expect(accepted(text.replace("[1e3]", "[1000]")).jobParameters).toMatchObject({
      debug_run: "true",
      debug_privacy_epsilon: "0.10",
      input_report_count: "1000",
      filtering_ids: "0"
    })
    expect(accepted(body({ job_request_id: 12 })).jobRequestId).toBe("12")
    expect(message(body({ job_request_id: {} }))).toBe(`Field ${NAME}.job_request_id should be a string.`)
    expect(message(body({ job_request_id: ["a", "b"] }))).toBe(`Field ${NAME}.job_request_id should be a string.`)
    expect(message(withParameters({ debug_run: {} }))).toContain("debug_run")
  })

  it("refuses null in maps and lists, takes it as absent elsewhere", () => {
    expect(message(withParameters({ x: null }))).toBe("Map value cannot be null.")
    expect(message(body({ input_data_blob_prefix: undefined, input_data_blob_prefixes: [null] }))).toBe(
      `Repeated field elements cannot be null in field: ${NAME}.input_data_blob_prefixes`
    )
    expect(
      accepted(body({ input_data_blob_prefix: null, input_data_blob_prefixes: [""] })).inputDataBlobPrefixes
    ).toEqual([""])
    expect(message(body({ job_parameters: null }))).toMatch(/^Exactly one of attribution_report_to/)
  })

  it("is lenient about names, quotes and duplicates", () => {
    expect(accepted(`{job_request_id: 'first', ${body().slice(1)}`).jobRequestId).toBe("job-1")
    expect(accepted(body().replace('"job_request_id"', "job_request_id").replace('"in/"', "'in/'"))).toEqual(
      parseRequest(body())
    )
  })

  it("refuses an unknown field by name", () => {
    expect(message(body({ job_type: "AGGREGATION" }))).toBe(`Cannot find field: job_type in message ${NAME}`)
    expect(message(body().replace("job_request_id", "__proto__"))).toBe(
      `Cannot find field: __proto__ in message ${NAME}`
    )
  })

  it.each(["", " ", "[]", "1", "null", "{", "{'a'}", '{"a":1} x', "\0"])("calls %j a JSON error", (text) =>
    expect(parseRequest(text)).toMatchObject({
      _tag: "RequestRejected",
      httpStatus: 400,
      code: 3,
      reason: "JSON_ERROR"
    })
  )

  it("names all missing properties in their order, with the body", () => {
    const text = '{"job_request_id": "", "input_data_blob_prefix":"x", "output_data_blob_prefix": "o"}'
    expect(message(text)).toBe(
      `Missing required properties: jobRequestId inputDataBucketName outputDataBucketName\r\n in: ${text}`
    )
    expect(message("{}")).toBe(
      "Missing required properties: jobRequestId inputDataBucketName outputDataBlobPrefix outputDataBucketName\r\n in: {}"
    )
  })

  it("wants exactly one of prefix and prefixes, an empty one being none", () => {
    const text = `Exactly one of the properties input_data_blob_prefix and input_data_blob_prefixes must be provided\r\n in: `
    for (const changes of [
      { input_data_blob_prefix: "" },
      { input_data_blob_prefixes: ["a"] },
      { input_data_blob_prefix: null, input_data_blob_prefixes: [] }
    ]) {
      expect(message(body(changes))).toBe(text + body(changes))
    }
  })

  it("takes up to 50 prefixes", () => {
    const prefixes = (n: number) =>
      body({ input_data_blob_prefix: "", input_data_blob_prefixes: Array.from({ length: n }, (_, i) => `p${i}`) })
    expect(accepted(prefixes(50)).inputDataBlobPrefixes).toHaveLength(50)
    expect(message(prefixes(51))).toBe(
      `Property input_data_blob_prefixes should contain a maximum of 50 items: ${prefixes(51)}`
    )
  })

  it("wants exactly one of origin and site, an empty one being present", () => {
    const text =
      "Exactly one of attribution_report_to and reporting_site fields should be specified for the job. It is recommended to use reporting_site parameter. Parameter attribution_report_to will be deprecated in the next major version upgrade of the API: "
    for (const parameters of [{}, { reporting_site: "https://a.com", attribution_report_to: "" }]) {
      expect(message(body({ job_parameters: parameters }))).toBe(text + body({ job_parameters: parameters }))
    }
  })

  it.each(["attribution_report_to", "reporting_site"])("wants one non-blank %s", (name) => {
    const request = (value: string) => body({ job_parameters: { [name]: value } })
    expect(message(request("  "))).toBe(`The ${name} field in the job parameters is empty: ${request("  ")}`)
    expect(message(request("a,b"))).toBe(
      `The ${name} field in the job parameters should contain a single value: ${request("a,b")}`
    )
    expect(message(request("https://a.com"))).toBe("accepted")
  })

  it.each(["+5", "1e3", "0x10", "-1", "1.0", "9223372036854775808", "x", "1 2", "٣"])(
    "refuses the report count %j",
    (count) => {
      const text = withParameters({ input_report_count: count })
      expect(message(text)).toBe(`Job parameter input_report_count should have a valid non-negative value: ${text}`)
    }
  )

  it.each(["", "  ", " 5 ", "-0", "007", "0", "9223372036854775807"])("accepts the report count %j", (count) =>
    expect(message(withParameters({ input_report_count: count }))).toBe("accepted")
  )

  it("tells illegal characters and too great a length together", () => {
    const id = `a b|${"é".repeat(2)}${"x".repeat(130)}`
    expect(parseRequest(body({ job_request_id: id }))).toEqual({
      _tag: "RequestRejected",
      httpStatus: 400,
      code: 3,
      reason: "VALIDATION_FAILED",
      message:
        "job_request_id contained illegal characters. Can only contain ascii letters, ascii digits, or the following punctuation characters: !\"#$%&'()*+,-./:;<=>?@[\\]^_`{}~. Illegal characters were:  |éé\njob_request_id is too long. Max length allowed is 128, length provided was 136"
    })
  })

  it("accepts every printable ASCII character in an id but the space and the bar", () => {
    for (let code = 0; code < 300; code++) {
      const legal = code > 0x20 && code < 0x7f && code !== 0x7c
      expect(message(body({ job_request_id: String.fromCharCode(code) })) === "accepted", String(code)).toBe(legal)
    }
    expect(message(body({ job_request_id: "x".repeat(128) }))).toBe("accepted")
  })

  it("tells the first failure of several, in the original's order", () => {
    const faults: ReadonlyArray<readonly [object, RegExp]> = [
      [{ output_data_bucket_name: "" }, /^Missing required/],
      [{ input_data_blob_prefix: "" }, /^Exactly one of the properties/],
      [{ job_parameters: { input_report_count: "x" } }, /^Exactly one of attribution_report_to/],
      [{ job_parameters: { reporting_site: " ", input_report_count: "x" } }, /is empty/],
      [{ job_parameters: { reporting_site: "a,b", input_report_count: "x" } }, /single value/],
      [{ job_parameters: { reporting_site: "a", input_report_count: "x" } }, /input_report_count/],
      [{ job_request_id: "a b" }, /illegal/]
    ]
    faults.forEach((_, i) => {
      // Later faults are all there; of the parameters the first that names them counts.
      const all = faults.slice(i).reduceRight((changes, [fault]) => ({ ...changes, ...fault }), {})
      expect(message(body(all))).toMatch(faults[i]?.[1] as RegExp)
    })
  })

  it("reads job_epsilon with at most two decimals, both spellings", () => {
    const epsilon = (literal: string) =>
      body().replace(/}$/, `,"privacy_params":{"laplace_dp_params":{"job_epsilon":${literal}}}}`)
    expect(accepted(epsilon("0.10")).jobEpsilon).toBe(100_000)
    expect(accepted(epsilon('"64"')).jobEpsilon).toBe(64_000_000)
    expect(accepted(body({ privacyParams: { laplaceDpParams: { jobEpsilon: 5 } } })).jobEpsilon).toBe(5_000_000)
    for (const literal of ["0", "64.01", "0.001", "1.000", "-1", "1e1", "true", "{}", '""', "[]"]) {
      expect(message(epsilon(literal)), literal).toMatch(/job_epsilon is not an epsilon/)
    }
    expect(message(epsilon("null"))).toBe("Field privacy_params.laplace_dp_params should have a job_epsilon.")
    expect(message(body({ privacy_params: { laplace_dp_params: {} } }))).toBe(
      "Field privacy_params.laplace_dp_params should have a job_epsilon."
    )
    expect(message(body({ privacy_params: { gauss: 1 } }))).toBe("Cannot find field: gauss in privacy_params")
    expect(message(body({ privacy_params: 5 }))).toBe("Field privacy_params should be an object.")
    for (const none of [null, {}, { laplace_dp_params: null }])
      expect(accepted(body({ privacy_params: none }))).not.toHaveProperty("jobEpsilon")
    expect(message(body({ privacy_params: {}, privacyParams: {} }))).toBe(
      `Field ${NAME}.privacy_params has already been set.`
    )
  })

  it("keeps unknown parameters verbatim, whatever their names", () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string(), { maxKeys: 8 }), (extra) => {
        const parameters = {
          ...extra,
          reporting_site: "https://a.com",
          attribution_report_to: undefined,
          input_report_count: undefined
        }
        const { jobParameters } = accepted(body({ job_parameters: parameters }))
        expect(jobParameters).toEqual(JSON.parse(JSON.stringify(parameters)))
      })
    ))

  it("never throws", () => {
    const samples = [
      body(),
      body({
        privacy_params: { laplace_dp_params: { job_epsilon: 1 } },
        input_data_blob_prefix: "",
        input_data_blob_prefixes: ["a", "b"]
      })
    ]
    let read = 0
    for (const text of mutatedTexts(samples, 10_000)) if (!isRejected(parseRequest(text))) read++
    expect(read).toBeGreaterThan(500)
    expect(message("[".repeat(1_000_000))).toMatch(/^The request body is not valid JSON/)
  })
})
