import { sqlRunKind } from "@sotto/core/launcher"
import { describe, expect, it } from "vitest"

describe("sqlRunKind", () => {
  it("gives up a run after six hours", () => expect(sqlRunKind.times.deadlineMs).toBe(6 * 3_600_000))

  it("leaves workers to other tenants, and runs a configuration once at a time", () =>
    expect(sqlRunKind.claims).toEqual({ kind: "sql-run", perTenant: 2, perKey: 1 }))
})
