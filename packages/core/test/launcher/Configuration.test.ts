import { readFileSync } from "node:fs"
import type { PlainObject } from "@sotto/core/job"
import {
  type Configuration,
  type ConfigurationRejected,
  isConfigurationId,
  isConfigurationRejected,
  parseConfiguration
} from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const example = JSON.parse(
  readFileSync(new URL("../../../../test/fixtures/launcher/configuration.json", import.meta.url), "utf8")
) as PlainObject

const parsed = (value: PlainObject): Configuration => {
  const read = parseConfiguration(value)
  if (isConfigurationRejected(read)) throw new Error(JSON.stringify(read.faults))
  return read
}

describe("Configuration", () => {
  it("reads the vendor's example", () =>
    expect(parsed(example)).toMatchObject({
      id: "api-test-app_click_signals_aggregation",
      inputCollection: "api-test-app_signals",
      outputCollection: "api-test-app_signals_aggr",
      select: [],
      sourceCatchup: true,
      sourceRemove: false,
      referenceTime: Date.parse("2025-10-17T18:56:14.660Z"),
      loadSql: "SELECT * from spark_input",
      label: "click",
      skipCheck: true,
      skipIfEmpty: true,
      naturalKey: true
    }))

  it("fills what only says little: five members are enough", () =>
    expect(
      parsed({
        type: "aggregation",
        id: "a",
        inputCollection: "in",
        sql: "SELECT 1 AS id FROM ${inputCollection}",
        dataFormat: "solr"
      })
    ).toEqual({
      id: "a",
      inputCollection: "in",
      outputCollection: undefined,
      select: [],
      sourceCatchup: true,
      sourceRemove: false,
      referenceTime: undefined,
      loadSql: "SELECT * FROM spark_input",
      sql: "SELECT 1 AS id FROM in",
      rollupSql: undefined,
      label: "click",
      skipCheck: false,
      skipIfEmpty: false,
      naturalKey: true
    }))

  it("takes the older name of the reference time, and NOW", () => {
    const { referenceTime: _, ...rest } = example
    expect(parsed({ ...rest, aggregationTime: "2020-01-01T00:00:00Z" }).referenceTime).toBe(1_577_836_800_000)
    expect(parsed({ ...rest, aggregationTime: "NOW" }).referenceTime).toBeUndefined()
  })

  it.each([
    [{ id: "1a" }, "id"],
    [{ id: "a_" }, "id"],
    [{ id: `a${"b".repeat(63)}` }, "id"],
    [{ type: "spark" }, "type"],
    [{ inputCollection: "a;b" }, "inputCollection"],
    [{ inputCollection: "sotto_fresh" }, "inputCollection"],
    [{ outputCollection: "api_test_app_signals" }, "outputCollection"],
    [{ selectQuery: "a:1 OR b:2" }, "selectQuery"],
    [{ sourceCatchup: "maybe" }, "sourceCatchup"],
    [{ referenceTime: "yesterday" }, "referenceTime"],
    [{ sql: "" }, "sql"],
    [{ sql: "DROP TABLE x" }, "sql"],
    [{ sql: "SELECT ${nothing}" }, "sql"],
    [{ sql: 3 }, "sql"],
    [{ rollupSql: "SELECT (" }, "rollupSql"],
    [{ sparkSQL: "SELECT 1; SELECT 2" }, "sparkSQL"],
    [{ parameters: [{ key: "a" }] }, "parameters[0]"],
    [{ parameters: "a" }, "parameters"],
    [{ parameters: [{ key: "aggrType", value: "a-b" }] }, "parameters"]
  ])("refuses %j and names the member", (change, path) => {
    const read = parseConfiguration({ ...example, ...change } as PlainObject)
    expect((read as ConfigurationRejected).faults).toContainEqual({ path, hint: expect.any(String) })
  })

  it("tells every fault at once", () =>
    expect(
      (parseConfiguration({ id: "-", selectQuery: "x" }) as ConfigurationRejected).faults.map(({ path }) => path)
    ).toEqual(["id", "inputCollection", "selectQuery", "sql"]))

  it("reads any value or says what is wrong with it", () =>
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(example)), (value, member) => {
        const read = parseConfiguration({ ...example, [member]: value } as PlainObject)
        if (isConfigurationRejected(read)) expect(read.faults.length).toBeGreaterThan(0)
        expect(parseConfiguration(value as PlainObject)).toMatchObject({ _tag: "ConfigurationRejected" })
      })
    ))

  it("names configurations as drivers and their hosts can", () =>
    expect(["a", "a1", "a-b_c9", "1", "a-", "", "a b", "ä"].map(isConfigurationId)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
      false
    ]))
})
