import { shapeOf } from "@sotto/core/launcher"
import { describe, expect, it } from "vitest"

describe("SqlShape", () => {
  it("knows the columns and groups of the last SELECT outside brackets", () =>
    expect(
      shapeOf(
        "WITH a AS (SELECT x, y FROM t GROUP BY x, y) SELECT concat_ws('|', x, y) as id, SUM(n) AS n, c.x, y, count(*) FROM a GROUP BY c.x, concat(y, 'z') HAVING n > 1 ORDER BY 1"
      )
    ).toEqual({
      columns: [
        { name: "id", expression: "concat_ws('|', x, y)" },
        { name: "n", expression: "SUM(n)" },
        { name: "x", expression: "c.x" },
        { name: "y", expression: "y" },
        { name: undefined, expression: "count(*)" }
      ],
      groupBy: ["c.x", "concat(y, 'z')"]
    }))

  it("finds no groups where there are none", () =>
    expect(shapeOf("SELECT * FROM t")).toEqual({ columns: [{ name: undefined, expression: "*" }], groupBy: [] }))
})
