import type { Epsilon, Fingerprint, UnitId } from "@sotto/core/budget"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { pay } from "@sotto/engine"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { json, play, serve, tenantOf } from "../support/Rig.ts"

const unit = (digit: string) => ({ id: digit.repeat(64) as UnitId, hour: 490_000, origin: "https://shop.example" })

/** A server whose ledger has a question of each of two jobs; the first is the tenant's. */
const charged = Effect.fnUntraced(function* () {
  const tenants = [tenantOf("acme"), tenantOf("other"), tenantOf("apart", { ledgerScope: "apart" })]
  const { ask, context } = yield* serve({ tenants })
  const { id } = yield* json(yield* ask("POST /v1/jobs", { as: "acme", body: { kind: "notes", parameters: 1 } }))
  const bill = (spender: string, digit: string, epsilon: number) =>
    pay({
      scope: "default",
      spender,
      fingerprint: digit.repeat(64) as Fingerprint,
      charge: "shared",
      epsilon: epsilon as Epsilon,
      reports: 3,
      units: [unit(digit)],
      asOf: 0
    }).pipe(
      Effect.provideService(BudgetLedger, Context.get(context, BudgetLedger)),
      Effect.provideService(LedgerKeys, Context.get(context, LedgerKeys))
    )
  yield* bill(id, "1", 10_000_000)
  yield* bill("job of somebody", "2", 250_000)
  return { ask, id }
})

describe("Budget", () => {
  it("shows where the chain ends and what units can pay", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* charged()
        const budget = yield* json(yield* ask("GET /v1/budget", { as: "acme" }))
        expect(budget).toMatchObject({
          scope: "default",
          limit: "64",
          head: { sequence: 2 },
          floor: null,
          rollbacks: []
        })
        const { questions } = yield* json(yield* ask("GET /v1/budget/questions", { as: "acme" }))
        expect(budget.head.hash).toBe(questions[1].hash)
      })
    ))

  it("lists units page by page, in decimal ε", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* charged()
        const first = yield* json(yield* ask("GET /v1/budget/units?limit=1", { as: "acme" }))
        expect(first.units).toEqual([
          {
            unit: unit("1").id,
            origin: "https://shop.example",
            hour: new Date(490_000 * 3_600_000).toISOString(),
            spent: "10",
            remaining: "54",
            closed: false
          }
        ])
        const second = yield* json(yield* ask(`GET /v1/budget/units?after=${first.next}`, { as: "acme" }))
        expect(second).toMatchObject({ units: [{ unit: unit("2").id, spent: "0.25", remaining: "63.75" }], next: null })
      })
    ))

  it("lists questions as a chain, and names jobs to their owners only", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask, id } = yield* charged()
        const { questions } = yield* json(yield* ask("GET /v1/budget/questions", { as: "acme" }))
        expect(questions).toMatchObject([
          { sequence: 1, job: id, epsilon: "10", reports: 3, units: 1, charge: "shared" },
          { sequence: 2, job: null, epsilon: "0.25" }
        ])
        expect(questions[1].prevHash).toBe(questions[0].hash)
        const other = yield* json(yield* ask("GET /v1/budget/questions/1", { as: "other" }))
        expect(other).toMatchObject({ job: null, unitIds: [unit("1").id], hours: [490_000] })
        expect((yield* ask("GET /v1/budget/questions/3", { as: "acme" })).status).toBe(404)
      })
    ))

  it("is that of the tenant's own scope", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* charged()
        expect(yield* json(yield* ask("GET /v1/budget/units", { as: "apart" }))).toEqual({ units: [], next: null })
        expect((yield* ask("GET /v1/budget/questions/1", { as: "apart" })).status).toBe(404)
      })
    ))
})
