/**
 * Rows of texts as records, and records as rows: the columns of a CSV file.
 *
 * A header names a path. A header that occurs several times is a list, the leftmost at position 0; without a header line
 * columns are called `1`, `2`, … (spec: ondemand §4).
 */
import type { Plain, PlainObject } from "../job/Plain.ts"
import {
  countOf,
  isPathRejected,
  isSingle,
  parsePath,
  type PathStep,
  printPath,
  type SchemaPath,
  stepsOf
} from "./SchemaPath.ts"
import type { Shape } from "./Shape.ts"

export interface Table {
  /** The headers as they are written, or the numbers of the columns. */
  readonly columns: ReadonlyArray<string>
  /** Where the column or columns of this header are in a record. */
  pathOf(column: string): SchemaPath | undefined
  /** Whether a column is at this place, within it or around it. */
  has(place: ReadonlyArray<PathStep>): boolean
  /** The record of a row that has a cell for each column. */
  record(cells: ReadonlyArray<string>): PlainObject
}

/** A header line that cannot be read; `message` is a whole sentence. */
export interface TableRejected {
  readonly _tag: "TableRejected"
  readonly message: string
}

/** Columns of one file, at most. */
export const MAX_COLUMNS = 10_000

export const tableWithHeader = (header: ReadonlyArray<string>): Table | TableRejected => {
  if (header.length > MAX_COLUMNS) {
    return { _tag: "TableRejected", message: `The file has ${header.length} columns; use at most ${MAX_COLUMNS}.` }
  }
  const counts = new Map<string, number>()
  for (const name of header) counts.set(name, (counts.get(name) ?? 0) + 1)
  const paths = new Map([...counts.keys()].filter(isUsable).map((name) => [name, headerPath(name)] as const))
  const root: Branch = { column: undefined, branches: new Map() }
  for (const [column, path] of paths) {
    const clash = grow(root, stepsOf(path), column)
    if (clash !== undefined) {
      return {
        _tag: "TableRejected",
        message: `The columns "${clash}" and "${column}" name the same place of a record. Rename one of them.`
      }
    }
  }
  const met = new Map<string, number>()
  const places = header.map((name): ReadonlyArray<PathStep> | undefined => {
    const path = paths.get(name)
    const nth = met.get(name) ?? 0
    met.set(name, nth + 1)
    if (path === undefined) return undefined
    return counts.get(name) === 1 ? stepsOf(path) : [...stepsOf(path), { start: nth, step: 1, end: nth }]
  })
  return tableOf(header, paths, places, root)
}

export const tableWithoutHeader = (width: number): Table | TableRejected =>
  tableWithHeader(Array.from({ length: width }, (_, i) => String(i + 1)))

/** Columns without a name cannot be asked for and are left out. */
const isUsable = (name: string): boolean => name !== "" && name !== "/" && name !== "__proto__" && name !== "/__proto__"

/** A header as a path with single positions; any other text is a name as it stands. */
const headerPath = (name: string): SchemaPath => {
  const path = parsePath(name)
  return !isPathRejected(path) && path.every(({ vectors }) => vectors.every(isSingle)) ? path : [{ name, vectors: [] }]
}

/** All columns, step by step. */
interface Branch {
  /** The column that ends here; it has no branches then. */
  column: string | undefined
  readonly branches: Map<string | number, Branch>
}

/** Adds a column; answers the one that is in its way. */
const grow = (root: Branch, place: ReadonlyArray<PathStep>, column: string): string | undefined => {
  let at = root
  for (const step of place) {
    if (at.column !== undefined) return at.column
    const key = keyOf(step)
    const next = at.branches.get(key) ?? { column: undefined, branches: new Map() }
    at.branches.set(key, next)
    at = next
  }
  const before = at.column ?? someColumn(at)
  at.column = column
  return before
}

const keyOf = (step: PathStep): string | number => (typeof step === "string" ? step : step.start)

const someColumn = ({ column, branches }: Branch): string | undefined => {
  for (const branch of branches.values()) return someColumn(branch)
  return column
}

const reaches = (at: Branch, place: ReadonlyArray<PathStep>, i: number): boolean => {
  const step = place[i]
  if (step === undefined || at.column !== undefined) return true
  if (typeof step === "string" || isSingle(step)) {
    const next = at.branches.get(keyOf(step))
    return next !== undefined && reaches(next, place, i + 1)
  }
  const { start, end } = step
  return [...at.branches].some(
    ([key, next]) =>
      typeof key === "number" &&
      key >= start &&
      (end === null || key <= end) &&
      (key - start) % step.step === 0 &&
      reaches(next, place, i + 1)
  )
}

const tableOf = (
  columns: ReadonlyArray<string>,
  paths: ReadonlyMap<string, SchemaPath>,
  places: ReadonlyArray<ReadonlyArray<PathStep> | undefined>,
  root: Branch
): Table => {
  const flat = places.map((place) => (place?.length === 1 && typeof place[0] === "string" ? place[0] : undefined))
  return {
    columns,
    pathOf: (column) => paths.get(column),
    has: (place) => columns.length > 0 && reaches(root, place, 0),
    record: (cells) => {
      const record: Record<string, Plain> = {}
      for (const [i, cell] of cells.entries()) {
        const [name, place] = [flat[i], places[i]]
        if (name !== undefined) record[name] = cell
        else if (place !== undefined) putAt(record, place, cell)
      }
      return record
    }
  }
}

/** A record or list that is being made. */
type Making = { [name: string | number]: Plain }

/** Puts a value into a record that is being made, at a place of names and single positions. */
export const putAt = (record: Making, place: ReadonlyArray<PathStep>, value: Plain): void => {
  let at = record
  for (const [i, step] of place.entries()) {
    const key = typeof step === "string" ? step : step.start
    if (typeof key === "number") fillTo(at as unknown as Array<Plain>, key)
    const next = place[i + 1]
    if (next === undefined) at[key] = value
    else {
      const there = Object.hasOwn(at, key) ? at[key] : undefined
      if (typeof there === "object" && there !== null) at = there as Making
      else at = (at[key] = (typeof next === "string" ? {} : []) as never) as Making
    }
  }
}

/** Positions that nobody fills hold `null`, as lists in JSON do. */
const fillTo = (list: Array<Plain>, position: number): void => {
  while (list.length < position) list.push(null)
}

/** The columns in which records are written. */
export interface Layout {
  readonly header: ReadonlyArray<string>
  row(record: Plain): ReadonlyArray<string>
}

/**
 * Columns for values at these paths, in order. Positions 0, 1, … of one list become one header several times; a list
 * whose length differs from record to record is one cell of JSON.
 */
export const layoutOf = (paths: ReadonlyArray<SchemaPath>): Layout => {
  const all = paths.flatMap((path) => expand(stepsOf(path)))
  const places = [...new Map(all.map((place) => [printSteps(place), place])).values()]
  const bases = new Map<string, Array<number>>()
  for (const place of places) {
    const end = place.at(-1)
    if (typeof end !== "object") continue
    const base = printSteps(place.slice(0, -1))
    const positions = bases.get(base)
    if (positions === undefined) bases.set(base, [end.start])
    else positions.push(end.start)
  }
  const repeats = (positions: ReadonlyArray<number>) => positions.length > 1 && positions.every((one, i) => one === i)
  return {
    header: places.map((place) => {
      const base = typeof place.at(-1) === "object" ? printSteps(place.slice(0, -1)) : undefined
      return base !== undefined && repeats(bases.get(base) ?? []) ? base : printSteps(place)
    }),
    row: (record) => places.map((place) => cellOf(valueAt(record, place)))
  }
}

/** How many columns such a layout has, or more if some coincide. */
export const widthOf = (paths: ReadonlyArray<SchemaPath>): number =>
  paths.reduce((sum, path) => sum + placesOf(stepsOf(path)), 0)

const placesOf = (steps: ReadonlyArray<PathStep>): number => {
  let places = 1
  for (const step of steps) {
    const count = typeof step === "string" ? 1 : countOf(step)
    if (count === null) return places
    places *= count
  }
  return places
}

/** The fields of a shape: structs and lists of a fixed length are gone into. */
export const fieldsOf = (shape: Shape, limit = MAX_COLUMNS): ReadonlyArray<SchemaPath> => {
  const fields: Array<SchemaPath> = []
  const visit = (at: Shape, path: SchemaPath, depth: number): void => {
    const last = path.at(-1)
    if (fields.length >= limit) return
    if (at.type === "struct" && at.members.length > 0 && depth < MAX_NESTING) {
      for (const { name } of at.members) visit(at.member(name) as Shape, [...path, { name, vectors: [] }], depth + 1)
    } else if (at.type === "list" && at.length !== null && last !== undefined && depth < MAX_NESTING) {
      for (let i = 0; i < at.length; i++) {
        const vectors = [...last.vectors, { start: i, step: 1, end: i }]
        visit(at.item(i) as Shape, [...path.slice(0, -1), { name: last.name, vectors }], depth + 1)
      }
    } else fields.push(path)
  }
  visit(shape, [], 0)
  return fields
}

/** Structs within structs that become columns, at most; what is deeper is JSON in a cell. */
const MAX_NESTING = 16

/** The single places of a path; a vector without end ends it, because nobody knows how many there will be. */
const expand = (steps: ReadonlyArray<PathStep>): ReadonlyArray<ReadonlyArray<PathStep>> => {
  const open = steps.findIndex((step) => typeof step !== "string" && step.end === null)
  const known = open === -1 ? steps : steps.slice(0, open)
  return known.reduce<ReadonlyArray<ReadonlyArray<PathStep>>>(
    (places, step) => places.flatMap((place) => singles(step).map((single) => [...place, single])),
    [[]]
  )
}

const singles = (step: PathStep): ReadonlyArray<PathStep> => {
  if (typeof step === "string") return [step]
  const positions: Array<PathStep> = []
  for (let at = step.start; at <= (step.end ?? step.start); at += step.step)
    positions.push({ start: at, step: 1, end: at })
  return positions
}

const printSteps = (place: ReadonlyArray<PathStep>): string =>
  printPath(
    place.reduce<SchemaPath>((path, step) => {
      const last = path.at(-1)
      if (typeof step === "string" || last === undefined) return [...path, { name: String(step), vectors: [] }]
      return [...path.slice(0, -1), { name: last.name, vectors: [...last.vectors, step] }]
    }, [])
  )

/** The value at a place of names and single positions; `undefined` if there is none. */
const valueAt = (value: Plain, place: ReadonlyArray<PathStep>): Plain | undefined => {
  let at: Plain | undefined = value
  for (const step of place) {
    if (typeof at !== "object" || at === null) return undefined
    if (typeof step === "string") at = Object.hasOwn(at, step) ? (at as PlainObject)[step] : undefined
    else at = Array.isArray(at) ? (at as ReadonlyArray<Plain>)[step.start] : undefined
  }
  return at
}

/** Nothing is an empty cell, lists and structs are JSON. */
const cellOf = (value: Plain | undefined): string =>
  value === undefined || value === null
    ? ""
    : typeof value === "string"
      ? value
      : typeof value === "object"
        ? JSON.stringify(value)
        : String(value)
