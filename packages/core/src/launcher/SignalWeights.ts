/** What a signal of each type weighs: `click:1.0,cart:10.0`. */
export interface SignalWeight {
  readonly type: string
  /** A plain decimal, as written. */
  readonly weight: string
}

const ONE = /^([\w.-]+):(-?\d+(?:\.\d+)?)$/

/** The weights in their order; `undefined` for a text that is no such list, or names a type twice. */
export const parseSignalWeights = (text: string): ReadonlyArray<SignalWeight> | undefined => {
  const weights: Array<SignalWeight> = []
  for (const part of text.split(",")) {
    const [, type, weight] = ONE.exec(part.trim()) ?? []
    if (type === undefined || weight === undefined || weights.some((one) => one.type === type)) return undefined
    weights.push({ type, weight })
  }
  return weights
}
