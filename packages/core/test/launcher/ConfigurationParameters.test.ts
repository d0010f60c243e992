import { fillParameters, isParameterRejected, parameterValues } from "@sotto/core/launcher"
import fc from "fast-check"
import { describe, expect, it } from "vitest"

const values = (parameters: Record<string, string>, given = {}) => {
  const read = parameterValues(
    Object.entries(parameters).map(([key, value]) => ({ key, value })),
    given
  )
  if (isParameterRejected(read)) throw new Error(`${read.key}: ${read.hint}`)
  return read
}

const DERIVED = String.raw`_regex/signalTypeWeights/([\w\-\.]*):([\d\.\-]*)(,|$)/'$1'$3/g`

describe("ConfigurationParameters", () => {
  it("derives the list of signal types from their weights, as the vendor's example does", () =>
    expect(
      values({ signalTypeWeights: "click:1.0,cart:10.0,purchase:25.0", signalTypes: DERIVED }).get("signalTypes")
    ).toBe("'click','cart','purchase'"))

  it("fills places in code and in literals", () =>
    expect(
      fillParameters(
        "SELECT '${w}' FROM ${inputCollection} WHERE type IN (${types}) -- don't",
        values({ w: "click:1.0,cart:10.0", types: "'click','cart'" }, { inputCollection: "signals" })
      )
    ).toBe("SELECT 'click:1.0,cart:10.0' FROM signals WHERE type IN ('click','cart') -- don't"))

  it("never lets a value end the literal, comment or list that it stands in", () =>
    fc.assert(
      fc.property(
        fc.constantFrom("'${p}'", '"${p}"', "`${p}`", "/* ${p} */", "-- ${p}\n", "(${p})"),
        fc.oneof(fc.string(), fc.constantFrom("x') --", "1) OR (1=1", "a'", "*/ 1", "a\nb", "a;b", "--", "${p}")),
        (template, value) => {
          const filled = fillParameters(`SELECT ${template} FROM t`, new Map([["p", value]]))
          if (isParameterRejected(filled)) return
          expect(value).not.toMatch(/[;()\\`"$*]|--|\n/)
          if (template !== "(${p})") expect(value).not.toContain("'")
          else expect(value.replace(/'[\w .:-]*'/g, "")).not.toContain("'")
        }
      )
    ))

  it.each([
    [{ a: "_regex/b" }, "write _regex"],
    [{ a: "_regex/b/x/y/g" }, "no parameter"],
    [{ b: "1", a: "_regex/b/(/y/g" }, "regular expression"],
    [{ b: "1", a: "_regex/b/(a+)+/y/g" }, "repeated group"],
    [{ b: "1", a: "_regex/b/a*b*c*d*/y/g" }, "repetitions"],
    [{ b: "x".repeat(301), a: "_regex/b/a/y/g" }, "300"],
    [{ "a b": "1" }, "name parameters"],
    [{ inputCollection: "x" }, "once"],
    [{ a: "x".repeat(10_001) }, "10000"]
  ])("refuses %j and says why", (parameters, hint) =>
    expect(() => values(parameters as Record<string, string>, { inputCollection: "c" })).toThrow(hint)
  )

  it("names a place that no parameter fills", () =>
    expect(fillParameters("SELECT ${x}", values({ a: "1" }))).toMatchObject({ key: "x" }))
})
