import {
  type Contribution,
  Contributions,
  decodePayload,
  MAX_CBOR_DEPTH,
  PAYLOAD_HISTOGRAM,
  PAYLOAD_MALFORMED,
  PAYLOAD_OTHER_OPERATION
} from "@sotto/core/aggregation"
import * as fc from "fast-check"
import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { decodeReference } from "./Cbor.ts"
import { anyContribution, ascii, fixture, mutations } from "./support.ts"

/** CBOR from parts: numbers are bytes, strings are ASCII, arrays are flattened. */
type Part = number | string | Uint8Array | ReadonlyArray<Part>
const cbor = (...parts: ReadonlyArray<Part>): Uint8Array =>
  Uint8Array.from(
    parts.flatMap((part): ReadonlyArray<number> => {
      if (typeof part === "number") return [part]
      if (typeof part === "string") return [...ascii(part)]
      return [...(part instanceof Uint8Array ? part : cbor(...part))]
    })
  )

/** A string, array or map header in a form of the chooser's liking, all of which mean the same length. */
const head = (major: number, length: number, wide: number): ReadonlyArray<number> => {
  const smallest = length < 24 ? 0 : length < 256 ? 1 : 2
  const size = Math.max(smallest, wide)
  if (size === 0) return [(major << 5) | length]
  const width = 2 ** (size - 1)
  return [
    (major << 5) | (23 + size),
    ...Array.from({ length: width }, (_, i) => Math.floor(length / 256 ** (width - 1 - i)) & 255)
  ]
}

/** Decisions about form: the stream decides widths, indefinite lengths, orders and unknown members. */
const encode = (contributions: ReadonlyArray<Contribution>, choose: (n: number) => number): Uint8Array => {
  const string = (major: number, bytes: Uint8Array): Uint8Array => {
    if (choose(4) > 0) return cbor(head(major, bytes.length, choose(4)), bytes)
    const cut = choose(bytes.length + 1)
    const chunks = [bytes.subarray(0, cut), bytes.subarray(cut)].map((chunk) =>
      cbor(head(major, chunk.length, choose(3)), chunk)
    )
    return cbor((major << 5) | 31, ...chunks, 0xff)
  }
  const container = (major: number, count: number, items: ReadonlyArray<Uint8Array>): Uint8Array =>
    choose(3) > 0 ? cbor(head(major, count, choose(4)), ...items) : cbor((major << 5) | 31, ...items, 0xff)
  const integer = (value: bigint, size: number): Uint8Array => {
    const hex = value === 0n ? "" : value.toString(16)
    const bytes = Uint8Array.from((hex.length % 2 === 0 ? hex : `0${hex}`).match(/../g) ?? [], (h) =>
      Number.parseInt(h, 16)
    )
    const padded = new Uint8Array(bytes.length + choose(size - bytes.length + 1))
    padded.set(bytes, padded.length - bytes.length)
    return string(2, padded)
  }
  const name = (text: string) => string(3, ascii(text))
  const unknown = (): ReadonlyArray<Uint8Array> => {
    const values = [
      cbor(0xf6),
      cbor(0x1b, 1, 2, 3, 4, 5, 6, 7, 8),
      cbor(0xa1, 0x61, "a", 0x9f, 1, 0x20, 0xff),
      cbor(0xc2, 0x41, 5),
      cbor(0xfb, 0, 0, 0, 0, 0, 0, 0, 0),
      cbor(0xf8, 255)
    ]
    const keys = [name("padding"), name("bucketbucketbucketbucket"), cbor(5), cbor(0x39, 1, 0), name("")]
    return choose(3) > 0
      ? []
      : [cbor(keys[choose(keys.length)] as Uint8Array, values[choose(values.length)] as Uint8Array)]
  }
  const shuffled = (list: ReadonlyArray<Uint8Array>) =>
    list
      .map((item) => [choose(1000), item] as const)
      .sort(([a], [b]) => a - b)
      .map(([, item]) => item)
  const items = contributions.map(({ bucket, id, value }) => {
    const own = shuffled([
      cbor(name("bucket"), integer(bucket, 16)),
      cbor(name("value"), integer(BigInt(value), 4)),
      ...(id === 0n && choose(2) === 0 ? [] : [cbor(name("id"), integer(id, 8))]),
      ...unknown()
    ])
    return container(5, own.length, own)
  })
  const top = shuffled([
    ...(contributions.length === 0 && choose(2) === 0 ? [] : [cbor(name("data"), container(4, items.length, items))]),
    cbor(name("operation"), name("histogram")),
    ...unknown()
  ])
  return cbor(container(5, top.length, top), choose(3) === 0 ? "trailing" : [])
}

const decode = (bytes: Uint8Array) => {
  const sink = new Contributions(1)
  // Something before and behind, so that a read past either end shows.
  const around = cbor(0xaa, bytes, 0x62, 0x69, 0x64, 0x50, "0123456789abcdef")
  const outcome = decodePayload(around, 1, 1 + bytes.length, sink)
  return { outcome, contributions: sink.toArray() }
}

const golden = (folder: string): ReadonlyArray<Uint8Array> =>
  readdirSync(fixture(`goldens/${folder}/`))
    .filter((file) => file.endsWith("_cleartext_payloads.json"))
    .flatMap((file) => JSON.parse(readFileSync(fixture(`goldens/${folder}/${file}`), "utf8")) as ReadonlyArray<string>)
    .map((text) => new Uint8Array(Buffer.from(text, "base64")))

const goldens = readdirSync(fixture("goldens/"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap((entry) => golden(entry.name))

// As Chrome writes a contribution, with and without an id.
const BUCKET = "0123456789abcdef"
const WITHOUT_ID = cbor(0xa2, 0x65, "value", 0x44, 0, 0, 1, 0, 0x66, "bucket", 0x50, BUCKET)
const WITH_ID = cbor(0xa3, 0x62, "id", 0x41, 9, 0x65, "value", 0x44, 0, 0, 1, 0, 0x66, "bucket", 0x50, BUCKET)
const OPERATION = cbor(0x69, "operation", 0x69, "histogram")
const payload = (...items: ReadonlyArray<Uint8Array>) =>
  cbor(0xa2, 0x64, "data", 0x80 + items.length, ...items, OPERATION)
const malformed = { outcome: PAYLOAD_MALFORMED, contributions: [] }
const empty = { outcome: PAYLOAD_HISTOGRAM, contributions: [] }

describe("Payload", () => {
  it("reads what Chrome wrote", () => {
    expect(goldens).toHaveLength(11)
    for (const bytes of goldens) {
      const reference = decodeReference(bytes)
      expect(decode(bytes)).toEqual({ outcome: PAYLOAD_HISTOGRAM, contributions: reference?.contributions })
      expect(reference?.contributions.length).toBeGreaterThan(0)
    }
  })

  it("reads every form of the same contributions", () =>
    fc.assert(
      fc.property(
        fc.array(anyContribution, { maxLength: 12 }),
        fc.infiniteStream(fc.nat({ max: 999_999 })),
        (list, stream) => {
          const bytes = encode(list, (n) => (stream.next().value as number) % n)
          expect(decode(bytes)).toEqual({ outcome: PAYLOAD_HISTOGRAM, contributions: list })
        }
      ),
      { numRuns: 300 }
    ))

  it("agrees with the plain decoder on 40 000 mutated payloads, and never throws", () => {
    const random = { state: 7 }
    const choose = (n: number) => (random.state = (Math.imul(random.state, 48_271) >>> 0) % 0x7fff_ffff) % n
    const samples = [
      payload(WITHOUT_ID, WITH_ID),
      payload(),
      ...Array.from({ length: 60 }, (_, i) =>
        encode(
          Array.from({ length: i % 3 }, (_, k) => ({ bucket: BigInt(i * k), value: i, id: BigInt(k) })),
          choose
        )
      )
    ]
    const seen = { [PAYLOAD_MALFORMED]: 0, [PAYLOAD_HISTOGRAM]: 0, [PAYLOAD_OTHER_OPERATION]: 0 }
    for (const bytes of mutations(samples, 40_000)) {
      const hot = decode(bytes)
      const reference = decodeReference(bytes)
      seen[hot.outcome]++
      const expected =
        reference === undefined
          ? malformed
          : reference.operation === "histogram"
            ? { outcome: PAYLOAD_HISTOGRAM, contributions: reference.contributions }
            : { outcome: PAYLOAD_OTHER_OPERATION, contributions: [] }
      // Comparing by hand first: `toEqual` on every round would take most of the time.
      if (
        hot.outcome !== expected.outcome ||
        hot.contributions.length !== expected.contributions.length ||
        hot.contributions.length > 0
      ) {
        expect(hot, Buffer.from(bytes).toString("hex")).toEqual(expected)
      }
    }
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(100)
  })

  it("appends to the sink and leaves it as it was on failure", () => {
    const sink = new Contributions(1)
    const good = payload(WITHOUT_ID, WITH_ID)
    const bad = payload(WITHOUT_ID, WITH_ID, cbor(0xa0))
    expect(decodePayload(good, 0, good.length, sink)).toBe(PAYLOAD_HISTOGRAM)
    expect(decodePayload(bad, 0, bad.length, sink)).toBe(PAYLOAD_MALFORMED)
    expect(decodePayload(good, 0, good.length, sink)).toBe(PAYLOAD_HISTOGRAM)
    expect(sink.toArray().map((c) => c.id)).toEqual([0n, 9n, 0n, 9n])
  })

  it("ignores unknown keys of the payload and of a contribution, and trailing bytes", () => {
    const item = cbor(0xa3, 0x61, "x", 0x82, 1, 2, WITHOUT_ID.subarray(1))
    const bytes = cbor(0xa3, 0x67, "padding", 0x43, 0, 0, 0, payload(item).subarray(1), "tail")
    expect(decode(bytes).contributions).toMatchObject([{ value: 256, id: 0n }])
  })

  it("takes an absent id as 0, also behind a contribution that had one", () =>
    expect(decode(payload(WITH_ID, WITHOUT_ID)).contributions.map((c) => c.id)).toEqual([9n, 0n]))

  it("takes an absent id as 0 in the general form too, in rows that were used before", () => {
    const sink = new Contributions(4)
    const withId = payload(WITH_ID)
    decodePayload(withId, 0, withId.length, sink)
    sink.clear()
    const general = payload(cbor(0xa2, 0x66, "bucket", 0x41, 1, 0x65, "value", 0x41, 2))
    expect(decodePayload(general, 0, general.length, sink)).toBe(PAYLOAD_HISTOGRAM)
    expect(sink.toArray()).toEqual([{ bucket: 1n, value: 2, id: 0n }])
  })

  it("takes missing data as no contributions", () => {
    expect(decode(cbor(0xa1, OPERATION))).toEqual(empty)
    expect(decode(payload())).toEqual(empty)
  })

  it("takes empty and short byte strings as numbers with leading zeros", () => {
    const item = cbor(0xa3, 0x66, "bucket", 0x40, 0x65, "value", 0x41, 7, 0x62, "id", 0x40)
    expect(decode(payload(item)).contributions).toEqual([{ bucket: 0n, value: 7, id: 0n }])
  })

  it("keeps a value with the high bit unsigned", () => {
    const item = cbor(0xa2, 0x66, "bucket", 0x41, 1, 0x65, "value", 0x44, 255, 255, 255, 255)
    expect(decode(payload(item)).contributions[0]?.value).toBe(2 ** 32 - 1)
  })

  it("tells another operation from a malformed one", () => {
    const other = cbor(0xa2, 0x64, "data", 0x81, WITHOUT_ID, 0x69, "operation", 0x63, "sum")
    expect(decode(other)).toEqual({ outcome: PAYLOAD_OTHER_OPERATION, contributions: [] })
    expect(decode(cbor(0xa1, 0x69, "operation", 0x49, "histogram"))).toEqual(malformed)
  })

  it.each([
    ["empty plaintext", cbor()],
    ["no map", cbor(0x80)],
    ["text", cbor(0x69, "histogram")],
    ["missing operation", cbor(0xa1, 0x64, "data", 0x80)],
    ["missing bucket", payload(cbor(0xa1, 0x65, "value", 0x41, 1))],
    ["missing value", payload(cbor(0xa1, 0x66, "bucket", 0x41, 1))],
    ["17 bytes of bucket", payload(cbor(0xa2, 0x65, "value", 0x41, 1, 0x66, "bucket", 0x51, 0, BUCKET))],
    ["5 bytes of value", payload(cbor(0xa2, 0x65, "value", 0x45, 0, 0, 0, 0, 1, 0x66, "bucket", 0x41, 1))],
    ["9 bytes of id", payload(cbor(0xa3, 0x62, "id", 0x49, 0, 0, 0, 0, 0, 0, 0, 0, 1, WITHOUT_ID.subarray(1)))],
    ["an integer value", payload(cbor(0xa2, 0x65, "value", 1, 0x66, "bucket", 0x41, 1))],
    ["a text bucket", payload(cbor(0xa2, 0x65, "value", 0x41, 1, 0x66, "bucket", 0x61, "1"))],
    ["a null id", payload(cbor(0xa3, 0x62, "id", 0xf6, WITHOUT_ID.subarray(1)))],
    ["null data", cbor(0xa2, 0x64, "data", 0xf6, OPERATION)],
    ["data that is a map", cbor(0xa2, 0x64, "data", 0xa0, OPERATION)],
    ["a contribution that is a number", payload(cbor(1))],
    ["a bucket given twice", payload(cbor(0xa3, 0x66, "bucket", 0x41, 1, WITHOUT_ID.subarray(1)))],
    ["data given twice", cbor(0xa3, 0x64, "data", 0x80, payload().subarray(1))],
    ["a tag around a value", payload(cbor(0xa2, 0x65, "value", 0xc2, 0x41, 1, 0x66, "bucket", 0x41, 1))],
    ["a byte string as key", cbor(0xa2, 0x41, "x", 0, OPERATION)],
    ["a cut payload", payload(WITHOUT_ID).subarray(0, -1)],
    ["one bad contribution among good ones", payload(WITHOUT_ID, cbor(0xa0), WITHOUT_ID)],
    ["a break where a value belongs", cbor(0xbf, 0x61, "x", 0xff, OPERATION, 0xff)],
    ["a reserved header", cbor(0xa2, 0x61, "x", 0x1c, OPERATION)]
  ])("calls %s malformed", (_, bytes) => expect(decode(bytes)).toEqual(malformed))

  it("answers at once to counts and depths that lie", () => {
    const huge = cbor(0xa2, 0x64, "data", 0x9b, 255, 255, 255, 255, 255, 255, 255, 255)
    expect(decode(huge)).toEqual(malformed)
    expect(decode(cbor(0xbb, 0, 0, 0, 0, 255, 255, 255, 255, OPERATION))).toEqual(malformed)
    const nested = (depth: number) => cbor(0xa2, 0x61, "x", new Uint8Array(depth).fill(0x81), 0, OPERATION)
    expect(decode(nested(MAX_CBOR_DEPTH - 1))).toEqual(empty)
    expect(decode(nested(MAX_CBOR_DEPTH))).toEqual(malformed)
    expect(decode(cbor(0xa2, 0x61, "x", new Uint8Array(5_000_000).fill(0x9f)))).toEqual(malformed)
    expect(decode(cbor(0xa2, 0x61, "x", new Uint8Array(5_000_000).fill(0xc1)))).toEqual(malformed)
  })
})
