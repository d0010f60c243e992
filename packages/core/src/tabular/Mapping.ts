/**
 * From the fields that a file has to the fields that a model wants, and from what the model gives to what its user wants.
 *
 * An entry moves what is at one schema path to another. The n-th position that a vector of the source meets goes to the n-th
 * position of the vector at the destination; the side with fewer open dimensions is taken as if it ended in `[*]`, and a value
 * that is no list counts as a list of one. A default fills what is missing: what is not there, `null`, or an empty cell. Where a vector on either side
 * has an end, each of its positions is filled; a list without end is never made longer (spec: ondemand §3).
 */
import type { Plain, PlainObject } from "../job/Plain.ts"
import {
  countOf,
  isPathRejected,
  isSingle,
  overlap,
  parsePath,
  type PathRejected,
  type PathStep,
  positionOf,
  printPath,
  type SchemaPath,
  stepsOf
} from "./SchemaPath.ts"
import { ANY, convert, type Shape, shapeAt } from "./Shape.ts"
import type { Table } from "./Table.ts"

export interface MappingEntry {
  /** May be empty if there is a default, which is then always used. */
  readonly source: string
  readonly destination: string
  readonly defaultValue: string | number | boolean | null
}

/** Entries of one mapping, at most. */
export const MAX_ENTRIES = 1_000

/** A sentence for everything that is wrong with a mapping. */
export interface MappingRejected {
  readonly _tag: "MappingRejected"
  readonly faults: ReadonlyArray<string>
}

/** What is wrong with a field of a record; `path` is where, `hint` a sentence without its full stop. */
export interface FieldFault {
  readonly path: string
  readonly hint: string
}

export type Mapped =
  | { readonly _tag: "Mapped"; readonly record: PlainObject }
  | { readonly _tag: "NotMapped"; readonly faults: ReadonlyArray<FieldFault> }

export interface InputMapping {
  readonly _tag: "InputMapping"
  /** A record as the model wants it, of one as it is in the file. */
  apply(record: Plain): Mapped
}

/** How a mapping is prepared: the columns, when records are rows of texts. */
export interface InputOptions {
  readonly shape: Shape
  readonly table?: Table
}

/**
 * The mapping of input: entries first; members of the model's records that no entry touches come from the member of the same
 * name. With a table, columns that are needed and not there are found out at once.
 */
export const inputMapping = (
  entries: ReadonlyArray<MappingEntry>,
  { shape, table }: InputOptions
): InputMapping | MappingRejected => {
  const faults: Array<string> = tooMany(entries)
  const moves = compile(entries, "mapping", faults, {
    sourceOf: (text) => table?.pathOf(text) ?? table?.pathOf(text.replace(/^\//, "")) ?? parsePath(text),
    shapeTo: (path) => shapeAt(shape, path)
  })
  const touched = new Set(moves.map(({ to }) => to[0]))
  const kept = shape.members.filter(({ name }) => !touched.has(name))
  if (table !== undefined) {
    for (const { source, number, fallback } of moves) {
      if (source.length > 0 && fallback === undefined && !table.has(stepsOf(source))) {
        faults.push(`Entry ${number} of mapping reads "${printPath(source)}", which is no column. ${columnsOf(table)}`)
      }
    }
    for (const { name } of kept.filter(({ required }) => required)) {
      if (!table.has([name])) {
        faults.push(`The model wants "${name}", which is no column. ${columnsOf(table)} Map one of them to it.`)
      }
    }
  }
  if (faults.length > 0) return { _tag: "MappingRejected", faults }
  const names = kept.map(({ name }) => name)
  return {
    _tag: "InputMapping",
    apply: (record) => {
      if (typeof record !== "object" || record === null || Array.isArray(record)) {
        return { _tag: "NotMapped", faults: [{ path: "", hint: "expected an object with named fields" }] }
      }
      const made: Record<string, Plain> = {}
      const found: Array<FieldFault> = []
      for (const name of names) if (Object.hasOwn(record, name)) made[name] = (record as PlainObject)[name] as Plain
      move(moves, record, made, { emptyIsMissing: table !== undefined, faults: found })
      const read = table === undefined ? made : (readTexts(made, shape, "", found) as PlainObject)
      return found.length > 0 ? { _tag: "NotMapped", faults: found } : { _tag: "Mapped", record: read }
    }
  }
}

export interface OutputMapping {
  readonly _tag: "OutputMapping"
  /** Where values go, in the order of the entries; `undefined`: nothing is mapped. */
  readonly destinations: ReadonlyArray<SchemaPath> | undefined
  apply(record: PlainObject): Mapped
}

/** The mapping of output: a record has exactly what the entries say; without entries it stays as the model gave it. */
export const outputMapping = (entries: ReadonlyArray<MappingEntry>, shape: Shape): OutputMapping | MappingRejected => {
  const faults: Array<string> = tooMany(entries)
  const moves = compile(entries, "outputMapping", faults, {
    sourceOf: parsePath,
    shapeFrom: (path) => shapeAt(shape, path),
    shapeTo: () => ANY
  })
  if (faults.length > 0) return { _tag: "MappingRejected", faults }
  if (entries.length === 0) {
    return { _tag: "OutputMapping", destinations: undefined, apply: (record) => ({ _tag: "Mapped", record }) }
  }
  return {
    _tag: "OutputMapping",
    destinations: moves.map(({ destination }) => destination),
    apply: (record) => {
      const made: Record<string, Plain> = {}
      const found: Array<FieldFault> = []
      move(moves, record, made, { emptyIsMissing: false, faults: found })
      return found.length > 0 ? { _tag: "NotMapped", faults: found } : { _tag: "Mapped", record: made }
    }
  }
}

/** An entry, taken apart once. */
interface Move {
  /** From 1. */
  readonly number: number
  readonly source: SchemaPath
  readonly destination: SchemaPath
  readonly from: ReadonlyArray<PathStep>
  readonly to: ReadonlyArray<PathStep>
  readonly fallback: Plain | undefined
}

interface Sides {
  sourceOf(text: string): SchemaPath | PathRejected
  /** `undefined`: the path leads nowhere. */
  readonly shapeFrom?: (path: SchemaPath) => Shape | undefined
  shapeTo(path: SchemaPath): Shape | undefined
}

const compile = (
  entries: ReadonlyArray<MappingEntry>,
  list: "mapping" | "outputMapping",
  faults: Array<string>,
  { sourceOf, shapeFrom, shapeTo }: Sides
): ReadonlyArray<Move> => {
  const moves: Array<Move> = []
  for (const [i, { source: text, destination: goal, defaultValue }] of entries.slice(0, MAX_ENTRIES).entries()) {
    const number = i + 1
    const fault = (sentence: string) => void faults.push(`Entry ${number} of ${list}: ${sentence}`)
    const source = text === "" && defaultValue !== null ? [] : sourceOf(text)
    const destination = parsePath(goal)
    if (isPathRejected(source)) fault(`the source "${text}" is no schema path: ${source.hint}.`)
    if (isPathRejected(destination)) fault(`the destination "${goal}" is no schema path: ${destination.hint}.`)
    if (isPathRejected(source) || isPathRejected(destination)) continue
    const to = shapeTo(destination)
    const from = shapeFrom === undefined || source.length === 0 ? ANY : shapeFrom(source)
    if (to === undefined) fault(`the model has no input "${printPath(destination)}".`)
    if (from === undefined) fault(`the model has no output "${printPath(source)}".`)
    if (to === undefined || from === undefined) continue
    const steps = stepsOf(destination)
    const clash = moves.find((one) => overlap(one.to, steps))
    if (clash !== undefined) {
      fault(`"${printPath(destination)}" is already the destination of entry ${clash.number}, or lies within it.`)
      continue
    }
    const deeper = openOf(source) - openOf(destination)
    const typed = list === "mapping" ? itemOf(to, deeper) : itemOf(from, -deeper)
    const fallback = defaultOf(defaultValue, typed)
    if (typeof fallback === "string") {
      fault(`the defaultValue for "${printPath(destination)}" is of another type: ${fallback}.`)
      continue
    }
    moves.push({
      number,
      source,
      destination,
      from: stepsOf(source),
      to: steps,
      fallback: fallback?.value
    })
  }
  return moves
}

const tooMany = ({ length }: ReadonlyArray<MappingEntry>): Array<string> =>
  length > MAX_ENTRIES ? [`A mapping has at most ${MAX_ENTRIES} entries, not ${length}.`] : []

const columnsOf = ({ columns }: Table): string => {
  const some = columns.slice(0, 20).map((name) => `"${name}"`)
  return `The columns are ${some.join(", ")}${columns.length > some.length ? ` and ${columns.length - some.length} more` : ""}.`
}

/** Dimensions in which a path names more than one position. */
const openOf = (path: SchemaPath): number =>
  path.reduce((sum, { vectors }) => sum + vectors.filter((one) => !isSingle(one)).length, 0)

const itemOf = (shape: Shape, deeper: number): Shape =>
  deeper <= 0 ? shape : itemOf(shape.type === "list" ? (shape.item(0) ?? ANY) : ANY, deeper - 1)

/** The default in the type of its field, nothing, or a hint. Clients that know only texts send numbers as texts. */
const defaultOf = (
  value: MappingEntry["defaultValue"],
  shape: Shape
): { readonly value: Plain } | string | undefined => {
  if (value === null) return undefined
  if (shape.type === "list" || shape.type === "struct") {
    return `a default is a text, number or boolean, and this field is a ${shape.type}; give one for each of its parts`
  }
  if (typeof value === "string") {
    const read = convert(value, shape)
    return read._tag === "Converted" ? read : read.hint
  }
  const fits =
    shape.type === "any" ||
    (typeof value === "boolean" ? shape.type === "boolean" : shape.type === "number" || shape.type === "integer")
  if (!fits) return `expected a ${shape.type} and not ${value}`
  return shape.type === "integer" && !Number.isSafeInteger(value)
    ? `expected a whole number and not ${value}`
    : { value }
}

/** What a path finds: a value, nothing, or for each position of a vector what the rest of the path finds there. */
type Found =
  | { readonly _tag: "One"; readonly value: Plain | undefined }
  | {
      readonly _tag: "Each"
      readonly found: ReadonlyArray<Found>
      /** What is found at a position that is not there. */
      readonly beyond: () => Found
    }

const NONE: Found = { _tag: "One", value: undefined }

interface Moving {
  /** Whether an empty text is nothing, as in a CSV file. */
  readonly emptyIsMissing: boolean
  readonly faults: Array<FieldFault>
}

type Making = Array<Plain> | { [name: string]: Plain }

/** What may still be moved for one record. */
interface Budget {
  left: number
}

const move = (moves: ReadonlyArray<Move>, record: Plain, made: { [name: string]: Plain }, moving: Moving): void => {
  const budget: Budget = { left: MAX_MOVED }
  for (const { from, to, fallback, destination } of moves) {
    const found = from.length === 0 ? NONE : find(record, from, 0, budget)
    place(made, to, 0, found, { budget, settle: (one) => settled(one, fallback, moving.emptyIsMissing) })
    if (budget.left < 0) {
      moving.faults.push({
        path: printPath(destination),
        hint: `expected a mapping that moves at most ${MAX_MOVED} values of a record`
      })
      return
    }
  }
}

const find = (value: Plain | undefined, steps: ReadonlyArray<PathStep>, at: number, budget: Budget): Found => {
  const step = steps[at]
  if (step === undefined) return { _tag: "One", value }
  if (typeof step === "string") {
    const member =
      typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, step)
        ? (value as PlainObject)[step]
        : undefined
    return find(member, steps, at + 1, budget)
  }
  const list = asList(value)
  if (isSingle(step)) return find(list[step.start], steps, at + 1, budget)
  const count = countOf(step) ?? Math.max(0, Math.ceil((list.length - step.start) / step.step))
  const found: Array<Found> = []
  for (let n = 0; n < count && budget.left-- > 0; n++) {
    found.push(find(list[step.start + n * step.step], steps, at + 1, budget))
  }
  return { _tag: "Each", found, beyond: () => find(undefined, steps, at + 1, budget) }
}

const asList = (value: Plain | undefined): ReadonlyArray<Plain> =>
  Array.isArray(value) ? (value as ReadonlyArray<Plain>) : value === undefined || value === null ? [] : [value]

/** Values that a mapping moves for one record, and positions of a list that it makes, at most. */
const MAX_MOVED = 1_000_000

interface Placing {
  readonly budget: Budget
  readonly settle: (one: Found) => Plain | undefined
}

/** Puts what was found into `made`. */
const place = (made: Making, steps: ReadonlyArray<PathStep>, at: number, found: Found, placing: Placing): void => {
  const step = steps[at] as PathStep
  if (typeof step === "string") return put(made, step, steps, at, found, placing)
  if (isSingle(step)) return put(made, step.start, steps, at, found, placing)
  const { budget } = placing
  const each = found._tag === "Each" ? found.found : asList(found.value).map(one)
  const beyond = found._tag === "Each" ? found.beyond : () => NONE
  const count = countOf(step) ?? each.length
  for (let n = 0; n < count && budget.left-- > 0; n++) {
    const position = positionOf(step, n) as number
    if (position >= MAX_MOVED) budget.left = -1
    else put(made, position, steps, at, each[n] ?? beyond(), placing)
  }
}

const one = (value: Plain): Found => ({ _tag: "One", value })

const put = (
  made: Making,
  key: string | number,
  steps: ReadonlyArray<PathStep>,
  at: number,
  found: Found,
  placing: Placing
): void => {
  const target = made as Record<string | number, Plain>
  const next = steps[at + 1]
  if (next === undefined) {
    const value = placing.settle(found)
    if (value !== undefined) keep(target, key, value)
    return
  }
  const there = Object.hasOwn(target, key) ? target[key] : undefined
  if (typeof there === "object" && there !== null) return place(there as Making, steps, at + 1, found, placing)
  const fresh: Making = typeof next === "string" ? {} : []
  place(fresh, steps, at + 1, found, placing)
  // A list that was found empty is there and empty; a struct without members is not there.
  if (Object.keys(fresh).length > 0 || (Array.isArray(fresh) && wasFound(found))) keep(target, key, fresh)
}

const wasFound = (found: Found): boolean => found._tag === "Each" || found.value !== undefined

const keep = (target: Record<string | number, Plain>, key: string | number, value: Plain): void => {
  if (Array.isArray(target)) while (target.length < (key as number)) target.push(null)
  target[key] = value
}

/** The value for the end of a path; lists that were found and have no vector there stay lists. */
const settled = (found: Found, fallback: Plain | undefined, emptyIsMissing: boolean): Plain | undefined => {
  if (found._tag === "Each") return found.found.map((one) => settled(one, fallback, emptyIsMissing) ?? null)
  const { value } = found
  const missing =
    value === undefined || value === null || (emptyIsMissing && typeof value === "string" && value.trim() === "")
  return missing && fallback !== undefined ? fallback : value
}

/** Texts of a row as values of the shape; an empty cell is nothing unless it is a text. */
const readTexts = (value: Plain, shape: Shape, path: string, faults: Array<FieldFault>): Plain | undefined => {
  if (typeof value === "string") {
    if (value.trim() === "" && shape.type !== "text" && shape.type !== "any") return shape.nullable ? null : undefined
    const read = convert(value, shape)
    if (read._tag === "Converted") return read.value
    faults.push({ path, hint: read.hint })
    return undefined
  }
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) {
    return value.map((item: Plain, i) => readTexts(item, shape.item(i) ?? ANY, `${path}[${i}]`, faults) ?? null)
  }
  const read: Record<string, Plain> = {}
  for (const [name, member] of Object.entries(value as PlainObject)) {
    const one = readTexts(member, shape.member(name) ?? ANY, path === "" ? name : `${path}/${name}`, faults)
    if (one !== undefined) read[name] = one
  }
  return read
}
