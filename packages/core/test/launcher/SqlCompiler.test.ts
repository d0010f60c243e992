import { cleanNames, compileSql, isSqlRejected, sqlText, viewName } from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const collections = ["api-test-app_signals", "api-test-app_signals_aggr"]
const compile = (sql: string, dialect: "duckdb" | "spark" = "duckdb"): string => {
  const compiled = compileSql(sql, { dialect, collections })
  if (isSqlRejected(compiled)) throw new Error(`${compiled.at}: ${compiled.hint}`)
  return compiled
}

describe("SqlCompiler", () => {
  it("names collections as SQL can, and only them", () => {
    expect(compile("SELECT a-b, c.x FROM api-test-app_signals c JOIN `api-test-app_signals_aggr` d")).toBe(
      "SELECT a-b, c.x FROM api_test_app_signals c JOIN api_test_app_signals_aggr d"
    )
    expect(compile("SELECT 'api-test-app_signals' FROM my-api-test-app_signals")).toBe(
      "SELECT 'api-test-app_signals' FROM my-api-test-app_signals"
    )
  })

  it("leaves every literal as it is, whatever it holds", () =>
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.constantFrom("time_decay(a, b)", "-- x", "/*", "api-test-app_signals", "it's", "\\", ";", "split(a, b)")
        ),
        (value) => {
          fc.pre(!value.includes("\0"))
          const sql = `SELECT ${sqlText(value, "spark")} AS a FROM t -- '`
          expect(compile(sql)).toBe(`SELECT ${sqlText(value, "duckdb")} AS a FROM t`)
          expect(compile(sql, "spark")).toBe(`SELECT ${sqlText(value, "spark")} AS a FROM t`)
        }
      )
    ))

  it("is not misled by comments, wherever they stand", () =>
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("/* ' */", '-- "\n', "/*+ hint */", " "), { minLength: 6, maxLength: 6 }),
        (gaps) => {
          const [a, b, c, d, e, f] = gaps
          const sql = `SELECT ${a} time_decay ${b} ( n ${c}, t ${d}, "30 days", ref_time, w ) ${e} FROM x ${f}`
          expect(compile(sql).replace(/\s+/g, " ")).toBe(
            compile('SELECT time_decay(n, t, "30 days", ref_time, w) FROM x').replace(/\s+/g, " ")
          )
        }
      )
    ))

  it("writes time_decay as the closed form over milliseconds", () => {
    const decay = (count: string, weight: string, reference: string) =>
      `SELECT SUM(CAST(${count} AS DOUBLE) * CAST(${weight} AS DOUBLE) * POWER(5e-1, CAST(GREATEST(EPOCH_MS(${reference}) - EPOCH_MS(t), 0) AS DOUBLE) / 2592000000e0))`
    expect(compile('SELECT time_decay(n, t, "30 days", r, w)')).toBe(decay("n", "w", "r"))
    expect(compile("SELECT TIME_DECAY(n, t, '30 days', r, w)")).toBe(decay("n", "w", "r"))
    expect(compile("SELECT time_decay(n, t, interval 30 days, r, w)")).toBe(decay("n", "w", "r"))
    expect(compile("SELECT time_decay(n, t)")).toBe(decay("n", "0.1", "ref_time"))
    expect(compile("SELECT time_decay(n + coalesce(m, 1), t, '30 days', r, w)")).toBe(
      decay("n + coalesce(m, 1)", "w", "r")
    )
  })

  it("writes weighted_sum as a CASE in which unlisted types weigh nothing", () =>
    expect(compile("SELECT weighted_sum(w, type, 'click:1.0, cart:-2.5')")).toBe(
      "SELECT SUM(CAST(w AS DOUBLE) * CASE type WHEN 'click' THEN 1.0e0 WHEN 'cart' THEN (-2.5e0) ELSE 0e0 END)"
    ))

  it("expands calls inside calls, and leaves what only bears the name", () => {
    expect(compile("SELECT weighted_sum(split(a, ','), b, 'x:1')")).toContain("REGEXP_SPLIT_TO_ARRAY(a, ',')")
    expect(compile("SELECT split, c.split (1), time_decay FROM x")).toBe("SELECT split, c.split (1), time_decay FROM x")
  })

  it.each([
    ["", "begin the statement"],
    ["DELETE FROM x", "begin the statement"],
    ["SELECT 1; SELECT 2", "one statement"],
    ["SELECT (1", "close this ("],
    ["SELECT 1)", "closes nothing"],
    ["SELECT time_decay(a)", "time_decay"],
    ["SELECT time_decay(a, b, c)", "half-life"],
    ["SELECT time_decay(a, b, '3 fortnights')", "half-life"],
    ["SELECT weighted_sum(a, b, c)", "weighted_sum"],
    ["SELECT weighted_sum(a, b, 'x:1,x:2')", "weighted_sum"],
    ["SELECT split(a)", "split"]
  ])("refuses %j and says what to do", (sql, hint) =>
    expect(compileSql(sql, { dialect: "duckdb", collections })).toMatchObject({
      _tag: "SqlRejected",
      hint: expect.stringContaining(hint)
    })
  )

  it("leaves a semicolon at the end out", () => expect(compile("SELECT 1 ; ")).toBe("SELECT 1"))

  it("shows a query as it was written, apart from the names of collections", () =>
    fc.assert(
      fc.property(fc.constantFrom(...collections), fc.string(), (collection, text) => {
        fc.pre(!text.includes("\0"))
        const sql = (name: string) => `SELECT ${sqlText(text, "spark")}, /* x */ time_decay(a, b) FROM ${name} c`
        expect(cleanNames(sql(collection), collections)).toBe(sql(viewName(collection)))
      })
    ))
})
