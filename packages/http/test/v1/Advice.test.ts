import { fingerprint, type Epsilon, sumsName, type UnitId } from "@sotto/core/budget"
import { noErrors } from "@sotto/core/aggregation"
import type { Sums } from "@sotto/core/ports/Aggregator"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { LedgerKeys } from "@sotto/core/ports/LedgerKeys"
import { aggregationKind, type Bill, pay } from "@sotto/engine"
import { LEDGER_TEST_KEYS } from "@sotto/testkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { describe, expect, it } from "vitest"
import { json, kindOf, play, type Served, serve } from "../support/Rig.ts"

const UNIT = { id: "a".repeat(64) as UnitId, hour: 1, origin: "https://shop.example" }

const sums: Sums = {
  errors: noErrors,
  sum: { words: new Uint32Array(8), reports: 3 },
  duplicates: 0,
  units: [{ ...UNIT, filteringId: 0n, source: {} as Sums["units"][number]["source"] }],
  unitCount: 1,
  buckets: 2
}

const aggregation = (more: Readonly<Record<string, string>> = {}) => ({
  kind: "aggregation",
  parameters: {
    inputDataBucketName: "data",
    inputDataBlobPrefix: "reports/",
    outputDataBucketName: "data",
    outputDataBlobPrefix: "summary",
    jobParameters: {
      attribution_report_to: "https://shop.example",
      output_domain_bucket_name: "data",
      output_domain_blob_prefix: "domain.avro",
      ...more
    }
  }
})

/** What a bill of the same question says, for somebody else's job. */
const bill = (more: Partial<Bill> = {}): Bill => ({
  scope: "default",
  spender: "another job",
  fingerprint: fingerprint(LEDGER_TEST_KEYS.fingerprintKey, {
    scope: "default",
    sums: sumsName(false),
    epsilon: 10_000_000 as Epsilon,
    l1: 65_536,
    filteringIds: [0n],
    reports: sums.sum
  }),
  charge: "exclusive",
  epsilon: 10_000_000 as Epsilon,
  reports: 3,
  units: [UNIT],
  asOf: 0,
  ...more
})

const advised = Effect.fnUntraced(function* (
  options: { readonly sums?: Sums; readonly paid?: Bill; readonly body?: unknown } = {}
) {
  const served: Served = yield* serve({ kinds: [aggregationKind, kindOf("notes")], ...options })
  const { ask, context } = served
  if (options.paid !== undefined) {
    yield* pay(options.paid).pipe(
      Effect.provideService(BudgetLedger, Context.get(context, BudgetLedger)),
      Effect.provideService(LedgerKeys, Context.get(context, LedgerKeys))
    )
  }
  const answer = yield* ask("POST /v1/jobs?validateOnly=true", { as: "acme", body: options.body ?? aggregation() })
  expect(answer.status).toBe(200)
  const { budget } = yield* json(answer)
  const { head } = yield* json(yield* ask("GET /v1/budget", { as: "acme" }))
  // Whatever was advised, nothing was charged for it.
  expect(head.sequence).toBe(options.paid === undefined ? 0 : 1)
  return budget
})

describe("validateOnly of an aggregation", () => {
  it("says that every unit can pay", () =>
    play(() =>
      Effect.gen(function* () {
        expect(yield* advised({ sums })).toEqual({
          use: "enough",
          because: null,
          reports: 3,
          units: 1,
          shortUnits: 0,
          short: []
        })
      })
    ))

  it("names the units that are short", () =>
    play(() =>
      Effect.gen(function* () {
        const paid = bill({ fingerprint: "b".repeat(64) as Bill["fingerprint"] })
        expect(yield* advised({ sums, paid })).toMatchObject({
          use: "short",
          shortUnits: 1,
          short: [{ unit: UNIT.id, origin: UNIT.origin, remaining: "0" }]
        })
      })
    ))

  it("says that a question that was paid for is free", () =>
    play(() =>
      Effect.gen(function* () {
        expect(yield* advised({ sums, paid: bill() })).toMatchObject({ use: "free", shortUnits: 0 })
      })
    ))

  it("says that a debug run is free", () =>
    play(() =>
      Effect.gen(function* () {
        expect(yield* advised({ body: aggregation({ debug_run: "true" }) })).toMatchObject({ use: "free" })
      })
    ))

  it("says so when the reports cannot be read", () =>
    play(() =>
      Effect.gen(function* () {
        const budget = yield* advised()
        expect(budget).toMatchObject({ use: "unknown", because: expect.stringContaining("Check bucket") })
      })
    ))

  it("gives up on more reports than can be looked at in a minute, and looks for few at once", () =>
    play(() =>
      Effect.gen(function* () {
        const { ask } = yield* serve({ kinds: [aggregationKind], sums: "endless" })
        const validate = Effect.suspend(() =>
          Effect.flatMap(ask("POST /v1/jobs?validateOnly=true", { as: "acme", body: aggregation() }), json)
        )
        const looked = [yield* Effect.forkChild(validate), yield* Effect.forkChild(validate)]
        yield* TestClock.adjust("1 second")
        expect((yield* validate).budget).toMatchObject({
          use: "unknown",
          because: expect.stringContaining("of others")
        })
        yield* TestClock.adjust("60 seconds")
        for (const fiber of looked) {
          const { budget } = yield* Fiber.join(fiber)
          expect(budget).toMatchObject({ use: "unknown", because: expect.stringContaining("sotto budget check") })
        }
      })
    ))
})
