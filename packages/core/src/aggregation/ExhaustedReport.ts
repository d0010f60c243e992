import { type Instant, printInstant } from "../Instant.ts"
import type { UnitSource } from "../budget/BudgetUnit.ts"
import type { Outcome } from "./ReturnCode.ts"

/** A budget unit that is short: the requested id, and the first report that was seen with it. */
export interface ExhaustedUnit {
  readonly filteringId: bigint
  readonly sharedInfo: UnitSource
}

/** Where the file about an exhausted job lies, and what the job says (spec: aggregation §9.3). */
export interface ExhaustedReportPlace {
  /** Key of the object in the output bucket. */
  readonly key: string
  readonly outcome: Outcome
}

export const exhaustedReportPlace = (
  bucketName: string,
  blobPrefix: string,
  requestReceivedAt: Instant
): ExhaustedReportPlace => {
  const folder = blobPrefix.endsWith(".avro") ? blobPrefix.slice(0, -".avro".length) : blobPrefix
  const name = `privacy_budget_exhausted_debugging_information_${printInstant(requestReceivedAt)}.json`
  return {
    key: `${folder}/${name}`,
    outcome: {
      code: "PRIVACY_BUDGET_EXHAUSTED",
      message: `Insufficient privacy budget for one or more aggregatable reports. No aggregatable report can appear in more than one aggregation job. Information related to reports that do not have budget can be found in the following file:\n File path: ${bucketName}/${folder} \n Filename: ${name} \n`
    }
  }
}

/**
 * Text of the file, byte for byte as the original's: members in alphabetical order, times in epoch seconds with nine
 * decimals, units whose printed values agree once. `aggregateable` is the original's spelling.
 */
export const printExhaustedReport = (units: Iterable<ExhaustedUnit>): string => {
  const entries = [...new Set(Array.from(units, printUnit))]
  const list = entries.length === 0 ? "[ ]" : `[ ${entries.join(", ")} ]`
  return `{
  "privacy_budget_exhausted_info" : {
    "aggregatable_input_budget_consumption_info" : ${list}
  }
}`
}

const printUnit = ({ filteringId, sharedInfo }: ExhaustedUnit): string => {
  const members: ReadonlyArray<readonly [string, string | undefined]> = [
    ["api", quoted(sharedInfo.api)],
    ["attribution_destination", quoted(sharedInfo.attributionDestination)],
    ["reporting_origin", quoted(sharedInfo.reportingOrigin)],
    ["scheduled_report_time", printSeconds(sharedInfo.scheduledReportTime)],
    [
      "source_registration_time",
      sharedInfo.sourceRegistrationTime === undefined ? undefined : printSeconds(sharedInfo.sourceRegistrationTime)
    ],
    ["version", quoted(sharedInfo.version)]
  ]
  const lines = members.flatMap(([name, value]) => (value === undefined ? [] : [`          "${name}" : ${value}`]))
  return `{
      "aggregateable_input_budget_id" : {
        "filtering_id" : ${filteringId},
        "relevant_shared_info" : {
${lines.join(",\n")}
        }
      }
    }`
}

const quoted = (text: string | undefined): string | undefined => (text === undefined ? undefined : jacksonString(text))

/** A JSON string as Jackson writes it: control characters by upper-case escapes, everything else as it is. */
export const jacksonString = (text: string): string =>
  // An escaped backslash is passed over first, so that the text behind it is not taken for an escape.
  JSON.stringify(text).replace(/\\\\|\\u00[01][0-9a-f]/g, (escape) =>
    escape.length === 2 ? escape : `\\u${escape.slice(2).toUpperCase()}`
  )

/** Epoch seconds with nine decimals; the epoch itself prints as `0.0`. */
const printSeconds = (at: Instant): string => {
  if (at.seconds === 0 && at.nanos === 0) return "0.0"
  const negative = at.seconds < 0
  const total = BigInt(at.seconds) * 1_000_000_000n + BigInt(at.nanos)
  const digits = String(negative ? -total : total).padStart(10, "0")
  return `${negative ? "-" : ""}${digits.slice(0, -9)}.${digits.slice(-9)}`
}
