import type { LedgerPolicy } from "@sotto/core/budget"
import type { BudgetLedger } from "@sotto/core/ports/BudgetLedger"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The keys that a ledger under test is made with; 16 and 32 bytes that nobody uses. */
export const LEDGER_TEST_KEYS = {
  ledgerId: Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i),
  fingerprintKey: Uint8Array.from({ length: 32 }, (_, i) => 3 * i + 1),
  noiseKeys: new Map([
    ["noise-a", Uint8Array.from({ length: 32 }, (_, i) => 5 * i + 2)],
    ["noise-b", Uint8Array.from({ length: 32 }, (_, i) => 7 * i + 3)]
  ]),
  activeNoiseKeyId: "noise-a"
} as const

/** What the laws of a ledger need beside the port: the same store, opened a second time with other limits. */
export class LedgerLab extends Context.Service<
  LedgerLab,
  { reopen(policy: Partial<LedgerPolicy>): Effect.Effect<BudgetLedger["Service"], never, Scope.Scope> }
>()("@sotto/testkit/LedgerLab") {}
