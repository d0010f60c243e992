/**
 * How an interface says what went wrong before, or instead of, one of its operations.
 *
 * Errors that an operation declares have their form there. This is about all others: an unknown address, a wrong method, a
 * body that cannot be read, a stranger. A group that speaks another form than problems is annotated with its own.
 */
import * as Context from "effect/Context"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { type Problem, PROBLEM_TYPE } from "./Problem.ts"

/** What a problem is about: method and path (without the query) as they were sent. */
export interface Asked {
  readonly method: string
  readonly path: string
}

export class ErrorForm extends Context.Service<
  ErrorForm,
  {
    /** Whether a path (without the query) belongs to the interface, also if it serves nothing there. */
    owns(path: string): boolean
    /** The answer; the front adds headers such as `allow` and `retry-after`. */
    render(problem: Problem, asked: Asked): HttpServerResponse.HttpServerResponse
  }
>()("@sotto/http/ErrorForm") {}

/** RFC 9457, for everything that has no other form. */
export const problemForm: ErrorForm["Service"] = {
  owns: () => true,
  render: (problem) => HttpServerResponse.jsonUnsafe(problem, { status: problem.status, contentType: PROBLEM_TYPE })
}
