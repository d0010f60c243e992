/** Errors of the launcher: `{message, code, details?}`, in JSON that its clients can show (spec: launcher §5). */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { ErrorForm } from "../ErrorForm.ts"
import type { Problem } from "../Problem.ts"

export interface PlainFault {
  readonly message: string
  /** For programs: the last part of the type of a problem. */
  readonly code: string
  /** Members that are wrong. */
  readonly details?: ReadonlyArray<{ readonly path: string; readonly message: string }>
}

export const plainFault = ({ type, detail, errors }: Problem): PlainFault => ({
  message: detail,
  code: type.slice("urn:sotto:problem:".length),
  ...(errors === undefined ? {} : { details: errors.map(({ pointer, message }) => ({ path: pointer, message })) })
})

export const plainForm: ErrorForm["Service"] = {
  owns: (path) => /^\/(job-launcher|api\/(spark|jobs))(\/|$)/.test(path),
  render: (problem) => HttpServerResponse.jsonUnsafe(plainFault(problem), { status: problem.status })
}
