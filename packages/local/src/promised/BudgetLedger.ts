import type {
  Head,
  LedgerIdentity,
  LedgerUnit,
  NotRolledBack,
  RollbackAccepted,
  RolledBack,
  Spend,
  SpendAnswer,
  SpendRequest,
  UnitId,
  UnitRemaining,
  UnitState
} from "@sotto/core/budget"
import {
  BudgetLedger,
  type BudgetLedgerCapabilities,
  type LedgerMismatch,
  type LedgerRolledBack,
  ledgerRolledBack,
  LedgerUnavailable,
  requireIdentity
} from "@sotto/core/ports/BudgetLedger"
import { identityOf, type LedgerKeys, type LedgerKeysUnavailable } from "@sotto/core/ports/LedgerKeys"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { call, checker, checkList, checkOptional, demandAdapter, type Thrown, Whole } from "./Border.ts"

/**
 * A budget ledger as a host keeps it with Promises; the promises are those of the port `BudgetLedger` (spec: ledger §3).
 *
 * `@sotto/core/budget` has the ledger as pure transitions: an adapter reads, decides with them and writes, in one
 * transaction. An error's `code` may be one of the port's causes, e.g. `busy`; others are `io`. After a `spend` that
 * throws, the same one comes again.
 */
export interface PromisedBudgetLedger {
  readonly capabilities: BudgetLedgerCapabilities
  /** Called once, first. Stamps a new ledger with `made`; answers what it was stamped with, now or then. */
  identity(made: LedgerIdentity): Promise<LedgerIdentity>
  spend(request: SpendRequest): Promise<SpendAnswer | RolledBack>
  remaining(scope: string, units: ReadonlyArray<LedgerUnit>): Promise<ReadonlyArray<UnitRemaining>>
  history(scope: string, after: number, limit: number): Promise<ReadonlyArray<Spend>>
  units(scope: string, after: UnitId | undefined, limit: number): Promise<ReadonlyArray<UnitState>>
  scopes(): Promise<ReadonlyArray<string>>
  purge(scope: string, beforeHour: number): Promise<number>
  floor(scope: string): Promise<number | undefined>
  acceptRollback(scope: string, lost: Head, reason: string): Promise<RollbackAccepted | NotRolledBack>
  rollbacks(scope: string): Promise<ReadonlyArray<RollbackAccepted>>
  head(scope: string): Promise<Head>
}

const hex = (digits: number) => Schema.String.check(Schema.isPattern(new RegExp(`^[0-9a-f]{${digits}}$`)))

const Hash = hex(64)
const Check = hex(16)
const HeadFields = Schema.Struct({ sequence: Whole, hash: Hash })
const ReceiptFields = Schema.Struct({
  scope: Schema.String,
  sequence: Schema.optionalKey(Whole.check(Schema.isGreaterThanOrEqualTo(1))),
  fingerprint: Hash,
  noiseKeyId: Schema.NonEmptyString,
  kcv: Check,
  chargedAt: Whole
})
const Remaining = Schema.Struct({ id: Hash, remaining: Whole })
const Accepted = Schema.TaggedStruct("RollbackAccepted", {
  lost: HeadFields,
  head: HeadFields,
  reason: Schema.String,
  acceptedAt: Whole
})

const as = <A>(what: string, schema: Schema.Codec<unknown, unknown>) =>
  checker(what, schema) as unknown as (answer: unknown) => A

const isIdentity = as<LedgerIdentity>(
  "identity of a ledger",
  Schema.Struct({ ledgerId: hex(32), fingerprintKcv: Check })
)
const isSpendAnswer = as<SpendAnswer | RolledBack>(
  "answer to spend",
  Schema.Union([
    Schema.Struct({ _tag: Schema.Literals(["Charged", "Replayed", "Nothing"]), receipt: ReceiptFields }),
    Schema.TaggedStruct("Exhausted", { units: Schema.NonEmptyArray(Remaining) }),
    Schema.TaggedStruct("TooManyUnits", { units: Whole, limit: Whole }),
    Schema.TaggedStruct("SpenderConflict", { asked: Hash }),
    Schema.TaggedStruct("NoiseKeyMismatch", { noiseKeyId: Schema.NonEmptyString }),
    Schema.TaggedStruct("RolledBack", { known: HeadFields, head: HeadFields })
  ])
)
const isRemaining = as<UnitRemaining>("unit with what remains", Remaining)
const isSpend = as<Spend>(
  "spend",
  Schema.Struct({
    sequence: Whole,
    fingerprint: Hash,
    spender: Schema.String,
    charge: Schema.Literals(["exclusive", "shared"]),
    epsilon: Whole,
    reports: Whole,
    unitIds: Schema.Array(Hash),
    hours: Schema.Array(Whole),
    noiseKeyId: Schema.NonEmptyString,
    asOf: Schema.Int,
    chargedAt: Whole,
    prevHash: Hash,
    hash: Hash
  })
)
const isUnit = as<UnitState>(
  "unit",
  Schema.Struct({
    id: Hash,
    hour: Schema.Int,
    origin: Schema.String,
    spent: Whole,
    closed: Schema.Boolean,
    deltaPico: Whole
  })
)
const isScope = as<string>("scope", Schema.String)
const isCount = as<number>("count", Whole)
const isAccepted = as<RollbackAccepted>("accepted rollback", Accepted)
const isRollback = as<RollbackAccepted | NotRolledBack>(
  "answer to acceptRollback",
  Schema.Union([Accepted, Schema.TaggedStruct("NotRolledBack", { head: HeadFields })])
)
const isHead = as<Head>("head", HeadFields)

/** A release rests on this answer, so it must be for the question that was asked (spec: ledger §3). */
const answerTo =
  ({ scope, fingerprint, units }: SpendRequest) =>
  (answer: unknown): SpendAnswer | RolledBack => {
    const sound = isSpendAnswer(answer)
    if (sound._tag !== "Charged" && sound._tag !== "Replayed" && sound._tag !== "Nothing") return sound
    const { receipt } = sound
    if (receipt.scope !== scope || receipt.fingerprint !== fingerprint) {
      throw new Error("The adapter's receipt is for another question than the one that was asked; correct the adapter.")
    }
    const empty = units.length === 0
    if (empty !== (sound._tag === "Nothing") || empty !== (receipt.sequence === undefined)) {
      throw new Error(
        `The adapter answered "${sound._tag}" for a question of ${units.length} units; correct the adapter: only a question ` +
          `without units costs nothing, and every other receipt has a sequence.`
      )
    }
    return sound
  }

const BECAUSE = ["missing", "not-a-ledger", "newer", "corrupt", "full", "read-only", "busy"] as const

const refuse = ({ code, message }: Thrown) =>
  new LedgerUnavailable({ because: BECAUSE.find((one) => one === code) ?? "io", message })

const METHODS = [
  "identity",
  "spend",
  "remaining",
  "history",
  "units",
  "scopes",
  "purge",
  "floor",
  "acceptRollback",
  "rollbacks",
  "head"
] as const

/** The port over a host's Promises: answers are checked, a ledger of other keys is refused. */
export const layerPromisedBudgetLedger = (
  ledger: PromisedBudgetLedger
): Layer.Layer<BudgetLedger, LedgerMismatch | LedgerUnavailable | LedgerKeysUnavailable, LedgerKeys> => {
  demandAdapter("BudgetLedger", ledger, METHODS, ["durable"])
  return Layer.effect(
    BudgetLedger,
    Effect.gen(function* () {
      const expected = yield* identityOf
      yield* requireIdentity(yield* call(() => ledger.identity(expected), isIdentity, refuse), expected)
      return BudgetLedger.of({
        capabilities: { durable: ledger.capabilities.durable },
        spend: (request) =>
          Effect.flatMap(
            call(() => ledger.spend(request), answerTo(request), refuse),
            (answer): Effect.Effect<SpendAnswer, LedgerRolledBack> =>
              answer._tag === "RolledBack"
                ? Effect.fail(ledgerRolledBack(request.scope, answer.known, answer.head))
                : Effect.succeed(answer)
          ),
        remaining: (scope, units) =>
          call(() => ledger.remaining(scope, units), checkList("unit with what remains", isRemaining), refuse),
        history: (scope, after, limit) =>
          call(() => ledger.history(scope, after, limit), checkList("spend", isSpend), refuse),
        units: (scope, after, limit) =>
          call(() => ledger.units(scope, after, limit), checkList("unit", isUnit), refuse),
        scopes: call(() => ledger.scopes(), checkList("scope", isScope), refuse),
        purge: (scope, beforeHour) => call(() => ledger.purge(scope, beforeHour), isCount, refuse),
        floor: (scope) => call(() => ledger.floor(scope), checkOptional(isCount), refuse),
        acceptRollback: (scope, lost, reason) =>
          call(() => ledger.acceptRollback(scope, lost, reason), isRollback, refuse),
        rollbacks: (scope) => call(() => ledger.rollbacks(scope), checkList("accepted rollback", isAccepted), refuse),
        head: (scope) => call(() => ledger.head(scope), isHead, refuse)
      })
    })
  )
}
