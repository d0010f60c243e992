import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { printEpsilon } from "@sotto/core/budget"
import { discreteLaplace, freshSeed, makeNoise, rateOf, thresholds, type Words } from "@sotto/core/noise"
import { UsageError } from "../Failure.ts"
import { needFolderOf } from "../Folders.ts"
import { epsilonOf } from "../Options.ts"
import { grouped, note } from "../Terminal.ts"

export interface SampleOptions {
  readonly epsilon: string
  readonly sensitivity: number
  readonly count: number
  readonly path: "release" | "system"
  readonly json: string
}

const MOST = 20_000_000

/** Fresh system words for every coin and depth: the ideal words that the exactness proof speaks of. */
const systemWords = (): Words => {
  let pool = randomBytes(65_536)
  let at = 0
  return () => {
    if (at === pool.length) [pool, at] = [randomBytes(65_536), 0]
    const word = pool.readUInt32LE(at)
    at += 4
    return word
  }
}

const consecutiveBuckets = (count: number): Uint8Array => {
  const buckets = new Uint8Array(16 * count)
  const view = new DataView(buckets.buffer)
  for (let i = 0; i < count; i++) view.setUint32(16 * i + 12, i)
  return buckets
}

const samples = (options: SampleOptions, epsilon: number): BigInt64Array => {
  const out = new BigInt64Array(options.count)
  if (options.path === "release") {
    makeNoise(freshSeed(randomBytes(32)), epsilon, options.sensitivity).release(
      consecutiveBuckets(options.count),
      out,
      out,
      0,
      options.count
    )
    return out
  }
  const table = thresholds(rateOf(epsilon, options.sensitivity))
  const words = systemWords()
  const bucket = new Uint8Array(16)
  for (let i = 0; i < options.count; i++) out[i] = discreteLaplace(table, words, bucket)
  return out
}

/** A sample beyond 2⁵³ is written as text, so that no reader rounds it. */
const printed = (value: bigint): string => (value >= -(2n ** 53n) && value <= 2n ** 53n ? String(value) : `"${value}"`)

export const sample = async (options: SampleOptions): Promise<void> => {
  const epsilon = epsilonOf(options.epsilon)
  if (options.count > MOST) throw new UsageError(`--count is at most ${grouped(MOST)}; sample several files instead.`)
  needFolderOf(options.json)
  const drawn = samples(options, epsilon)
  const head = `{"epsilon":${printEpsilon(epsilon)},"sensitivity":${options.sensitivity},"samples":[`
  writeFileSync(options.json, `${head}${Array.from(drawn, printed).join(",")}]}\n`)
  note(`${grouped(options.count)} samples in ${options.json}`)
}
