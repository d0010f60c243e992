/** Noises and encodes the rows of one block: what a lane does in a release. */
import { RowWriter } from "@sotto/avro"
import { freshSeed, makeNoise, type Noise } from "@sotto/core/noise"
import type { NoiseSource, RowsOutcome, RowsTask } from "./Calls.ts"

/** Making a noise takes a millisecond; a lane serves one release at a time. */
let last: { readonly source: NoiseSource; readonly noise: Noise } | undefined

const noiseOf = (source: NoiseSource): Noise => {
  const same =
    last !== undefined &&
    last.source.epsilon === source.epsilon &&
    last.source.l1 === source.l1 &&
    Buffer.compare(last.source.seed, source.seed) === 0
  // Which of the two kinds of seed it was has been decided where the types were; the bytes are used alike.
  if (!same || last === undefined)
    last = { source, noise: makeNoise(freshSeed(source.seed), source.epsilon, source.l1) }
  return last.noise
}

// Numbers of the symbols of the enum `bucket_tags`; in_reports stands first when both apply (spec: aggregation §7).
const [IN_DOMAIN, IN_REPORTS] = [0, 1]

const writer = new RowWriter()

export const encodeRows = ({ buckets, sums, noise, form, inDomain, inReports }: RowsTask): RowsOutcome => {
  const count = sums.length
  const metrics = new BigInt64Array(count)
  if (noise === undefined) metrics.set(sums)
  else noiseOf(noise).release(buckets, sums, metrics, 0, count)
  switch (form) {
    case "metrics":
      return metrics
    case "facts":
      writer.facts(buckets, metrics, 0, count)
      break
    case "debug":
      for (let i = 0; i < count; i++) {
        const tags = [...(inReports?.[i] === 1 ? [IN_REPORTS] : []), ...(inDomain ? [IN_DOMAIN] : [])]
        writer.debugFact(buckets, 16 * i, sums[i]!, BigInt.asIntN(64, metrics[i]! - sums[i]!), tags as Array<number>)
      }
  }
  return writer.take().data as Uint8Array<ArrayBuffer>
}
