/**
 * A moment in UTC with nanoseconds, as reports carry it.
 *
 * `seconds` is a safe integer counted from 1970-01-01T00:00:00Z (negative before it), `nanos` is 0 … 999 999 999 and
 * always counts forward. Wider than `Date`, because the original accepts and echoes nanoseconds (spec: aggregation §3.3).
 */
export interface Instant {
  readonly seconds: number
  readonly nanos: number
}

/** `undefined` unless `seconds` is a safe integer (285 million years either way) and `nanos` is in range. */
export const instant = (seconds: number, nanos = 0): Instant | undefined =>
  Number.isSafeInteger(seconds) && nanos >= 0 && nanos <= 999_999_999 ? { seconds, nanos } : undefined

/** Whole milliseconds since 1970, rounded down. */
export const toMillis = (at: Instant): number => at.seconds * 1000 + Math.floor(at.nanos / 1_000_000)

export const fromMillis = (millis: number): Instant => {
  const seconds = Math.floor(millis / 1000)
  return { seconds, nanos: (millis - seconds * 1000) * 1_000_000 }
}

/** Hours since 1970, rounded down: the time part of a budget unit (spec: aggregation §9.1). */
export const hourOf = (at: Instant): number => Math.floor(at.seconds / 3600)

const FRACTION = (nanos: number): string => {
  if (nanos === 0) return ""
  const digits = String(nanos).padStart(9, "0")
  return `.${digits.endsWith("000000") ? digits.slice(0, 3) : digits.endsWith("000") ? digits.slice(0, 6) : digits}`
}

/** ISO 8601 with `Z` and 0, 3, 6 or 9 fraction digits, the fewest that lose nothing; years beyond 9999 carry a sign. */
export const printInstant = (at: Instant): string => {
  const day = Math.floor(at.seconds / 86_400)
  const rest = at.seconds - day * 86_400
  const two = (n: number) => String(n).padStart(2, "0")
  const { year, month, date } = civil(day)
  const years =
    year > 9999 ? `+${year}` : year < 0 ? `-${String(-year).padStart(4, "0")}` : String(year).padStart(4, "0")
  return `${years}-${two(month)}-${two(date)}T${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}${FRACTION(at.nanos)}Z`
}

/** Reads an ISO 8601 instant that ends in `Z`, e.g. `2024-01-31T10:00:00.5Z`; seconds and fraction may be left out. */
export const parseInstant = (text: string): Instant | undefined => {
  const match = /^([+-]\d{4,9}|\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?Z$/i.exec(text)
  if (match === null) return undefined
  const [year, month, date, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((i) => Number(match[i] ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number
  ]
  if (month < 1 || month > 12 || date < 1 || hour > 23 || minute > 59 || second > 59) return undefined
  const day = daysFromCivil(year, month, date)
  const back = civil(day)
  if (back.month !== month || back.date !== date) return undefined
  return instant(day * 86_400 + hour * 3600 + minute * 60 + second, Number((match[7] ?? "").padEnd(9, "0")))
}

// Days and civil dates of the proleptic Gregorian calendar: Howard Hinnant, "chrono-compatible low-level date algorithms".
const daysFromCivil = (year: number, month: number, date: number): number => {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + date - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

const civil = (day: number): { year: number; month: number; date: number } => {
  const z = day + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    date: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1
  }
}
