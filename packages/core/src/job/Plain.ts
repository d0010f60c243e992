/**
 * Plain data: what JSON can say. Parameters, results, inputs, details and with them whole jobs are plain, so that any
 * store can keep them as text and give back what it got.
 */
export type Plain = null | boolean | number | string | ReadonlyArray<Plain> | PlainObject

export interface PlainObject {
  readonly [name: string]: Plain
}

/** An object, and neither `null` nor an array. */
export const isPlainObject = (value: Plain | undefined): value is PlainObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether both say the same; the order of an object's names does not matter, and `undefined` counts as absent. */
export const samePlain = (a: unknown, b: unknown): boolean => {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b) || a === b
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((value, i) => samePlain(value, b[i]))
    )
  }
  const left = definedEntries(a)
  const right = new Map(definedEntries(b))
  return (
    left.length === right.size && left.every(([name, value]) => right.has(name) && samePlain(value, right.get(name)))
  )
}

const definedEntries = (value: object): ReadonlyArray<[string, unknown]> =>
  Object.entries(value).filter(([, member]) => member !== undefined)
