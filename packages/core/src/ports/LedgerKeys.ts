import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ledgerIdentity } from "../budget/Question.ts"
import type { Head, LedgerIdentity } from "../budget/Spend.ts"
import type { SecretBytes } from "./SecretBytes.ts"

/** The keys cannot be read or the head cannot be written; `message` says what to do. */
export class LedgerKeysUnavailable extends Schema.TaggedError<LedgerKeysUnavailable>()("LedgerKeysUnavailable", {
  message: Schema.String
}) {}

/** No noise key has this id: it was destroyed, or never here. A question noised with it is never noised again. */
export class NoiseKeyMissing extends Schema.TaggedError<NoiseKeyMissing>()("NoiseKeyMissing", {
  noiseKeyId: Schema.String,
  message: Schema.String
}) {}

/** The head moved since the caller looked at it; it was left as it is. */
export class HeadMoved extends Schema.TaggedError<HeadMoved>()("HeadMoved", {
  scope: Schema.String,
  message: Schema.String
}) {}

/** 32 bytes K under a public name (spec: ledger §1). */
export interface NoiseKey {
  readonly id: string
  readonly key: SecretBytes
}

/** Without `head` (an environment secret) a rolled-back ledger is not noticed; `head` answers `undefined`, `raiseHead` nothing. */
export interface LedgerKeysCapabilities {
  readonly head: boolean
}

/**
 * What a ledger must not hold itself: the keys of its questions and of their noise, and how far its chains had come.
 *
 * Kept outside the database, so that a copy of the database can neither remove noise nor hide that it is old
 * (spec: ledger §1, §7).
 */
export class LedgerKeys extends Context.Service<
  LedgerKeys,
  {
    readonly capabilities: LedgerKeysCapabilities

    /** 16 bytes, public: which ledger the keys belong to. */
    readonly ledgerId: Effect.Effect<Uint8Array, LedgerKeysUnavailable>

    /** 32 bytes F: names questions. Never rotates. */
    readonly fingerprintKey: Effect.Effect<SecretBytes, LedgerKeysUnavailable>

    /** The key that new questions are noised with. */
    readonly activeNoiseKey: Effect.Effect<NoiseKey, NoiseKeyMissing | LedgerKeysUnavailable>

    /** The key with this id, active or kept to repeat old questions. */
    noiseKey(id: string): Effect.Effect<NoiseKey, NoiseKeyMissing | LedgerKeysUnavailable>

    /** The highest head ever raised for a scope. */
    head(scope: string): Effect.Effect<Head | undefined, LedgerKeysUnavailable>

    /** Compare-and-max by sequence: a lower or equal sequence changes nothing. Durable when it returns. */
    raiseHead(scope: string, head: Head): Effect.Effect<void, LedgerKeysUnavailable>

    /** After an accepted rollback only: replaces exactly `lost` by `head`, or fails with `HeadMoved`. */
    lowerHead(scope: string, lost: Head, head: Head): Effect.Effect<void, HeadMoved | LedgerKeysUnavailable>
  }
>()("@sotto/core/ports/LedgerKeys") {}

/** Which ledger these keys belong to: what an adapter stamps a new ledger with and compares when it opens one. */
export const identityOf: Effect.Effect<LedgerIdentity, LedgerKeysUnavailable, LedgerKeys> = Effect.gen(function* () {
  const keys = yield* LedgerKeys
  return ledgerIdentity(yield* keys.ledgerId, (yield* keys.fingerprintKey).reveal())
})
