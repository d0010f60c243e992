/**
 * Where a value is inside a record: `field/subfield`, `list[0]/name`, `grid[*][2]`.
 *
 * Levels are divided by `/`, a leading `/` may be left out. Brackets behind a name choose positions of a list, chained for
 * lists of lists (spec: ondemand §2).
 */

/** Positions `start`, `start + step`, … up to `end`, which is included; `null`: without end. */
export interface Vector {
  readonly start: number
  readonly step: number
  readonly end: number | null
}

export interface PathLevel {
  readonly name: string
  readonly vectors: ReadonlyArray<Vector>
}

/** At least one level. */
export type SchemaPath = ReadonlyArray<PathLevel>

/** Why a text is no path; `hint` is a sentence without its full stop. */
export interface PathRejected {
  readonly _tag: "PathRejected"
  readonly text: string
  readonly hint: string
}

/** Vectors behind one name, at most. */
const MAX_DIMENSIONS = 16

/** Levels of one path, at most. */
const MAX_LEVELS = 64

/** The highest position that a vector may name, for a list is made as long as that; also the most places of one path. */
export const MAX_POSITION = 9_999

export const parsePath = (text: string): SchemaPath | PathRejected => {
  const levels: Array<PathLevel> = []
  for (const part of (text.startsWith("/") ? text.slice(1) : text).split("/")) {
    const [, name = "", brackets = ""] = /^([^[\]]*)((?:\[[^[\]]*\])*)$/.exec(part) ?? []
    if (name === "" || name === "__proto__") {
      return rejected(text, `write names divided by "/", each with its positions behind it, instead of "${part}"`)
    }
    const vectors: Array<Vector> = []
    for (const [, inside = ""] of brackets.matchAll(/\[([^\]]*)\]/g)) {
      const vector = parseVector(inside)
      if (typeof vector === "string") return rejected(text, vector)
      vectors.push(vector)
    }
    if (vectors.length > MAX_DIMENSIONS) return rejected(text, `a list has at most ${MAX_DIMENSIONS} dimensions`)
    levels.push({ name, vectors })
  }
  if (levels.length > MAX_LEVELS) return rejected(text, `a path has at most ${MAX_LEVELS} levels`)
  const places = levels.flatMap(({ vectors }) => vectors).reduce((sum, one) => sum * (countOf(one) ?? 1), 1)
  return places > MAX_POSITION + 1 ? rejected(text, `a path names at most ${MAX_POSITION + 1} positions`) : levels
}

export const isPathRejected = (path: SchemaPath | PathRejected): path is PathRejected => "_tag" in path

const VECTOR = /^(?:(\*)|(\d{1,9})(?:\+(\d{1,9}))?(?:-(\d{1,9}|\*)|,(\d{1,9}|\*))?)$/

/** The vector, or what to write instead. A lone number is one position; with a step alone the vector has no end. */
const parseVector = (inside: string): Vector | string => {
  const match = VECTOR.exec(inside.replaceAll(/\s/g, ""))
  if (match === null) return `write positions as [*], [2], [0+2], [0,3] or [0+1-3], not [${inside}]`
  const [, all, first, by, last, count] = match
  if (all !== undefined) return { start: 0, step: 1, end: null }
  const start = Number(first)
  const step = by === undefined ? 1 : Number(by)
  if (step === 0) return `the step of [${inside}] must be at least 1`
  if (count !== undefined && Number(count) === 0) return `the count of [${inside}] must be at least 1`
  const end =
    last === "*" || count === "*"
      ? null
      : last !== undefined
        ? Number(last)
        : count !== undefined
          ? start + step * (Number(count) - 1)
          : by === undefined
            ? start
            : null
  if (end !== null && end < start) return `the last position of [${inside}] lies before the first`
  if (Math.max(start, step, end ?? 0) > MAX_POSITION) return `positions in [${inside}] must not pass ${MAX_POSITION}`
  // The last position that is really met, so that equal vectors are written alike.
  const met = end === null ? null : end - ((end - start) % step)
  return { start, step: met === start ? 1 : step, end: met }
}

export const printPath = (path: SchemaPath): string =>
  path.map(({ name, vectors }) => name + vectors.map(printVector).join("")).join("/")

const printVector = ({ start, step, end }: Vector): string =>
  end === start
    ? `[${start}]`
    : end === null
      ? start === 0 && step === 1
        ? "[*]"
        : `[${start}+${step}]`
      : `[${start}${step === 1 ? "" : `+${step}`}-${end}]`

export const isSingle = ({ start, end }: Vector): boolean => start === end

/** The position that the vector meets as its `n`-th, from 0; `undefined` behind its end. */
export const positionOf = ({ start, step, end }: Vector, n: number): number | undefined => {
  const position = start + step * n
  return end !== null && position > end ? undefined : position
}

/** How many positions the vector meets; `null`: without end. */
export const countOf = ({ start, step, end }: Vector): number | null =>
  end === null ? null : Math.floor((end - start) / step) + 1

/** A path taken apart: names and vectors in the order in which they are followed. */
export type PathStep = string | Vector

export const stepsOf = (path: SchemaPath): ReadonlyArray<PathStep> =>
  path.flatMap(({ name, vectors }) => [name, ...vectors])

/** Whether a place can be reached by both, or one leads into what the other names. */
export const overlap = (one: ReadonlyArray<PathStep>, other: ReadonlyArray<PathStep>): boolean => {
  const length = Math.min(one.length, other.length)
  for (let i = 0; i < length; i++) if (!sameStep(one[i] as PathStep, other[i] as PathStep)) return false
  return true
}

const sameStep = (a: PathStep, b: PathStep): boolean =>
  typeof a === "string" || typeof b === "string" ? a === b : meet(a, b)

/** Whether two vectors have a position in common: the least one behind both starts, by the Chinese remainder theorem. */
const meet = (a: Vector, b: Vector): boolean => {
  const [gcd, inverse] = euclid(a.step, b.step)
  const apart = b.start - a.start
  if (apart % gcd !== 0) return false
  const modulus = b.step / gcd
  const steps = ((((apart / gcd) * inverse) % modulus) + modulus) % modulus
  const common = a.start + a.step * steps
  const period = a.step * modulus
  const first = common + Math.max(0, Math.ceil((b.start - common) / period)) * period
  return first <= Math.min(a.end ?? Infinity, b.end ?? Infinity)
}

/** The greatest common divisor of two numbers from 1, and the factor with which `a` makes it modulo `b`. */
const euclid = (a: number, b: number): readonly [number, number] => {
  let [high, low, factor, next] = [a, b, 1, 0]
  while (low !== 0) {
    const times = Math.floor(high / low)
    ;[high, low, factor, next] = [low, high - times * low, next, factor - times * next]
  }
  return [high, factor]
}

const rejected = (text: string, hint: string): PathRejected => ({ _tag: "PathRejected", text, hint })
