import { categoriesOf } from "@sotto/core/aggregation"
import { reportMacs } from "@sotto/core/budget"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { batchReader, type Questions } from "../../src/internal/ReportBatch.ts"
import { cbor, cleartext, container, report, type Row, sealed, sharedInfo, uuid } from "../Harness.ts"
import { answer, BATCH_RULES, type LocalOptions, readAll, sumsOf } from "../Local.ts"

const read = (rows: ReadonlyArray<Row>, options: LocalOptions = {}) => readAll([["a", container(rows)]], options)

const categories = async (rows: ReadonlyArray<Row>, options: LocalOptions = {}) => {
  const { results, stop } = await read(rows, options)
  expect(stop).toBeUndefined()
  return results.flatMap(({ masks }) => [...masks].map((mask) => categoriesOf(mask).join("+")))
}

const one = async (row: Row, options: LocalOptions = {}): Promise<string> => (await categories([row], options))[0]!

describe("a report that is refused", () => {
  const good = cbor([[1n, 2]])
  const of = (members: Record<string, unknown>, n = 1) => sealed(n, good, sharedInfo(n, members))
  const cases: ReadonlyArray<readonly [name: string, category: string, row: Row, options?: LocalOptions]> = [
    ["from another site", "REPORTING_SITE_MISMATCH", of({ reporting_origin: "https://a.org" })],
    ["from no site", "ATTRIBUTION_REPORT_TO_MALFORMED", of({ reporting_origin: "https://10.0.0.1" })],
    [
      "from another origin",
      "ATTRIBUTION_REPORT_TO_MISMATCH",
      of({}),
      { rules: { reporter: { _tag: "Origin", attributionReportTo: "https://b.example.com" } } }
    ],
    ["of 2009", "ORIGINAL_REPORT_TIME_TOO_OLD", of({ scheduled_report_time: "1234486400" })],
    ["of another operation", "UNSUPPORTED_OPERATION", sealed(1, cbor([], 0, "mean"))],
    ["not for debugging", "DEBUG_NOT_ENABLED", of({ debug_mode: "disabled" }), { rules: { debugRun: true } }],
    ["of another API", "UNSUPPORTED_REPORT_API_TYPE+REQUIRED_SHAREDINFO_FIELD_INVALID", of({ api: "foo" })],
    ["of no API", "REQUIRED_SHAREDINFO_FIELD_INVALID", of({ api: undefined })],
    ["without a destination", "REQUIRED_SHAREDINFO_FIELD_INVALID", of({ api: "attribution-reporting" })],
    ["with a bad id", "INVALID_REPORT_ID", of({ report_id: "1234" })],
    ["of version 1", "REQUIRED_SHAREDINFO_FIELD_INVALID+UNSUPPORTED_SHAREDINFO_VERSION", of({ version: "1" })],
    ["with an unknown key", "DECRYPTION_KEY_NOT_FOUND", sealed(1, good, sharedInfo(1), "other")],
    ["with a useless key", "DECRYPTION_KEY_FETCH_ERROR", sealed(1, good, sharedInfo(1), "unusable")],
    ["under another shared_info", "DECRYPTION_ERROR", { ...of({}), sharedInfo: sharedInfo(2) }],
    ["without a payload", "DECRYPTION_ERROR", { ...of({}), payload: new Uint8Array(0) }],
    ["whose shared_info is no JSON", "DECRYPTION_ERROR", sealed(1, good, "{")],
    ["whose shared_info lacks a version", "DECRYPTION_ERROR", of({ version: undefined })],
    ["without a plaintext", "REPORT_PARSING_ERROR", sealed(1, new Uint8Array(0))],
    ["whose plaintext is no CBOR", "REPORT_PARSING_ERROR", sealed(1, Uint8Array.of(0xff, 1, 2))]
  ]
  it.each(cases.map(([name, category, row, options]) => ({ name, category, row, options })))(
    "$name is a $category",
    async ({ category, row, options }) => {
      const good = report(9, [[1n, 1]])
      expect(await one(row, options)).toBe(category)
      // It adds nothing, and nothing of it sticks to its neighbours.
      if (options === undefined) {
        const { merger } = await read([row, good, row])
        expect([...sumsOf(merger)]).toEqual([[1n, 1n]])
        expect(merger.errors).toMatchObject({ total: 3, withErrors: 2 })
        expect(merger.unitCount).toBe(1)
      }
    }
  )

  it("is one of a site that is asked for once", async () => {
    const asked: Array<Questions> = []
    const reader = batchReader(BATCH_RULES, (questions) => {
      asked.push(questions)
      return answer(questions)
    })
    const rows = [report(1, []), report(2, []), sealed(3, cbor([]), sharedInfo(3), "other")]
    const batch = async () => {
      const { readBatches } = await import("../../src/internal/Batches.ts")
      const { engineOf, sourcesOf } = await import("../Local.ts")
      const files = [["a", container(rows)]] as const
      for await (const batch of readBatches(engineOf(files), sourcesOf(files), 1 << 20, () => {})) return batch
      throw new Error("no batch")
    }
    for (let i = 0; i < 2; i++) await reader((await batch()) as never)
    expect(asked).toEqual([{ keyIds: ["key-1", "other"], origins: ["https://a.example.com"] }])
  })

  it("passes with the reduced checks where only origin, age or operation is wrong", async () => {
    const rows = [
      of({ reporting_origin: "https://10.0.0.1" }),
      of({ scheduled_report_time: "1" }, 2),
      sealed(3, cbor([], 0, "mean"))
    ]
    expect(await categories(rows, { rules: { checks: "reduced" } })).toEqual(["", "", ""])
  })
})

describe("what ends a job", () => {
  it("is a report of version 2, after the rows before it", async () => {
    const { merger, stop } = await read([
      report(1, [[1n, 1]]),
      report(2, [], sharedInfo(2, { version: "2.0" })),
      report(3, [])
    ])
    expect(stop).toEqual({ _tag: "Version", version: "2.0" })
    expect(merger.errors).toMatchObject({ total: 1, withErrors: 0 })
  })

  it("is a key that is denied, after the rows before it", async () => {
    const { merger, stop } = await read([report(1, [[1n, 1]]), sealed(2, cbor([]), sharedInfo(2), "denied")])
    expect(stop).toEqual({ _tag: "Key", tag: "KeyDenied", keyId: "denied", message: "no" })
    expect(merger.reports).toBe(1)
  })

  it("is a row that is cut, and says which block of which file", async () => {
    const bytes = Buffer.from(container([report(1, []), report(2, [])], { perBlock: 1 }))
    const at = bytes.lastIndexOf(Buffer.from("shared-storage"))
    // The length of the last field, which stands before its text, says one more than there is.
    bytes[at - 10]! += 2
    const { stop, merger } = await readAll([
      ["good", container([report(3, [])])],
      ["bad", bytes]
    ])
    const offset = container([report(1, [])], { perBlock: 1 }).length
    expect(stop).toMatchObject({ _tag: "Input", offset, reason: expect.stringContaining("row 0") })
    expect(merger.reports).toBe(2)
  })
})

describe("a batch", () => {
  it("names counted reports as the budget does", async () => {
    const row = report(1, [[1n, 1]])
    const clear = cleartext(2, [[1n, 1]])
    const macs = reportMacs(BATCH_RULES.fingerprintKey!)
    const { results } = await read([row])
    const encrypted = macs.encrypted(row.payload.slice(0, 32), row.payload.slice(-16), Buffer.from(row.sharedInfo))
    expect(Buffer.from(results[0]!.macs).toString("hex")).toBe(Buffer.from(encrypted).toString("hex"))
    const other = await read([clear], { rules: { input: "cleartext" } })
    const expected = macs.cleartext(clear.payload, Buffer.from(clear.sharedInfo))
    expect(Buffer.from(other.results[0]!.macs).toString("hex")).toBe(Buffer.from(expected).toString("hex"))
  })

  it("has no MACs without a key for them, and counts all the same", async () => {
    const { results, merger } = await read([report(1, [])], { rules: { fingerprintKey: undefined } })
    expect(results[0]!.macs.length).toBe(0)
    expect(merger.sum.reports).toBe(1)
  })

  it("opens reports of several keys in one block", async () => {
    const rows = [report(1, [[1n, 1]]), sealed(2, cbor([[2n, 2]]), sharedInfo(2), "x"), report(3, [[3n, 3]])]
    expect([...sumsOf((await read(rows)).merger)]).toEqual([
      [1n, 1n],
      [3n, 3n]
    ])
  })

  it.each(["null", "deflate", "snappy"] as const)("reads blocks stored with codec %s", async (codec) => {
    const rows = Array.from({ length: 20 }, (_, n) => report(n, [[BigInt(n % 3), n]]))
    const { merger } = await readAll([["a", container(rows, { codec, perBlock: 7 })]])
    expect([...sumsOf(merger)]).toEqual([
      [0n, 63n],
      [1n, 70n],
      [2n, 57n]
    ])
  })

  it("does not mind padding", async () => {
    const padded = sealed(1, cbor([[1n, 2]], 20))
    expect([...sumsOf((await read([padded])).merger)]).toEqual([[1n, 2n]])
  })
})

describe("totality", () => {
  it("counts every mutated row and throws for none", async () => {
    const good = report(1, [[1n, 1]])
    const mutate = (bytes: Uint8Array, at: number, how: number): Uint8Array => {
      if (bytes.length === 0) return bytes
      const copy = Uint8Array.from(bytes)
      if (how < 8) copy[at % copy.length]! ^= 1 << how
      return how === 8 ? copy.slice(0, at % copy.length) : how === 9 ? Uint8Array.from([...copy, at & 255]) : copy
    }
    const mutant = fc
      .tuple(fc.constantFrom("payload", "sharedInfo", "keyId"), fc.nat(1200), fc.nat(9))
      .map(([field, at, how]): Row =>
        field === "payload"
          ? { ...good, payload: mutate(good.payload, at, how) }
          : { ...good, [field]: Buffer.from(mutate(Buffer.from(good[field as "keyId"]), at, how)).toString("latin1") }
      )
    await fc.assert(
      fc.asyncProperty(fc.array(mutant, { minLength: 1, maxLength: 20 }), async (rows) => {
        const { merger, stop } = await read(rows)
        expect(stop).toBeUndefined()
        expect(merger.errors.total).toBe(rows.length)
        // Whatever still opens is the report as it was.
        const sums = [...sumsOf(merger)]
        expect(sums).toEqual(merger.errors.withErrors < rows.length ? [[1n, 1n]] : [])
      }),
      { numRuns: 60 }
    )
  })

  it("counts plaintexts mutated below the encryption, and sums only what decodes", async () => {
    const plain = cbor([
      [1n, 1],
      [2n, 2, 0n]
    ])
    const mutants: Array<Row> = []
    for (let at = 0; at < plain.length; at++) {
      for (const flip of [1, 0x20, 0x80]) {
        const copy = plain.slice()
        copy[at]! ^= flip
        mutants.push(sealed(mutants.length + 1, copy))
      }
      mutants.push(sealed(mutants.length + 1, plain.slice(0, at)))
    }
    const { merger, stop } = await read(mutants)
    expect(stop).toBeUndefined()
    expect(merger.errors.total).toBe(mutants.length)
    const { withErrors, byCategory } = merger.errors
    expect(withErrors).toBeGreaterThan(100)
    expect(withErrors).toBeLessThan(mutants.length)
    // Below the encryption only these two can go wrong.
    expect(categoriesOf(byCategory.reduce((mask, count, i) => (count > 0 ? mask | (1 << i) : mask), 0))).toEqual([
      "UNSUPPORTED_OPERATION",
      "REPORT_PARSING_ERROR"
    ])
  })

  it("keeps ids apart that differ only in their first group", async () => {
    const rows = [1, 2].map((n) => report(n, [[1n, 1]], sharedInfo(n, { report_id: `${n}${uuid(5).slice(1)}` })))
    expect((await read(rows)).merger.duplicates).toBe(0)
  })
})
