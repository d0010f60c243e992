/** Which reports are meant: the flags that `aggregate` and `budget check` share. */
import { parseFilteringIds, type Reporter } from "@sotto/core/aggregation"
import { locate, type Location, siteOf } from "@sotto/local"
import { CommandError, UsageError } from "./Failure.ts"
import { asOfOf } from "./Options.ts"

export interface QuestionOptions {
  readonly inputDataAvroFile: string
  readonly keys?: string
  readonly filteringIds: string
  readonly localJobParamsInputFilteringIds?: string
  readonly reportingSite?: string
  readonly attributionReportTo?: string
  readonly asOf?: string
  readonly bound: boolean
}

/** `what` names the thing in the sentence for a path that leads nowhere, e.g. "reports". */
export const placeOf = (path: string, what: string): Location => {
  const place = locate(path)
  if (place === undefined)
    throw new CommandError(`There is no file, folder or file name prefix ${path} for the ${what}.`)
  return place
}

/** A site or origin that no report could match is a slip of the pen: say so before anything is read. */
const reporterOf = ({ keys, reportingSite, attributionReportTo }: QuestionOptions): Reporter => {
  if (keys !== undefined && (reportingSite === undefined) === (attributionReportTo === undefined))
    throw new UsageError("Encrypted reports need exactly one of --reporting-site and --attribution-report-to.")
  if (keys === undefined && (reportingSite ?? attributionReportTo) !== undefined)
    throw new UsageError(
      "Cleartext reports are not checked for their origin: leave --reporting-site and --attribution-report-to out, or give --keys."
    )
  if (reportingSite === undefined) {
    const origin = attributionReportTo ?? ""
    if (keys !== undefined && (URL.canParse(origin) ? new URL(origin).origin : undefined) !== origin)
      throw new UsageError(
        `--attribution-report-to takes an origin such as https://adtech.example.com, without a path, not ${origin}.`
      )
    return { _tag: "Origin", attributionReportTo: origin }
  }
  const site = siteOf(reportingSite)
  if (site !== reportingSite)
    throw new UsageError(
      `--reporting-site takes a site such as https://example.com, not ${reportingSite}.${site === undefined ? "" : ` Its site is ${site}.`}`
    )
  return { _tag: "Site", reportingSite }
}

/** Now is taken in whole seconds, so that it prints short. */
export const questionOf = (options: QuestionOptions) => {
  const reporter = reporterOf(options)
  const ids = parseFilteringIds(options.localJobParamsInputFilteringIds ?? options.filteringIds)
  if ("_tag" in ids)
    throw new UsageError(
      `--filtering-ids takes numbers from 0 to 18446744073709551615 such as 0,5, not ${JSON.stringify(ids.piece)}.`
    )
  const asOf = options.asOf === undefined ? Math.floor(Date.now() / 1000) * 1000 : asOfOf(options.asOf)
  return {
    reports: placeOf(options.inputDataAvroFile, "reports"),
    keysFile: options.keys,
    reporter,
    filteringIds: ids,
    bounded: options.bound,
    asOf
  }
}
