/**
 * A black-box check of samples against the discrete Laplace law P(Z = k) = tanh(λ/2)·e^{−λ|k|}.
 *
 * Fifteen tests fixed in advance, each with a share of α. Every bound holds for finite samples (Chernoff, Massart's DKW,
 * Agrawal's multinomial bound, Markov, union), so a sound sampler is refused with probability below α / 2. Never repeat a
 * refused check: that multiplies α. Falsification only: a continuous Laplace rounded at scale ≥ 10 passes too.
 */

const ALPHA = 1e-6

/** Parts of α; together below one half. */
export const SHARES = {
  distribution: 0.026,
  bins: 0.026,
  eachBin: 0.026,
  mean: 0.06,
  scale: 0.08,
  sign: 0.026,
  zero: 0.026,
  residues: 0.026,
  tails: 0.026,
  impossibleMaximum: 0.026,
  truncatedMaximum: 0.026,
  pairEquality: 0.026,
  pairSign: 0.026,
  pairSize: 0.026,
  repeatedWindows: 0.026
} as const

export type Test = keyof typeof SHARES | "integers"

/** Names of the tests that refuse `samples` at rate `lambda`; empty if it passes. Samples are doubles that hold integers. */
export const blackBox = (samples: Float64Array, lambda: number, alpha = ALPHA): Array<Test> => {
  if (refusedBy("integers", samples, lambda)) return ["integers"]
  return (Object.keys(SHARES) as Array<Test>).filter((test) => refusedBy(test, samples, lambda, alpha))
}

export const refusedBy = (test: Test, samples: Float64Array, lambda: number, alpha = ALPHA): boolean =>
  // Not statistics: nothing but integers may ever appear, and −0 shows a sloppy selection.
  test === "integers"
    ? !samples.every((z) => Number.isSafeInteger(z) && !Object.is(z, -0))
    : TESTS[test](samples, discreteLaplaceLaw(lambda), alpha * SHARES[test])

/** KL divergence of Bernoulli laws in nats. P(K/n ≥ a) ≤ e^{−n·KL(a‖p)} for a ≥ p, and likewise below (Chernoff). */
export const klBernoulli = (a: number, p: number): number =>
  (a === 0 ? 0 : a * Math.log(a / p)) + (a === 1 ? 0 : (1 - a) * (Math.log1p(-a) - Math.log1p(-p)))

/** Whether `count` of `n` is too far from probability p on either side, at level `share`. */
const offBinomial = (count: number, n: number, p: number, share: number): boolean =>
  n > 0 && n * klBernoulli(count / n, p) > Math.log(2 / share)

type Law = ReturnType<typeof discreteLaplaceLaw>

const discreteLaplaceLaw = (lambda: number) => {
  const q = Math.exp(-lambda)
  const zero = Math.tanh(lambda / 2)
  /** P(Z ≥ t) for t ≥ 1. */
  const above = (t: number) => Math.exp(-lambda * t) / (1 + q)
  return {
    lambda,
    q,
    zero,
    above,
    /** P(|Z| ≥ t) for t ≥ 1. */
    beyond: (t: number) => 2 * above(t),
    /** P(Z ≤ k). */
    cdf: (k: number) => (k >= 0 ? 1 - above(k + 1) : above(-k)),
    /** P(two draws are equal). */
    collision: zero * zero * ((1 + q * q) / -Math.expm1(-2 * lambda)),
    /** P(Z ≡ j mod r). */
    residue: (j: number, r: number) =>
      (zero * (Math.exp(-lambda * j) + Math.exp(-lambda * (r - j)))) / -Math.expm1(-lambda * r),
    /** ln E e^{sZ}, |s| < λ. */
    logMgf: (s: number) =>
      2 * Math.log(-Math.expm1(-lambda)) - Math.log(-Math.expm1(s - lambda)) - Math.log(-Math.expm1(-s - lambda)),
    /** ln E e^{s|Z|}, s < λ. */
    logAbsMgf: (s: number) => Math.log(zero) + Math.log1p(Math.exp(s - lambda)) - Math.log(-Math.expm1(s - lambda)),
    /** Least t ≥ 1 with P(|Z| ≥ t) ≤ p, up to rounding. */
    level: (p: number) => Math.max(1, Math.ceil(Math.log(2 / (p * (1 + q))) / lambda))
  }
}

const count = (samples: Float64Array, holds: (z: number) => boolean): number => {
  let n = 0
  for (let i = 0; i < samples.length; i++) if (holds(samples[i] as number)) n++
  return n
}

/** sup over s in (low, high) of s·x − f(s), f convex: Cramér's rate, by golden sections; a smaller value is sound too. */
const cramerRate = (f: (s: number) => number, x: number, low: number, high: number): number => {
  const value = (s: number) => s * x - f(s)
  const golden = (Math.sqrt(5) - 1) / 2
  let [a, b] = [low, high]
  for (let i = 0; i < 100; i++) {
    const [c, d] = [b - golden * (b - a), a + golden * (b - a)]
    if (value(c) > value(d)) b = d
    else a = c
  }
  return Math.max(0, value((a + b) / 2))
}

/** Counts of `samples` in bins of roughly equal mass, symmetric around 0, and the mass of each bin. */
const bins = (samples: Float64Array, law: Law, wanted: number): { counts: Array<number>; masses: Array<number> } => {
  const edges = new Set<number>([0, 1])
  for (let i = 1; i < wanted / 2; i++) {
    const t = law.level((2 * i) / wanted)
    edges.add(t)
    edges.add(1 - t)
  }
  // Bin j is edges[j − 1] ≤ z < edges[j], the outer ones open.
  const sorted = [...edges].sort((a, b) => a - b)
  const counts = Array.from({ length: sorted.length + 1 }, () => 0)
  for (let i = 0; i < samples.length; i++) {
    const z = samples[i] as number
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sorted[middle] as number) <= z) low = middle + 1
      else high = middle
    }
    counts[low] = (counts[low] as number) + 1
  }
  const below = [0, ...sorted.map((edge) => law.cdf(edge - 1)), 1]
  return { counts, masses: counts.map((_, j) => (below[j + 1] as number) - (below[j] as number)) }
}

const BINS = 64
const MODULI = [2, 3, 4, 5, 7, 8, 16]
const LEVELS = [0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 1e-5]

/** Disjoint pairs of neighbours, starting with the first or with the second sample. */
const pairs = (samples: Float64Array, phase: number, holds: (a: number, b: number) => boolean) => {
  let [hits, n] = [0, 0]
  for (let i = phase; i + 1 < samples.length; i += 2) {
    n++
    if (holds(samples[i] as number, samples[i + 1] as number)) hits++
  }
  return { hits, n }
}
const PHASES = [0, 1]

const TESTS: Record<keyof typeof SHARES, (samples: Float64Array, law: Law, share: number) => boolean> = {
  // P(sup |F_n − F| > e) ≤ 2·e^{−2ne²} (Massart 1990), for discrete laws too.
  distribution: (samples, law, share) => {
    const n = samples.length
    const sorted = samples.toSorted()
    let worst = 0
    for (let i = 0; i < n; i++) {
      const z = sorted[i] as number
      if (i + 1 === n || sorted[i + 1] !== z) worst = Math.max(worst, Math.abs((i + 1) / n - law.cdf(z)))
      if (i === 0 || sorted[i - 1] !== z) worst = Math.max(worst, Math.abs(i / n - law.cdf(z - 1)))
    }
    return worst > Math.sqrt(Math.log(2 / share) / (2 * n))
  },

  // P(KL(p̂‖p) ≥ x) ≤ e^{−nx}·(e·n·x / (k − 1))^{k−1} for x > (k − 1) / n (Agrawal 2020, arXiv 1904.02291).
  bins: (samples, law, share) => {
    const { counts, masses } = bins(samples, law, BINS)
    const free = counts.length - 1
    let nkl = 0
    for (const [j, c] of counts.entries()) if (c > 0) nkl += c * Math.log(c / samples.length / (masses[j] as number))
    return nkl > free && -nkl + free * (1 + Math.log(nkl / free)) < Math.log(share)
  },

  eachBin: (samples, law, share) => {
    const { counts, masses } = bins(samples, law, BINS)
    return counts.some((c, j) => offBinomial(c, samples.length, masses[j] as number, share / counts.length))
  },

  mean: (samples, law, share) => {
    const mean = Math.abs(samples.reduce((sum, z) => sum + z, 0) / samples.length)
    return samples.length * cramerRate(law.logMgf, mean, 0, law.lambda) > Math.log(2 / share)
  },

  // Σ|Z| is the sufficient statistic for the scale.
  scale: (samples, law, share) => {
    const size = samples.reduce((sum, z) => sum + Math.abs(z), 0) / samples.length
    const rate = cramerRate(law.logAbsMgf, size, -50 * law.lambda, law.lambda)
    return samples.length * rate > Math.log(2 / share)
  },

  sign: (samples, _law, share) => {
    const positive = count(samples, (z) => z > 0)
    const n = positive + count(samples, (z) => z < 0)
    return offBinomial(positive, n, 0.5, share)
  },

  zero: (samples, law, share) =>
    offBinomial(
      count(samples, (z) => z === 0),
      samples.length,
      law.zero,
      share
    ),

  residues: (samples, law, share) => {
    const classes = MODULI.reduce((sum, r) => sum + r, 0)
    return MODULI.some((r) => {
      const counts = Array.from({ length: r }, () => 0)
      for (const z of samples) {
        const j = ((z % r) + r) % r
        counts[j] = (counts[j] as number) + 1
      }
      return counts.some((c, j) => offBinomial(c, samples.length, law.residue(j, r), share / classes))
    })
  },

  tails: (samples, law, share) =>
    LEVELS.some((p) => {
      const t = law.level(p)
      const up = count(samples, (z) => z >= t)
      const down = count(samples, (z) => z <= -t)
      const part = share / (3 * LEVELS.length)
      return (
        offBinomial(up, samples.length, law.above(t), part) ||
        offBinomial(down, samples.length, law.above(t), part) ||
        offBinomial(up + down, samples.length, law.beyond(t), part)
      )
    }),

  impossibleMaximum: (samples, law, share) => samples.length * law.beyond(largest(samples)) < share,

  truncatedMaximum: (samples, law, share) =>
    samples.length * Math.log1p(-Math.min(1, law.beyond(largest(samples) + 1))) < Math.log(share),

  pairEquality: (samples, law, share) =>
    PHASES.some((phase) => {
      const { hits, n } = pairs(samples, phase, (a, b) => a === b)
      return offBinomial(hits, n, law.collision, share / 2)
    }),

  pairSign: (samples, _law, share) =>
    PHASES.some((phase) => {
      const same = pairs(samples, phase, (a, b) => a * b > 0).hits
      const both = pairs(samples, phase, (a, b) => a * b !== 0).hits
      return offBinomial(same, both, 0.5, share / 2)
    }),

  pairSize: (samples, law, share) =>
    PHASES.some((phase) => {
      const t = law.level(0.5)
      const large = law.beyond(t)
      const { hits, n } = pairs(samples, phase, (a, b) => Math.abs(a) >= t === Math.abs(b) >= t)
      return offBinomial(hits, n, large * large + (1 - large) * (1 - large), share / 2)
    }),

  // Two disjoint windows of w samples are equal with probability c^w, two that overlap with at most c^{(w+1)/2}.
  repeatedWindows: (samples, law, share) => {
    const n = samples.length
    const expected = (w: number) => (n * n * law.collision ** w) / 2 + n * w * law.collision ** ((w + 1) / 2)
    let w = 1
    while (expected(w) > share) w++
    return repeatsWindow(samples, w)
  }
}

const largest = (samples: Float64Array): number => samples.reduce((most, z) => Math.max(most, Math.abs(z)), 0)

/** Whether some window of `w` neighbours occurs twice; found by a rolling hash, then compared. */
const repeatsWindow = (samples: Float64Array, w: number): boolean => {
  const [base1, base2] = [0x9e3779b1, 0x85ebca77]
  let [drop1, drop2] = [1, 1]
  for (let i = 0; i < w; i++) [drop1, drop2] = [Math.imul(drop1, base1), Math.imul(drop2, base2)]
  const seen = new Map<number, number>()
  let [h1, h2] = [0, 0]
  for (let i = 0; i < samples.length; i++) {
    const [z, old] = [samples[i] as number, i >= w ? (samples[i - w] as number) : 0]
    h1 = (Math.imul(h1, base1) + z - Math.imul(old, drop1)) | 0
    h2 = (Math.imul(h2, base2) + z - Math.imul(old, drop2)) | 0
    if (i < w - 1) continue
    const key = (h1 >>> 0) * 2 ** 20 + (h2 >>> 12)
    const first = seen.get(key)
    if (first === undefined) seen.set(key, i)
    else if (samples.subarray(i - w + 1, i + 1).every((x, j) => x === samples[first - w + 1 + j])) return true
  }
  return false
}
