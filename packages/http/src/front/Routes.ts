/**
 * Which methods an address takes: for 405, OPTIONS and the error form of addresses that nothing is at.
 */
import type * as HttpApi from "effect/http-api/HttpApi"
import { reflect } from "effect/http-api/HttpApi"
import type * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as Context from "effect/Context"
import { ErrorForm, problemForm } from "../ErrorForm.ts"
import { Operation } from "../Operation.ts"

export interface Routes {
  /** Sorted, with HEAD and OPTIONS where they work; empty if nothing is at this path. */
  methodsAt(path: string): ReadonlyArray<string>
  /** Whether the operation that is asked for limits its body itself. */
  streamsBody(method: string, path: string): boolean
  /** How the group to which a path belongs speaks of errors. */
  formAt(path: string): ErrorForm["Service"]
}

/** A path of the router as a pattern: `:name` is one segment, `*` the rest. */
const patternOf = (path: string): RegExp => {
  const body = path
    .split("/")
    .map((segment) =>
      segment === "*" ? ".*" : segment.startsWith(":") ? "[^/]+" : segment.replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    )
    .join("/")
  return new RegExp(`^${body}/?$`)
}

export const routesOf = <Groups extends HttpApiGroup.Constraint>(api: HttpApi.HttpApi<string, Groups>): Routes => {
  const routes: Array<{ readonly method: string; readonly pattern: RegExp; readonly streams: boolean }> = []
  const forms = new Set<ErrorForm["Service"]>()
  reflect(api, {
    onGroup: ({ group }) => {
      const form = Context.getOrUndefined(group.annotations, ErrorForm)
      if (form !== undefined) forms.add(form)
    },
    onEndpoint: ({ endpoint }) =>
      void routes.push({
        method: endpoint.method,
        pattern: patternOf(endpoint.path),
        streams: Context.getOrUndefined(endpoint.annotations, Operation)?.streamsBody === true
      })
  })
  return {
    methodsAt: (path) => {
      const own = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
      if (own.length === 0) return []
      return [...new Set([...own, ...(own.includes("GET") ? ["HEAD"] : []), "OPTIONS"])].toSorted()
    },
    streamsBody: (method, path) =>
      routes.some((route) => route.streams && route.method === method && route.pattern.test(path)),
    formAt: (path) => [...forms].find((form) => form.owns(path)) ?? problemForm
  }
}
