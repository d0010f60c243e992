/**
 * The rational sampler of Canonne, Kamath and Steinke 2020 (arXiv 2004.00010), the oracle for the law of our noise: all
 * randomness is "uniform below n", all decisions compare integers. And its decision tree, enumerated with exact weights.
 */

export interface Uniform {
  /** Uniform in 0 … n − 1. */
  readonly below: (n: bigint) => bigint
}

/** True with probability e^{−u/d}, 0 ≤ u ≤ d. */
const bernoulliExp = (source: Uniform, u: bigint, d: bigint): boolean => {
  let k = 1n
  while (source.below(d * k) < u) k++
  return k % 2n === 1n
}

/** One draw of the discrete Laplace law with λ = a / b. */
export const cks = (source: Uniform, a: bigint, b: bigint): bigint => {
  for (;;) {
    const u = source.below(b)
    if (!bernoulliExp(source, u, b)) continue
    let v = 0n
    while (bernoulliExp(source, 1n, 1n)) v++
    const y = (u + b * v) / a
    const negative = source.below(2n) === 1n
    if (negative && y === 0n) continue
    return negative ? -y : y
  }
}

const DEPTH = 48n
const FACTORIAL = Array.from({ length: Number(DEPTH) }, (_, i) => BigInt(i + 1)).reduce((product, k) => product * k, 1n)

/** Masses of bernoulliExp(u, d) over the denominator d^48 · 48!, and of the runs that the tree cuts off. */
const bernoulliExpMasses = (u: bigint, d: bigint) => {
  // alive(k) = Π_{j ≤ k} u / (d·j)
  let [yes, no] = [0n, 0n]
  let alive = d ** DEPTH * FACTORIAL
  for (let k = 1n; k <= DEPTH; k++) {
    const next = (alive * u) / (d * k)
    if (k % 2n === 1n) yes += alive - next
    else no += alive - next
    alive = next
  }
  return { yes, no, cut: alive }
}

/** Mass of every outcome of one pass, all over `whole`, and of the paths that were not followed. */
export interface Enumeration {
  readonly masses: ReadonlyMap<bigint, bigint>
  readonly accepted: bigint
  readonly cut: bigint
}

/** All paths of `cks` for λ = a / b with v < `runs`. An outcome k has probability between m / (accepted + cut) and (m + cut) / accepted. */
export const enumerateCks = (a: bigint, b: bigint, runs: bigint): Enumeration => {
  const one = bernoulliExpMasses(1n, 1n)
  const masses = new Map<bigint, bigint>()
  let [accepted, cut] = [0n, 0n]
  for (let u = 0n; u < b; u++) {
    const start = bernoulliExpMasses(u, b)
    // Everything over 2 · b · (b^48 · 48!) · 48!^(runs + 1); `path` is the mass that reached v, without what v will use.
    const rest = FACTORIAL ** (runs + 1n)
    cut += 2n * start.cut * rest
    let path = start.yes * rest
    for (let v = 0n; v < runs; v++) {
      const y = (u + b * v) / a
      const ends = (path * one.no) / FACTORIAL
      for (const k of y === 0n ? [0n] : [y, -y]) {
        masses.set(k, (masses.get(k) ?? 0n) + ends)
        accepted += ends
      }
      cut += (2n * path * one.cut) / FACTORIAL
      path = (path * one.yes) / FACTORIAL
    }
    cut += 2n * path
  }
  return { masses, accepted, cut }
}
