import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { UnitSource } from "../../src/budget/BudgetUnit.ts"
import { budgetUnit, distinctUnits, unitId, unitIdBytes, unitKey } from "../../src/budget/BudgetUnit.ts"
import type { LedgerUnit, UnitId } from "../../src/budget/Spend.ts"
import { type Instant, instant, parseInstant } from "../../src/Instant.ts"
import { fromHex } from "../../src/internal/Bytes.ts"

const at = (text: string): Instant => parseInstant(text) as Instant

const source = (more: Partial<UnitSource>): UnitSource => ({
  api: "attribution-reporting",
  version: "0.1",
  reportingOrigin: "https://www.origin.com",
  attributionDestination: "https://www.destination.com",
  sourceRegistrationTime: at("2021-01-01T00:00:00Z"),
  scheduledReportTime: at("2021-01-01T00:17:00Z"),
  ...more
})

const hex64 = (n: number): UnitId => n.toString(16).padStart(64, "0") as UnitId

describe("BudgetUnit", () => {
  it.each<[string, string, Partial<UnitSource>, bigint]>([
    [
      "attribution-reporting-0.1-https://report.test-https://conversion.test-2009-02-13T00:00:00Z",
      "399bd3cd2282959381e4ad6858c5f434285ec70252b5a446808815780d36140f",
      {
        reportingOrigin: "https://report.test",
        attributionDestination: "https://conversion.test",
        sourceRegistrationTime: at("2009-02-13T00:00:00Z")
      },
      0n
    ],
    [
      "attribution-reporting-0.1-https://www.origin.com-https://www.destination.com-2021-01-01T00:00:00Z",
      "7b16c743c6ffe44bc559561b4f457fd3dcf91b797446ed6dc6b01d9fb32d3565",
      {},
      0n
    ],
    [
      "protected-audience-0.1-https://www.origin.com",
      "2ba6169867645673b16783915d6eb47bcfd8a056f27d50f09f7cdc56fec513b0",
      { api: "protected-audience" },
      0n
    ],
    [
      "shared-storage-0.1-https://www.origin.com",
      "a5f0260eaa89fb0984127e70e396d0d744ac8509db2e92a22e9f5ba8d8360d6b",
      { api: "shared-storage" },
      0n
    ],
    [
      "attribution-reporting-1.0-https://www.origin.com-https://www.destination.com-2021-01-01T00:00:00Z-78",
      "25208ff3d1ea528271102189ccbb1355ff00e59c1ba1ac0c1f642fba7c9e8d1a",
      { version: "1.0" },
      78n
    ]
  ])("names %s", (text, keyHash, more, id) => {
    expect(unitKey(source(more), id)).toBe(text)
    expect(budgetUnit(source(more), id)).toMatchObject({ keyHash })
  })

  it("has the ledger's id of the published vector", () => {
    expect(budgetUnit(source({}), 0n)).toEqual({
      id: "a4e21b12fb9b562ddc7c3d657c4c29a1b28454e77c2d86ae5a8b1a4e429f7ef8",
      keyHash: "7b16c743c6ffe44bc559561b4f457fd3dcf91b797446ed6dc6b01d9fb32d3565",
      hour: 447_072,
      origin: "https://www.origin.com"
    })
  })

  it("writes the filtering id from version 1.0 on, and for every id but 0 before", () => {
    const key = (version: string, id: bigint) => unitKey(source({ api: "shared-storage", version }), id)
    expect(key("0.9", 0n)).toBe("shared-storage-0.9-https://www.origin.com")
    expect(key("0.10", 0n)).toBe("shared-storage-0.10-https://www.origin.com")
    expect(key("0.01", 0n)).toBe("shared-storage-0.01-https://www.origin.com")
    expect(key("0.1", 1n)).toBe("shared-storage-0.1-https://www.origin.com-1")
    expect(key("0.1", 5n)).toBe("shared-storage-0.1-https://www.origin.com-5")
    expect(key("1.0", 0n)).toBe("shared-storage-1.0-https://www.origin.com-0")
    expect(key("0.0", 2n ** 64n - 1n)).toBe("shared-storage-0.0-https://www.origin.com-18446744073709551615")
  })

  it("takes the destination and the time for attribution only, and skips an absent time", () => {
    expect(unitKey(source({ api: "attribution-reporting-debug", sourceRegistrationTime: undefined }), 0n)).toBe(
      "attribution-reporting-debug-0.1-https://www.origin.com-https://www.destination.com"
    )
    expect(unitKey(source({ sourceRegistrationTime: instant(1, 500_000_000) as Instant }), 0n)).toMatch(
      /-1970-01-01T00:00:01\.500Z$/
    )
    expect(unitKey(source({ api: "shared-storage", attributionDestination: "" }), 0n)).toBe(
      "shared-storage-0.1-https://www.origin.com"
    )
  })

  it.each<[string, Partial<UnitSource>, bigint, string]>([
    ["no api", { api: undefined }, 0n, "api"],
    ["an empty api", { api: "" }, 0n, "api"],
    ["an unknown api", { api: "constructor" }, 0n, "api"],
    ["an empty version", { version: "" }, 1n, "version"],
    ["version 1", { version: "1" }, 1n, "version"],
    ["version 1.2.3", { version: "1.2.3" }, 1n, "version"],
    ["a signed version", { version: "-0.1" }, 0n, "version"],
    ["version 0.0 with id 0", { version: "0.0" }, 0n, "version"],
    ["no origin", { reportingOrigin: "" }, 0n, "reporting_origin"],
    ["no destination", { attributionDestination: undefined }, 0n, "attribution_destination"],
    ["an empty destination", { attributionDestination: "" }, 0n, "attribution_destination"]
  ])("has no unit for %s", (_, more, id, member) => {
    expect(budgetUnit(source(more), id)).toEqual({ _tag: "BudgetUnitRejected", member })
  })

  it("is the same within an hour and another in the next, before 1970 too", () =>
    fc.assert(
      fc.property(fc.integer({ min: -1e6, max: 1e6 }), fc.nat(3599), fc.nat(999_999_999), (hour, second, nanos) => {
        const unit = (seconds: number, n: number) =>
          budgetUnit(source({ scheduledReportTime: instant(seconds, n) as Instant }), 0n) as LedgerUnit
        const inside = unit(hour * 3600 + second, nanos)
        return (
          inside.hour === hour && inside.id === unit(hour * 3600, 0).id && inside.id !== unit((hour + 1) * 3600, 0).id
        )
      })
    ))

  it("keeps origin, hour and key apart: what follows one another cannot be moved across", () => {
    const key = createHash("sha256").update("k").digest()
    const ids = [
      unitId("a", 1, key),
      unitId("a", 2, key),
      unitId("b", 1, key),
      unitId("a\0", 1, key),
      unitId("", 1, key)
    ]
    expect(new Set(ids).size).toBe(ids.length)
  })

  it("sorts units and drops equal ones, whatever their order", () =>
    fc.assert(
      fc.property(fc.array(fc.nat(30)), (numbers) => {
        const units = numbers.map((n): LedgerUnit => ({ id: hex64(n), hour: n, origin: "https://a.example" }))
        const expected = [...new Set(numbers)].sort((a, b) => a - b).map(hex64)
        expect(distinctUnits(units).map(({ id }) => id)).toEqual(expected)
      })
    ))

  it("packs ids as 32 bytes each", () => {
    expect(unitIdBytes([hex64(1), hex64(258)])).toEqual(fromHex(hex64(1) + hex64(258)))
    expect(() => unitIdBytes(["1" as UnitId])).toThrow(RangeError)
  })
})
