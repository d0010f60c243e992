/** What a simulation leaves to chance, and who decides it: a seed, or a plan that names every deviation. */

/** What happens to one call of a port. A crash before or after it, or an answer that says nothing. */
export type Fault = "none" | "refused" | "reply-lost" | "crash-before" | "crash-after" | "frozen" | "stopped"

export const FAULTS = [
  "refused",
  "reply-lost",
  "crash-before",
  "crash-after",
  "frozen"
] as const satisfies ReadonlyArray<Fault>

export interface Choices {
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number
  /** Whether time passes although calls wait for their turn. */
  hurries(): boolean
  /** What happens to the next call of a worker; `step` counts them from 0, beginning with the first job. */
  fault(step: number, method: string): Fault
  /** For how long a frozen process does nothing. */
  frozenMs(): number
  /** Whether a call whose caller is gone is carried out later all the same. */
  arrivesLate(): boolean
}

/** Numbers that follow from a seed (0 … 2³² − 1): the generator of T. Ettinger, known as mulberry32. */
export const numbers = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let word = Math.imul(state ^ (state >>> 15), state | 1)
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61)
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** A storm of faults during the first steps of a worker, then calm: what is not lost must come to its end. */
export const seededChoices = (seed: number): Choices => {
  const below = numbers(seed)
  const storm = 60 + below(240)
  const every = 6 + below(30)
  return {
    below,
    hurries: () => below(12) === 0,
    fault: (step, method) => {
      // Paying is rare among all the calls and the one that must never go wrong.
      if (step >= storm || below(method === "spend" ? 3 : every) !== 0) return "none"
      const fault = below(FAULTS.length + 1)
      return FAULTS[fault] ?? "stopped"
    },
    frozenMs: () => 2_000 + below(25_000),
    arrivesLate: () => below(2) === 0
  }
}

/** First come, first served, and faults exactly where the plan has them. */
export const plannedChoices = (plan: ReadonlyMap<number, Fault>): Choices => ({
  below: () => 0,
  hurries: () => false,
  fault: (step) => plan.get(step) ?? "none",
  // Longer than a lease.
  frozenMs: () => 13_000,
  arrivesLate: () => false
})

/** Every plan with at most `most` (0 … 2) faults in the first `steps` calls. */
export const plans = (steps: number, most: 0 | 1 | 2): ReadonlyArray<ReadonlyMap<number, Fault>> => {
  const single = Array.from({ length: steps }, (_, step) => FAULTS.map((fault) => [step, fault] as const)).flat()
  return [
    new Map(),
    ...(most >= 1 ? single.map((one) => new Map([one])) : []),
    ...(most >= 2
      ? single.flatMap((one) => single.filter(([step]) => step > one[0]).map((other) => new Map([one, other])))
      : [])
  ]
}
