/** Flags whose text needs a rule of core: each returns the value or throws one sentence that names the flag. */
import { EPSILON_DECIMALS, type Epsilon, parseEpsilon } from "@sotto/core/budget"
import { parseInstant, toMillis } from "@sotto/core/Instant"
import { UsageError } from "./Failure.ts"

/** The original's tool words a bad ε so (spec: aggregation §11.1); the hint behind it is ours. */
export const epsilonOf = (text: string): Epsilon => {
  const parsed = parseEpsilon(text, EPSILON_DECIMALS)
  if (typeof parsed === "number") return parsed
  throw new UsageError(`Parameter --epsilon should be a number > 0 and <= 64 (found ${text}). ${parsed.hint}`)
}

/** Milliseconds since 1970 of `--as-of`, or now. */
export const asOfOf = (text: string | undefined, flag = "--as-of"): number => {
  if (text === undefined) return Date.now()
  const at = parseInstant(text)
  if (at === undefined) throw new UsageError(`${flag} ${text} is not a time. Write UTC as in 2024-01-31T10:00:00Z.`)
  return toMillis(at)
}
