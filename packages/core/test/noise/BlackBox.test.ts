import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { questionSeed } from "../../src/noise/Seed.ts"
import { blackBox, refusedBy, SHARES, type Test } from "./BlackBox.ts"
import { draws } from "./Draws.ts"
import { Stream } from "./Stream.ts"

const seed = questionSeed(createHash("sha256").update("black box").digest())
const N = 200_000
const LAMBDA = 10 / 65_536
const SCALE = 1 / LAMBDA
const good = draws(seed, 10_000_000, 65_536, N)
const small = draws(seed, 1_000_000, 1, N)
const wider = draws(seed, 9_800_000, 65_536, N)
const narrower = draws(seed, 10_200_000, 65_536, N)

const stream = new Stream("black box mutants")
const uniform = () => (stream.u32() + 0.5) / 2 ** 32
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
const laplace = (scale: number) => (uniform() < 0.5 ? 1 : -1) * -Math.log(uniform()) * scale

const refuses = (by: Test, samples: Float64Array, lambda = LAMBDA) => expect(refusedBy(by, samples, lambda)).toBe(true)

describe("BlackBox", () => {
  it("gives out less than half of α to its fifteen tests", () => {
    const shares = Object.values(SHARES)
    expect(shares).toHaveLength(15)
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThan(0.5)
  })

  it("passes 200 000 consecutive buckets at the usual scale and at scale 1", () => {
    expect(blackBox(good, LAMBDA)).toEqual([])
    expect(blackBox(small, 1)).toEqual([])
  })

  it("passes where there is little to judge", () => {
    expect(blackBox(good.subarray(0, 3), LAMBDA)).toEqual([])
    expect(blackBox(Float64Array.of(0), 1)).toEqual([])
  })

  it("refuses a scale that is 2 % off on either side, and 10 % in 10 000 draws", () => {
    refuses("scale", wider)
    refuses("scale", narrower)
    refuses("scale", draws(seed, 9_000_000, 65_536, 10_000))
  })

  it("refuses twice the ε in 5000 draws", () => refuses("distribution", draws(seed, 20_000_000, 65_536, 5000)))

  it("refuses a normal law of equal variance", () =>
    refuses(
      "bins",
      Float64Array.from({ length: 20_000 }, () => Math.round(normal() * Math.SQRT2 * SCALE) + 0)
    ))

  it("refuses a bias of a fiftieth and of a quarter of σ", () => {
    refuses(
      "mean",
      good.map((z) => z + 185)
    )
    refuses(
      "mean",
      good.subarray(0, 4000).map((z) => z + 2317)
    )
  })

  it("refuses even values only", () =>
    refuses(
      "residues",
      good.map((z) => z - (z % 2) + 0)
    ))

  it("refuses a clamp at six scales and a truncation at eight", () => {
    refuses(
      "tails",
      good.map((z) => Math.max(-6 * SCALE, Math.min(6 * SCALE, z)) | 0)
    )
    refuses(
      "truncatedMaximum",
      good.filter((z) => Math.abs(z) < 8 * SCALE * 0.75)
    )
  })

  it("refuses signs of 51 to 49", () =>
    refuses(
      "sign",
      good.map((z) => (z < 0 && uniform() < 0.02 ? -z : z))
    ))

  it("refuses a doubled zero at scale 1, where it shows", () => {
    // The classic slip: a sign for every magnitude 0, 1, 2, … instead of one zero.
    const doubled = Float64Array.from({ length: N }, () => {
      const magnitude = Math.floor(-Math.log(uniform()))
      return uniform() < 0.5 ? magnitude : -magnitude + 0
    })
    refuses("zero", doubled, 1)
  })

  it("refuses the rounded and the floored continuous law at scale 1", () => {
    refuses(
      "zero",
      Float64Array.from({ length: N }, () => Math.round(laplace(1)) + 0),
      1
    )
    refuses(
      "sign",
      Float64Array.from({ length: N }, () => Math.floor(laplace(1))),
      1
    )
    refuses(
      "sign",
      good.map((z) => (z === 0 ? 1 : z)).map((z, i) => (i % 40 === 0 ? Math.abs(z) : z))
    )
  })

  it("refuses a sign that sticks in one draw of twenty", () =>
    refuses(
      "pairSign",
      good.map((z, i) => (i > 0 && uniform() < 0.05 ? Math.abs(z) * Math.sign(good[i - 1] as number) : z))
    ))

  it("refuses values and sizes that follow their neighbours", () => {
    refuses(
      "pairEquality",
      good.map((z, i) => (i % 1000 === 1 ? (good[i - 1] as number) : z))
    )
    refuses(
      "pairEquality",
      good.map((z, i) => (i > 0 && i % 1000 === 0 ? (good[i - 1] as number) : z))
    )
    refuses(
      "pairSize",
      good.map((z, i) => (i > 0 && uniform() < 0.05 ? (good[i - 1] as number) : z))
    )
  })

  it("refuses words that are used again: the whole pool, or 64 draws", () => {
    const pool = good.slice()
    pool.copyWithin(100_000, 0, 100_000)
    refuses("repeatedWindows", pool)
    const few = good.slice()
    few.copyWithin(77_777, 12_345, 12_345 + 64)
    refuses("repeatedWindows", few)
  })

  it("refuses one value that cannot be, one fraction, one −0", () => {
    refuses("impossibleMaximum", good.with(17, Math.round(60 * SCALE)))
    refuses("integers", good.with(17, 0.5))
    refuses("integers", good.with(17, -0))
    refuses("integers", good.with(17, Number.NaN))
  })

  it("refuses a bin that is emptied into its neighbour", () =>
    refuses(
      "eachBin",
      good.map((z) => (z >= 1000 && z < 1400 ? z + 400 : z))
    ))
})
