/** What a step of `npm run check` found: how much it read, and one line for each fault. */
export interface Findings {
  /** What was read, for the step's line: "120 modules". A step that reads nothing has to return a fault. */
  readonly read: string
  readonly faults: ReadonlyArray<string>
  /** Further lines worth showing although nothing is wrong. */
  readonly notes?: ReadonlyArray<string>
}

export interface Step {
  readonly name: string
  readonly check: () => Promise<Findings>
}

/** A fault unless at least `least` of `what` were read: a check that reads nothing must not pass. */
export const atLeast = (least: number, count: number, what: string): ReadonlyArray<string> =>
  count >= least ? [] : [`only ${count} ${what} were read, at least ${least} were expected`]
