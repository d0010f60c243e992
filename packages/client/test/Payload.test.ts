import { decode } from "cborg"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Contributions, encodePayload, MAX_BUCKET } from "../src/index.ts"
import { golden } from "./support.ts"

const numberOf = (bytes: Uint8Array): bigint => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)

interface Decoded {
  readonly operation: string
  readonly data: ReadonlyArray<{ readonly bucket: Uint8Array; readonly value: Uint8Array; readonly id?: Uint8Array }>
}

describe("encodePayload", () => {
  it("is read back by an independent decoder, padded, in order", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 8 }).chain((filteringIdBytes) =>
          fc.record({
            filteringIdBytes: fc.constant(filteringIdBytes),
            entries: fc.integer({ min: 8, max: 300 }),
            adds: fc.uniqueArray(
              fc.record({
                bucket: fc.bigInt({ min: 0n, max: MAX_BUCKET }),
                value: fc.integer({ min: 0, max: 8192 }),
                filteringId: fc.bigInt({ min: 0n, max: 256n ** BigInt(filteringIdBytes) - 1n })
              }),
              { maxLength: 8, selector: ({ bucket }) => bucket }
            )
          })
        ),
        ({ adds, entries, filteringIdBytes }) => {
          const contributions = new Contributions({ entries, filteringIdBytes })
          for (const add of adds) contributions.add(add)
          const { data, operation } = decode(encodePayload(contributions), { strict: true }) as Decoded
          expect(operation).toBe("histogram")
          expect(data).toHaveLength(entries)
          const widths = new Set(
            data.map(({ bucket, value, id }) => `${bucket.length},${value.length},${id?.length ?? 0}`)
          )
          expect([...widths]).toEqual([`16,4,${filteringIdBytes}`])
          const read = data.map(({ bucket, value, id = new Uint8Array(0) }) => ({
            bucket: numberOf(bucket),
            value: Number(numberOf(value)),
            filteringId: numberOf(id)
          }))
          expect(read.slice(0, adds.length)).toEqual(adds)
          expect(read.slice(adds.length).every((c) => c.bucket === 0n && c.value === 0 && c.filteringId === 0n)).toBe(
            true
          )
        }
      )
    ))

  // Every cleartext that Chrome wrote, from its contribution and options: equal byte for byte.
  it.each([
    ["attribution-0.1/report_1", { filteringIdBytes: 0 }, { bucket: 1n, value: 2 }],
    ["attribution-0.1/report_2", { filteringIdBytes: 0 }, { bucket: 1n, value: 2 }],
    ["attribution-1.0/report_1", {}, { bucket: 1n, value: 2 }],
    ["attribution-1.0/report_2", {}, { bucket: 1n, value: 2 }],
    ["attribution-1.0/report_10", { filteringIdBytes: 2 }, { bucket: 0n, value: 33, filteringId: 257n }],
    ["attribution-debug-1.0/report_1", { entries: 2 }, { bucket: 123n, value: 456 }],
    ["attribution-no-version/report_1", { entries: 1, filteringIdBytes: 0 }, { bucket: 1n, value: 2 }],
    ["private-aggregation-1.0/report_1", {}, { bucket: 1n, value: 2 }],
    ["private-aggregation-1.0/report_5", {}, { bucket: MAX_BUCKET, value: 2 }],
    ["private-aggregation-1.0/report_12", { entries: 100 }, { bucket: 1n, value: 2 }],
    [
      "private-aggregation-1.0/report_17",
      { entries: 100, filteringIdBytes: 8 },
      { bucket: 1n, value: 2, filteringId: 2n ** 64n - 1n }
    ]
  ])("writes %s as Chrome did", (name, options, contribution) => {
    expect(encodePayload(new Contributions(options).add(contribution))).toEqual(golden(name))
  })

  // spec: aggregation §3.6, plaintext sizes.
  it.each([
    [747, { filteringIdBytes: 0 }],
    [847, {}],
    [987, { filteringIdBytes: 8 }],
    [4128, { entries: 100 }],
    [41_029, { entries: 1000 }]
  ])("takes %i bytes for %j, however much is contributed", (size, options) => {
    const full = new Contributions(options)
    while (full.size < full.entries) full.add({ bucket: MAX_BUCKET - BigInt(full.size), value: 1 })
    expect(encodePayload(new Contributions(options))).toHaveLength(size)
    expect(encodePayload(full)).toHaveLength(size)
  })
})
