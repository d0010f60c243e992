import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type {
  Head,
  LedgerIdentity,
  LedgerUnit,
  NotRolledBack,
  RollbackAccepted,
  Spend,
  SpendAnswer,
  SpendRequest,
  UnitId,
  UnitRemaining,
  UnitState
} from "../budget/Spend.ts"

const HeadFields = Schema.Struct({ sequence: Schema.Int, hash: Schema.String })

/**
 * The store is older than the head that is kept beside the keys: somebody restored a backup or lost writes, so charges are
 * missing. Nothing is spent in this scope until an operator accepts it (`acceptRollback`).
 */
export class LedgerRolledBack extends Schema.TaggedError<LedgerRolledBack>()("LedgerRolledBack", {
  scope: Schema.String,
  known: HeadFields,
  head: HeadFields,
  message: Schema.String
}) {}

/**
 * The store did not answer, or cannot. After a `spend` its outcome is unknown: call again with the same arguments, and
 * publish nothing before an answer (spec: ledger §3). `because` is for programs, `message` says what to do.
 */
export class LedgerUnavailable extends Schema.TaggedError<LedgerUnavailable>()("LedgerUnavailable", {
  because: Schema.Literals(["missing", "not-a-ledger", "newer", "corrupt", "full", "read-only", "busy", "io"]),
  message: Schema.String
}) {}

/** On opening: this ledger was made with another id or another fingerprint key than `LedgerKeys` hold. */
export class LedgerMismatch extends Schema.TaggedError<LedgerMismatch>()("LedgerMismatch", {
  message: Schema.String
}) {}

/** Fails unless `opened`, as stored, is the ledger that `expected`, the keys, belong to. */
export const requireIdentity = (
  opened: LedgerIdentity,
  expected: LedgerIdentity
): Effect.Effect<void, LedgerMismatch> => {
  if (opened.ledgerId !== expected.ledgerId) {
    return mismatch(
      `This budget ledger has the id ${opened.ledgerId}, the ledger keys belong to ${expected.ledgerId}. ` +
        `Use the keys that were made for this ledger.`
    )
  }
  if (opened.fingerprintKcv !== expected.fingerprintKcv) {
    return mismatch(
      `This budget ledger was made with another fingerprint key, so it would not recognise a question that was asked ` +
        `before. Use the ledger keys that it was made with, or start another ledger.`
    )
  }
  return Effect.void
}

const mismatch = (message: string) => Effect.fail(new LedgerMismatch({ message }))

/** The text of a `LedgerRolledBack`, one for all adapters. */
export const ledgerRolledBack = (scope: string, known: Head, head: Head): LedgerRolledBack =>
  new LedgerRolledBack({
    scope,
    known,
    head,
    message:
      `The budget ledger of scope "${scope}" ends at spend ${head.sequence} and does not contain spend ` +
      `${known.sequence} (${known.hash.slice(0, 12)}…), which was recorded beside the ledger keys. Charges are missing: ` +
      `restore the newest copy of the ledger, or accept the rollback as an operator.`
  })

export interface BudgetLedgerCapabilities {
  /** Charges survive the end of the process. */
  readonly durable: boolean
}

/**
 * Who asked what, and what it cost (spec: ledger §3).
 *
 * Linearizable; a spend takes all of its units or none, never twice for one question, and is never refunded. Answers that
 * are part of normal life (`Exhausted`, `SpenderConflict`, …) are values, because the caller must look at each of them
 * before it releases anything; the error channel says that there was no answer.
 */
export class BudgetLedger extends Context.Service<
  BudgetLedger,
  {
    readonly capabilities: BudgetLedgerCapabilities

    /** Pays for a question, or finds that it was paid. The time of a charge is the store's own. */
    spend(request: SpendRequest): Effect.Effect<SpendAnswer, LedgerRolledBack | LedgerUnavailable>

    /** What each unit can still pay, sorted by id, equal ids once. Advice: only `spend` decides. */
    remaining(
      scope: string,
      units: ReadonlyArray<LedgerUnit>
    ): Effect.Effect<ReadonlyArray<UnitRemaining>, LedgerUnavailable>

    /** At most `limit` spends with a sequence above `after` (0: from the start), in order. */
    history(scope: string, after: number, limit: number): Effect.Effect<ReadonlyArray<Spend>, LedgerUnavailable>

    /** At most `limit` units with an id above `after`, sorted by id. */
    units(
      scope: string,
      after: UnitId | undefined,
      limit: number
    ): Effect.Effect<ReadonlyArray<UnitState>, LedgerUnavailable>

    /** Every scope that holds a spend, a floor or an accepted rollback, sorted. */
    readonly scopes: Effect.Effect<ReadonlyArray<string>, LedgerUnavailable>

    /**
     * Raises the scope's floor to `beforeHour` (1 … 2³² − 1, never lowers it) and forgets the units below it, in one step;
     * they are exhausted for ever. Spends stay. Answers the number of units forgotten.
     */
    purge(scope: string, beforeHour: number): Effect.Effect<number, LedgerUnavailable>

    /** The first hour that can still be charged; `undefined` if nothing was purged. */
    floor(scope: string): Effect.Effect<number | undefined, LedgerUnavailable>

    /**
     * Records that an operator knows that the spends up to `lost` are missing, and why; once for one `lost` and one end
     * of the chain. The head beside the keys is lowered by the caller afterwards (`acceptRollback` of the engine does both).
     */
    acceptRollback(
      scope: string,
      lost: Head,
      reason: string
    ): Effect.Effect<RollbackAccepted | NotRolledBack, LedgerUnavailable>

    /** The accepted rollbacks of a scope, oldest first. */
    rollbacks(scope: string): Effect.Effect<ReadonlyArray<RollbackAccepted>, LedgerUnavailable>

    /** Where the chain ends; sequence 0 and the genesis hash for an empty one. */
    head(scope: string): Effect.Effect<Head, LedgerUnavailable>
  }
>()("@sotto/core/ports/BudgetLedger") {}
