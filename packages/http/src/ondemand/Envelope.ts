/** Every answer of the interface is `{data, isError, errorMessage}`, whatever happened (spec: ondemand §6). */
import { answered, answeredError, type Envelope } from "@sotto/core/tabular"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { ErrorForm } from "../ErrorForm.ts"
import type { Problem } from "../Problem.ts"

const sent = <T>(envelope: Envelope<T>, status: number) => HttpServerResponse.jsonUnsafe(envelope, { status })

export const respond = <T>(data: T): HttpServerResponse.HttpServerResponse => sent(answered(data), 200)

/** Clients read what a refusal says only if it is a 400; a key that was used for something else keeps its 422. */
const statusOf = ({ type, status }: Problem): number => (type === "urn:sotto:problem:invalid-submission" ? 400 : status)

const messageOf = ({ detail, errors = [] }: Problem): string =>
  errors.length === 0
    ? detail
    : `Correct ${errors.map((one) => `${one.in} ${one.pointer.slice(1)}: ${one.message}`).join("; ")}.`

export const envelopeForm: ErrorForm["Service"] = {
  owns: (path) => /^\/api\/v1\/(jobs|models|usage)(\/|$)/.test(path),
  render: (problem) => {
    const response = sent(answeredError(messageOf(problem)), statusOf(problem))
    // What is left of a body that is too large is not read.
    return problem.status === 413 ? HttpServerResponse.setHeader(response, "connection", "close") : response
  }
}
