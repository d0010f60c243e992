/** Every sentence about createJob: spec aggregation §1, §1.1, §1.2, §1.3. */
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { flat, type Faulty, VALID } from "./Requests.ts"
import { type Received, type Server, serveIdle } from "./Server.ts"

let server: Server
beforeAll(async () => {
  server = await serveIdle()
})
afterAll(() => server.stop())

const NAME = "google.aggregate.protos.frontend.api.v1.CreateJobRequest"

const post = (body: string | Uint8Array, path = "/v1alpha/createJob"): Promise<Received> =>
  server.send({ method: "POST", path, headers: { "content-type": "application/json" }, body })

let used = 0
/** A body with an id of its own. */
const bodyWith = (changes: object = {}, parameters?: object): string =>
  JSON.stringify({
    ...VALID,
    job_request_id: `id-${++used}`,
    ...(parameters === undefined ? {} : { job_parameters: { ...VALID.job_parameters, ...parameters } }),
    ...changes
  })

const shown = async (id: string): Promise<Record<string, any>> => {
  const { status, body } = await server.send({
    method: "GET",
    path: `/v1alpha/getJob?job_request_id=${encodeURIComponent(id)}`
  })
  expect(status).toBe(200)
  return JSON.parse(body)
}

const idIn = (body: string): string => JSON.parse(body).job_request_id

/** Sends a body that must be taken, and answers what getJob shows of it. */
const taken = async (body: string, id = idIn(body)): Promise<Record<string, any>> => {
  const answer = await post(body)
  expect(answer.status, answer.body).toBe(202)
  return shown(id)
}

const refused = async (body: string | Uint8Array, faulty: Faulty): Promise<void> => {
  const answer = await post(body)
  expect({ status: answer.status, body: answer.body }).toEqual(flat(400, { code: 3, ...faulty }))
}

const notJson = (body: string | Uint8Array, message: string) => refused(body, { reason: "JSON_ERROR", message })
const notValid = (body: string, message: string) => refused(body, { reason: "VALIDATION_FAILED", message })

describe("createJob: the answer (§1)", () => {
  it("is 202 with content-type application/json and the pretty-printed empty object", async () => {
    const { status, headers, body } = await post(bodyWith())
    expect({ status, type: headers["content-type"], body }).toEqual({
      status: 202,
      type: "application/json",
      body: "{\n}"
    })
  })

  it.each(["/stage/v1alpha/createJob", "/prod/v1alpha/createJob", "/v1alpha/createJob"])(
    "comes from %s",
    async (path) => expect((await post(bodyWith(), path)).status).toBe(202)
  )

  it("does not depend on the content-type of the request, nor on what the client accepts", async () => {
    for (const headers of [
      {},
      { "content-type": "application/x-www-form-urlencoded" },
      { "content-type": "text/plain; charset=utf-8" },
      { accept: "text/html" }
    ]) {
      const answer = await server.send({ method: "POST", path: "/v1alpha/createJob", headers, body: bodyWith() })
      expect([answer.status, answer.headers["content-type"]]).toEqual([202, "application/json"])
    }
  })
})

describe("createJob: the fields (§1.1)", () => {
  it("job_request_id may have every character that is allowed, and 128 of them", async () => {
    const allowed = Array.from({ length: 0x7f - 0x21 }, (_, i) => String.fromCharCode(0x21 + i)).filter(
      (c) => c !== "|"
    )
    const [first, second] = [allowed.slice(0, 47).join(""), allowed.slice(47).join("")]
    for (const id of [first, second, "x".repeat(128)]) {
      expect((await taken(bodyWith({ job_request_id: id }), id))["job_request_id"]).toBe(id)
    }
  })

  it("input_data_blob_prefix or input_data_blob_prefixes says where the reports are, with 1 to 50 items", async () => {
    expect(await taken(bodyWith({ input_data_blob_prefix: "reports/x.avro" }))).toMatchObject({
      input_data_blob_prefix: "reports/x.avro",
      input_data_blob_prefixes: []
    })
    for (const length of [1, 50]) {
      const prefixes = Array.from({ length }, (_, i) => `p${i}/`)
      expect(
        await taken(bodyWith({ input_data_blob_prefix: undefined, input_data_blob_prefixes: prefixes }))
      ).toMatchObject({ input_data_blob_prefix: "", input_data_blob_prefixes: prefixes })
    }
  })

  it("postback_url is stored and echoed, account_identity stored and not echoed", async () => {
    const job = await taken(bodyWith({ postback_url: "https://me.example/done", account_identity: "me@example.com" }))
    expect(job["postback_url"]).toBe("https://me.example/done")
    expect(JSON.stringify(job)).not.toContain("me@example.com")
  })

  it("an empty string or null is absent, for every field that is needed", async () => {
    const names = {
      job_request_id: "jobRequestId",
      input_data_bucket_name: "inputDataBucketName",
      output_data_blob_prefix: "outputDataBlobPrefix",
      output_data_bucket_name: "outputDataBucketName"
    }
    for (const [name, camel] of Object.entries(names)) {
      for (const value of ["", null, undefined]) {
        const body = bodyWith({ [name]: value })
        await notJson(body, `Missing required properties: ${camel}\r\n in: ${body}`)
      }
    }
    expect(await taken(bodyWith({ postback_url: null, account_identity: "" }))).toMatchObject({ postback_url: "" })
  })

  it("names are read in snake_case and in lowerCamelCase, also mixed", async () => {
    const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const all = {
      ...VALID,
      postback_url: "p",
      privacy_params: { laplace_dp_params: { job_epsilon: 1 } },
      job_request_id: "camel-1"
    }
    const spelled = Object.fromEntries(
      Object.entries(all).map(([name, value]) => [
        camel(name),
        name === "privacy_params" ? { laplaceDpParams: { jobEpsilon: 1 } } : value
      ])
    )
    const job = await taken(JSON.stringify(spelled), "camel-1")
    expect(job).toMatchObject({ ...VALID, job_request_id: "camel-1", postback_url: "p" })
    const { input_data_bucket_name, ...rest } = VALID
    const mixed = { ...rest, inputDataBucketName: input_data_bucket_name, job_request_id: "camel-2" }
    expect(await taken(JSON.stringify(mixed))).toMatchObject({ input_data_bucket_name })
  })

  it("names of job_parameters are kept as they are spelled", async () =>
    expect((await taken(bodyWith({}, { some_name: "1", someName: "2" })))["job_parameters"]).toMatchObject({
      some_name: "1",
      someName: "2"
    }))

  it("both spellings of one field are an error", async () => {
    await notJson(bodyWith({ jobRequestId: "x" }), `Field ${NAME}.job_request_id has already been set.`)
    await notJson(
      bodyWith({ outputDataBucketName: "x" }),
      `Field ${NAME}.output_data_bucket_name has already been set.`
    )
    await notJson(bodyWith({ jobParameters: {} }), `Field ${NAME}.job_parameters has already been set.`)
  })

  it("numbers and booleans stand for their literal text where a string belongs", async () => {
    const body = bodyWith({}, { debug_run: true, input_report_count: 1000, other: false }).replace(
      '"debug_run"',
      '"debug_privacy_epsilon":0.10,"exact":1.50e2,"debug_run"'
    )
    expect((await taken(body))["job_parameters"]).toMatchObject({
      debug_run: "true",
      debug_privacy_epsilon: "0.10",
      exact: "1.50e2",
      input_report_count: "1000",
      other: "false"
    })
    expect(await taken(bodyWith({ job_request_id: 4711, postback_url: true }), "4711")).toMatchObject({
      job_request_id: "4711",
      postback_url: "true"
    })
    expect(
      await taken(bodyWith({ input_data_blob_prefix: undefined, input_data_blob_prefixes: [1, false] }))
    ).toMatchObject({ input_data_blob_prefixes: ["1", "false"] })
  })

  it("an array of one item is that item, an object is an error", async () => {
    expect((await taken(bodyWith({ output_data_bucket_name: ["data"] }, { x: ["1"] })))["job_parameters"]["x"]).toBe(
      "1"
    )
    for (const body of [
      bodyWith({ output_data_bucket_name: {} }),
      bodyWith({ output_data_bucket_name: ["a", "b"] }),
      bodyWith({}, { x: {} })
    ]) {
      expect(await post(body)).toMatchObject({ status: 400, body: expect.stringContaining('"JSON_ERROR"') })
    }
  })

  it("null inside job_parameters is an error, null as job_parameters is empty", async () => {
    await notJson(bodyWith({}, { x: null }), "Map value cannot be null.")
    const body = bodyWith({ job_parameters: null })
    await notJson(
      body,
      `Exactly one of attribution_report_to and reporting_site fields should be specified for the job. It is recommended to use reporting_site parameter. Parameter attribution_report_to will be deprecated in the next major version upgrade of the API: ${body}`
    )
  })

  it("null inside input_data_blob_prefixes is an error, an empty string is accepted", async () => {
    const body = (item: unknown) => bodyWith({ input_data_blob_prefix: null, input_data_blob_prefixes: [item] })
    expect(await post(body(null))).toMatchObject({ status: 400, body: expect.stringContaining('"JSON_ERROR"') })
    expect((await taken(body("")))["input_data_blob_prefixes"]).toEqual([""])
  })

  it("unquoted names and single quotes are read, and the last of two equal names wins", async () => {
    const body = bodyWith()
    const lenient = body
      .replace('"job_request_id"', "job_request_id")
      .replaceAll(`"data"`, "'data'")
      .replace("{", `{job_request_id: 'lost', `)
    expect(await taken(lenient, idIn(body))).toMatchObject({ input_data_bucket_name: "data" })
    expect(await server.send({ method: "GET", path: "/v1alpha/getJob?job_request_id=lost" })).toMatchObject({
      status: 404
    })
  })

  it("an unknown field is refused by its name", async () =>
    notJson(bodyWith({ job_type: "AGGREGATION" }), `Cannot find field: job_type in message ${NAME}`))

  it("texts in any language come back as they were", async () => {
    const text = 'Größe ≤ 5 \u{1f9ea} \u2028 \\ " \t'
    expect((await taken(bodyWith({ postback_url: text }, { [text]: text })))["job_parameters"][text]).toBe(text)
  })
})

describe("createJob: job_parameters (§1.2)", () => {
  it("keeps and echoes every name, known or not", async () => {
    const parameters = {
      output_domain_bucket_name: "data",
      output_domain_blob_prefix: "domain/",
      reporting_site: "https://example.com",
      debug_privacy_epsilon: "0.5",
      report_error_threshold_percentage: " 12.5% ",
      input_report_count: " -0 ",
      filtering_ids: " 5, 18446744073709551615 ,,0",
      debug_run: "TrUe",
      debug_privacy_budget_limit: "no number",
      "": "empty name",
      anything: ""
    }
    expect((await taken(bodyWith({ job_parameters: parameters })))["job_parameters"]).toEqual(parameters)
  })

  it("keeps names that mean something to JavaScript", async () => {
    const body = bodyWith({}, { constructor: "1", hidden: "2" }).replace('"hidden"', '"__proto__"')
    const { body: answer } = await post(body)
    expect(answer).toBe("{\n}")
    const text = JSON.stringify((await shown(idIn(body)))["job_parameters"])
    expect(text).toContain('"constructor":"1"')
    expect(text).toContain('"__proto__":"2"')
  })

  it.each(["true", "TRUE", "false", "", "yes"])("takes debug_run %j", async (debug_run) => {
    await taken(bodyWith({}, { debug_run }))
  })
})

const REPORTERS =
  "Exactly one of attribution_report_to and reporting_site fields should be specified for the job. It is recommended to use reporting_site parameter. Parameter attribution_report_to will be deprecated in the next major version upgrade of the API: "

describe("createJob: the checks in their order (§1.3)", () => {
  it.each(["", " ", "[]", "1", "null", "nonsense", "{", '{"job_request_id": }', "{} {}"])(
    "1. %j is no body: JSON_ERROR",
    async (body) => {
      const answer = await post(body)
      expect(answer).toMatchObject({ status: 400 })
      expect(JSON.parse(answer.body)).toMatchObject({ code: 3, details: [{ reason: "JSON_ERROR" }] })
    }
  )

  it("1. a body that is not UTF-8 is no body", async () =>
    notJson(
      Buffer.from(bodyWith({ postback_url: "é" }), "latin1"),
      "The request body is not valid JSON: it is not UTF-8."
    ))

  it("2. missing properties are collected in one message, in camelCase, in their order", async () => {
    const order = ["jobRequestId", "inputDataBucketName", "outputDataBlobPrefix", "outputDataBucketName"]
    await notJson("{}", `Missing required properties: ${order.join(" ")}\r\n in: {}`)
    const body = '{"output_data_blob_prefix": "o", "job_request_id": "x|"}'
    await notJson(body, `Missing required properties: inputDataBucketName outputDataBucketName\r\n in: ${body}`)
  })

  it("3. exactly one of prefix and prefixes", async () => {
    for (const changes of [
      { input_data_blob_prefix: "" },
      { input_data_blob_prefix: "a", input_data_blob_prefixes: ["b"] },
      { input_data_blob_prefix: null, input_data_blob_prefixes: [] }
    ]) {
      const body = bodyWith(changes)
      await notJson(
        body,
        `Exactly one of the properties input_data_blob_prefix and input_data_blob_prefixes must be provided\r\n in: ${body}`
      )
    }
  })

  it("4. at most 50 prefixes", async () => {
    const prefixes = Array.from({ length: 51 }, (_, i) => `p${i}`)
    const body = bodyWith({ input_data_blob_prefix: null, input_data_blob_prefixes: prefixes })
    await notJson(body, `Property input_data_blob_prefixes should contain a maximum of 50 items: ${body}`)
  })

  it("5. exactly one of origin and site, an empty one being there", async () => {
    for (const parameters of [
      {},
      { reporting_site: "https://a.com", attribution_report_to: "" },
      { reporting_site: "", attribution_report_to: "https://a.com" }
    ]) {
      const body = bodyWith({ job_parameters: parameters })
      await notJson(body, REPORTERS + body)
    }
  })

  it.each(["attribution_report_to", "reporting_site"])("6. a blank %s", async (name) => {
    for (const blank of ["", "  "]) {
      const body = bodyWith({ job_parameters: { [name]: blank } })
      await notJson(body, `The ${name} field in the job parameters is empty: ${body}`)
    }
  })

  it.each(["attribution_report_to", "reporting_site"])("7. a %s with a comma", async (name) => {
    const body = bodyWith({ job_parameters: { [name]: "https://a.com,https://b.com" } })
    await notJson(body, `The ${name} field in the job parameters should contain a single value: ${body}`)
  })

  it.each(["-1", "+5", "1e3", "0x10", "1.0", "9223372036854775808", "many"])(
    "8. the report count %j is none",
    async (input_report_count) => {
      const body = bodyWith({}, { input_report_count })
      await notJson(body, `Job parameter input_report_count should have a valid non-negative value: ${body}`)
    }
  )

  it.each(["", " ", " 5 ", "-0", "9223372036854775807"])(
    "8. the report count %j is one",
    async (input_report_count) => {
      await taken(bodyWith({}, { input_report_count }))
    }
  )

  const ILLEGAL =
    "job_request_id contained illegal characters. Can only contain ascii letters, ascii digits, or the following punctuation characters: !\"#$%&'()*+,-./:;<=>?@[\\]^_`{}~. Illegal characters were: "

  it("9. illegal characters of the id, in their order", async () =>
    notValid(bodyWith({ job_request_id: "a b|cé|" }), `${ILLEGAL} |é|`))

  it("9. an id that is too long", async () =>
    notValid(
      bodyWith({ job_request_id: "x".repeat(129) }),
      "job_request_id is too long. Max length allowed is 128, length provided was 129"
    ))

  it("9. both faults of an id are told, with a line break between", async () =>
    notValid(
      bodyWith({ job_request_id: "é".repeat(130) }),
      `${ILLEGAL}${"é".repeat(130)}\njob_request_id is too long. Max length allowed is 128, length provided was 130`
    ))

  it("10. an id that was used before: 409, whatever else is asked with it", async () => {
    const body = bodyWith({ job_request_id: "it's<used>" })
    expect((await post(body)).status).toBe(202)
    for (const again of [body, bodyWith({ job_request_id: "it's<used>", output_data_blob_prefix: "other" })]) {
      const { status, body } = await post(again)
      expect({ status, body }).toEqual(
        flat(409, {
          code: 6,
          reason: "DUPLICATE_JOB_KEY",
          message: "Duplicate job_request_id provided: job_request_id=it's<used> is not unique."
        })
      )
    }
  })

  it("the first failure is the one that is told", async () => {
    await post(bodyWith({ job_request_id: "known" }))
    const faults: ReadonlyArray<readonly [object, string]> = [
      [{ job_type: 1 }, "Cannot find field"],
      [{ output_data_bucket_name: "" }, "Missing required properties"],
      [{ input_data_blob_prefix: "" }, "Exactly one of the properties"],
      [{ job_parameters: { input_report_count: "x" } }, "Exactly one of attribution_report_to"],
      [{ job_parameters: { reporting_site: " ", input_report_count: "x" } }, "is empty"],
      [{ job_parameters: { reporting_site: "a,b", input_report_count: "x" } }, "single value"],
      [{ job_parameters: { reporting_site: "a", input_report_count: "x" } }, "input_report_count"],
      [{ job_request_id: "a b" }, "illegal"],
      [{ job_request_id: "known", job_parameters: { reporting_site: "a" } }, "output domain location"],
      [{ job_request_id: "known" }, "Duplicate"]
    ]
    for (let i = 0; i < faults.length; i++) {
      // Every later fault is there too; where two are of one field the first of them counts.
      const all = faults.slice(i).reduceRight<object>((changes, [fault]) => ({ ...changes, ...fault }), {})
      expect(JSON.parse((await post(bodyWith(all))).body).message).toContain(faults[i]?.[1])
    }
  })
})

describe("createJob: what the original leaves to its worker (§2.3, §9.4, §17)", () => {
  const about = (id: string, rest: string) => `Job parameters for the job '${id}' ${rest}`

  it("an output domain is needed: both names, not both empty", async () => {
    const rest =
      "does not have output domain location specified in 'output_domain_bucket_name' and 'output_domain_blob_prefix' fields. Please refer to the API documentation for output domain parameters at https://github.com/privacysandbox/aggregation-service/blob/main/docs/api.md"
    for (const domain of [
      { output_domain_bucket_name: undefined },
      { output_domain_blob_prefix: undefined },
      { output_domain_bucket_name: "", output_domain_blob_prefix: "" }
    ]) {
      const body = bodyWith({}, domain)
      await notValid(body, about(idIn(body), rest))
    }
    await taken(bodyWith({}, { output_domain_blob_prefix: "" }))
  })

  it.each(["", "x", "-1", "100.1", "NaN", "1e1", "5d", "10%%"])("the threshold %j is none", async (threshold) => {
    const body = bodyWith({}, { report_error_threshold_percentage: threshold })
    await notValid(
      body,
      about(
        idIn(body),
        "should have a valid value between 0 and 100 for 'report_error_threshold_percentage' parameter."
      )
    )
  })

  it.each(["x", "-1", "+1", "1;2", "18446744073709551616"])("filtering ids %j are none", async (filtering_ids) => {
    const body = bodyWith({}, { filtering_ids })
    await notValid(body, about(idIn(body), "should have comma separated integers for 'filtering_ids' parameter."))
  })

  it.each(["", "x", "0", "64.1", "NaN", "1e1", "1O", "-1", " 1", "1,5"])(
    "ε %j is none, and never 10 instead",
    async (debug_privacy_epsilon) =>
      notValid(bodyWith({}, { debug_privacy_epsilon }), "Failed Parsing Job parameters for debug_privacy_epsilon")
  )

  it("the first of these faults is told, in the worker's order", async () => {
    const faults: ReadonlyArray<readonly [object, string]> = [
      [{ output_domain_bucket_name: undefined }, "output domain location"],
      [{ report_error_threshold_percentage: "x" }, "report_error_threshold_percentage"],
      [{ filtering_ids: "x" }, "filtering_ids"],
      [{ debug_privacy_epsilon: "x" }, "debug_privacy_epsilon"]
    ]
    for (let i = 0; i < faults.length; i++) {
      const all = Object.assign({}, ...faults.slice(i).map(([fault]) => fault))
      expect(JSON.parse((await post(bodyWith({}, all))).body).message).toContain(faults[i]?.[1])
    }
  })

  it("a refused job is not there: its id is free", async () => {
    const body = bodyWith({ job_request_id: "again" }, { debug_privacy_epsilon: "x" })
    expect((await post(body)).status).toBe(400)
    expect(await server.send({ method: "GET", path: "/v1alpha/getJob?job_request_id=again" })).toMatchObject({
      status: 404
    })
    await taken(bodyWith({ job_request_id: "again" }))
  })

  const epsilon = (literal: string, parameters: object = {}) =>
    bodyWith({}, parameters).replace(/}$/, `,"privacy_params":{"laplace_dp_params":{"job_epsilon":${literal}}}}`)

  it.each(["64", "0.01", "0.10", "5", '"2.5"'])("job_epsilon %s is taken", async (literal) => {
    await taken(epsilon(literal))
  })

  it.each(["0", "64.01", "0.001", "-1", "1e1", "true", '"x"', "{}"])(
    "job_epsilon %s fails the request",
    async (literal) => {
      const { status, body } = await post(epsilon(literal))
      expect([status, JSON.parse(body)]).toMatchObject([400, { code: 3, details: [{ reason: "JSON_ERROR" }] }])
    }
  )

  it("laplace_dp_params without job_epsilon fails the request", async () =>
    notJson(
      bodyWith({ privacy_params: { laplace_dp_params: {} } }),
      "Field privacy_params.laplace_dp_params should have a job_epsilon."
    ))

  it("privacy_params and debug_privacy_epsilon together are invalid, one alone is not, nor is none", async () => {
    const both = epsilon("5", { debug_privacy_epsilon: "5" })
    await notValid(
      both,
      `Only one of 'privacy_params' and the deprecated 'debug_privacy_epsilon' parameter may be specified for the Job ${idIn(both)}.`
    )
    await taken(epsilon("5"))
    await taken(bodyWith({}, { debug_privacy_epsilon: "5" }))
    await taken(bodyWith())
  })

  it("an attribution_report_to without a public suffix is taken", async () => {
    for (const origin of ["https://report.test", "https://localhost:8443", "https://1.2.3.4"]) {
      await taken(bodyWith({}, { reporting_site: undefined, attribution_report_to: origin }))
    }
  })
})
