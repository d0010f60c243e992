/** How long a weight takes to halve: `30 days`, `interval 10 minutes`, `1 day 12 hours`. */
const UNITS: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  // A month has no fixed length; DuckDB counts 30 days (other systems C2).
  month: 2_592_000_000
}

const HALF_LIFE = /^\s*(?:interval\s+)?((?:\d+(?:\.\d+)?\s*[a-z]+\s*)+)$/i

/** Milliseconds above 0; `undefined` for a text that names none. */
export const parseHalfLife = (text: string): number | undefined => {
  const body = HALF_LIFE.exec(text)?.[1]
  if (body === undefined) return undefined
  let milliseconds = 0
  for (const [, count, unit = ""] of body.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/gi)) {
    const length = UNITS[unit.toLowerCase().replace(/s$/, "")]
    if (length === undefined) return undefined
    milliseconds += Number(count) * length
  }
  return milliseconds > 0 ? milliseconds : undefined
}
