import { type Instant, printInstant } from "../Instant.ts"
import type { ErrorCount } from "./ErrorSummary.ts"
import { type ProtoJson, printProtoJson } from "./ProtoJson.ts"
import type { ReturnCode } from "./ReturnCode.ts"

/** The `result_info` of a job (spec: aggregation §1.4). */
export interface ResultInfo {
  readonly returnCode: ReturnCode
  readonly returnMessage: string
  readonly errorCounts: ReadonlyArray<ErrorCount>
  /** Of attempts that failed unexpectedly. */
  readonly errorMessages: ReadonlyArray<string>
  readonly finishedAt: Instant
}

/** Name of the file in which the local tool leaves its result. */
export const RESULT_INFO_FILE = "result_info.json"

/** Text of `result_info.json`: protobuf JSON in camelCase, empty lists left out (spec: aggregation §11.1). */
export const printResultInfo = (info: ResultInfo): string =>
  printProtoJson({
    returnCode: info.returnCode,
    returnMessage: info.returnMessage === "" ? undefined : info.returnMessage,
    errorSummary: {
      errorCounts:
        info.errorCounts.length === 0
          ? undefined
          : info.errorCounts.map(({ category, count, description }): ProtoJson => ({ category, count, description })),
      errorMessages: info.errorMessages.length === 0 ? undefined : info.errorMessages
    },
    finishedAt: printInstant(info.finishedAt)
  })
