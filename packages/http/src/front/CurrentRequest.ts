import * as Context from "effect/Context"
import { type Asked, type ErrorForm, problemForm } from "../ErrorForm.ts"

/** The request that is being answered. The operation that it comes to writes down its route and form. */
export interface RequestNotes {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly asked: Asked
  /** The path as it is declared, e.g. `/v1/jobs/:job`: for measurements, never the path itself. */
  route: string | undefined
  form: ErrorForm["Service"]
}

/** The front gives every request its own. */
export const CurrentRequest = Context.Reference<RequestNotes>("@sotto/http/front/CurrentRequest", {
  defaultValue: () => ({ id: "none", at: 0, asked: { method: "GET", path: "/" }, route: undefined, form: problemForm })
})
