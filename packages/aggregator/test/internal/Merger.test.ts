import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { AS_OF, cbor, cleartext, container, type Contribution, ORIGIN, type Row, sharedInfo, uuid } from "../Harness.ts"
import { type LocalOptions, readAll, sumsOf, view } from "../Local.ts"

const CLEAR: LocalOptions = { rules: { input: "cleartext" } }
const clear = (more: LocalOptions = {}): LocalOptions => ({ ...more, rules: { ...more.rules, input: "cleartext" } })

const contributions = fc.array(
  fc.tuple(fc.bigInt(0n, 12n), fc.nat(70_000), fc.bigInt(0n, 3n)) as fc.Arbitrary<Contribution>,
  { maxLength: 4 }
)
const rows = fc
  .array(fc.tuple(fc.nat(25), contributions, fc.constantFrom("", "bad"), fc.nat(5)), { maxLength: 40 })
  .map((reports) =>
    reports.map(([id, values, bad, hour]): Row =>
      cleartext(
        id,
        values,
        bad === "" ? sharedInfo(id, { scheduled_report_time: String(AS_OF / 1000 - 3600 * hour) }) : "{}"
      )
    )
  )

describe("Merger", () => {
  it("gives the same for every number of lanes, batch size and block size", () =>
    fc.assert(
      fc.asyncProperty(
        rows,
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 4000 }),
        fc.integer({ min: 1, max: 9 }),
        async (all, lanes, batchBytes, perBlock) => {
          const expected = await readAll([["a", container(all)]], CLEAR)
          const actual = await readAll([["a", container(all, { perBlock })]], clear({ lanes, batchBytes }))
          expect(view(actual.merger)).toEqual(view(expected.merger))
        }
      ),
      { numRuns: 60 }
    ))

  it("gives the same however rows are spread over objects", () =>
    fc.assert(
      fc.asyncProperty(rows, fc.array(fc.nat(40), { maxLength: 5 }), async (all, cuts) => {
        const borders = [0, ...cuts.map((cut) => Math.min(cut, all.length)).sort((a, b) => a - b), all.length]
        const files = borders.slice(1).map((to, i) => [`${i}`, container(all.slice(borders[i], to))] as const)
        const expected = await readAll([["a", container(all)]], CLEAR)
        expect(view((await readAll(files, CLEAR)).merger)).toEqual(view(expected.merger))
      }),
      { numRuns: 40 }
    ))

  it("counts the first valid report of an id, in order of objects and rows", async () => {
    const first = cleartext(1, [[1n, 1]])
    const bad = cleartext(1, [[9n, 9]], sharedInfo(1, { api: "foo" }))
    const second = cleartext(1, [[2n, 2]])
    const files = [
      ["a", container([bad, first])],
      ["b", container([second, second])]
    ] as const
    const { merger } = await readAll(files, CLEAR)
    expect([...sumsOf(merger)]).toEqual([[1n, 1n]])
    expect(merger).toMatchObject({ duplicates: 2, sum: { reports: 1 }, errors: { total: 4, withErrors: 1 } })
    const swapped = await readAll([files[1], files[0]], CLEAR)
    expect([...sumsOf(swapped.merger)]).toEqual([[2n, 2n]])
  })

  it("reads ids as numbers, so that case and leading zeros make no other report", async () => {
    const id = uuid(171)
    const ids = [id, id.toUpperCase(), id.replace("00000000-0000", "0-0")]
    const { merger } = await readAll(
      [["a", container(ids.map((report_id) => cleartext(1, [[1n, 1]], sharedInfo(1, { report_id }))))]],
      CLEAR
    )
    expect(merger.duplicates).toBe(2)
  })

  it("does not depend on the order of reports whose ids differ", () =>
    fc.assert(
      fc.asyncProperty(rows, fc.nat(), async (all, seed) => {
        const distinct = all.filter((row, i) => all.findIndex((other) => other.sharedInfo === row.sharedInfo) === i)
        const ids = new Set<string>()
        const unique = distinct.filter(({ sharedInfo }) => {
          const id = String(JSON.parse(sharedInfo).report_id)
          if (ids.has(id)) return false
          ids.add(id)
          return true
        })
        const shuffled = unique
          .map((row, i) => [(i * 7919 + seed) % 101, row] as const)
          .sort(([a], [b]) => a - b)
          .map(([, row]) => row)
        const [a, b] = [
          view((await readAll([["a", container(unique)]], CLEAR)).merger),
          view((await readAll([["a", container(shuffled)]], CLEAR)).merger)
        ]
        expect({ ...b, units: b.unitCount }).toEqual({ ...a, units: a.unitCount })
      }),
      { numRuns: 40 }
    ))

  it("cuts the values of one report in payload order once they pass the bound, ids not asked for included", async () => {
    const row = cleartext(1, [
      [1n, 60_000, 1n],
      [2n, 10_000, 0n],
      [3n, 5, 0n]
    ])
    const { merger } = await readAll([["a", container([row])]], clear({ perReport: 65_536 }))
    expect([...sumsOf(merger)]).toEqual([
      [2n, 5536n],
      [3n, 0n]
    ])
  })

  it("stops at the report that is one error too many, for every batch size", async () => {
    const bad = (n: number) => cleartext(n, [], "{}")
    const all = [bad(1), cleartext(2, [[1n, 1]]), bad(3), cleartext(4, []), bad(5), bad(6), cleartext(7, [])]
    for (const batchBytes of [1, 400, 1 << 20]) {
      const { merger, stop } = await readAll(
        [["a", container(all, { perBlock: 2 })]],
        clear({ errorLimit: 2n, batchBytes })
      )
      expect(stop).toMatchObject({ _tag: "TooManyErrors", errors: { total: 5, withErrors: 3 } })
      expect(merger.sum.reports).toBe(2)
    }
    const { stop } = await readAll([["a", container(all)]], clear({ errorLimit: 4n }))
    expect(stop).toBeUndefined()
  })

  it("lists each unit once, with the first report that has it", async () => {
    const at = (n: number, seconds: number) =>
      cleartext(n, [], sharedInfo(n, { scheduled_report_time: String(AS_OF / 1000 - seconds) }))
    const all = [cleartext(9, [], "{}"), at(1, 3500.25), at(2, 3400), at(1, 10), at(3, 7200)]
    const { merger } = await readAll([["a", container(all)]], clear({ rules: { filteringIds: [0n, 5n] } }))
    expect(merger.unitCount).toBe(4)
    expect(
      merger.units.map(({ filteringId, origin, hour, source }) => [
        filteringId,
        origin,
        hour,
        source.scheduledReportTime.seconds,
        source.scheduledReportTime.nanos
      ])
    ).toEqual([
      [0n, ORIGIN, AS_OF / 3_600_000 - 1, AS_OF / 1000 - 3501, 750_000_000],
      [5n, ORIGIN, AS_OF / 3_600_000 - 1, AS_OF / 1000 - 3501, 750_000_000],
      [0n, ORIGIN, AS_OF / 3_600_000 - 2, AS_OF / 1000 - 7200, 0],
      [5n, ORIGIN, AS_OF / 3_600_000 - 2, AS_OF / 1000 - 7200, 0]
    ])
    expect(new Set(merger.units.map(({ id }) => id)).size).toBe(4)
  })

  it("counts units beyond the limit without listing them", async () => {
    const all = Array.from({ length: 30 }, (_, n) =>
      cleartext(n, [], sharedInfo(n, { scheduled_report_time: String(AS_OF / 1000 - 3600 * (n % 20)) }))
    )
    const { merger } = await readAll([["a", container(all)]], clear({ unitLimit: 7 }))
    expect([merger.units.length, merger.unitCount]).toEqual([7, 20])
  })

  it("sums filtering ids apart so that they add up", () =>
    fc.assert(
      fc.asyncProperty(rows, async (all) => {
        const of = async (filteringIds: ReadonlyArray<bigint>) =>
          sumsOf((await readAll([["a", container(all)]], clear({ rules: { filteringIds }, perReport: 65_536 }))).merger)
        const [both, zero, rest] = [await of([0n, 1n, 2n, 3n]), await of([0n]), await of([1n, 2n, 3n])]
        for (const [bucket, sum] of both) expect((zero.get(bucket) ?? 0n) + (rest.get(bucket) ?? 0n)).toBe(sum)
        expect(new Set([...zero.keys(), ...rest.keys()]).size).toBe(both.size)
      }),
      { numRuns: 30 }
    ))

  it("takes a report without contributions as counted", async () => {
    const { merger } = await readAll(
      [["a", container([{ payload: cbor([]), keyId: "", sharedInfo: sharedInfo(1) }])]],
      CLEAR
    )
    expect(merger).toMatchObject({ sum: { reports: 1 }, unitCount: 1 })
    expect(merger.histogram.size).toBe(0)
  })
})
