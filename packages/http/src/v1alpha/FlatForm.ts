import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Asked, ErrorForm } from "../ErrorForm.ts"
import type { Problem, ProblemCode } from "../Problem.ts"
import {
  bodyTooLarge,
  exhausted,
  type FlatAnswer,
  invalidArgument,
  notFound,
  permissionDenied,
  unauthenticated,
  unavailable,
  unexpected
} from "./FlatAnswer.ts"

/** What the server says of its own accord, as the clients of this interface expect errors (spec: aggregation §1.5, §1.6). */
const FLAT: Partial<Record<ProblemCode, (detail: string, asked: Asked) => FlatAnswer>> = {
  unauthenticated,
  forbidden: permissionDenied,
  "not-found": (_, { path }) =>
    notFound("INVALID_URL_PATH_OR_VARIABLE", `Request handler for URL path not found: '${path}'`),
  "method-not-allowed": (_, { method }) =>
    invalidArgument("INVALID_HTTP_METHOD", `Unsupported HTTP method: '${method}'`),
  "payload-too-large": bodyTooLarge,
  "too-many-requests": exhausted,
  unavailable
}

const flat = ({ type, status, detail }: Problem, asked: Asked): FlatAnswer => {
  const said = FLAT[type.slice("urn:sotto:problem:".length) as ProblemCode]
  if (said !== undefined) return said(detail, asked)
  return status < 500 ? invalidArgument("VALIDATION_FAILED", detail) : unexpected
}

export const respond = ({ status, body }: FlatAnswer): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(body, { status, contentType: "application/json" })

/** Any one segment may stand before `v1alpha`: the stage of a gateway. */
export const flatForm: ErrorForm["Service"] = {
  owns: (path) => /^(\/[^/]+)?\/v1alpha(\/|$)/.test(path),
  render: (problem, asked) => respond(flat(problem, asked))
}
