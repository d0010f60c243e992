/**
 * The privacy budget of a tenant: what each unit has left, and the chain of the questions that were paid for. Read only.
 */
import { MAX_EPSILON, printEpsilon, type Spend, type UnitId } from "@sotto/core/budget"
import { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import { Engine } from "@sotto/engine"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import { apiOf } from "../ApiOf.ts"
import { Caller, Guard, Operation } from "../Operation.ts"
import { problem, problemOf, problems } from "../Problem.ts"
import { printRemaining } from "./Advice.ts"
import { EXAMPLE_ID } from "./Examples.ts"
import { printTime, Time } from "./JobView.ts"

const Head = Schema.Struct({ sequence: Schema.Int, hash: Schema.String }).annotate({ identifier: "LedgerHead" })

const BudgetView = Schema.Struct({
  scope: Schema.String,
  /** What a unit can pay in all. */
  limit: Schema.String,
  head: Head,
  /** Units before this hour are forgotten and can pay nothing. */
  floor: Schema.NullOr(Time),
  /** Losses of charges that an operator accepted. */
  rollbacks: Schema.Array(Schema.Struct({ lost: Head, head: Head, reason: Schema.String, acceptedAt: Time }))
}).annotate({ identifier: "Budget" })

const UnitView = Schema.Struct({
  unit: Schema.String,
  origin: Schema.String,
  hour: Time,
  spent: Schema.String,
  remaining: Schema.String,
  /** Charged exclusively: it pays for nothing more. */
  closed: Schema.Boolean
}).annotate({ identifier: "BudgetUnit" })

const UnitList = Schema.Struct({
  units: Schema.Array(UnitView),
  /** Give it as `after` for the next page; `null` on the last. */
  next: Schema.NullOr(Schema.String)
}).annotate({ identifier: "BudgetUnitList" })

const QUESTION = {
  sequence: Schema.Int,
  fingerprint: Schema.String,
  /** The job that asked, if it is yours and still kept. */
  job: Schema.NullOr(Schema.String),
  charge: Schema.Literals(["exclusive", "shared"]),
  epsilon: Schema.String,
  reports: Schema.Int,
  units: Schema.Int,
  asOf: Time,
  chargedAt: Time,
  noiseKeyId: Schema.String,
  prevHash: Schema.String,
  hash: Schema.String
}

const QuestionView = Schema.Struct({
  ...QUESTION,
  unitIds: Schema.Array(Schema.String),
  /** Hours since 1970 of the units, in the same order. */
  hours: Schema.Array(Schema.Int)
}).annotate({ identifier: "Question" })

const QuestionList = Schema.Struct({
  questions: Schema.Array(Schema.Struct(QUESTION).annotate({ identifier: "QuestionSummary" })),
  /** Give it as `after` for the next page; `null` on the last. */
  next: Schema.NullOr(Schema.Int)
}).annotate({ identifier: "QuestionList" })

const hex = (digit: string): string => digit.repeat(64)

const EXAMPLE_QUESTION = {
  sequence: 1,
  fingerprint: hex("a"),
  job: EXAMPLE_ID,
  charge: "exclusive",
  epsilon: "10",
  reports: 1_000,
  units: 1,
  asOf: "2026-04-01T08:00:00.000Z",
  chargedAt: "2026-04-01T08:00:20.000Z",
  noiseKeyId: "2026-01",
  prevHash: hex("0"),
  hash: hex("b")
} as const

const limit = Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 })))

const get = HttpApiEndpoint.get("get", "/v1/budget", { success: BudgetView, error: problems("unavailable") })
  .annotateMerge(OpenApi.annotations({ summary: "Look at the privacy budget as a whole" }))
  .annotate(Operation, {
    audience: "tenant",
    example: {
      answer: { scope: "default", limit: "64", head: { sequence: 1, hash: hex("b") }, floor: null, rollbacks: [] }
    }
  })

const units = HttpApiEndpoint.get("units", "/v1/budget/units", {
  query: {
    after: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))),
    limit
  },
  success: UnitList,
  error: problems("unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "List the units that were charged",
      description: "Units that are not listed have all they ever had. Texts are decimal ε."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    example: {
      parameters: { limit: "10" },
      answer: {
        units: [
          {
            unit: hex("c"),
            origin: "https://ads.example.com",
            hour: "2026-03-31T22:00:00.000Z",
            spent: "64",
            remaining: "0",
            closed: true
          }
        ],
        next: null
      }
    }
  })

const questions = HttpApiEndpoint.get("questions", "/v1/budget/questions", {
  query: { after: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))), limit },
  success: QuestionList,
  error: problems("unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "List the questions that were paid for",
      description: "Oldest first: a chain of hashes."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    example: { parameters: { limit: "10" }, answer: { questions: [EXAMPLE_QUESTION], next: null } }
  })

const question = HttpApiEndpoint.get("question", "/v1/budget/questions/:sequence", {
  params: { sequence: Schema.Int.check(Schema.isGreaterThan(0)) },
  success: QuestionView,
  error: problems("not-found", "unavailable")
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Look at one question",
      description: "With all its units, so that the chain can be checked."
    })
  )
  .annotate(Operation, {
    audience: "tenant",
    example: {
      parameters: { sequence: "1" },
      answer: { ...EXAMPLE_QUESTION, unitIds: [hex("c")], hours: [492_886] }
    }
  })

export const Budget = HttpApiGroup.make("budget")
  .add(get, units, questions, question)
  .middleware(Guard)
  .annotateMerge(OpenApi.annotations({ title: "Budget", description: "The privacy budget. Read only." }))

const DEFAULT_LIMIT = 100

const HOUR_MS = 3_600_000

export const layerBudgetGroup = HttpApiBuilder.group(
  apiOf(Budget),
  "budget",
  Effect.fnUntraced(function* (handlers) {
    const ledger = yield* BudgetLedger
    const engine = yield* Engine

    /** A scope may be shared by tenants; whose job it was is only told to its owner. */
    const shown = Effect.fnUntraced(function* (tenant: string, spend: Spend) {
      const own = yield* Effect.option(engine.get(tenant, spend.spender))
      return {
        sequence: spend.sequence,
        fingerprint: spend.fingerprint,
        job: own._tag === "Some" ? spend.spender : null,
        charge: spend.charge,
        epsilon: printEpsilon(spend.epsilon),
        reports: spend.reports,
        units: spend.unitIds.length,
        asOf: printTime(spend.asOf),
        chargedAt: printTime(spend.chargedAt),
        noiseKeyId: spend.noiseKeyId,
        prevHash: spend.prevHash,
        hash: spend.hash
      }
    })

    return handlers.handleAll({
      get: Effect.fnUntraced(function* () {
        const { ledgerScope: scope } = (yield* Caller).tenant
        const [head, floor, rollbacks] = yield* Effect.mapError(
          Effect.all([ledger.head(scope), ledger.floor(scope), ledger.rollbacks(scope)]),
          problemOf
        )
        return {
          scope,
          limit: printEpsilon(MAX_EPSILON),
          head,
          floor: floor === undefined ? null : printTime(floor * HOUR_MS),
          rollbacks: rollbacks.map(({ lost, head, reason, acceptedAt }) => ({
            lost,
            head,
            reason,
            acceptedAt: printTime(acceptedAt)
          }))
        }
      }),
      units: Effect.fnUntraced(function* ({ query }) {
        const { ledgerScope: scope } = (yield* Caller).tenant
        const { after, limit = DEFAULT_LIMIT } = query
        const found = yield* Effect.mapError(ledger.units(scope, after as UnitId | undefined, limit), problemOf)
        const left = yield* Effect.mapError(ledger.remaining(scope, found), problemOf)
        const remaining = new Map(left.map((unit) => [unit.id, unit.remaining]))
        return {
          units: found.map(({ id, origin, hour, spent, closed }) => ({
            unit: id,
            origin,
            hour: printTime(hour * HOUR_MS),
            spent: printRemaining(spent),
            remaining: printRemaining(remaining.get(id) ?? 0),
            closed
          })),
          next: found.length < limit ? null : (found.at(-1)?.id ?? null)
        }
      }),
      questions: Effect.fnUntraced(function* ({ query }) {
        const { name, ledgerScope } = (yield* Caller).tenant
        const { after = 0, limit = DEFAULT_LIMIT } = query
        const page = yield* Effect.mapError(ledger.history(ledgerScope, after, limit), problemOf)
        return {
          questions: yield* Effect.forEach(page, (spend) => shown(name, spend), { concurrency: 10 }),
          next: page.length < limit ? null : (page.at(-1)?.sequence ?? null)
        }
      }),
      question: Effect.fnUntraced(function* ({ params }) {
        const { name, ledgerScope } = (yield* Caller).tenant
        const [spend] = yield* Effect.mapError(ledger.history(ledgerScope, params.sequence - 1, 1), problemOf)
        if (spend?.sequence !== params.sequence) {
          return yield* Effect.fail(problem("not-found", `There is no question ${params.sequence} in this scope.`))
        }
        return { ...(yield* shown(name, spend)), unitIds: spend.unitIds, hours: spend.hours }
      })
    })
  })
)
