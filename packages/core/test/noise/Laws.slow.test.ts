import { createHash, randomBytes } from "node:crypto"
import { describe, expect, it } from "vitest"
import { freshSeed, questionSeed } from "../../src/noise/Seed.ts"
import { blackBox, klBernoulli } from "./BlackBox.ts"
import { cks } from "./Cks.ts"
import { draws } from "./Draws.ts"
import { Stream } from "./Stream.ts"

const seedNamed = (name: string) => questionSeed(createHash("sha256").update(name).digest())

describe("the law of the noise", () => {
  it("passes the black-box check on buckets 0 … 10^6 at ε = 10", () =>
    expect(blackBox(draws(seedNamed("a million buckets"), 10_000_000, 65_536, 1_000_001), 10 / 65_536)).toEqual([]))

  it.each([
    [100_000, 65_536],
    [1_000_000, 65_536],
    [64_000_000, 65_536],
    [1_000_000, 1],
    [750_000, 1],
    [5_000_000, 7]
  ])(
    "passes it on a seed of the system at ε = %d/10^6 and L1 = %d, false alarm below one in two million",
    (epsilon, l1) => {
      const seed = freshSeed(randomBytes(32))
      const refused = blackBox(draws(seed, epsilon, l1, 300_000), epsilon / 1e6 / l1)
      expect(refused, `seed ${Buffer.from(seed).toString("hex")}`).toEqual([])
    }
  )

  // Two-sample χ² at 10^7 draws each. Seeds are fixed, so the verdict is too.
  it.each([
    ["λ = 5/32", 5_000_000, 32, 5n, 32n, 1],
    ["ε = 10", 10_000_000, 65_536, 5n, 32_768n, 1000]
  ])("is that of the oracle in 10^7 draws of both, %s", (name, epsilon, l1, a, b, width) => {
    const n = 10_000_000
    const half = 60
    const histogram = (next: (i: number) => number): Float64Array => {
      const counts = new Float64Array(2 * half + 1)
      for (let i = 0; i < n; i++) {
        const bin = Math.max(-half, Math.min(half, Math.floor(next(i) / width)))
        counts[bin + half] = (counts[bin + half] as number) + 1
      }
      return counts
    }
    const chunk = 1_000_000
    let ours: Float64Array = new Float64Array(0)
    const left = histogram((i) => {
      if (i % chunk === 0) ours = draws(seedNamed(`equal laws, ${name}`), epsilon, l1, chunk, i)
      return ours[i % chunk] as number
    })
    const stream = new Stream(`equal laws, ${name}`)
    const right = histogram(() => Number(cks(stream, a, b)))

    let [statistic, bins] = [0, 0]
    for (const [j, x] of left.entries()) {
      const y = right[j] as number
      if (x + y === 0) continue
      statistic += (x - y) ** 2 / (x + y)
      bins++
    }
    // Laurent and Massart 2000: P(χ² ≥ d + 2√(dt) + 2t) ≤ e^−t.
    const [d, t] = [bins - 1, Math.log(1e6)]
    expect(bins).toBeGreaterThan(100)
    expect(statistic).toBeLessThan(d + 2 * Math.sqrt(d * t) + 2 * t)
    expect(statistic).toBeGreaterThan(d - 2 * Math.sqrt(d * t))
  })
})

describe("the black-box check", () => {
  it("refuses sound draws no more often than it promises: at α = 0.2, below one in ten", () => {
    const runs = 400
    let refused = 0
    for (let i = 0; i < runs; i++)
      if (blackBox(draws(seedNamed(`calibration ${i}`), 10_000_000, 65_536, 5000), 10 / 65_536, 0.2).length > 0)
        refused++
    expect(refused).toBeLessThan(runs / 10)
    // The bounds are conservative, not empty.
    expect(refused).toBeGreaterThan(0)
  })

  it("sees a scale that is 1 % too small in a million draws", () =>
    expect(blackBox(draws(seedNamed("one per cent"), 10_100_000, 65_536, 1_000_000), 10 / 65_536)).toContain("scale"))
})

describe("the audit of ε on neighbouring inputs", () => {
  const n = 400_000

  /** Where KL(p̂‖p) reaches `nats` above (below) p̂. */
  const limit = (hits: number, nats: number, side: 1 | -1): number => {
    let [near, far] = [hits / n, side === 1 ? 1 : 0]
    for (let i = 0; i < 100; i++) {
      const middle = (near + far) / 2
      if (n * klBernoulli(hits / n, middle) < nats) near = middle
      else far = middle
    }
    return near
  }

  /** A lower bound of ε from the event "released ≥ L1", at two one-sided levels of 5·10^-7 each. */
  const epsilonAtLeast = (name: string, epsilon: number, moved: number): number => {
    const l1 = 65_536
    const hits = (z: Float64Array, by: number) => z.reduce((sum, x) => sum + (x + by >= l1 ? 1 : 0), 0)
    const nats = Math.log(1 / 5e-7)
    const without = limit(hits(draws(seedNamed(`${name}, without`), epsilon, l1, n), 0), nats, 1)
    const within = limit(hits(draws(seedNamed(`${name}, with`), epsilon, l1, n), moved), nats, -1)
    return Math.log(within / without)
  }

  it("finds almost all of ε = 1 and never more", () => {
    const found = epsilonAtLeast("sound", 1_000_000, 65_536)
    expect(found).toBeLessThanOrEqual(1)
    expect(found).toBeGreaterThan(0.95)
  })

  it("exposes noise that is a tenth too small, and a unit that is counted twice", () => {
    expect(epsilonAtLeast("small", 1_111_111, 65_536)).toBeGreaterThan(1.03)
    expect(epsilonAtLeast("twice", 1_000_000, 131_072)).toBeGreaterThan(1.3)
  })
})
