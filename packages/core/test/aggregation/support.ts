import * as fc from "fast-check"
import { bucketsOf, hashKey, Contributions, type Contribution, type SharedInfo } from "@sotto/core/aggregation"
import { readFileSync } from "node:fs"

export const fixture = (path: string): URL => new URL(`../../../../test/fixtures/${path}`, import.meta.url)

export const readFixture = (path: string): Uint8Array => new Uint8Array(readFileSync(fixture(path)))

export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0))

export const HASH_KEY = hashKey(0x01234567, 0x89abcdef)

/** Few buckets, so that sums meet, among them the edges of the 128 bits. */
export const anyBucket: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 2n ** 32n, 2n ** 64n, 2n ** 96n, 2n ** 128n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 128n - 1n })
)

export const anyId: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 255n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
)

const anyValue: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 65_536, 2 ** 31, 2 ** 32 - 1),
  fc.nat({ max: 2 ** 32 - 1 })
)

export const anyContribution: fc.Arbitrary<Contribution> = fc.record({ bucket: anyBucket, value: anyValue, id: anyId })

export const contributionsOf = (list: ReadonlyArray<Contribution>): Contributions => {
  const sink = new Contributions(1)
  sink.reserve(list.length)
  sink.buckets.set(bucketsOf(list.map((c) => c.bucket)))
  list.forEach((c, i) => {
    sink.values[i] = c.value
    sink.ids[2 * i] = Number(c.id >> 32n)
    sink.ids[2 * i + 1] = Number(c.id & 0xffff_ffffn)
  })
  sink.length = list.length
  return sink
}

/** Numbers below `n` from a seed (xorshift32), for the many small inputs that properties would make too slowly. */
export const randomNumbers = (seed: number): ((n: number) => number) => {
  let state = seed | 1
  return (n) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % n
  }
}

/**
 * `count` byte strings: each of `samples` changed in one to four places (replaced, dropped, doubled, cut, or given an
 * interesting byte), and one in eight made of random bytes. The same for the same seed.
 */
export function* mutations(samples: ReadonlyArray<Uint8Array>, count: number, seed = 42): Iterable<Uint8Array> {
  const random = randomNumbers(seed)
  for (let i = 0; i < count; i++) {
    let bytes = Array.from(samples[i % samples.length] as Uint8Array)
    if (random(8) === 0) bytes = Array.from({ length: random(40) }, () => random(256))
    for (let edits = 1 + random(4); edits > 0; edits--) {
      const at = random(bytes.length + 1)
      const what = random(6)
      if (what <= 1) bytes[at] = random(256)
      else if (what === 2) bytes[at] = [0, 0x1f, 0x40, 0x5f, 0x7f, 0x9f, 0xbf, 0xff, 0x1b, 0x3b][random(10)] as number
      else if (what === 3) bytes.splice(at, 1 + random(3))
      else if (what === 4) bytes.splice(at, 0, ...bytes.slice(at, at + 1 + random(8)))
      else if (random(4) === 0) bytes.length = at
    }
    yield Uint8Array.from(bytes)
  }
}

/** The same for texts of code points up to 255. */
export function* mutatedTexts(samples: ReadonlyArray<string>, count: number, seed = 42): Iterable<string> {
  for (const bytes of mutations(samples.map(ascii), count, seed)) yield String.fromCharCode(...bytes)
}

/** A report that passes every check at `AS_OF` in a job for `https://www.origin.com` or site `https://origin.com`. */
export const VALID_INFO: SharedInfo = {
  version: "1.0",
  api: "attribution-reporting",
  reportId: "21abd97f-73e8-4b88-9389-a9fee6abda5e",
  reportingOrigin: "https://www.origin.com",
  attributionDestination: "https://www.destination.com",
  scheduledReportTime: { seconds: 1_609_459_200, nanos: 0 },
  sourceRegistrationTime: { seconds: 1_609_459_200, nanos: 0 },
  debugMode: "enabled"
}

/** 2021-01-02T00:00:00Z */
export const AS_OF = 1_609_545_600_000
