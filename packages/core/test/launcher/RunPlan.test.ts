import { readFileSync } from "node:fs"
import type { PlainObject } from "@sotto/core/job"
import {
  type Configuration,
  isSqlRejected,
  parseConfiguration,
  planFresh,
  planRollup,
  restOf,
  runTimes,
  type SqlRejected
} from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const example = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/launcher/configuration.json", import.meta.url), "utf8")
) as PlainObject
const configuration = parseConfiguration(example) as Configuration
const times = { referenceTime: Date.parse("2025-10-17T18:56:14.660Z"), catchupFrom: 1_000 }

const sound = <A extends object>(value: A | SqlRejected): A => {
  if (isSqlRejected(value)) throw new Error(value.hint)
  return value
}
const fresh = sound(planFresh(configuration, times, "duckdb"))
const columns = [
  { name: "id", kind: "text" },
  { name: "query_s", kind: "text" },
  { name: "doc_id_s", kind: "text" },
  { name: "filters_s", kind: "text" },
  { name: "filters_ss", kind: "other" },
  { name: "weight_d", kind: "number" },
  { name: "aggr_count_i", kind: "integer" }
] as const

describe("RunPlan", () => {
  it("reads on one millisecond behind the last run, so that no signal counts twice and none is left out", () =>
    fc.assert(
      fc.property(fc.array(fc.nat(100), { minLength: 1 }), fc.array(fc.nat(120)), (references, signals) => {
        let last: number | undefined
        const read = new Map<number, number>()
        for (const now of references.toSorted((a, b) => a - b)) {
          const { referenceTime, catchupFrom } = runTimes({ ...configuration, referenceTime: now }, last, 0)
          signals.forEach((at, i) => {
            if (at >= catchupFrom && at <= referenceTime) read.set(i, (read.get(i) ?? 0) + 1)
          })
          last = now
        }
        signals.forEach((at, i) => expect(read.get(i) ?? 0).toBe(at <= (last ?? 0) ? 1 : 0))
      })
    ))

  it("reads everything without catch-up, and up to now without a reference time", () =>
    expect(runTimes({ ...configuration, sourceCatchup: false, referenceTime: undefined }, 5, 9)).toEqual({
      referenceTime: 9,
      catchupFrom: 0
    }))

  it("stamps rows with label and sorted group columns", () =>
    expect(fresh.aggregationType).toBe("click@doc_id,filters,query"))

  it("shows the query with clean names and otherwise as it was written", () =>
    expect(fresh.query).toBe((example["sql"] as string).replaceAll("api-test-app", "api_test_app")))

  it("gives the input its reference time and where it starts, and nothing of the future", () =>
    expect(fresh.views[2]).toEqual({
      name: "api_test_app_signals",
      sql: "SELECT *, TIMESTAMP '2025-10-17 18:56:14.660' AS ref_time, TIMESTAMP '1970-01-01 00:00:01' AS catchup_timestamp_tdt FROM sotto_loaded WHERE timestamp_tdt <= TIMESTAMP '2025-10-17 18:56:14.660'"
    }))

  it("rolls up by the configuration's own SQL over stored and fresh rows", () => {
    const plan = sound(planRollup(configuration, fresh, times, { fresh: columns, stored: columns }, "duckdb"))
    expect(plan.views.map(({ name }) => name)).toEqual(["api_test_app_signals_aggr", "sotto_rolled", "sotto_result"])
    expect(plan.views[0]?.sql).toContain("'click@doc_id,filters,query' AS aggr_type_s")
    expect(plan.views[0]?.sql).toContain("UNION ALL BY NAME SELECT * FROM sotto_stored")
    expect(plan.views[1]?.sql).toContain("first(aggr_type_s) AS aggr_type_s")
    expect(plan.result).toContain("id NOT IN")
  })

  it("sums numbers by the groups of the SQL when no rollup is given, and decays weights from their own time", () => {
    const plan = sound(
      planRollup(
        { ...configuration, rollupSql: undefined },
        fresh,
        times,
        { fresh: columns, stored: undefined },
        "duckdb"
      )
    )
    expect(plan.views[1]?.sql).toBe(
      `SELECT FIRST("id") AS "id", "query_s", "doc_id_s", "filters_s", FIRST("filters_ss") AS "filters_ss", SUM(CAST(1 AS DOUBLE) * CAST("weight_d" AS DOUBLE) * POWER(5e-1, CAST(GREATEST(EPOCH_MS(TIMESTAMP '2025-10-17 18:56:14.660') - EPOCH_MS(timestamp_tdt), 0) AS DOUBLE) / 2592000000e0)) AS "weight_d", SUM("aggr_count_i") AS "aggr_count_i", FIRST(aggr_type_s) AS aggr_type_s FROM api_test_app_signals_aggr GROUP BY "query_s", "doc_id_s", "filters_s"`
    )
  })

  it("takes the fresh rows as they are when every run reads everything", () => {
    const plan = sound(
      planRollup(
        { ...configuration, sourceCatchup: false },
        fresh,
        times,
        { fresh: columns, stored: undefined },
        "duckdb"
      )
    )
    expect(plan.views.map(({ name }) => name)).toEqual(["sotto_rolled", "sotto_result"])
  })

  it("leaves in the source what the run did not read", () =>
    expect(restOf(configuration, times, "duckdb")).toBe(
      "SELECT * FROM sotto_source WHERE ((TRUE) AND timestamp_tdt >= TIMESTAMP '1970-01-01 00:00:01' AND timestamp_tdt <= TIMESTAMP '2025-10-17 18:56:14.660') IS NOT TRUE"
    ))

  it("refuses a natural key without an id", () =>
    expect(
      planRollup(configuration, fresh, times, { fresh: columns.slice(1), stored: undefined }, "duckdb")
    ).toMatchObject({
      _tag: "SqlRejected",
      hint: expect.stringContaining("column id")
    }))
})
