/** Every operation of the server's document as a request that can be sent. */
import type { Asked } from "./House.ts"

interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly required?: boolean
  readonly example?: unknown
}

export interface Operation {
  readonly method: string
  /** With `{name}` where a parameter goes. */
  readonly path: string
  readonly parameters: ReadonlyArray<Parameter>
  readonly body: unknown
  /** Nothing need be shown for it. */
  readonly isOpen: boolean
}

interface Described {
  readonly security?: ReadonlyArray<unknown>
  readonly parameters?: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> }
}

export const operationsOf = (document: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
}): ReadonlyArray<Operation> =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, security = [] }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content["application/json"]?.example,
      isOpen: security.length === 0
    }))
  )

export const nameOf = ({ method, path }: Operation): string => `${method} ${path}`

/** Whether one of these parameters says what the operation is about; one that may be left out only filters. */
export const isAbout = ({ parameters }: Operation, names: ReadonlyArray<string>): boolean =>
  parameters.some(({ name, required = false }) => required && names.includes(name))

/** The operation with `values` for its parameters, and its examples for those that are required beside them. */
export const requestOf = (
  { method, path, parameters, body }: Operation,
  values: Readonly<Record<string, string>>
): { readonly line: string; readonly asked: Asked } => {
  const of = ({ name, required = false, example }: Parameter): string | undefined =>
    values[name] ?? (required ? String(example ?? name) : undefined)
  const given = (place: Parameter["in"]) =>
    parameters.flatMap((one) => {
      const value = one.in === place ? of(one) : undefined
      return value === undefined ? [] : [[one.name, value] as const]
    })
  const address = given("path").reduce((at, [name, value]) => at.replace(`{${name}}`, encodeURIComponent(value)), path)
  const query = new URLSearchParams(Object.fromEntries(given("query"))).toString()
  return {
    line: `${method} ${address}${query === "" ? "" : `?${query}`}`,
    asked: { headers: Object.fromEntries(given("header")), ...(body === undefined ? {} : { body }) }
  }
}
