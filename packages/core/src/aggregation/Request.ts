import { type Epsilon, JOB_EPSILON_DECIMALS, parseEpsilon } from "../budget/Epsilon.ts"
import { isJsonNumber, isJsonObject, isJsonRejected, type Json, type JsonObject, readJson } from "./Json.ts"
import { type JobParameters, parameter, parseReportCount, REPORTER_NAMES } from "./Parameters.ts"

/** A valid createJob request; absent texts are empty, as in protobuf (spec: aggregation §1.1). */
export interface AggregationRequest {
  readonly jobRequestId: string
  /** Empty when the list is used. */
  readonly inputDataBlobPrefix: string
  readonly inputDataBlobPrefixes: ReadonlyArray<string>
  readonly inputDataBucketName: string
  readonly outputDataBlobPrefix: string
  readonly outputDataBucketName: string
  readonly jobParameters: JobParameters
  readonly postbackUrl: string
  readonly accountIdentity: string
  readonly jobEpsilon?: Epsilon
}

/** Why a request is refused: HTTP status 400, code 3, and a message for its author. */
export interface RequestRejected {
  readonly _tag: "RequestRejected"
  readonly httpStatus: 400
  readonly code: 3
  readonly reason: "JSON_ERROR" | "VALIDATION_FAILED"
  readonly message: string
}

/** Items of `input_data_blob_prefixes`, at most. */
export const MAX_PREFIXES = 50

/** UTF-16 units of `job_request_id`, at most. */
export const MAX_REQUEST_ID_LENGTH = 128

/**
 * Reads and checks the body of createJob: JSON by protobuf's rules, then the original's checks in its order, the first
 * failure deciding, except that both checks of the id are told together (spec: aggregation §1.1, §1.3, §9.4).
 */
export const parseRequest = (body: string): AggregationRequest | RequestRejected => {
  const request = readRequest(body)
  if (typeof request === "string") return rejected("JSON_ERROR", request)
  return check(request, body) ?? request
}

const check = (request: AggregationRequest, body: string): RequestRejected | undefined => {
  const missing = (
    ["jobRequestId", "inputDataBucketName", "outputDataBlobPrefix", "outputDataBucketName"] as const
  ).filter((name) => request[name] === "")
  if (missing.length > 0) {
    return rejected("JSON_ERROR", `Missing required properties: ${missing.join(" ")}\r\n in: ${body}`)
  }
  if ((request.inputDataBlobPrefix === "") === (request.inputDataBlobPrefixes.length === 0)) {
    return rejected(
      "JSON_ERROR",
      `Exactly one of the properties input_data_blob_prefix and input_data_blob_prefixes must be provided\r\n in: ${body}`
    )
  }
  if (request.inputDataBlobPrefixes.length > MAX_PREFIXES) {
    return rejected(
      "JSON_ERROR",
      `Property input_data_blob_prefixes should contain a maximum of ${MAX_PREFIXES} items: ${body}`
    )
  }
  const given = REPORTER_NAMES.filter((name) => parameter(request.jobParameters, name) !== undefined)
  const [name] = given
  if (name === undefined || given.length > 1) {
    return rejected(
      "JSON_ERROR",
      `Exactly one of attribution_report_to and reporting_site fields should be specified for the job. It is recommended to use reporting_site parameter. Parameter attribution_report_to will be deprecated in the next major version upgrade of the API: ${body}`
    )
  }
  const reporter = parameter(request.jobParameters, name) as string
  if (reporter.trim() === "") {
    return rejected("JSON_ERROR", `The ${name} field in the job parameters is empty: ${body}`)
  }
  if (reporter.includes(",")) {
    return rejected("JSON_ERROR", `The ${name} field in the job parameters should contain a single value: ${body}`)
  }
  if (parseReportCount(parameter(request.jobParameters, "input_report_count")) === "invalid") {
    return rejected("JSON_ERROR", `Job parameter input_report_count should have a valid non-negative value: ${body}`)
  }
  const faults = requestIdFaults(request.jobRequestId)
  return faults.length > 0 ? rejected("VALIDATION_FAILED", faults.join("\n")) : undefined
}

/** What is wrong with a job id: nothing, its characters, its length, or both. */
export const requestIdFaults = (id: string): ReadonlyArray<string> => {
  // Printable ASCII without the space and the vertical bar.
  const illegal = id.replace(/[!-{}~]/g, "")
  return [
    ...(illegal === ""
      ? []
      : [
          `job_request_id contained illegal characters. Can only contain ascii letters, ascii digits, or the following punctuation characters: !"#$%&'()*+,-./:;<=>?@[\\]^_\`{}~. Illegal characters were: ${illegal}`
        ]),
    ...(id.length <= MAX_REQUEST_ID_LENGTH
      ? []
      : [
          `job_request_id is too long. Max length allowed is ${MAX_REQUEST_ID_LENGTH}, length provided was ${id.length}`
        ])
  ]
}

const rejected = (reason: RequestRejected["reason"], message: string): RequestRejected => ({
  _tag: "RequestRejected",
  httpStatus: 400,
  code: 3,
  reason,
  message
})

const MESSAGE = "google.aggregate.protos.frontend.api.v1.CreateJobRequest"

/** The request, or the parser's sentence about it. */
const readRequest = (body: string): AggregationRequest | string => {
  const json = readJson(body, { lenient: true })
  if (isJsonRejected(json)) return `The request body is not valid JSON: ${json.hint} at character ${json.at + 1}.`
  if (!isJsonObject(json)) return "The request body is not a JSON object."

  const texts: Record<string, string> = {}
  let prefixes: ReadonlyArray<string> = []
  let parameters: JobParameters = {}
  let epsilon: Epsilon | undefined
  let hasPrivacyParams = false
  for (const [name, value] of json.members) {
    const field = FIELDS.get(name)
    if (field === undefined) return `Cannot find field: ${name} in message ${MESSAGE}`
    const set = `Field ${MESSAGE}.${field.proto} has already been set.`
    if (field.kind === "texts") {
      if (prefixes.length > 0) return set
      const read = readTexts(field.proto, value)
      if (typeof read === "string") return read
      prefixes = read
    } else if (field.kind === "map") {
      if (Object.keys(parameters).length > 0) return set
      const read = readMap(field.proto, value)
      if (typeof read === "string") return read
      parameters = read
    } else if (field.kind === "privacy") {
      if (hasPrivacyParams) return set
      const read = readPrivacyParams(value)
      if (typeof read === "string") return read
      hasPrivacyParams = value !== null
      epsilon = read.jobEpsilon
    } else {
      if ((texts[field.camel] ?? "") !== "") return set
      const text = value === null ? "" : readText(value)
      if (text === undefined) return `Field ${MESSAGE}.${field.proto} should be a string.`
      texts[field.camel] = text
    }
  }
  return {
    jobRequestId: texts.jobRequestId ?? "",
    inputDataBlobPrefix: texts.inputDataBlobPrefix ?? "",
    inputDataBlobPrefixes: prefixes,
    inputDataBucketName: texts.inputDataBucketName ?? "",
    outputDataBlobPrefix: texts.outputDataBlobPrefix ?? "",
    outputDataBucketName: texts.outputDataBucketName ?? "",
    jobParameters: parameters,
    postbackUrl: texts.postbackUrl ?? "",
    accountIdentity: texts.accountIdentity ?? "",
    ...(epsilon === undefined ? {} : { jobEpsilon: epsilon })
  }
}

interface Field {
  readonly proto: string
  readonly camel: string
  readonly kind: "text" | "texts" | "map" | "privacy"
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())

const FIELDS: ReadonlyMap<string, Field> = new Map(
  (
    [
      ["job_request_id", "text"],
      ["input_data_blob_prefix", "text"],
      ["input_data_blob_prefixes", "texts"],
      ["input_data_bucket_name", "text"],
      ["output_data_blob_prefix", "text"],
      ["output_data_bucket_name", "text"],
      ["job_parameters", "map"],
      ["postback_url", "text"],
      ["account_identity", "text"],
      ["privacy_params", "privacy"]
    ] as const
  ).flatMap(([proto, kind]) => {
    const field: Field = { proto, camel: camelCase(proto), kind }
    return [
      [proto, field],
      [field.camel, field]
    ]
  })
)

/** Numbers and booleans by their literal text; an array of one item is that item. */
const readText = (value: Json): string | undefined => {
  if (typeof value === "string") return value
  if (typeof value === "boolean") return String(value)
  if (value === null || isJsonObject(value)) return undefined
  if (isJsonNumber(value)) return value.literal
  return value.length === 1 ? readText(value[0] as Json) : undefined
}

const readTexts = (name: string, value: Json): ReadonlyArray<string> | string => {
  if (value === null) return []
  if (!Array.isArray(value)) return `Expected an array for ${name}.`
  const texts: Array<string> = []
  for (const item of value as ReadonlyArray<Json>) {
    if (item === null) return `Repeated field elements cannot be null in field: ${MESSAGE}.${name}`
    const text = readText(item)
    if (text === undefined) return `Every item of ${name} should be a string.`
    texts.push(text)
  }
  return texts
}

const readMap = (name: string, value: Json): JobParameters | string => {
  if (value === null) return {}
  if (!isJsonObject(value)) return `Expected a map object for ${name}.`
  const entries: Array<readonly [string, string]> = []
  for (const [key, item] of value.members) {
    if (item === null) return "Map value cannot be null."
    const text = readText(item)
    if (text === undefined) return `The value of ${key} in ${name} should be a string.`
    entries.push([key, text])
  }
  return Object.fromEntries(entries)
}

/** `{"laplace_dp_params": {"job_epsilon": number}}`, both spellings (spec: aggregation §9.4). */
const readPrivacyParams = (value: Json): { readonly jobEpsilon?: Epsilon } | string => {
  const laplace = onlyMember(value, "privacy_params", "laplace_dp_params")
  if (typeof laplace === "string") return laplace
  if (laplace === undefined || laplace.value === null) return {}
  const epsilon = onlyMember(laplace.value, "privacy_params.laplace_dp_params", "job_epsilon")
  if (typeof epsilon === "string") return epsilon
  if (epsilon === undefined || epsilon.value === null) {
    return "Field privacy_params.laplace_dp_params should have a job_epsilon."
  }
  const text = isJsonNumber(epsilon.value) ? epsilon.value.literal : epsilon.value
  const read = typeof text === "string" ? parseEpsilon(text, JOB_EPSILON_DECIMALS) : undefined
  if (typeof read === "number") return { jobEpsilon: read }
  return `Field privacy_params.laplace_dp_params.job_epsilon is not an epsilon. ${read?.hint ?? "Write a number."}`
}

/** The one member that a message may have; `undefined` when it has none. */
const onlyMember = (value: Json, where: string, name: string): { readonly value: Json } | undefined | string => {
  if (value === null) return undefined
  if (!isJsonObject(value)) return `Field ${where} should be an object.`
  const names = [name, camelCase(name)]
  const unknown = [...value.members.keys()].find((key) => !names.includes(key))
  if (unknown !== undefined) return `Cannot find field: ${unknown} in ${where}`
  const found = names.flatMap((key) => memberOf(value, key))
  if (found.length > 1) return `Field ${where}.${name} has already been set.`
  return found[0]
}

const memberOf = (object: JsonObject, name: string): ReadonlyArray<{ readonly value: Json }> => {
  const value = object.members.get(name)
  return value === undefined ? [] : [{ value }]
}
